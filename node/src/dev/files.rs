//! The development node's folder: keys, certificates, tokens and the configuration for its client.

use std::io;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::pki::DevPki;
use crate::config::{Advertise, Anchor, Config, Keys, Limits, Listen, RaftTiming, Tls};
use crate::files::{self, KeyFileError};
use crate::random;

/// The folder.
pub struct DevFiles {
    root: PathBuf,
}

impl DevFiles {
    /// Makes what is missing. The client's configuration is written last: where it stands, the rest is complete.
    pub fn prepare(root: &Path) -> io::Result<DevFiles> {
        std::fs::create_dir_all(root)?;
        let files = DevFiles { root: root.canonicalize()? };
        if files.client_config().exists() {
            return Ok(files);
        }
        for name in ["root.key", "log.key", "storage.key", "operator.token"] {
            files::write_key(&files.path(name), &random::bytes())?;
        }
        let root_key = files::read_key(&files.path("root.key")).map_err(io::Error::other)?;
        let public = assent_ledger::keys::SecretKey::from_seed(&root_key).public();
        files.write("root.pub", &format!("{public}\n"), 0o644)?;
        let pki = DevPki::create().map_err(io::Error::other)?;
        files.write("ca.pem", &pki.authority, 0o644)?;
        files.write("node.pem", &pki.node.certificate, 0o644)?;
        files.write("node.key", &pki.node.key, 0o600)?;
        files.write("client.pem", &pki.client.certificate, 0o644)?;
        files.write("client.key", &pki.client.key, 0o600)?;
        Ok(files)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    fn write(&self, name: &str, text: &str, mode: u32) -> io::Result<()> {
        files::write_durably(&self.path(name), text.as_bytes(), mode)
    }

    /// The node's configuration; also writes the client's.
    pub fn config(&self, origin: &str, port: u16) -> io::Result<Config> {
        let address = |offset: u16| format!("127.0.0.1:{}", port.saturating_add(offset));
        let client = format!(
            "endpoints = [\"{}\"]\nca = \"ca.pem\"\ncert = \"client.pem\"\nkey = \"client.key\"\n\
             token_file = \"operator.token\"\nroot_key = \"root.pub\"\norigin = \"{origin}\"\n",
            address(0)
        );
        self.write("client.toml", &client, 0o644)?;
        Ok(Config {
            name: "dev".to_owned(),
            origin: origin.parse().map_err(io::Error::other)?,
            data_dir: self.path("data"),
            listen: Listen { client: address(0), peer: address(1), http: address(2), http_api: Some(address(3)) },
            advertise: Advertise::default(),
            tls: Tls { ca: self.path("ca.pem"), cert: self.path("node.pem"), key: self.path("node.key") },
            keys: Keys { log: self.path("log.key"), storage: self.path("storage.key") },
            anchor: Anchor { directory: self.anchors() },
            raft: RaftTiming::default(),
            limits: Limits::default(),
        })
    }

    /// Where the client's configuration is.
    pub fn client_config(&self) -> PathBuf {
        self.path("client.toml")
    }

    /// Where sealed spans go.
    pub fn anchors(&self) -> PathBuf {
        self.path("anchors")
    }

    /// The root key. On a development node it is not offline: that is what makes it one.
    pub fn root_key(&self) -> Result<Zeroizing<[u8; 32]>, KeyFileError> {
        files::read_key(&self.path("root.key"))
    }

    /// The operator's token as it is sent.
    pub fn operator_token(&self) -> io::Result<Zeroizing<String>> {
        let text = Zeroizing::new(std::fs::read_to_string(self.path("operator.token"))?);
        Ok(Zeroizing::new(text.trim_end().to_owned()))
    }
}
