//! Shared by the verifier's tests.

pub mod ledger_builder;
