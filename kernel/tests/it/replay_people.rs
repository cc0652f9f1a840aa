//! Calls that wait for people, and leases: decided again without a difference, and the answers in DARE's terms.

use std::convert::Infallible;
use std::sync::Arc;

use crate::support::archive::{Archive, Keeper, archive, valid};
use crate::support::{admin, agent, call, credential_of, evaluate, register, tenant};
use assent_kernel::bundle::{bundle_hash, compile};
use assent_kernel::command::{
    ApprovalAction, ApprovalCommand, Caller, CommandBody, GrantCommand, GrantTerms, OfferedSource, Role,
};
use assent_kernel::dare::hitl_decision_record;
use assent_kernel::event::EventBody;
use assent_kernel::replay::{Finding, Flip, Found, Selection, Summary, WhatIf, Why, replay};
use assent_kernel::verdict::Verdict;
use serde_json::json;

const PEOPLE: &str = r"
name: people
version: 1
tools:
  - {name: pay, class: pay, action: pay, inputs: {amount: {type: integer, required: true}}}
  - {name: deploy, class: deploy, action: apply, inputs: {to: {type: string, required: true}}}
principals:
  - subject: agent-*
    capabilities:
      - {class: pay, actions: [pay]}
      - {class: deploy, actions: [apply], lease: {required: true, calls_max: 5, seconds_max: 600}}
rules:
  - {id: ask-somebody, priority: 1, match: {toolClass: pay}, decision: escalate}
  - {id: allow-deploy, priority: 2, match: {toolClass: deploy}, decision: allow}
";

fn me() -> Caller {
    agent("acme", Some("agent-1"))
}

fn person() -> Caller {
    Caller { role: Role::Approver, credential: "key-of-ada".into(), ..agent("acme", Some("ada")) }
}

fn people(keeper: &mut Keeper) {
    let source = PEOPLE.as_bytes().to_vec();
    keeper.send(admin("acme"), CommandBody::OfferBundle(OfferedSource { tenant: tenant("acme"), source }));
    let bundle_hash = bundle_hash(PEOPLE.as_bytes());
    let (of, environment) = (tenant("acme"), "prod".to_owned());
    keeper.send(admin("acme"), CommandBody::ActivateBundle { tenant: of, environment, bundle_hash });
    keeper.send(admin("acme"), register("acme", "ada"));
    keeper.send(admin("acme"), register("acme", "agent-2"));
    keeper.send(admin("acme"), credential_of(&person()));
    keeper.send(admin("acme"), credential_of(&agent("acme", Some("agent-2"))));
}

