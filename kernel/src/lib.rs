//! The decision kernel of Assent: committed commands in, entries and state changes out.
//!
//! `decide(&state, &command)` says what happens, `evolve(&mut state, &event)` makes it so, and `machine` turns events into the
//! leaves, chains and tree of the ledger. Every replica runs the same commands through it and gets the same bytes.
//!
//! Architecture Invariant: this crate is pure. It reads no clock, no randomness, no file and no environment, and it never awaits.
//! Time and randomness are fields of the command; no order of a hash map ever reaches an output.

pub mod accumulator;
pub mod admit;
pub mod bundle;
pub mod charge;
pub mod codec;
pub mod command;
pub mod counting;
pub mod dare;
pub mod decide;
pub mod event;
pub mod evolve;
pub mod expiry;
pub mod idempotency;
pub mod limits;
pub mod machine;
pub mod reason;
pub mod refusal;
pub mod replay;
pub mod stamp;
pub mod state;
pub mod taint;
pub mod value;
pub mod verdict;
