//! What comes with a call that another takes the place of: obligations and reasons of both, and the form of what runs.

use crate::support::calls::*;
use crate::support::*;
use assent_kernel::event::{DETAIL_ROLE, PolicyDetail, REPLACEMENT_ROLE};
use assent_kernel::reason::ReasonCode::*;
use assent_kernel::verdict::Verdict;
use assent_ledger::payload::decrypt;

/// A bundle that cuts amounts above 10 to 5, with so many obligations of what cuts and of what allows.
fn source(first: usize, second: usize) -> String {
    let obligations = |letter: &str, count: usize| {
        let all: Vec<String> = (0..count).map(|n| format!("{{type: x-{letter}{n}, required: false}}")).collect();
        all.join(", ")
    };
    let (first, second) = (obligations("a", first), obligations("b", second));
    format!(
        "name: replaced\nversion: 1\n\
         tools: [{{name: t, class: c, action: a, inputs: {{n: {{type: integer}}}}}}]\n\
         principals: [{{subject: agent-1, capabilities: [{{class: c, actions: [a]}}]}}]\n\
         rules:\n\
         - {{id: cut, priority: 1, match: {{parameters: {{n: {{min: 11}}}}}}, decision: compute, compute: {{set: {{n: 5}}}}, obligations: [{first}]}}\n\
         - {{id: rest, priority: 9, match: {{toolClass: [c]}}, decision: allow, obligations: [{second}]}}\n"
    )
}

#[test]
fn obligations_of_both_are_passed_on_or_nothing_runs() {
    let mut world = world_under(&source(8, 8));
    let decision = ask(&mut world, "t", r#"{"n":12}"#);
    assert_eq!((decision.verdict, decision.effects.obligations.len()), (Verdict::Compute, 16), "{decision:?}");
    let mut world = world_under(&source(8, 9));
    denied(&ask(&mut world, "t", r#"{"n":12}"#), &[PolicyError]);
    // Where policy is only observed the call runs, and is not obliged to what there is no room for.
    let mut world = world_under(&format!("{}mode: observe\n", source(8, 9)));
    let decision = ask(&mut world, "t", r#"{"n":12}"#);
    softened(&decision, &[PolicyError]);
    assert_eq!(decision.effects.obligations, []);
}

#[test]
fn what_runs_is_json_and_the_reasons_of_both_are_kept() {
    let rego = "rego:\n  modules:\n  - file: p.rego\n    source: |\n      package assent\n      \
        decision := {\"decision\": \"allow\", \"reasons\": [sprintf(\"n is %v\", [input.args.n])]}\n";
    let mut world = world_under(&format!("{}{rego}", source(0, 0)));
    let mut asked = in_run("t", r#"{"n":12}"#, "run-1");
    asked.content_type = "text/json".into();
    let command = world.command(agent("acme", Some("agent-1")), evaluate(asked));
    let applied = world.apply(vec![command]);
    assert_eq!(last_decision(&world).verdict, Verdict::Compute);
    let opened = |role: &str| {
        let payloads = &applied.entries.last().unwrap().payloads;
        let payload = payloads.iter().find(|payload| payload.role == role).unwrap();
        let opened = decrypt(&payload.data_key, &payload.commitment, &payload.ciphertext).unwrap();
        (payload.content_type.clone(), opened.bytes.to_vec())
    };
    assert_eq!(opened(REPLACEMENT_ROLE), ("application/json".to_owned(), br#"{"n":5}"#.to_vec()));
    assert_eq!(PolicyDetail::read(&opened(DETAIL_ROLE).1).unwrap().reasons, ["n is 12", "n is 5"]);
}
