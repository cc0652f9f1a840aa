//! What the root key signs: the ledger's parameters, and which key holds which role at which checkpoint sizes. The `Keyring` folds
//! it.

mod keyring;

pub use keyring::{EndorsedKey, Keyring, KeyringError};

use crate::ids::{NodeId, Origin, TreeSize};
use crate::keys::{PublicKey, Role, SecretKey, SignatureInvalid};
use crate::seal::{KeyEndorsed, KeyRetired, LedgerCreated};

/// Why an endorsement or a retirement cannot be made or is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndorseError {
    /// Log keys belong to no node, cosigner and receipt keys to one.
    #[error("a {role} key {need} a node id")]
    Node {
        /// The role.
        role: Role,
        /// `needs` or `must not name`.
        need: &'static str,
    },
    /// The key's name is not the one of its role, ledger and node.
    #[error("the {role} key must be named {expected}, not {got}")]
    KeyName {
        /// The role.
        role: Role,
        /// The one name.
        expected: String,
        /// The name in the body.
        got: String,
    },
    /// The interval's end lies before its start.
    #[error("the key's interval ends at size {to}, before it begins at size {from}")]
    EmptyInterval {
        /// First size.
        from: TreeSize,
        /// Last size.
        to: TreeSize,
    },
    /// Not signed by the root key.
    #[error("the root key's signature does not verify")]
    Signature,
}

impl From<SignatureInvalid> for EndorseError {
    fn from(SignatureInvalid: SignatureInvalid) -> Self {
        EndorseError::Signature
    }
}

/// What a new ledger is to be; the root key answers for all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenesisParameters {
    /// The ledger.
    pub origin: Origin,
    /// Version of the kernel that starts.
    pub kernel_version: u32,
    /// How many distinct nodes must cosign a checkpoint.
    pub quorum: u32,
    /// A seal is due after this many entries of tenants.
    pub seal_entries: u32,
    /// A seal is due after this many seconds.
    pub seal_seconds: u32,
    /// Longest time between two seals, in seconds.
    pub interval_max_seconds: u32,
}

/// The interval and the role of a key that is to be endorsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// What the key may sign.
    pub role: Role,
    /// Its node; `None` for the log key.
    pub node: Option<NodeId>,
    /// First checkpoint size.
    pub from_size: TreeSize,
    /// Last checkpoint size; `None` when open.
    pub to_size: Option<TreeSize>,
}

/// The text that the root key signs to create a ledger: every parameter that a verifier goes by.
pub fn genesis_text(body: &LedgerCreated) -> String {
    let LedgerCreated { origin, root_key, kernel_version, quorum, .. } = body;
    let LedgerCreated { seal_entries, seal_seconds, interval_max_seconds, .. } = body;
    format!(
        "assent/genesis/1\n{origin}\n{root_key}\n{kernel_version}\n{quorum}\n{seal_entries}\n{seal_seconds}\n{interval_max_seconds}\n"
    )
}

/// The text that the root key signs to endorse a key; absent node and end are written `-`.
pub fn endorsement_text(origin: &Origin, body: &KeyEndorsed) -> String {
    let node = body.node.map_or_else(|| "-".to_owned(), |n| n.to_string());
    let to_size = body.to_size.map_or_else(|| "-".to_owned(), |n| n.to_string());
    let KeyEndorsed { role, key_name, public_key, from_size, .. } = body;
    format!("assent/endorsement/1\n{origin}\n{role}\n{key_name}\n{public_key}\n{node}\n{from_size}\n{to_size}\n")
}

/// The text that the root key signs to retire a key.
pub fn retirement_text(origin: &Origin, body: &KeyRetired) -> String {
    let KeyRetired { role, key_name, public_key, to_size, .. } = body;
    format!("assent/retirement/1\n{origin}\n{role}\n{key_name}\n{public_key}\n{to_size}\n")
}

/// Creates a ledger under the root key. The parameters are taken as they are: reading the body back checks their ranges.
pub fn sign_genesis(root_key: &SecretKey, parameters: GenesisParameters) -> LedgerCreated {
    let GenesisParameters { origin, kernel_version, quorum, seal_entries, seal_seconds, interval_max_seconds } =
        parameters;
    let mut body = LedgerCreated {
        interval_max_seconds,
        kernel_version,
        origin,
        quorum,
        root_key: root_key.public(),
        seal_entries,
        seal_seconds,
        signature: [0; 64],
    };
    body.signature = root_key.sign(genesis_text(&body).as_bytes());
    body
}

/// Checks the creation's signature against the root key; whether it is the pinned ledger is the keyring's question.
pub fn verify_genesis(root_key: &PublicKey, body: &LedgerCreated) -> Result<(), SignatureInvalid> {
    root_key.verify(genesis_text(body).as_bytes(), &body.signature)
}

/// Endorses a key under the one name that its role and node give it.
pub fn endorse(
    origin: &Origin,
    root_key: &SecretKey,
    public_key: PublicKey,
    grant: Grant,
) -> Result<KeyEndorsed, EndorseError> {
    let key_name = required_name(origin, grant.role, grant.node)?;
    let Grant { role, node, from_size, to_size } = grant;
    let mut body = KeyEndorsed { from_size, key_name, node, public_key, role, signature: [0; 64], to_size };
    check_interval(&body)?;
    body.signature = root_key.sign(endorsement_text(origin, &body).as_bytes());
    Ok(body)
}

/// Checks an endorsement's name, interval and signature against the root key.
pub fn verify_endorsement(origin: &Origin, root_key: &PublicKey, body: &KeyEndorsed) -> Result<(), EndorseError> {
    let expected = required_name(origin, body.role, body.node)?;
    if body.key_name != expected {
        return Err(EndorseError::KeyName { role: body.role, expected, got: body.key_name.clone() });
    }
    check_interval(body)?;
    root_key.verify(endorsement_text(origin, body).as_bytes(), &body.signature)?;
    Ok(())
}

/// Retires a key: `to_size` is the last checkpoint size at which it is valid.
pub fn retire(
    origin: &Origin,
    root_key: &SecretKey,
    role: Role,
    key_name: &str,
    public_key: PublicKey,
    to_size: TreeSize,
) -> KeyRetired {
    let mut body = KeyRetired { key_name: key_name.to_owned(), public_key, role, signature: [0; 64], to_size };
    body.signature = root_key.sign(retirement_text(origin, &body).as_bytes());
    body
}

/// Checks a retirement's signature against the root key; whether it fits an endorsement is the keyring's question.
pub fn verify_retirement(origin: &Origin, root_key: &PublicKey, body: &KeyRetired) -> Result<(), EndorseError> {
    root_key.verify(retirement_text(origin, body).as_bytes(), &body.signature)?;
    Ok(())
}

fn required_name(origin: &Origin, role: Role, node: Option<NodeId>) -> Result<String, EndorseError> {
    let need = if node.is_none() { "needs" } else { "must not name" };
    role.key_name(origin, node).ok_or(EndorseError::Node { role, need })
}

fn check_interval(body: &KeyEndorsed) -> Result<(), EndorseError> {
    match body.to_size {
        Some(to) if to < body.from_size => Err(EndorseError::EmptyInterval { from: body.from_size, to }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
