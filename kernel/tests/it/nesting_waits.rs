//! A call that waited for people while the one that it came from ended: it is as deep as calls may be, and no forgery.

use crate::support::calls::last_decision;
use crate::support::spending::*;
use crate::support::*;
use assent_kernel::command::{ApprovalAction, ApprovalCommand, Caller, CommandBody, Evaluate, Role};
use assent_kernel::machine::Answer;
use assent_kernel::reason::ReasonCode::*;
use assent_kernel::verdict::Verdict;

fn boss() -> Caller {
    let subject = Some("boss@example.com".to_owned());
    Caller { subject, role: Role::Approver, credential: "key-boss".into(), ..me() }
}

#[test]
fn a_call_is_no_forgery_because_its_parent_ended_while_it_waited() {
    let ask_people = "rules:\n  - {id: ask, priority: 1, match: {tool: pay, parameters: {amount: {min: 500}}}, decision: escalate}\n";
    let source = SPEND.split("budgets:").next().unwrap().replace("rules:\n", ask_people);
    for (limits, depth) in [("depth: 3", 3), ("fan_out: 3", 1)] {
        let mut world = spending_under(1, &format!("{source}limits: {{{limits}}}\n"));
        world.must(admin("acme"), credential_of(&boss()));
        let parent = ask(&mut world, &payment()).unwrap();
        assert_eq!(ruled(world.send(me(), redeem(parent.redeem()))).1, [Redeemed]);
        let mut call = Evaluate { inputs: br#"{"amount":600}"#.to_vec(), ..payment() };
        call.context.parent_decision = Some(parent.decision_id.clone());
        let Answer::Decided { terms, verdict: Verdict::Escalate, .. } = world.send(me(), evaluate(call)) else {
            panic!()
        };
        assert_eq!(ruled(world.send(me(), complete(parent.complete()))).1, [Redeemed]);
        let (approval, conditions, justification) = (terms.approval.unwrap(), Vec::new(), Vec::new());
        let answer = ApprovalCommand { approval, action: ApprovalAction::Approve, conditions, justification };
        world.send(boss(), CommandBody::Approval(Box::new(answer)));
        let decision = last_decision(&world);
        assert_eq!((decision.verdict, decision.effects.depth), (Verdict::Allow, depth), "{decision:?}");
    }
}
