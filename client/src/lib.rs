//! Client of an Assent cluster: asks for decisions, follows the leader, retries under one request id, and verifies what
//! it is told.
//!
//! A write has three ways to fail, and [`ClientError`] keeps them apart: refused (nothing was recorded), not accepted
//! (nothing was recorded, try again) and outcome unknown (retry with the same request id only). With a [`Trust`] the
//! client believes no answer whose receipt does not verify: such an answer is an error, never an allow.
//!
//! Architecture Invariant: this crate knows the ledger's evidence and the wire, not the node. The kernel is behind the feature `policy`, for
//! what can be asked of a policy without a node; no answer of a node is ever judged with it.

mod admin;
mod call;
mod client;
mod config;
mod deadline;
mod endpoints;
mod error;
mod many;
mod prove;
mod read;
mod request_id;
pub mod scenario;
mod state;
mod stream;
mod tlog_proof;
mod trust;

pub use assent_proto::v1;
pub use client::{Client, Decision};
pub use config::{ClientConfig, RetryPolicy};
pub use deadline::Deadline;
pub use error::ClientError;
pub use prove::ProvenEntry;
pub use read::Entries;
pub use request_id::{RequestId, RequestIdError};
pub use stream::Decisions;
pub use tlog_proof::{TlogProof, TlogProofError};
pub use trust::{CheckedCheckpoint, Trust, TrustError};
