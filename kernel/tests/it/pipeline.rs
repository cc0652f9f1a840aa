//! Evaluate's pipeline, step by step: what is final, what votes, what a run's past makes of a call.

use crate::support::runs::{label, run};
use crate::support::{World, activate, admin, agent, call, control, evaluate, register, tenant};
use assent_kernel::command::{
    CallContext, ClaimedTool, CommandBody, ControlCommand, Evaluate, KillTarget, OfferedSource, RunCommand,
    TenantSettings,
};
use assent_kernel::event::{EventBody, PolicyDecision};
use assent_kernel::limits::RUN_BYTES_MAX;
use assent_kernel::machine::Answer;
use assent_kernel::reason::ReasonCode::{self, *};
use assent_kernel::refusal::Refusal;
use assent_kernel::state::keys::{RunMode, RunRecord};
use assent_kernel::state::{Record, StateKey, StateRead};
use assent_kernel::taint::TaintSource;
use assent_kernel::verdict::Verdict;
use assent_ledger::entry::Entry;
use assent_ledger::hash::Hash;

const SOURCE: &str = include_str!("support/pipeline.yaml");

fn world_with(source: &str) -> World {
    let mut world = World::ready(7);
    let offered = OfferedSource { tenant: tenant("acme"), source: source.as_bytes().to_vec() };
    world.must(admin("acme"), CommandBody::OfferBundle(offered));
    let bundle_hash = assent_kernel::bundle::bundle_hash(source.as_bytes());
    let CommandBody::ActivateBundle { tenant, environment, .. } = activate("acme") else { panic!() };
    world.must(admin("acme"), CommandBody::ActivateBundle { tenant, environment, bundle_hash });
    world
}

fn world() -> World {
    world_with(SOURCE)
}

fn observing() -> World {
    world_with(&format!("{SOURCE}mode: observe\n"))
}

/// Decides a call and returns what its leaf says.
fn decide(world: &mut World, call: Evaluate) -> PolicyDecision {
    let command = world.command(agent("acme", Some("agent-1")), evaluate(call));
    let applied = world.apply(vec![command]);
    let Answer::Decided { seq, .. } = applied.answers[0] else { panic!("{:?}", applied.answers) };
    let last = applied.entries.last().unwrap();
    assert_eq!(last.seq, seq, "the decision is the last entry");
    let entry = Entry::parse(&last.leaf).unwrap();
    match EventBody::from_value(&entry.kind, &entry.body).unwrap().unwrap() {
        EventBody::Decision(body) => *body,
        other => panic!("{other:?}"),
    }
}

fn ask(world: &mut World, tool: &str, inputs: &str) -> PolicyDecision {
    decide(world, in_run(tool, inputs, "run-1"))
}

fn in_run(tool: &str, inputs: &str, run_id: &str) -> Evaluate {
    Evaluate { run_id: Some(run_id.into()), ..call(tool, inputs) }
}

fn with(context: CallContext, tool: &str, inputs: &str) -> Evaluate {
    Evaluate { context: Box::new(context), ..in_run(tool, inputs, "run-1") }
}

fn record(world: &World, run_id: &str) -> RunRecord {
    match world.state.get(&StateKey::Run(tenant("acme"), run_id.into())).as_deref() {
        Some(Record::Run(run)) => run.clone(),
        other => panic!("{other:?}"),
    }
}

fn denied(decision: &PolicyDecision, codes: &[ReasonCode]) {
    assert_eq!((decision.verdict, decision.codes.as_slice()), (Verdict::Deny, codes), "{decision:?}");
    assert_eq!(decision.effects.token_expires, None, "what is denied cannot be redeemed");
}

