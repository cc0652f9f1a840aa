//! The node's configuration: one TOML file, every key known, every default documented here.

use std::path::{Path, PathBuf};
use std::time::Duration;

use assent_ledger::ids::Origin;
use serde::Deserialize;

/// The whole file. Relative paths are relative to the file's folder.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The operator's name for this node; its certificate carries `spiffe://assent/node/<name>`.
    pub name: String,
    /// The ledger that this node keeps.
    pub origin: Origin,
    /// Where the node keeps everything: `raft/`, `db/`, `snapshots/`, `node/`.
    pub data_dir: PathBuf,
    /// Where the node listens.
    pub listen: Listen,
    /// What other nodes and clients are told; the listening addresses by default.
    #[serde(default)]
    pub advertise: Advertise,
    /// Certificates.
    pub tls: Tls,
    /// Keys from files (mode 0600).
    pub keys: Keys,
    /// Where sealed spans are anchored.
    pub anchor: Anchor,
    /// Consensus timing.
    #[serde(default)]
    pub raft: RaftTiming,
    /// Limits against overload.
    #[serde(default)]
    pub limits: Limits,
}

/// Listening addresses, `host:port`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listen {
    /// gRPC for clients.
    pub client: String,
    /// gRPC for the other nodes.
    pub peer: String,
    /// Health and metrics, plain HTTP.
    pub http: String,
    /// HTTP/JSON for clients, under mutual TLS. Default: not served.
    #[serde(default)]
    pub http_api: Option<String>,
}

/// Advertised addresses, `host:port`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Advertise {
    /// For clients.
    pub client: Option<String>,
    /// For the other nodes.
    pub peer: Option<String>,
}

/// PEM files.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The authority that signs nodes' and clients' certificates.
    pub ca: PathBuf,
    /// This node's certificate.
    pub cert: PathBuf,
    /// This node's key.
    pub key: PathBuf,
}

/// Key files: one line of lower-case hexadecimal, 32 bytes.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    /// The log key's seed, the same on every node.
    pub log: PathBuf,
    /// The storage key, the same on every node: it wraps tenants' keys and encrypts the Raft log.
    pub storage: PathBuf,
}

/// The WORM target that all nodes share.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Anchor {
    /// A local directory.
    pub directory: PathBuf,
}

/// Consensus timing. The defaults let a cluster accept writes within 3 s of a leader's death.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RaftTiming {
    /// Milliseconds between heartbeats. Default 100.
    pub heartbeat_ms: u64,
    /// Shortest election timeout, in milliseconds. Default 500.
    pub election_ms_min: u64,
    /// Longest election timeout, in milliseconds. Default 1000.
    pub election_ms_max: u64,
    /// Raft entries between snapshots. Default 5000.
    pub snapshot_entries: u64,
    /// Raft entries kept behind a snapshot for followers that are a little late. Default 1000.
    pub keep_entries: u64,
}

impl Default for RaftTiming {
    fn default() -> Self {
        RaftTiming {
            heartbeat_ms: 100,
            election_ms_min: 500,
            election_ms_max: 1000,
            snapshot_entries: 5000,
            keep_entries: 1000,
        }
    }
}

/// Limits against overload.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Commands waiting to be proposed; more are answered with "try again". Default 16384.
    pub queue_commands_max: usize,
    /// Commands in one Raft entry. Default 1024.
    pub batch_commands_max: usize,
    /// Bytes in one Raft entry. Default 1 MiB.
    pub batch_bytes_max: usize,
    /// Requests in one `EvaluateMany`. Default 1024.
    pub many_requests_max: usize,
    /// How long a request may take before its outcome is reported as unknown, in milliseconds. Default 10000.
    pub request_ms_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            queue_commands_max: 16_384,
            batch_commands_max: 1024,
            batch_bytes_max: 1 << 20,
            many_requests_max: 1024,
            request_ms_max: 10_000,
        }
    }
}

