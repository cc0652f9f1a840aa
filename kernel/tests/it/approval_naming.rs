//! A call that names an approval that still waits: it must be exactly the call that people are asked about.

use super::approvals::*;
use crate::support::*;
use assent_kernel::bundle::bundle_hash;
use assent_kernel::command::{CommandBody, Evaluate};
use assent_kernel::reason::ReasonCode::*;
use assent_kernel::verdict::Verdict;

const WIRE: &str = r#"{"amount_usd":10}"#;

#[test]
fn only_the_very_call_may_name_what_it_waits_for() {
    let tool = "tools:\n  - {name: wire.copy, class: wire, action: copy, inputs: {amount_usd: {type: number, required: true}}}\n";
    let source = GRANTS.replacen("tools:\n", tool, 1);
    let mut world = world(51);
    activate_source(&mut world, &source);
    let (tenant, bundle_hash) = (tenant("acme"), bundle_hash(source.as_bytes()));
    world.must(admin("acme"), CommandBody::ActivateBundle { tenant, environment: "test".into(), bundle_hash });
    let (_, approval) = wait_for(&mut world, call("wire.send", WIRE));
    let named = |mut call: Evaluate| {
        call.context.approval_id = Some(approval.clone());
        evaluate(call)
    };
    let mut for_another = call("wire.send", WIRE);
    for_another.context.on_behalf_of = vec!["agent-2".into()];
    for (what, other) in [
        ("environment", Evaluate { environment: "test".into(), ..call("wire.send", WIRE) }),
        ("tool", call("wire.copy", WIRE)),
        ("content type", Evaluate { content_type: "text/json".into(), ..call("wire.send", WIRE) }),
        ("bytes", call("wire.send", r#"{"amount_usd": 10}"#)),
        ("on whose behalf", for_another),
    ] {
        let decision = seen(world.send(me(), named(other)));
        assert_eq!((decision.verdict, &decision.codes[..]), (Verdict::Deny, &[RequestMismatch][..]), "another {what}");
    }
    // The very call asks people once more: the word that it names is not given yet.
    let decision = seen(world.send(me(), named(call("wire.send", WIRE))));
    assert_eq!((decision.verdict, &decision.codes[..]), (Verdict::Escalate, &[ApprovalRequired][..]));
}
