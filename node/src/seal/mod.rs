//! From a committed seal to an anchored span: co-signing by a quorum, the span's objects, write-once storage.
//!
//! Every stage is driven by what is committed, never by memory: a leader that takes over goes on where the record says.

pub mod anchor;
pub mod cosigner;
pub mod sealer;
pub mod span;