impl Limits {
    /// The request limit as a duration.
    pub fn request_timeout(&self) -> Duration {
        Duration::from_millis(self.request_ms_max)
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}; name the file with --config")]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The file is not a configuration.
    #[error("{path}: {message}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// What the parser says, with line and column.
        message: String,
    },
    /// A value is out of its range.
    #[error("{path}: {key}: {message}")]
    Value {
        /// The file.
        path: PathBuf,
        /// The key.
        key: &'static str,
        /// What is wrong and what would be right.
        message: String,
    },
}

impl Config {
    /// Reads and checks a file.
    pub fn load(path: &Path) -> Result<Config, ConfigError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let mut config: Config = toml::from_str(&text)
            .map_err(|e| ConfigError::Parse { path: path.to_owned(), message: e.to_string().trim_end().to_owned() })?;
        let folder = path.parent().unwrap_or(Path::new("."));
        for file in [
            &mut config.data_dir,
            &mut config.tls.ca,
            &mut config.tls.cert,
            &mut config.tls.key,
            &mut config.keys.log,
            &mut config.keys.storage,
            &mut config.anchor.directory,
        ] {
            if file.is_relative() {
                *file = folder.join(&*file);
            }
        }
        config.check(path)?;
        Ok(config)
    }

    fn check(&self, path: &Path) -> Result<(), ConfigError> {
        let wrong = |key, message: String| Err(ConfigError::Value { path: path.to_owned(), key, message });
        let timing = &self.raft;
        if timing.heartbeat_ms == 0 || timing.election_ms_min < timing.heartbeat_ms * 3 {
            return wrong("raft.election_ms_min", "must be at least three heartbeats".to_owned());
        }
        if timing.election_ms_max <= timing.election_ms_min {
            return wrong("raft.election_ms_max", "must be greater than raft.election_ms_min".to_owned());
        }
        if timing.election_ms_max > 1500 {
            return wrong(
                "raft.election_ms_max",
                "must be at most 1500, so that writes go on within 3 s of a leader's death".to_owned(),
            );
        }
        if timing.snapshot_entries < 100 {
            return wrong("raft.snapshot_entries", "must be at least 100".to_owned());
        }
        let limits = &self.limits;
        if limits.batch_commands_max == 0 || limits.queue_commands_max < limits.batch_commands_max {
            return wrong("limits.queue_commands_max", "must be at least limits.batch_commands_max".to_owned());
        }
        if self.name.is_empty()
            || !self.name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_' || b == b'.')
        {
            return wrong("name", "must consist of letters, digits and - _ .".to_owned());
        }
        Ok(())
    }

    /// The address that clients are told.
    pub fn client_address(&self) -> &str {
        self.advertise.client.as_deref().unwrap_or(&self.listen.client)
    }

    /// The address that other nodes are told.
    pub fn peer_address(&self) -> &str {
        self.advertise.peer.as_deref().unwrap_or(&self.listen.peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
name = "n1"
origin = "assent.test/one"
data_dir = "data"
listen = { client = "127.0.0.1:1", peer = "127.0.0.1:2", http = "127.0.0.1:3" }
tls = { ca = "ca.pem", cert = "n.pem", key = "n.key" }
keys = { log = "log.key", storage = "storage.key" }
anchor = { directory = "worm" }
"#;

    fn load(text: &str) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("assentd.toml");
        std::fs::write(&file, text).unwrap();
        Config::load(&file)
    }

    #[test]
    fn a_minimal_file_gets_the_documented_defaults() {
        let config = load(GOOD).unwrap();
        assert_eq!(config.raft.heartbeat_ms, 100);
        assert_eq!(config.client_address(), "127.0.0.1:1");
        assert!(config.data_dir.is_absolute());
    }

    #[test]
    fn unknown_keys_and_wrong_values_are_named() {
        let message = load(&format!("{GOOD}\n[raft]\nheartbeat = 3\n")).unwrap_err().to_string();
        assert!(message.contains("unknown field `heartbeat`"), "{message}");
        let message = load(&format!("{GOOD}\n[raft]\nelection_ms_max = 9000\n")).unwrap_err().to_string();
        assert!(message.contains("raft.election_ms_max"), "{message}");
        let message = load(&GOOD.replace("assent.test/one", "has space")).unwrap_err().to_string();
        assert!(message.contains("ledger origin"), "{message}");
    }
}
