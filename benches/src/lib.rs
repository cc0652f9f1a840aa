//! What the benches share: ledgers in memory with bundles of many kinds, calls of 512 bytes for them, one core to run on, and
//! percentiles of single calls, which Criterion does not report.
//!
//! The benches are in `benches/`, the load generator for a cluster of real processes is `src/bin/load/`. Results that are kept
//! are in `results/`; Criterion keeps its own below `target/criterion/`.

pub mod core;
pub mod percentiles;
pub mod policy;
pub mod world;
