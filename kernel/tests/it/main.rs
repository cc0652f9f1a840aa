//! The kernel's integration tests: one binary, one concern a file.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

mod approvals;
mod budgets;
mod bundle_cel;
mod bundle_compile;
mod bundle_contract;
mod bundle_diff;
mod bundle_evaluate;
mod bundle_everything;
mod bundle_fleet;
mod bundle_layers;
mod bundle_opa;
mod bundle_rego;
mod bundle_tools;
mod bundle_votes;
mod control;
mod dare;
mod dare_run;
mod dare_vectors;
mod decide;
mod determinism;
mod execution;
mod grants;
mod grants_random;
mod idempotency;
mod machine;
mod memory;
mod messages;
mod pipeline;
mod reasons_page;
mod replay;
mod replay_people;
mod signals;
