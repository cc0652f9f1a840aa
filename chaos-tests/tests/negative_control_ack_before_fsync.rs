//! Negative control of `power_loss_of_all_nodes`: a Raft log that answers before its fsync is caught by that very test.

use assent_chaos_tests::support::dice::{repeat, seeds};
use assent_chaos_tests::support::oracle::Violation;
use assent_chaos_tests::support::power_loss::run;
use assent_chaos_tests::support::sim_cluster::Acknowledge;

#[test]
fn acknowledging_before_the_fsync_is_caught() {
    let seeds = seeds(6);
    let mut caught = 0;
    for seed in &seeds {
        match run(*seed, Acknowledge::BeforeFsync) {
            Err(Violation::Lost(what)) => {
                println!("seed {seed}: caught: {what}");
                caught += 1;
            }
            other => println!("seed {seed}: {other:?}; {}", repeat("negative_control_ack_before_fsync", *seed)),
        }
    }
    assert!(caught > 0, "none of {} runs lost an acknowledged decision: the test cannot fail", seeds.len());
}
