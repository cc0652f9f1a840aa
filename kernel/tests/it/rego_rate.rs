//! A tenant's Rego takes no more of everybody's time than its rate: beyond it the policy does not run, and the call is denied.

use crate::support::calls::{activate_baseline, ask, decide_for, denied, rates, world_under};
use crate::support::{SECOND, World, admin, agent, call, tenant};
use assent_kernel::bundle::rego::limits::BUDGET_DEFAULT;
use assent_kernel::bundle::{bundle_hash, compile};
use assent_kernel::command::{CommandBody, OfferedSource};
use assent_kernel::event::PolicyDecision;
use assent_kernel::limits::{REGO_UNITS_AT_ONCE, REGO_UNITS_PER_SECOND};
use assent_kernel::reason::ReasonCode::*;
use assent_kernel::verdict::Verdict;

/// A bundle whose policy takes units by the number `n` among the arguments, and its whole budget when that is large.
const DEAR: &str = "\
name: n
version: '1'
tools: [{name: t, class: c, action: a, inputs: {n: {type: integer, required: true}}}]
principals: [{subject: agent-1, capabilities: [{class: c, actions: [a]}]}]
rego:
  modules:
  - file: p.rego
    source: |
      package assent
      decision if count([1 | some i in numbers.range(1, input.args.n); some j in numbers.range(1, input.args.n); i == j]) >= 0
";

/// The same without Rego.
fn plain() -> String {
    let rego = DEAR.find("rego:").unwrap();
    format!("{}rules: [{{id: r, match: {{}}, decision: allow}}]\n", &DEAR[..rego])
}

/// Calls that are the same again and again would be denied as a loop.
fn dear(world: &mut World) -> PolicyDecision {
    let n = 200 + world.index % 800;
    ask(world, "t", &format!(r#"{{"n":{n}}}"#))
}

/// How many dear calls it takes until one is denied without its policy being asked.
fn drain(world: &mut World) -> u64 {
    for asked in 0..1_000 {
        let decision = dear(world);
        denied(&decision, &[PolicyBudget]);
        if decision.effects.rego_units == 0 {
            return asked;
        }
        assert!((BUDGET_DEFAULT / 2..=BUDGET_DEFAULT * 3).contains(&decision.effects.rego_units), "{decision:?}");
    }
    panic!("the bucket does not get empty");
}

#[test]
fn a_tenant_over_its_rate_is_denied_until_the_bucket_fills_again() {
    let mut world = world_under(DEAR);
    let cheap = ask(&mut world, "t", r#"{"n":1}"#);
    assert_eq!(cheap.verdict, Verdict::Allow);
    assert!((1..2_000).contains(&cheap.effects.rego_units), "{}", cheap.effects.rego_units);
    let asked = drain(&mut world);
    assert!((20..REGO_UNITS_AT_ONCE / BUDGET_DEFAULT * 2).contains(&asked), "{asked}");
    denied(&ask(&mut world, "t", r#"{"n":1}"#), &[PolicyBudget]);
    // Refused calls take nothing, so that the bucket fills with time.
    world.clock += BUDGET_DEFAULT * SECOND / REGO_UNITS_PER_SECOND;
    assert_eq!(ask(&mut world, "t", r#"{"n":1}"#).verdict, Verdict::Allow);
    // And never beyond its size.
    world.clock += 3_600 * SECOND;
    let again = drain(&mut world);
    assert!(again.abs_diff(asked) <= 2, "{again} and {asked}");
}

#[test]
fn neither_others_nor_calls_without_rego_are_held_back() {
    let mut world = world_under(DEAR);
    let source = DEAR.as_bytes().to_vec();
    world.must(admin("zeta"), CommandBody::OfferBundle(OfferedSource { tenant: tenant("zeta"), source }));
    let (of, hash) = (tenant("zeta"), bundle_hash(DEAR.as_bytes()));
    world
        .must(admin("zeta"), CommandBody::ActivateBundle { tenant: of, environment: "prod".into(), bundle_hash: hash });
    drain(&mut world);
    let theirs = decide_for(&mut world, agent("zeta", Some("agent-1")), call("t", r#"{"n":1}"#));
    assert_eq!(theirs.verdict, Verdict::Allow);
    crate::support::calls::activate_source(&mut world, &plain());
    let decision = dear(&mut world);
    assert_eq!((decision.verdict, decision.effects.rego_units), (Verdict::Allow, 0));
}

#[test]
fn the_operators_policy_counts_for_the_tenant_whose_call_it_judges() {
    let mut world = world_under(&plain());
    let baseline = DEAR.replace("principals: [{subject: agent-1, capabilities: [{class: c, actions: [a]}]}]\n", "");
    compile(baseline.as_bytes()).unwrap();
    activate_baseline(&mut world, &baseline);
    let decision = ask(&mut world, "t", r#"{"n":1}"#);
    assert!(decision.verdict == Verdict::Allow && decision.effects.rego_units > 0, "{decision:?}");
    assert!(drain(&mut world) > 20);
}

#[test]
fn the_bucket_is_part_of_the_state_and_of_nobodys_bundle() {
    let mut world = world_under(DEAR);
    dear(&mut world);
    let known = rates(&world);
    assert_eq!(known.len(), 1, "{known:?}");
    assert!(known[0].0.starts_with("|rego|tenant|"), "{known:?}");
    world.through_snapshot();
    assert_eq!(rates(&world), known);
    let before = drain(&mut world);
    assert!(before > 20);
    world.through_snapshot();
    denied(&ask(&mut world, "t", r#"{"n":1}"#), &[PolicyBudget]);
}
