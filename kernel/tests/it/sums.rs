//! Sums across steps are named by what is added up, and are an environment's own.

use crate::support::{World, admin, agent, call, evaluate, tenant};
use assent_kernel::bundle::{Call, Outcome, bundle_hash, compile};
use assent_kernel::command::{CommandBody, Evaluate, OfferedSource};
use assent_kernel::machine::Answer;
use assent_kernel::value;
use assent_kernel::verdict::Verdict;

const HEAD: &str = "\
name: n
version: '1'
tools: [{name: t, class: c, action: a, inputs: {n: {type: number, required: true}}}]
principals: [{subject: agent-1, capabilities: [{class: c, actions: [a]}]}]
";
const CAP: &str = "{sum: n, per: day, op: '<=', value: 10}";
const COUNT: &str = "{count: '*', per: day, op: '<', value: 100}";

fn contract(predicates: &[&str]) -> String {
    format!("{HEAD}contract: [{{id: cap, tools: [t], require: [{}]}}]\n", predicates.join(", "))
}

fn keys(source: &str) -> Vec<String> {
    let bundle = compile(source.as_bytes()).unwrap_or_else(|errors| panic!("{errors:#?}"));
    let args = value::parse_object(br#"{"n":1}"#).unwrap();
    let outcome: Outcome = bundle.evaluate(&Call { subject: "agent-1", tool: bundle.tool("t").unwrap(), args: &args });
    let mut keys: Vec<String> = outcome.accumulate.iter().map(|item| item.key.to_string()).collect();
    keys.sort();
    keys
}

#[test]
fn a_key_does_not_depend_on_places_and_bounds() {
    let both = keys(&contract(&[CAP, COUNT]));
    assert_eq!(both.len(), 2);
    assert_eq!(keys(&contract(&[COUNT, CAP])), both, "in another order");
    assert_eq!(keys(&contract(&[&CAP.replace("10", "7"), "{argument: n, op: '>', value: 0}", COUNT])), both);
    for other in [CAP.replace("day", "run"), CAP.replace("sum", "distinct"), CAP.replace("sum: n", "sum: /n")] {
        assert!(!both.contains(&keys(&contract(&[&other]))[0]) || other.contains("/n"), "{other}");
    }
    assert_eq!(keys(&contract(&[CAP, "{sum: n, per: day, op: '!=', value: 5}"])).len(), 1, "one sum is added to once");
}

fn activate(world: &mut World, environment: &str, source: &str) {
    let (of, bundle_hash) = (tenant("acme"), bundle_hash(source.as_bytes()));
    let offered = OfferedSource { tenant: of.clone(), source: source.as_bytes().to_vec() };
    world.send(admin("acme"), CommandBody::OfferBundle(offered));
    let environment = environment.to_owned();
    world.must(admin("acme"), CommandBody::ActivateBundle { tenant: of, environment, bundle_hash });
}

fn ask(world: &mut World, environment: &str, n: u32) -> Verdict {
    let asked = Evaluate { environment: environment.into(), ..call("t", &format!(r#"{{"n":{n}}}"#)) };
    match world.send(agent("acme", Some("agent-1")), evaluate(asked)) {
        Answer::Decided { verdict, .. } => verdict,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_days_sum_outlasts_a_reordered_bundle_and_stays_in_its_environment() {
    let mut world = World::ready(5);
    let first = contract(&[CAP, COUNT]);
    activate(&mut world, "prod", &first);
    activate(&mut world, "test", &first);
    assert_eq!(ask(&mut world, "test", 9), Verdict::Allow);
    assert_eq!(ask(&mut world, "prod", 9), Verdict::Allow, "what was tried is not taken from production's sum");
    assert_eq!(ask(&mut world, "prod", 2), Verdict::Deny);
    activate(&mut world, "prod", &contract(&[COUNT, CAP]));
    assert_eq!(ask(&mut world, "prod", 2), Verdict::Deny, "the sum of this day still stands");
    assert_eq!(ask(&mut world, "prod", 1), Verdict::Allow);
}

#[test]
fn a_runs_sum_binds_as_long_as_the_run() {
    let mut world = World::ready(6);
    activate(&mut world, "prod", &contract(&["{sum: n, per: run, op: '<=', value: 10}"]));
    let mut of_run = |run: &str, n: &str| {
        let asked = Evaluate { run_id: Some(run.into()), ..call("t", &format!(r#"{{"n":{n}}}"#)) };
        match world.send(agent("acme", Some("agent-1")), evaluate(asked)) {
            Answer::Decided { verdict, .. } => verdict,
            other => panic!("{other:?}"),
        }
    };
    for (run, n, wanted) in [
        ("run-1", "9.5", Verdict::Allow),
        ("run-1", "0.6", Verdict::Deny),
        ("run-2", "0.6", Verdict::Allow),
        ("run-1", "0.5", Verdict::Allow),
        ("run-1", "0.1", Verdict::Deny),
        ("run-1", "-3", Verdict::Allow),
        ("run-1", "3", Verdict::Allow),
    ] {
        assert_eq!(of_run(run, n), wanted, "{n} in {run}");
    }
}
