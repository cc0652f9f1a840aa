//! The client against an in-process server double that fails as its script says, over real mutual TLS.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod believing;
mod ceremony;
mod double;
mod ledger;
mod retrying;
