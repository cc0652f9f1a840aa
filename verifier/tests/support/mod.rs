//! Shared by the verifier's tests.

pub mod files;
pub mod ledger_builder;
