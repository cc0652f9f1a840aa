//! The protocol of Assent: the code generated from `proto/assent/v1/*.proto`, and tables of what those files say.

pub mod describe;

/// Version 1 of the protocol.
#[allow(missing_docs, clippy::all, clippy::unwrap_used, clippy::indexing_slicing, reason = "generated code")]
pub mod v1 {
    tonic::include_proto!("assent.v1");
}
