//! What a call adds up counts when it may run, and not while people are asked about it.

use super::approvals::*;
use crate::support::*;
use assent_kernel::command::Evaluate;
use assent_kernel::reason::ReasonCode::*;
use assent_kernel::verdict::Verdict;

fn pay(amount: u64) -> Evaluate {
    let inputs = format!(r#"{{"amount_usd":{amount},"account":"primary"}}"#);
    Evaluate { run_id: Some("r1".into()), ..call("pay.send", &inputs) }
}

#[test]
fn what_waits_adds_nothing_up() {
    let sum = "contract:\n  - {id: daily, tools: [pay.send], require: [{sum: amount_usd, per: day, op: '<=', value: 1000}]}\n";
    let mut world = world(71);
    activate_source(&mut world, &format!("{GRANTS}{sum}"));
    let (first, given) = wait_for(&mut world, pay(600));
    let (second, late) = wait_for(&mut world, pay(601));
    assert_eq!(heard(&mut world, person("alice"), yes(&given)), (Verdict::Allow, Approved, true));
    assert_eq!(again(&mut world, &first).verdict, Verdict::Allow, "it alone is within the limit");
    // Now the limit is used up, and whoever agrees to more agrees in vain.
    assert_eq!(heard(&mut world, person("alice"), yes(&late)), (Verdict::Allow, Approved, true));
    assert_eq!(again(&mut world, &second).verdict, Verdict::Deny);
}
