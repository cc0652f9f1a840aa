//! The keys of one ledger by role, name and interval of checkpoint sizes, pinned to the root key that the caller trusts.

use core::fmt::Write as _;

use super::{EndorseError, verify_endorsement, verify_genesis, verify_retirement};
use crate::ids::{NodeId, Origin, Seq, TreeSize};
use crate::json::Value;
use crate::keys::{Algorithm, PublicKey, Role};
use crate::note::{NoteKey, NoteKeyError};
use crate::seal::{BodyError, KeyEndorsed, KeyRetired, LedgerCreated};

/// Why an entry does not fold into the keyring, or a key is not to be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// Entry 0 must create the ledger, and no other entry may.
    #[error("the ledger must be created by entry 0 and by no other")]
    Creation,
    /// The ledger's own root key is not the pinned one.
    #[error("the ledger names root key {got}, but {pinned} is pinned; check which ledger this is")]
    RootKey {
        /// The caller's.
        pinned: Box<PublicKey>,
        /// The ledger's.
        got: Box<PublicKey>,
    },
    /// The ledger's name is not the expected one.
    #[error("the ledger is {got}, expected {expected}")]
    Origin {
        /// The caller's.
        expected: Origin,
        /// The ledger's.
        got: Origin,
    },
    /// The ledger's parameters are not the ones that the root key signed.
    #[error("the ledger's genesis is not signed by the root key; trust none of its parameters")]
    GenesisNotSigned,
    /// The entry's body is malformed.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The endorsement or retirement itself is not accepted.
    #[error(transparent)]
    Endorse(#[from] EndorseError),
    /// Two keys of one name would be valid at one size.
    #[error("key {key_name} already has a key valid at some of these sizes; retire it first")]
    Overlap {
        /// The name.
        key_name: String,
    },
    /// The same key under another role or name, or the root key itself.
    #[error("public key {public_key} is already in use as {used_as}; make a new key")]
    Reused {
        /// The key.
        public_key: Box<PublicKey>,
        /// The name, or `root`.
        used_as: String,
    },
    /// No such key is open at the size at which it shall end.
    #[error("no {role} key {key_name} with this public key is valid at size {to_size}")]
    NothingToRetire {
        /// The role.
        role: Role,
        /// The name.
        key_name: String,
        /// The size.
        to_size: TreeSize,
    },
    /// No key of that role and name was ever endorsed.
    #[error("no {role} key {key_name} was ever endorsed")]
    Unknown {
        /// The role.
        role: Role,
        /// The name.
        key_name: String,
    },
    /// Keys of that role and name were endorsed, but for other sizes.
    #[error("no {role} key {key_name} is endorsed for size {size}")]
    OutsideInterval {
        /// The role.
        role: Role,
        /// The name.
        key_name: String,
        /// The size.
        size: TreeSize,
    },
}

/// One endorsed key and its interval, both ends included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndorsedKey {
    /// What it may sign.
    pub role: Role,
    /// Its name.
    pub key_name: String,
    /// Its node; `None` for the log key.
    pub node: Option<NodeId>,
    /// The key.
    pub public_key: PublicKey,
    /// First checkpoint size.
    pub from_size: TreeSize,
    /// Last checkpoint size; `None` while open.
    pub to_size: Option<TreeSize>,
}

impl EndorsedKey {
    /// Whether the interval covers the size.
    pub fn valid_at(&self, size: TreeSize) -> bool {
        self.from_size <= size && self.to_size.is_none_or(|to| size <= to)
    }

    fn overlaps(&self, from: TreeSize, to: Option<TreeSize>) -> bool {
        to.is_none_or(|to| self.from_size <= to) && self.to_size.is_none_or(|end| from <= end)
    }
}

/// All keys of a ledger, in the order of their endorsement. Without the ledger's creation it is empty and trusts nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyring {
    origin: Origin,
    root_key: PublicKey,
    created: Option<LedgerCreated>,
    keys: Vec<EndorsedKey>,
}

impl Keyring {
    /// An empty keyring that will accept only what the pinned root key signs for this ledger.
    pub fn new(origin: Origin, root_key: PublicKey) -> Self {
        Keyring { origin, root_key, created: None, keys: Vec::new() }
    }

    /// The ledger.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The pinned root key.
    pub fn root_key(&self) -> &PublicKey {
        &self.root_key
    }

    /// The ledger's parameters, once entry 0 was folded in.
    pub fn created(&self) -> Option<&LedgerCreated> {
        self.created.as_ref()
    }

    /// Every endorsed key, in the order of endorsement, retired ones included.
    pub fn keys(&self) -> impl Iterator<Item = &EndorsedKey> {
        self.keys.iter()
    }

    /// Folds one entry of the system tenant in ledger order; entries of other types leave it as it is.
    /// The caller passes no entry of another tenant.
    pub fn apply(&mut self, seq: Seq, kind: &str, body: &Value) -> Result<(), KeyringError> {
        match kind {
            LedgerCreated::KIND if seq == Seq(0) => self.create(LedgerCreated::from_value(body)?),
            LedgerCreated::KIND => Err(KeyringError::Creation),
            _ if seq == Seq(0) => Err(KeyringError::Creation),
            KeyEndorsed::KIND => self.endorse(&KeyEndorsed::from_value(body)?),
            KeyRetired::KIND => self.retire(&KeyRetired::from_value(body)?),
            _ => Ok(()),
        }
    }

