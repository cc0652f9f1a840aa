//! The flags and the configuration file that all commands share, and the client made from them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use assent_client::{Client, ClientConfig, Deadline, RetryPolicy, Trust};
use assent_ledger::ids::Origin;
use assent_ledger::keys::PublicKey;
use clap::Args;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::files;
use crate::output::{CliError, Out};

/// Flags before or after any command.
#[derive(Debug, Args)]
pub struct Global {
    /// Configuration file [default: $ASSENT_CONFIG, then ./.assent/client.toml]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Connection")]
    pub config: Option<PathBuf>,
    /// A node to start from, host:port; may be repeated
    #[arg(long = "endpoint", global = true, value_name = "HOST:PORT", help_heading = "Connection")]
    pub endpoints: Vec<String>,
    /// Authority of the nodes' certificates, PEM
    #[arg(long, global = true, value_name = "FILE", help_heading = "Connection")]
    pub ca: Option<PathBuf>,
    /// Client certificate, PEM
    #[arg(long, global = true, value_name = "FILE", help_heading = "Connection")]
    pub cert: Option<PathBuf>,
    /// Key of the client certificate, PEM, mode 0600
    #[arg(long, global = true, value_name = "FILE", help_heading = "Connection")]
    pub key: Option<PathBuf>,
    /// File with the bearer token, mode 0600
    #[arg(long, global = true, value_name = "FILE", help_heading = "Connection")]
    pub token_file: Option<PathBuf>,
    /// The ledger's public root key to pin: hexadecimal or a .pub file
    #[arg(long, global = true, value_name = "PUB", help_heading = "Connection")]
    pub root_key: Option<String>,
    /// The ledger's origin to pin (commands that have an --origin of their own set it there)
    #[arg(long = "ledger", global = true, value_name = "ORIGIN", help_heading = "Connection")]
    pub ledger: Option<String>,
    /// Seconds after which to give up
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 15, help_heading = "Connection")]
    pub deadline: u64,
    /// The id of an earlier attempt of the same command whose outcome is unknown [default: a fresh one]
    #[arg(long, global = true, value_name = "UUID")]
    pub request_id: Option<String>,
    /// Print JSON, one value per line
    #[arg(long, global = true)]
    pub json: bool,
}

/// The configuration file. Relative paths are relative to its folder.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    endpoints: Vec<String>,
    ca: Option<PathBuf>,
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    token_file: Option<PathBuf>,
    root_key: Option<String>,
    origin: Option<String>,
    domain: Option<String>,
    tenant: Option<String>,
}

/// What a command works with.
pub struct Context {
    global: Global,
}

impl Context {
    /// Keeps the flags; nothing is read before a command needs it.
    pub const fn new(global: Global) -> Self {
        Context { global }
    }

    /// The request id of a command: an earlier attempt's, or empty for the client to draw a fresh one.
    pub fn request_id(&self) -> String {
        self.global.request_id.clone().unwrap_or_default()
    }

    /// Refuses an earlier attempt's id where a repetition would not be the same request; `what` says why.
    pub fn must_be_fresh(&self, what: &str) -> Result<(), CliError> {
        match &self.global.request_id {
            None => Ok(()),
            Some(id) => Err(CliError::Usage(format!(
                "{what}, so that --request-id cannot repeat it; `assent status {id}` says what became of it"
            ))),
        }
    }

    /// Where results go.
    pub const fn out(&self) -> Out {
        Out::new(self.global.json)
    }

    /// The deadline of the call that is about to be made.
    pub fn deadline(&self) -> Deadline {
        Deadline::after(Duration::from_secs(self.global.deadline))
    }

    /// A client that verifies when a root key and an origin are pinned. It connects with its first call.
    pub fn client(&self) -> Result<Client, CliError> {
        self.client_of(None)
    }

    /// The same for the cluster of this node, whatever nodes are configured.
    pub fn client_at(&self, endpoint: &str) -> Result<Client, CliError> {
        self.client_of(Some(endpoint))
    }

    fn client_of(&self, endpoint: Option<&str>) -> Result<Client, CliError> {
        let (file, folder) = self.file()?;
        let trust = self.trust_from(&file, &folder)?;
        let mut config = self.client_config(file, &folder)?;
        if let Some(endpoint) = endpoint {
            config.endpoints = vec![endpoint.to_owned()];
        }
        let client = Client::new(config)?;
        Ok(match trust {
            Some((origin, root_key)) => client.with_trust(Arc::new(Trust::new(origin, root_key))),
            None => client,
        })
    }

