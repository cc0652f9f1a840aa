//! The offline verifier of Assent: reads an anchored directory and says whether it is what the ledger's quorum signed.
//!
//! Architecture Invariant: this crate opens no socket and trusts one public key. It reads files, streams them, and keeps per
//! tenant one chain head and per ledger O(log n) hashes; one span's leaf hashes (at most 2^20) are held while it is checked.

mod anchors;
mod classify;
mod content;
mod diagnose;
mod finding;
mod json;
mod keys;
mod layout;
mod payloads;
mod receipts;
mod report;
mod seals;
mod span;
mod stream;
mod trust;
mod walk;

pub mod args;
#[cfg(feature = "replay")]
pub mod replay;

use std::io;
use std::path::PathBuf;

use assent_ledger::hash::Hash;
use assent_ledger::ids::{Origin, Time};
use assent_ledger::keys::PublicKey;

pub use finding::{Finding, Kind, Verdict};
pub use payloads::{Keys as PayloadKeys, Stats as PayloadStats, parse_keys as parse_payload_keys};
pub use receipts::Checked as ReceiptsChecked;
pub use report::{Coverage, Report};
pub use walk::verify;

/// What to verify, against what.
#[derive(Debug, Clone)]
pub struct Options {
    /// The WORM directory: it holds `<ledger prefix>/spans/…`.
    pub dir: PathBuf,
    /// The pinned root key.
    pub root_key: PublicKey,
    /// Which ledger; needed when there are several.
    pub origin: Option<Origin>,
    /// Checkpoints that were kept outside.
    pub known_checkpoints: Vec<PathBuf>,
    /// Files of receipts, one a line.
    pub receipts: Vec<PathBuf>,
    /// The ledger must have attested silence or more up to one seal interval before this.
    pub as_of: Option<Time>,
    /// Only this tenant's view, by opaque id.
    pub tenant: Option<Hash>,
    /// Data keys of payloads that are to be opened.
    pub payload_keys: PayloadKeys,
}

impl Options {
    /// A directory and a root key, nothing else.
    pub fn new(dir: impl Into<PathBuf>, root_key: PublicKey) -> Self {
        Options {
            dir: dir.into(),
            root_key,
            origin: None,
            known_checkpoints: Vec::new(),
            receipts: Vec::new(),
            as_of: None,
            tenant: None,
            payload_keys: PayloadKeys::new(),
        }
    }
}

/// Why there is no verdict: the caller's input or the machine is at fault, not the archive.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// A file or directory cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// More than one ledger, and none was chosen.
    #[error("the directory holds several ledgers ({names}); choose one with --origin")]
    SeveralLedgers {
        /// Their prefixes.
        names: String,
    },
    /// A known checkpoint is no checkpoint.
    #[error("{} is no checkpoint: {reason}", path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A line of a receipts file is no receipt.
    #[error("line {line} of {} is no receipt: {reason}", path.display())]
    Receipt {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// Why.
        reason: String,
    },
}