/// Asks for a payment and answers it.
fn pay(keeper: &mut Keeper, action: ApprovalAction) {
    keeper.send(me(), evaluate(call("pay", r#"{"amount":5000}"#)));
    let requested = keeper.world.leaves.iter().rev().find_map(|leaf| {
        match assent_kernel::replay::Recorded::read(leaf).unwrap().body {
            Some(EventBody::ApprovalRequested(body)) => Some(body.approval),
            _ => None,
        }
    });
    let answer = ApprovalCommand {
        approval: requested.unwrap(),
        action,
        conditions: Vec::new(),
        justification: b"Vendor verified".to_vec(),
    };
    keeper.send(person(), CommandBody::Approval(Box::new(answer)));
}

fn lease(keeper: &mut Keeper) {
    let terms = |calls| GrantTerms {
        environment: "prod".into(),
        run_id: None,
        class: "deploy".into(),
        actions: vec!["apply".into()],
        constraints: br#"{"arguments":[{"argument":"to","op":"==","value":"staging"}]}"#.to_vec(),
        calls,
        seconds: 60,
        justification: b"release day".to_vec(),
    };
    let grant = |command| CommandBody::Grant(Box::new(command));
    keeper.send(me(), grant(GrantCommand::Request { subject: None, terms: terms(50) }));
    keeper.send(me(), grant(GrantCommand::Request { subject: None, terms: terms(2) }));
    let granted = assent_kernel::replay::Recorded::read(keeper.world.leaves.last().unwrap()).unwrap();
    let Some(EventBody::CapabilityGranted(body)) = granted.body else { panic!("a grant") };
    let lease = body.ruled.lease.unwrap();
    for to in ["staging", "production"] {
        keeper.send(me(), evaluate(call("deploy", &format!("{{\"to\":\"{to}\"}}"))));
    }
    let (to, from) = ("agent-2".to_owned(), Some(lease.clone()));
    keeper.send(me(), grant(GrantCommand::Delegate { subject: None, lease: from, to, terms: terms(9) }));
    keeper.send(agent("acme", Some("agent-2")), evaluate(call("deploy", r#"{"to":"staging"}"#)));
    let (of, justification) = (tenant("acme"), Vec::new());
    keeper.send(me(), grant(GrantCommand::Revoke { tenant: of, subject: None, lease, justification }));
    keeper.send(me(), evaluate(call("deploy", r#"{"to":"staging"}"#)));
}

fn recorded() -> Archive {
    archive(|keeper| {
        people(keeper);
        pay(keeper, ApprovalAction::Approve);
        pay(keeper, ApprovalAction::Deny);
        pay(keeper, ApprovalAction::Modify(br#"{"amount":50}"#.to_vec()));
        pay(keeper, ApprovalAction::RequestMoreInfo);
        lease(keeper);
    })
}

fn again(archive: &Archive) -> (Summary, Vec<Finding>) {
    let mut found = Vec::new();
    let entries = archive.entries.iter().cloned().map(Ok::<_, Infallible>);
    (replay(entries, archive, |finding| found.push(finding)).unwrap(), found)
}

#[test]
fn answers_and_leases_replay() {
    let archive = recorded();
    let (summary, found) = again(&archive);
    assert_eq!(found, []);
    assert_eq!((summary.contradictions, summary.not_replayable), (0, 0));
    let kinds = |kind: &str| archive.entries.iter().filter(|recorded| recorded.entry.kind == kind).count();
    assert_eq!(kinds("dare.hitl.decision"), 4);
    assert_eq!(kinds("assent.capability.granted") + kinds("assent.capability.delegated"), 3);
}

#[test]
fn an_answer_that_nobody_gave_is_contradicted_and_a_lost_one_is_not() {
    let mut archive = recorded();
    let at = archive.entries.iter().position(|r| r.entry.kind == "dare.hitl.decision").unwrap();
    let genuine = archive.entries[at].clone();
    let Some(EventBody::HitlDecision(body)) = &mut archive.entries[at].body else { panic!("an answer") };
    body.approver = "mallory".into();
    archive.entries[at].entry.body = body.to_value();
    let (_, found) = again(&archive);
    assert!(matches!(&found[0].what, Found::Differs { field, .. } if field == "body.approver"), "{found:?}");

    archive.entries[at] = genuine;
    let modified = archive.entries.iter().flat_map(|r| &r.entry.payloads).find(|p| p.role == "modified").unwrap();
    archive.erased.insert(modified.commitment);
    let (summary, found) = again(&archive);
    assert_eq!(summary.contradictions, 0, "{found:?}");
    assert!(found.iter().any(|f| f.what == Found::NotReplayable(Why::PayloadErased { role: "modified" })), "{found:?}");
}

#[test]
fn an_answer_fits_its_schema() {
    let mut archive = recorded();
    let answers: Vec<_> = archive.entries.iter().filter(|r| r.entry.kind == "dare.hitl.decision").cloned().collect();
    let actions: Vec<_> = answers
        .iter()
        .map(|answer| {
            let record = valid("hitl-decision-record", &hitl_decision_record(answer, &archive).unwrap().to_text());
            assert_eq!(record["decision"]["justification"], "Vendor verified");
            assert_eq!(record["decision"]["approver_id"], "ada");
            assert!(record["request"]["request_hash"].is_string() && record["evidence"]["signature"].is_string());
            record["decision"]["action"].clone()
        })
        .collect();
    assert_eq!(actions, ["approve", "deny", "modify", "request_more_info"]);
    archive.erased.extend(answers[0].entry.payloads.iter().map(|payload| payload.commitment));
    let record = valid("hitl-decision-record", &hitl_decision_record(&answers[0], &archive).unwrap().to_text());
    assert_eq!(record["assent"]["erased"], json!(["decision.justification"]));
}

fn asked_under(archive: &Archive, bundle: &str) -> (u64, Vec<Flip>) {
    let what_if = WhatIf {
        hash: bundle_hash(bundle.as_bytes()),
        bundle: Arc::new(compile(bundle.as_bytes()).unwrap()),
        selection: Selection::default(),
    };
    let mut flips = Vec::new();
    let entries = archive.entries.iter().cloned().map(Ok::<_, Infallible>);
    let summary = what_if.run(entries, archive, |flip| flips.push(flip)).unwrap();
    assert_eq!(summary.not_replayable, 0);
    (summary.asked, flips)
}

#[test]
fn what_if_asks_what_people_agreed_to_with_their_agreement_given() {
    let archive = recorded();
    // Four payments that waited, two of them decided anew, and four deployments.
    let (asked, flips) = asked_under(&archive, PEOPLE);
    assert_eq!((asked, flips), (10, Vec::new()));
    // The same policy in other bytes: what people were asked under it does not count less.
    let (asked, flips) = asked_under(&archive, &PEOPLE.replace("version: 1", "version: 2"));
    assert_eq!((asked, flips), (10, Vec::new()));
    // A ceiling below the amount that was agreed to, and above the one that a person had put in its place.
    let ceiling =
        "rules:\n  - {id: ceiling, priority: 0, match: {tool: pay, parameters: {amount: {min: 51}}}, decision: deny}\n";
    let (_, flips) = asked_under(&archive, &PEOPLE.replace("rules:\n", ceiling));
    let turned: Vec<_> = flips.iter().map(|flip| (flip.recorded.verdict, flip.computed.verdict)).collect();
    let (allow, deny, escalate) = (Verdict::Allow, Verdict::Deny, Verdict::Escalate);
    assert_eq!(turned, [(escalate, deny), (allow, deny), (escalate, deny), (escalate, deny), (escalate, deny)]);
    assert!(flips.iter().all(|flip| flip.computed.rules.first().is_some_and(|rule| rule == "ceiling")), "{flips:?}");
}