    /// Folds the ledger's creation: its origin and root key must be the pinned ones, and the root key must have signed it.
    pub fn create(&mut self, created: LedgerCreated) -> Result<(), KeyringError> {
        if self.created.is_some() {
            return Err(KeyringError::Creation);
        }
        if created.origin != self.origin {
            return Err(KeyringError::Origin { expected: self.origin.clone(), got: created.origin });
        }
        if created.root_key != self.root_key {
            return Err(KeyringError::RootKey { pinned: Box::new(self.root_key), got: Box::new(created.root_key) });
        }
        verify_genesis(&self.root_key, &created).map_err(|_| KeyringError::GenesisNotSigned)?;
        self.created = Some(created);
        Ok(())
    }

    /// Folds an endorsement. One key has one role and one name for ever; keys of one name have disjoint intervals.
    pub fn endorse(&mut self, body: &KeyEndorsed) -> Result<(), KeyringError> {
        if self.created.is_none() {
            return Err(KeyringError::Creation);
        }
        verify_endorsement(&self.origin, &self.root_key, body)?;
        let public_key = body.public_key;
        if public_key == self.root_key {
            return Err(KeyringError::Reused { public_key: Box::new(public_key), used_as: "root".to_owned() });
        }
        let same_holder = |k: &EndorsedKey| k.role == body.role && k.key_name == body.key_name;
        if let Some(other) = self.keys.iter().find(|k| k.public_key == public_key && !same_holder(k)) {
            return Err(KeyringError::Reused { public_key: Box::new(public_key), used_as: other.key_name.clone() });
        }
        if self.keys.iter().any(|k| same_holder(k) && k.overlaps(body.from_size, body.to_size)) {
            return Err(KeyringError::Overlap { key_name: body.key_name.clone() });
        }
        self.keys.push(EndorsedKey {
            role: body.role,
            key_name: body.key_name.clone(),
            node: body.node,
            public_key,
            from_size: body.from_size,
            to_size: body.to_size,
        });
        Ok(())
    }

    /// Folds a retirement: it can only shorten the interval that covers its size.
    pub fn retire(&mut self, body: &KeyRetired) -> Result<(), KeyringError> {
        if self.created.is_none() {
            return Err(KeyringError::Creation);
        }
        verify_retirement(&self.origin, &self.root_key, body)?;
        let KeyRetired { role, key_name, public_key, to_size, .. } = body;
        let found = self.keys.iter_mut().find(|k| {
            k.role == *role && k.key_name == *key_name && k.public_key == *public_key && k.valid_at(*to_size)
        });
        let nothing = || KeyringError::NothingToRetire { role: *role, key_name: key_name.clone(), to_size: *to_size };
        found.ok_or_else(nothing)?.to_size = Some(*to_size);
        Ok(())
    }

    /// The key of a role and name that is valid at a checkpoint size; there is at most one.
    pub fn key_at(&self, role: Role, key_name: &str, size: TreeSize) -> Result<&PublicKey, KeyringError> {
        let mut ever = false;
        for key in self.keys.iter().filter(|k| k.role == role && k.key_name == key_name) {
            if key.valid_at(size) {
                return Ok(&key.public_key);
            }
            ever = true;
        }
        let key_name = key_name.to_owned();
        Err(if ever {
            KeyringError::OutsideInterval { role, key_name, size }
        } else {
            KeyringError::Unknown { role, key_name }
        })
    }

    /// Every key of a role that is valid at a checkpoint size.
    pub fn valid_at(&self, role: Role, size: TreeSize) -> impl Iterator<Item = &EndorsedKey> {
        self.keys.iter().filter(move |k| k.role == role && k.valid_at(size))
    }

    /// The C2SP tlog-policy that holds at a size: the log key, the cosigners as witnesses, and the quorum.
    /// `None` before the ledger's creation or when no log key is valid.
    pub fn tlog_policy(&self, size: TreeSize) -> Result<Option<String>, NoteKeyError> {
        let (Some(created), Some(log)) = (&self.created, self.valid_at(Role::Log, size).next()) else {
            return Ok(None);
        };
        let mut policy = format!("log {}\n", NoteKey::new(&log.key_name, Algorithm::Ed25519, log.public_key)?);
        let mut names = String::new();
        for (number, key) in self.valid_at(Role::Cosigner, size).enumerate() {
            let vkey = NoteKey::new(&key.key_name, Algorithm::CosignatureV1, key.public_key)?;
            // Writing to a string cannot fail.
            let _ = writeln!(policy, "witness n{number} {vkey}");
            let _ = write!(names, " n{number}");
        }
        let _ = write!(policy, "group cosigners {}{names}\nquorum cosigners\n", created.quorum);
        Ok(Some(policy))
    }
}
