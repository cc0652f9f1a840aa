//! Typed bodies of the entries that create a ledger, endorse a key and retire one.

use super::fields::{BodyError, Fields, int, object, string};
use crate::ids::{NodeId, Origin, TreeSize};
use crate::json::Value;
use crate::keys::{PublicKey, Role, SIGNATURE_BYTES};

/// Body of `assent.ledger.created`, entry 0 of every ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerCreated {
    /// Longest time between two seals, in seconds: a ledger silent for longer has lost its tail.
    pub interval_max_seconds: u32,
    /// Version of the kernel that starts.
    pub kernel_version: u32,
    /// The ledger.
    pub origin: Origin,
    /// How many distinct nodes must cosign a checkpoint.
    pub quorum: u32,
    /// The offline key that endorses all others.
    pub root_key: PublicKey,
    /// A seal is due after this many entries of tenants.
    pub seal_entries: u32,
    /// A seal is due after this many seconds.
    pub seal_seconds: u32,
    /// By the root key, over `endorse::genesis_text`.
    pub signature: [u8; SIGNATURE_BYTES],
}

impl LedgerCreated {
    /// The entry type.
    pub const KIND: &'static str = "assent.ledger.created";

    /// The body as JSON.
    pub fn to_value(&self) -> Value {
        Value::Map(object([
            ("interval_max_seconds", int(self.interval_max_seconds)),
            ("kernel_version", int(self.kernel_version)),
            ("origin", string(&self.origin)),
            ("quorum", int(self.quorum)),
            ("root_key", string(self.root_key)),
            ("seal_entries", int(self.seal_entries)),
            ("seal_seconds", int(self.seal_seconds)),
            ("signature", string(hex::encode(self.signature))),
        ]))
    }

    /// Reads the body strictly; the signature is not checked here.
    pub fn from_value(value: &Value) -> Result<Self, BodyError> {
        let mut fields = Fields::of(value, "the created ledger")?;
        let created = LedgerCreated {
            interval_max_seconds: fields.int("interval_max_seconds", 1)?,
            kernel_version: fields.int("kernel_version", 0)?,
            origin: fields.parse("origin", "a ledger origin")?,
            quorum: fields.int("quorum", 1)?,
            root_key: fields.parse("root_key", "a strong public key in lower-case hexadecimal")?,
            seal_entries: fields.int("seal_entries", 1)?,
            seal_seconds: fields.int("seal_seconds", 1)?,
            signature: fields.signature("signature")?,
        };
        fields.finish()?;
        if created.seal_seconds > created.interval_max_seconds {
            return Err(BodyError::Invalid { field: "seal_seconds", expected: "at most interval_max_seconds" });
        }
        Ok(created)
    }
}

/// Body of `assent.key.endorsed`: the root key's word that a key holds a role for an interval of checkpoint sizes, both ends included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyEndorsed {
    /// Smallest checkpoint size at which the key is valid.
    pub from_size: TreeSize,
    /// The key's name.
    pub key_name: String,
    /// The node whose key it is; absent for the log key.
    pub node: Option<NodeId>,
    /// The key.
    pub public_key: PublicKey,
    /// What it may sign.
    pub role: Role,
    /// By the root key, over `endorse::endorsement_text`.
    pub signature: [u8; SIGNATURE_BYTES],
    /// Largest checkpoint size at which the key is valid; absent when open.
    pub to_size: Option<TreeSize>,
}

impl KeyEndorsed {
    /// The entry type.
    pub const KIND: &'static str = "assent.key.endorsed";

    /// The body as JSON.
    pub fn to_value(&self) -> Value {
        let mut map = object([
            ("algorithm", string("ed25519")),
            ("from_size", string(self.from_size)),
            ("key_name", string(&self.key_name)),
            ("public_key", string(self.public_key)),
            ("role", string(self.role)),
            ("signature", string(hex::encode(self.signature))),
        ]);
        if let Some(node) = self.node {
            map.insert("node".to_owned(), string(node));
        }
        if let Some(to_size) = self.to_size {
            map.insert("to_size".to_owned(), string(to_size));
        }
        Value::Map(map)
    }

    /// Reads the body strictly; the signature is not checked here.
    pub fn from_value(value: &Value) -> Result<Self, BodyError> {
        let mut fields = Fields::of(value, "the endorsed key")?;
        if fields.text("algorithm")? != "ed25519" {
            return Err(BodyError::Invalid { field: "algorithm", expected: "ed25519" });
        }
        let endorsed = KeyEndorsed {
            from_size: TreeSize(fields.decimal("from_size")?),
            key_name: fields.text("key_name")?.to_owned(),
            node: fields.parse_opt("node", "a node id")?,
            public_key: fields.parse("public_key", "a strong public key in lower-case hexadecimal")?,
            role: fields.parse("role", "log, cosigner or receipt")?,
            signature: fields.signature("signature")?,
            to_size: fields.parse_opt("to_size", "a decimal string without leading zeros, below 2^64")?,
        };
        fields.finish()?;
        Ok(endorsed)
    }
}

/// Body of `assent.key.retired`: the root key's word that a key's interval ends, its last size included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRetired {
    /// The key's name.
    pub key_name: String,
    /// The key.
    pub public_key: PublicKey,
    /// Its role.
    pub role: Role,
    /// By the root key, over `endorse::retirement_text`.
    pub signature: [u8; SIGNATURE_BYTES],
    /// Largest checkpoint size at which the key is still valid.
    pub to_size: TreeSize,
}

impl KeyRetired {
    /// The entry type.
    pub const KIND: &'static str = "assent.key.retired";

    /// The body as JSON.
    pub fn to_value(&self) -> Value {
        Value::Map(object([
            ("key_name", string(&self.key_name)),
            ("public_key", string(self.public_key)),
            ("role", string(self.role)),
            ("signature", string(hex::encode(self.signature))),
            ("to_size", string(self.to_size)),
        ]))
    }

    /// Reads the body strictly; the signature is not checked here.
    pub fn from_value(value: &Value) -> Result<Self, BodyError> {
        let mut fields = Fields::of(value, "the retired key")?;
        let retired = KeyRetired {
            key_name: fields.text("key_name")?.to_owned(),
            public_key: fields.parse("public_key", "a strong public key in lower-case hexadecimal")?,
            role: fields.parse("role", "log, cosigner or receipt")?,
            signature: fields.signature("signature")?,
            to_size: TreeSize(fields.decimal("to_size")?),
        };
        fields.finish()?;
        Ok(retired)
    }
}
