//! Support for the fault tests of Assent. Each file in `tests/` holds one invariant and what would break it.
//!
//! Architecture Invariant: nothing here is part of a product; a failure in it must fail the test, loudly and with its cause.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the crate is test support: what goes wrong in it must fail the test at once"
)]

pub mod support;
