//! A fault in a decision is a recorded deny of a call, and a refusal of anything else.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use assent_ledger::ids::{TenantId, Time, TreeSize};
use assent_ledger::seal::SealReason;

use super::*;
use crate::command::{Agent, Caller, Evaluate, RequestId, Role};
use crate::event::EventBody;
use crate::reason::ReasonCode;
use crate::stamp::Stamp;
use crate::verdict::Verdict;

fn command(body: CommandBody) -> Command {
    let tenant = TenantId::new("acme").unwrap();
    let caller =
        Caller { tenant, subject: Some("s".into()), attested: true, role: Role::Agent, credential: "k".into() };
    Command { request_id: RequestId::new(1, [0; 10]), stamp: Stamp { time: Time(1), seed: [1; 32] }, caller, body }
}

#[test]
fn faults_deny_calls_and_refuse_the_rest() {
    let call = Evaluate {
        environment: "prod".into(),
        run_id: None,
        trace_id: None,
        agent: Agent::default(),
        subject: None,
        tool: "t".into(),
        content_type: "application/json".into(),
        inputs: b"{}".to_vec(),
        context: Box::default(),
    };
    let call = command(CommandBody::Evaluate(Box::new(call)));
    let Ok(Decision::Events(events)) = guard(&call, || panic!("a fault on purpose")) else { panic!("no deny") };
    let EventBody::Decision(body) = &events[0].body else { panic!("no decision") };
    assert_eq!((body.verdict, body.codes.as_slice()), (Verdict::Deny, [ReasonCode::KernelFault].as_slice()));
    assert_eq!(events[0].payloads.len(), 1, "what was asked is on the record");
    let seal = CommandBody::Seal { reason: SealReason::Count, expected_start: TreeSize(0) };
    assert_eq!(guard(&command(seal), || panic!("a fault on purpose")), Err(Refusal::KernelFault));
}

#[test]
fn heads_round_trip_as_bytes() {
    let mut machine = Machine::new(Origin::new("ledger.example").unwrap());
    machine.frontier.append(Hash([1; 32]));
    machine.head = machine.head.after(Hash([1; 32]), Time(5));
    let head = machine.head();
    assert_eq!(HeadRecord::decode(&head.encode()).unwrap(), head);
    assert!(HeadRecord::decode(&head.encode()[1..]).is_err());
    let tenant = TenantHead { count: 3, last: Hash([2; 32]) };
    assert_eq!(decode_tenant_head(&encode_tenant_head(&tenant)).unwrap(), tenant);
}
