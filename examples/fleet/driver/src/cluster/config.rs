//! The configuration files: `assentd.toml` of each node and `client.toml` of the operator.

use core::fmt::Write as _;

use assent_ledger::ids::Origin;

use super::Ports;

/// What of a node's configuration differs between clusters.
#[derive(Debug, Clone, Copy)]
pub struct NodeConfig<'a> {
    /// The node's name.
    pub name: &'a str,
    /// The ledger.
    pub origin: &'a Origin,
    /// Where it listens.
    pub ports: Ports,
    /// Raft entries between snapshots, if not the default.
    pub snapshot_entries: Option<u64>,
    /// Raft entries kept behind a snapshot, if not the default.
    pub keep_entries: Option<u64>,
}

impl NodeConfig<'_> {
    /// The file's text. Paths are relative to the node's folder.
    pub fn text(&self) -> String {
        let NodeConfig { name, origin, ports: Ports { client, peer, http, http_api }, .. } = *self;
        let mut text = format!(
            "name = \"{name}\"\norigin = \"{origin}\"\ndata_dir = \"data\"\n\n\
             [listen]\nclient = \"127.0.0.1:{client}\"\npeer = \"127.0.0.1:{peer}\"\nhttp = \"127.0.0.1:{http}\"\n\
             http_api = \"127.0.0.1:{http_api}\"\n\n\
             [tls]\nca = \"../keys/ca.pem\"\ncert = \"../keys/node-{name}.pem\"\nkey = \"../keys/node-{name}.key\"\n\n\
             [keys]\nlog = \"../keys/log.key\"\nstorage = \"../keys/storage.key\"\n\n\
             [anchor]\ndirectory = \"../worm\"\n"
        );
        let timing = [("snapshot_entries", self.snapshot_entries), ("keep_entries", self.keep_entries)];
        if timing.iter().any(|(_, value)| value.is_some()) {
            text.push_str("\n[raft]\n");
        }
        for (key, value) in timing {
            if let Some(value) = value {
                // Writing to a string cannot fail.
                let _ = writeln!(text, "{key} = {value}");
            }
        }
        text
    }
}

/// The operator's `client.toml`. Paths are relative to the cluster's folder.
pub fn client_text(origin: &Origin, endpoints: &[String]) -> String {
    let list: Vec<String> = endpoints.iter().map(|e| format!("\"{e}\"")).collect();
    format!(
        "endpoints = [{}]\nca = \"keys/ca.pem\"\ncert = \"keys/client.pem\"\nkey = \"keys/client.key\"\n\
         token_file = \"keys/operator.token\"\nroot_key = \"keys/root.pub\"\norigin = \"{origin}\"\n",
        list.join(", ")
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn timing_is_written_only_where_it_is_given() {
        let origin = Origin::new("assent.example/fleet").unwrap();
        let ports = Ports { client: 1, peer: 2, http: 3, http_api: 4 };
        let mut config = NodeConfig { name: "n1", origin: &origin, ports, snapshot_entries: None, keep_entries: None };
        assert!(!config.text().contains("[raft]"));
        config.keep_entries = Some(7);
        assert!(config.text().ends_with("\n[raft]\nkeep_entries = 7\n"), "{}", config.text());
    }
}
