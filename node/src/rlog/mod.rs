//! The Raft log of a node: one ordered, checksummed, group-committed log, encrypted at rest.
//!
//! It knows nothing of openraft; entries, votes and log ids are opaque bytes. Why it is our own is told in
//! `docs/adr/0001-raft-log.md`.
//!
//! # Promise
//! An operation whose `done` was called with `Ok` is found again after any crash, in order and whole. Damage to such
//! bytes is found when the log is opened or read; it is never repaired by leaving records out, with one exception.
//!
//! # The window
//! The last group written (all operations of one fsync) can be told from a torn write only by something written after
//! it: the next group, a following segment, or a Mark. The writer adds a Mark when it has been idle for
//! [`RaftLogConfig::idle_mark`] and when it is closed. Damage to acknowledged bytes **of that last group, in the time
//! until one of these is durable,** followed by a crash, is cut off like a torn tail (and reported as
//! [`Recovered::torn`]). The same holds for damage that takes everything from a place to the end of the last
//! segment, such as a file that lost its end: no evidence is left behind it. Raft covers both by its other replicas, if
//! the node that reports a torn tail is the only one.

pub mod disk;
mod engine;
mod frame;
mod index;
mod recover;
mod segment;
pub mod sim_disk;
mod state;
mod writer;

#[cfg(test)]
mod tests;

pub use engine::{LogOptions, RaftLogEngine, Recovered};
pub use index::LogRecord;
pub use recover::{OpenError, RotReason, TornTail};
pub use state::Purged;
pub use writer::{Done, FatalHook, RaftLogConfig, RandomSource};
