//! Invariant: when the power of all nodes is lost at once, nothing that was acknowledged is lost.
//!
//! Each run loses, tears and damages whatever was not fsynced, in the Raft logs and in RocksDB, at a moment that the seed
//! chooses. Afterwards every acknowledged decision is on every node, once, at the position and with the bytes of its
//! receipt; the nodes agree on size, root and state digest; and a request without an answer, sent again, is recorded once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use assent_chaos_tests::support::dice::{repeat, seeds};
use assent_chaos_tests::support::power_loss::run;
use assent_chaos_tests::support::sim_cluster::Acknowledge;

#[test]
fn nothing_acknowledged_is_lost() {
    let mut acknowledged = 0;
    let mut unknown = 0;
    for seed in seeds(12) {
        match run(seed, Acknowledge::AfterFsync) {
            Ok(report) => {
                println!("seed {seed}: {report:?}");
                acknowledged += report.acknowledged;
                unknown += report.unknown;
            }
            Err(violation) => panic!("{violation:?}\n{}", repeat("power_loss_of_all_nodes", seed)),
        }
    }
    // A run that acknowledges nothing, or in which nothing is under way when the power goes, shows nothing.
    assert!(acknowledged > 0 && unknown > 0, "{acknowledged} acknowledged, {unknown} unknown");
}