#[test]
fn structural_steps_are_final_and_come_in_their_order() {
    let plain = CallContext::default;
    let claimed = |claimed| CallContext { claimed, ..plain() };
    let category = claimed(ClaimedTool { category: Some("external_effect".into()), ..ClaimedTool::default() });
    let tier = claimed(ClaimedTool { risk_tier: Some("high".into()), ..ClaimedTool::default() });
    let policy = claimed(ClaimedTool { policy_bundle: Some(Hash([1; 32])), ..ClaimedTool::default() });
    let schema = claimed(ClaimedTool { tool_schema: Some(Hash([1; 32])), ..ClaimedTool::default() });
    let chain = CallContext { on_behalf_of: vec!["agent-9".into()], ..plain() };
    for (context, tool, inputs, code) in [
        (plain(), "nobody.knows", "{}", UnknownTool),
        (plain(), "note.read", "not json", InputsNotJson),
        (plain(), "note.read", r#"{"zzz":1}"#, ArgumentsInvalid),
        (chain, "note.read", "{}", DelegationInvalid),
        (category, "note.read", "{}", EnvelopeMismatch),
        (tier, "note.write", "{}", EnvelopeMismatch),
        (policy, "note.read", "{}", EnvelopeMismatch),
        (schema.clone(), "pinned", "{}", ToolPinMismatch),
        // How a pinned tool is listed now has to be said.
        (plain(), "pinned", "{}", ToolPinMismatch),
    ] {
        for mut world in [world(), observing()] {
            let decision = decide(&mut world, with(context.clone(), tool, inputs));
            denied(&decision, &[code]);
            assert_eq!(decision.effective, Verdict::Deny, "observe mode softens no structural refusal");
        }
    }
    let allowed = decide(&mut world(), with(schema, "note.read", "{}"));
    assert_eq!(allowed.verdict, Verdict::Allow, "a tool without a pin has nothing to differ from");
    let pinned = claimed(ClaimedTool { tool_schema: Some(Hash([0xab; 32])), ..ClaimedTool::default() });
    assert_eq!(decide(&mut world(), with(pinned, "pinned", "{}")).verdict, Verdict::Allow);
}

#[test]
fn an_effect_happens_once_and_a_denied_one_may_be_tried_again() {
    let mut world = world();
    let context = || CallContext { idempotency_key: Some("invoice-7".into()), ..CallContext::default() };
    denied(&decide(&mut world, with(context(), "shell.run", r#"{"command":"ls"}"#)), &[CapabilityMissing]);
    assert_eq!(decide(&mut world, with(context(), "note.write", "{}")).verdict, Verdict::Allow);
    denied(&decide(&mut world, with(context(), "note.write", "{}")), &[EffectRepeated]);
    assert_eq!(decide(&mut world, with(context(), "note.read", "{}")).verdict, Verdict::Allow, "another tool");
    world.clock += 25 * 3_600 * crate::support::SECOND;
    assert_eq!(decide(&mut world, with(context(), "note.write", "{}")).verdict, Verdict::Allow, "a day later");
}

#[test]
fn kill_switches_stop_calls_whatever_the_mode() {
    for (target, code) in [
        (KillTarget::Tenant, KillSwitchTenant),
        (KillTarget::Agent("agent-1".into()), KillSwitchAgent),
        (KillTarget::Tool("note.read".into()), KillSwitchTool),
    ] {
        let mut world = observing();
        let switch = |engaged| {
            control(ControlCommand::KillSwitch {
                tenant: tenant("acme"),
                target: target.clone(),
                engaged,
                justification: Vec::new(),
            })
        };
        world.must(admin("acme"), switch(true));
        denied(&ask(&mut world, "note.read", "{}"), &[code]);
        world.must(admin("acme"), switch(false));
        assert_eq!(ask(&mut world, "note.read", "{}").effective, Verdict::Allow);
    }
}

#[test]
fn a_replacement_goes_the_whole_way_and_only_it_consumes() {
    let mut world = world();
    let decision = ask(&mut world, "pay", r#"{"amount":900,"to":"friend"}"#);
    assert_eq!((decision.verdict, decision.codes.as_slice()), (Verdict::Compute, &[ArgumentsReplaced][..]));
    assert!(decision.effects.replacement.is_some_and(|hash| hash != decision.request_commitment));
    assert!(decision.effects.token_expires.is_some());
    // 500 of the first, not the 900 that were asked for: another 500 fit into the day, and then nothing.
    assert_eq!(ask(&mut world, "pay", r#"{"amount":500,"to":"friend"}"#).verdict, Verdict::Allow);
    denied(&ask(&mut world, "pay", r#"{"amount":1,"to":"friend"}"#), &[ContractViolated]);
    let rejected = ask(&mut world, "pay", r#"{"amount":700,"to":"friend"}"#);
    assert_eq!(rejected.verdict, Verdict::Deny, "stricter verdicts on the replacement stand: {rejected:?}");
    assert_eq!(rejected.effects.replacement, None);
    world.clock += 24 * 3_600 * crate::support::SECOND;
    assert_eq!(ask(&mut world, "pay", r#"{"amount":500,"to":"friend"}"#).verdict, Verdict::Allow, "the next day");
}

#[test]
fn an_escalation_has_no_token_and_obligations_need_somebody_who_fulfils_them() {
    let mut world = world();
    let decision = ask(&mut world, "pay", r#"{"amount":1,"to":"stranger"}"#);
    assert_eq!((decision.verdict, decision.effects.token_expires), (Verdict::Escalate, None));
    denied(&ask(&mut world, "sign", "{}"), &[ObligationUnsupported]);
    let able = CallContext { fulfils: Some(vec!["redact".into()]), ..CallContext::default() };
    let decision = decide(&mut world, with(able, "sign", "{}"));
    assert_eq!(decision.verdict, Verdict::Allow);
    assert_eq!(decision.effects.obligations.len(), 2);
}

#[test]
fn denials_restrict_a_run_to_reading() {
    let mut world = world();
    for _ in 0..2 {
        denied(&ask(&mut world, "page.get", r#"{"url":"https://bad.example/"}"#), &[RuleDenied]);
    }
    assert_eq!(record(&world, "run-1").mode, RunMode::Normal);
    ask(&mut world, "page.get", r#"{"url":"https://bad.example/"}"#);
    assert_eq!(record(&world, "run-1").mode, RunMode::Restricted);
    denied(&ask(&mut world, "note.write", "{}"), &[RunRestricted]);
    assert_eq!(ask(&mut world, "page.get", r#"{"url":"https://ok.example/?q=1"}"#).verdict, Verdict::Allow);
    assert_eq!(ask(&mut world, "secret.read", "{}").verdict, Verdict::Allow);
    let query = ask(&mut world, "page.get", r#"{"url":"https://ok.example/?q=1"}"#);
    denied(&query, &[RunRestricted]);
    let back = |mode| RunCommand::SetRunMode {
        tenant: tenant("acme"),
        run_id: "run-1".into(),
        mode,
        justification: b"looked at".to_vec(),
    };
    world.must(admin("acme"), run(back(RunMode::Normal)));
    assert_eq!(ask(&mut world, "note.write", "{}").verdict, Verdict::Allow);
    world.must(admin("acme"), run(back(RunMode::Quarantined)));
    assert_eq!(world.refused(admin("acme"), run(back(RunMode::Normal))), Refusal::RunQuarantined);
}

#[test]
fn the_completing_action_never_passes_and_no_padding_hides_the_first() {
    let mut world = world();
    assert_eq!(ask(&mut world, "secret.read", "{}").verdict, Verdict::Allow);
    for n in 0..300 {
        let padding = ask(&mut world, "note.write", &format!(r#"{{"n":{n}}}"#));
        assert_eq!(padding.verdict, Verdict::Allow);
    }
    let egress = ask(&mut world, "page.post", r#"{"url":"https://ok.example/"}"#);
    denied(&egress, &[BehaviourSequence]);
    assert!(egress.effects.shadow.iter().any(|vote| vote.rule == "across"), "{egress:?}");
    assert_eq!(record(&world, "run-1").mode, RunMode::Quarantined);
    let entry = world.leaves.iter().rev().nth(1).map(|leaf| Entry::parse(leaf).unwrap()).unwrap();
    let EventBody::RunModeChanged(change) = EventBody::from_value(&entry.kind, &entry.body).unwrap().unwrap() else {
        panic!("the mode's entry comes before the decision: {}", entry.kind)
    };
    let decision = Entry::parse(world.leaves.last().unwrap()).unwrap();
    assert_eq!(change.decision, Some(decision.event_id));
    assert_eq!(change.rule.as_deref(), Some("sensitive_read_then_egress"));
    assert_eq!(change.steps, ["sensitive_read:true", "egress:true"]);
    denied(&ask(&mut world, "note.write", "{}"), &[RunQuarantined]);
    assert_eq!(ask(&mut world, "note.read", "{}").verdict, Verdict::Allow, "quarantine-safe");
    let fresh = decide(&mut world, in_run("note.write", "{}", "run-2"));
    denied(&fresh, &[RunQuarantined]);
}

#[test]
fn a_quarantine_is_released_by_somebody_else_and_for_all_runs() {
    let mut world = world();
    ask(&mut world, "secret.read", "{}");
    ask(&mut world, "page.post", r#"{"url":"https://ok.example/"}"#);
    let release = || {
        run(RunCommand::ReleaseQuarantine {
            tenant: tenant("acme"),
            run_id: "run-1".into(),
            justification: b"a drill".to_vec(),
        })
    };
    let (owner, other) = ("ops@example.com", "boss@example.com");
    for subject in [owner, other] {
        world.must(admin("acme"), register("acme", subject));
        let approver = assent_kernel::command::Caller {
            role: assent_kernel::command::Role::Approver,
            ..agent("acme", Some(subject))
        };
        world.must(admin("acme"), crate::support::credential_of(&approver));
        if subject == owner {
            assert_eq!(world.refused(approver, release()), Refusal::SeparationOfDuties);
        } else {
            world.must(approver, release());
        }
    }
    assert_eq!(world.refused(admin("acme"), release()), Refusal::Unchanged);
    assert_eq!(ask(&mut world, "note.write", "{}").verdict, Verdict::Allow);
    assert_eq!(decide(&mut world, in_run("note.write", "{}", "run-2")).verdict, Verdict::Allow);
    assert_eq!(ask(&mut world, "page.post", r#"{"url":"https://ok.example/"}"#).verdict, Verdict::Allow, "begins anew");
}

#[test]
fn loops_escalations_and_tainted_commands_are_stopped() {
    let mut world = world();
    for _ in 0..4 {
        assert_eq!(ask(&mut world, "note.read", "{}").verdict, Verdict::Allow);
    }
    denied(&ask(&mut world, "note.read", "{}"), &[BehaviourLoop]);
    assert_eq!(ask(&mut world, "note.read", r#"{"path":"x"}"#).verdict, Verdict::Allow, "another call ends the loop");

    let mut world = self::world();
    let taint = RunCommand::AttachTaint {
        run_id: "run-1".into(),
        subject: None,
        labels: vec![label(TaintSource::Web, "example.com")],
    };
    ask(&mut world, "note.read", "{}");
    world.must(agent("acme", Some("agent-1")), run(taint));
    let long = format!(r#"{{"command":"{}"}}"#, "x".repeat(101));
    denied(&ask(&mut world, "shell.run", &long), &[CapabilityMissing, BehaviourSequence]);
    denied(&ask(&mut world, "shell.run", r#"{"command":"ls"}"#), &[CapabilityMissing]);
    assert!(record(&world, "run-1").taint.has(TaintSource::Web));
}

#[test]
fn observe_mode_records_what_would_be_and_lets_it_pass() {
    let mut world = observing();
    for _ in 0..3 {
        let decision = ask(&mut world, "page.get", r#"{"url":"https://bad.example/"}"#);
        assert_eq!((decision.verdict, decision.effective, decision.observe), (Verdict::Deny, Verdict::Allow, true));
        assert!(decision.effects.token_expires.is_some());
    }
    let known = record(&world, "run-1");
    assert_eq!((known.mode, known.shadow.mode, known.shadow.strikes), (RunMode::Normal, RunMode::Restricted, 3));
    assert_eq!((known.counters.calls, known.counters.allowed, known.counters.strikes), (3, 3, 0));
    let decision = ask(&mut world, "note.write", "{}");
    assert_eq!((decision.codes.as_slice(), decision.effective), (&[RunRestricted][..], Verdict::Allow));
    let escalated = decide(&mut world, in_run("pay", r#"{"amount":1,"to":"stranger"}"#, "run-2"));
    assert_eq!((escalated.verdict, escalated.effective), (Verdict::Escalate, Verdict::Allow));
    let computed = decide(&mut world, in_run("pay", r#"{"amount":900,"to":"friend"}"#, "run-2"));
    assert_eq!((computed.verdict, computed.effective), (Verdict::Compute, Verdict::Allow));

    let mut world = self::world();
    let settings = TenantSettings { observe: true, require_attested: false };
    world.must(admin("acme"), control(ControlCommand::ConfigureTenant { tenant: tenant("acme"), settings }));
    let decision = ask(&mut world, "page.get", r#"{"url":"https://bad.example/"}"#);
    assert_eq!((decision.verdict, decision.effective), (Verdict::Deny, Verdict::Allow), "the tenant observes");
}

#[test]
fn a_check_says_what_would_be_decided_and_records_nothing() {
    for (tool, inputs) in [
        ("note.read", "{}"),
        ("nobody.knows", "{}"),
        ("pay", r#"{"amount":900,"to":"friend"}"#),
        ("pay", r#"{"amount":1,"to":"stranger"}"#),
        ("page.get", r#"{"url":"https://bad.example/"}"#),
        ("sign", "{}"),
    ] {
        let mut world = world();
        ask(&mut world, "note.read", "{}");
        let before = world.summary();
        let caller = agent("acme", Some("agent-1"));
        let call = in_run(tool, inputs, "run-1");
        let now = assent_ledger::ids::Time(world.clock + 1_000);
        let answer = assent_kernel::decide::check(&world.state, &caller, &call, now).unwrap();
        assert_eq!(world.summary(), before);
        let decision = decide(&mut world, call.clone());
        assert_eq!((answer.verdict, answer.effective), (decision.verdict, decision.effective), "{tool}");
        assert_eq!((answer.codes, answer.rules), (decision.codes, decision.rules));
        assert_eq!(answer.replacement.is_some(), decision.effects.replacement.is_some());
        let stranger = agent("acme", Some("nobody"));
        let refused = assent_kernel::decide::check(&world.state, &stranger, &call, now);
        assert_eq!(refused, Err(Refusal::CredentialNotValid), "a check asks who asks");
    }
}

#[test]
fn the_record_of_a_run_stays_small() {
    let mut world = world();
    for n in 0..400 {
        let taint = vec![label(TaintSource::ALL[n % 7], &format!("{}-{n}", "o".repeat(120)))];
        let context = CallContext { taint, ..CallContext::default() };
        decide(&mut world, with(context, "note.write", &format!(r#"{{"n":{n}}}"#)));
    }
    let known = record(&world, "run-1");
    assert_eq!(known.counters.calls, 400);
    assert!(Record::Run(known).encode().len() <= RUN_BYTES_MAX);
}
