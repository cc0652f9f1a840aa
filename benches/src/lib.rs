//! What the benches share: a ledger in memory with a bundle of a hundred rules or the example fleet's, calls of 512 bytes for
//! it, and percentiles of single calls, which Criterion does not report.
//!
//! The benches are in `benches/`, the load generator for a cluster of real processes is `src/bin/load/`. Results that are kept
//! are in `results/`; Criterion keeps its own below `target/criterion/`.

pub mod percentiles;
pub mod policy;
pub mod world;