    /// A client for commands that are nothing without verification.
    pub fn verifying_client(&self) -> Result<(Client, Arc<Trust>), CliError> {
        let client = self.client()?;
        let trust = client.trust().cloned();
        trust.map(|trust| (client, trust)).ok_or_else(no_trust)
    }

    /// The pinned ledger and root key.
    pub fn pinned(&self) -> Result<(Origin, PublicKey), CliError> {
        let (file, folder) = self.file()?;
        self.trust_from(&file, &folder)?.ok_or_else(no_trust)
    }

    /// The token of the configuration, as it is sent.
    pub fn token(&self) -> Result<Zeroizing<String>, CliError> {
        let (file, folder) = self.file()?;
        self.read_token(&file, &folder)?.ok_or_else(|| CliError::Usage("no token_file is configured".to_owned()))
    }

    fn file(&self) -> Result<(File, PathBuf), CliError> {
        let named = self.global.config.clone().or_else(|| std::env::var_os("ASSENT_CONFIG").map(PathBuf::from));
        let path = named.clone().unwrap_or_else(|| PathBuf::from(".assent/client.toml"));
        if named.is_none() && !path.exists() {
            return Ok((File::default(), PathBuf::from(".")));
        }
        let text = String::from_utf8(files::read(&path)?)
            .map_err(|_| CliError::Usage(format!("{} is not UTF-8", path.display())))?;
        let file = toml::from_str(&text).map_err(|e| CliError::Usage(format!("{}: {e}", path.display())))?;
        Ok((file, path.parent().map(Path::to_owned).unwrap_or_default()))
    }

    fn trust_from(&self, file: &File, folder: &Path) -> Result<Option<(Origin, PublicKey)>, CliError> {
        let root_key = match (&self.global.root_key, &file.root_key) {
            (Some(flag), _) => Some(files::public_key(flag, Path::new("."))?),
            (None, Some(text)) => Some(files::public_key(text, folder)?),
            (None, None) => None,
        };
        let origin = self.global.ledger.clone().or_else(|| file.origin.clone());
        match (origin, root_key) {
            (Some(origin), Some(root_key)) => {
                let origin = Origin::new(origin).map_err(|e| CliError::Usage(e.to_string()))?;
                Ok(Some((origin, root_key)))
            }
            (None, Some(_)) => Err(CliError::Usage("root_key is given without origin; give both".to_owned())),
            _ => Ok(None),
        }
    }

    fn client_config(&self, file: File, folder: &Path) -> Result<ClientConfig, CliError> {
        let token = self.read_token(&file, folder)?;
        let path = |flag: &Option<PathBuf>, key: &Option<PathBuf>, name: &str| {
            let given = flag.clone().or_else(|| key.as_ref().map(|p| folder.join(p)));
            given.ok_or_else(|| {
                CliError::Usage(format!("no {name} is configured; give --{name} or a configuration file"))
            })
        };
        let ca_pem = files::read(&path(&self.global.ca, &file.ca, "ca")?)?;
        let cert_pem = files::read(&path(&self.global.cert, &file.cert, "cert")?)?;
        let key_pem = files::read_secret(&path(&self.global.key, &file.key, "key")?)?;
        let flags = &self.global.endpoints;
        let endpoints = if flags.is_empty() { file.endpoints } else { flags.clone() };
        let (domain, tenant) = (file.domain, file.tenant);
        let retry = RetryPolicy::default();
        Ok(ClientConfig { endpoints, ca_pem, cert_pem, key_pem, token, domain, tenant, retry })
    }

    fn read_token(&self, file: &File, folder: &Path) -> Result<Option<Zeroizing<String>>, CliError> {
        let path = self.global.token_file.clone().or_else(|| file.token_file.as_ref().map(|p| folder.join(p)));
        let Some(path) = path else { return Ok(None) };
        let bytes = files::read_secret(&path)?;
        let text = core::str::from_utf8(&bytes).unwrap_or_default().trim_end_matches('\n');
        if text.is_empty() {
            return Err(CliError::Usage(format!("{} holds no token", path.display())));
        }
        Ok(Some(Zeroizing::new(text.to_owned())))
    }
}

fn no_trust() -> CliError {
    CliError::Usage(
        "this command verifies, and needs root_key and origin in the configuration (or the flags)".to_owned(),
    )
}
