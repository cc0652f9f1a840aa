//! The node of Assent: consensus, storage, sealing, anchoring and the network in front of a pure kernel.
//!
//! Architecture Invariant: this is the only crate that names openraft or rocksdb. It decides nothing: what happens is what the kernel's
//! state machine makes of the committed log.

pub mod api;
pub mod batcher;
pub mod clock;
pub mod config;
pub mod dev;
pub mod fence;
pub mod files;
pub mod identity;
pub mod node;
pub mod outcome;
pub mod raft;
pub mod random;
pub mod receipts;
pub mod rlog;
pub mod seal;
pub mod serve;
pub mod store;
pub mod ticker;
pub mod tls;
