//! Negative control of `power_loss_of_all_nodes`: a Raft log that answers before its fsync is caught by that very test.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use assent_chaos_tests::support::dice::{repeat, seeds};
use assent_chaos_tests::support::oracle::Violation;
use assent_chaos_tests::support::power_loss::run;
use assent_chaos_tests::support::sim_cluster::Acknowledge;

/// The first run that is caught ends the test; on a busy machine that took up to twenty.
const SEEDS: u64 = 40;

#[test]
fn acknowledging_before_the_fsync_is_caught() {
    for seed in seeds(SEEDS) {
        match run(seed, Acknowledge::BeforeFsync) {
            Err(Violation::Lost(what)) => return println!("seed {seed}: caught: {what}"),
            other => println!("seed {seed}: {other:?}; {}", repeat("negative_control_ack_before_fsync", seed)),
        }
    }
    panic!("no run lost an acknowledged decision: the power loss test cannot fail");
}
