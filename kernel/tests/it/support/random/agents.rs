//! What agents ask for, and who watches and answers for them: calls, leases, approvals, runs, signals.

use assent_kernel::command::{
    ApprovalAction, ApprovalCommand, CallContext, Caller, CallerBudgets, CommandBody, Evaluate, GrantCommand,
    GrantTerms, ReportSignal, RunCommand, RunRequest, SignalScope, Signals, Usage,
};
use assent_kernel::event::StepKind;
use assent_kernel::state::keys::RunMode;
use assent_kernel::taint::TaintSource;

use super::super::runs::{label, run as run_command};
use super::super::{Dice, GOOD_MAIL, World, admin, agent, call as plain, evaluate, reporter, tenant};
use super::seen::recent;
use super::{PEOPLE, SUBJECTS, boss, of, once_in, person, run_id};

const URL: &str = r#"{"url":"https://api.example.com/v1"}"#;

/// Calls: of tools that are allowed, denied, asked about, replaced, unknown; with arguments that fit, and others.
const CALLS: [(&str, &str); 22] = [
    ("mail.send", GOOD_MAIL),
    ("mail.send", r#"{"to":["a@example.com"],"subject":"hello","recipient_count":500}"#),
    ("mail.send", r#"{"to":["a@example.com"],"to":[]}"#),
    ("http.fetch", URL),
    ("http.fetch", URL),
    ("http.fetch", r#"{"url":"https://evil.example/"}"#),
    ("file.read", r#"{"path":"/srv/data/report.txt"}"#),
    ("file.read", r#"{"path":"/srv/data/private/x"}"#),
    ("secret.read", r#"{"path":"/srv/data/salaries"}"#),
    ("page.post", URL),
    ("web.get", URL),
    ("web.get", URL),
    ("shell.run", r#"{"command":"ls"}"#),
    ("pay.send", r#"{"amount_usd":5,"account":"primary"}"#),
    ("pay.send", r#"{"amount_usd":60,"account":"primary"}"#),
    ("pay.send", r#"{"amount_usd":5,"account":"other"}"#),
    ("wire.send", r#"{"amount_usd":5}"#),
    ("note.write", r#"{"n":5}"#),
    ("note.write", r#"{"n":12}"#),
    ("note.write", r#"{"n":13}"#),
    ("nobody.knows", "{}"),
    ("bad name", "not json"),
];

/// Who acts: mostly the first agent; now and then a credential for everybody that names somebody, or nobody.
fn asker(dice: &mut Dice, of: &str) -> (Caller, Option<String>) {
    match dice.below(10) {
        0 => (agent(of, None), Some(dice.pick(&SUBJECTS).to_owned())),
        1 if once_in(dice, 3) => (agent(of, None), None),
        2 if once_in(dice, 3) => (agent(of, Some("agent-1")), Some(dice.pick(&SUBJECTS).to_owned())),
        3 => (agent(of, Some("agent-2")), None),
        4 => (agent(of, Some("agent-3")), None),
        _ => (agent(of, Some("agent-1")), None),
    }
}

fn context(world: &World, dice: &mut Dice) -> CallContext {
    let chain: &[&str] = dice.pick(&[&[][..], &[], &[], &["agent-1"], &["agent-2", "agent-1"]]);
    let claims = once_in(dice, 8);
    CallContext {
        span_id: once_in(dice, 2).then(|| "span-1".into()),
        parent_decision: recent(dice, &world.seen.tokens, 3).filter(|_| dice.below(3) == 0).map(|(_, t)| t.decision_id),
        on_behalf_of: chain.iter().map(|&subject| subject.to_owned()).collect(),
        taint: if once_in(dice, 8) { vec![label(dice.pick(&TaintSource::ALL), "args")] } else { Vec::new() },
        source_labels: if once_in(dice, 4) { vec!["user_input".into()] } else { Vec::new() },
        risk_score_milli: once_in(dice, 6).then(|| dice.below(1_000) as u32),
        budgets: CallerBudgets {
            tool_calls_remaining: once_in(dice, 8).then(|| dice.below(3)),
            ..CallerBudgets::default()
        },
        usage: Usage { tokens: dice.below(20), cost_micro_usd: dice.below(5) },
        approval_id: recent(dice, &world.seen.approvals, 3).filter(|_| dice.below(6) == 0),
        idempotency_key: once_in(dice, 6).then(|| format!("effect-{}", dice.below(30))),
        claims: if claims { vec![("image_digest".into(), super::super::bundle_hash())] } else { Vec::new() },
        fulfils: once_in(dice, 3).then(|| vec!["notify".into()]),
        cooperative: once_in(dice, 8),
        ..CallContext::default()
    }
}

/// A call.
pub fn call(world: &World, dice: &mut Dice) -> (Caller, CommandBody) {
    let of = of(dice);
    let (caller, subject) = asker(dice, of);
    let (tool, inputs) = dice.pick(&CALLS);
    let context = if once_in(dice, 2) { context(world, dice) } else { CallContext::default() };
    let asked = Evaluate {
        run_id: (dice.below(2) == 0).then(|| run_id(world, dice)),
        subject,
        environment: dice.pick(&["prod", "prod", "prod", "prod", "prod", "test"]).into(),
        context: Box::new(context),
        ..plain(tool, inputs)
    };
    (caller, evaluate(asked))
}

fn terms(world: &World, dice: &mut Dice) -> GrantTerms {
    let constraints = dice.pick(&["", "", "", r#"{"hosts":["api.example.com"]}"#, "["]);
    let (class, action) =
        dice.pick(&[("web", "get"), ("web", "get"), ("web", "*"), ("shell", "run"), ("file", "read")]);
    GrantTerms {
        environment: "prod".into(),
        run_id: once_in(dice, 6).then(|| run_id(world, dice)),
        class: class.into(),
        actions: vec![action.into()],
        constraints: constraints.as_bytes().to_vec(),
        // Nobody may ask for none at all.
        calls: if once_in(dice, 12) { 0 } else { 1 + dice.below(6) as u32 },
        seconds: 60 + dice.below(600) as u32,
        justification: b"for the report".to_vec(),
    }
}

/// Leases: asked for, passed on, taken back.
pub fn grant(world: &World, dice: &mut Dice) -> (Caller, CommandBody) {
    let of = of(dice);
    let (caller, subject) = asker(dice, of);
    let lease = recent(dice, &world.seen.leases, 4).unwrap_or_else(|| "nothing".into());
    match dice.below(8) {
        0..=3 => {
            let terms = terms(world, dice);
            (caller, CommandBody::Grant(Box::new(GrantCommand::Request { subject, terms })))
        }
        4 | 5 => {
            let (to, lease) = (dice.pick(&SUBJECTS[..3]).to_owned(), (dice.below(3) > 0).then_some(lease));
            let terms = terms(world, dice);
            (caller, CommandBody::Grant(Box::new(GrantCommand::Delegate { subject, lease, to, terms })))
        }
        _ => {
            let justification = b"not needed any more".to_vec();
            let revoke = GrantCommand::Revoke { tenant: tenant(of), subject, lease, justification };
            (dice.pick(&[caller, admin(of)]), CommandBody::Grant(Box::new(revoke)))
        }
    }
}

/// Answers of people to calls that wait.
pub fn approval(world: &World, dice: &mut Dice) -> (Caller, CommandBody) {
    let approval = recent(dice, &world.seen.approvals, 3).unwrap_or_else(|| "nothing".into());
    let modified = dice.pick(&[r#"{"amount_usd":4,"account":"primary"}"#, r#"{"amount_usd":4}"#, "{"]);
    let (yes, modify) = (ApprovalAction::Approve, ApprovalAction::Modify(modified.as_bytes().to_vec()));
    let action =
        dice.pick(&[yes.clone(), yes.clone(), yes, modify, ApprovalAction::Deny, ApprovalAction::RequestMoreInfo]);
    let conditions: &[&str] =
        dice.pick(&[&[][..], &[], &[], &["max_amount_usd:5"], &["expires_in_seconds:30"], &["x:y"], &["no condition"]]);
    let conditions = conditions.iter().map(|&text| text.to_owned()).collect();
    let answer = ApprovalCommand { approval, action, conditions, justification: b"as agreed".to_vec() };
    let anybody = dice.pick(&[person(PEOPLE[2]), agent("acme", Some("agent-1")), admin("acme")]);
    let caller = dice.pick(&[person(PEOPLE[0]), person(PEOPLE[0]), person(PEOPLE[1]), person(PEOPLE[1]), anybody]);
    (caller, CommandBody::Approval(Box::new(answer)))
}

/// Runs: opened, closed, changed by hand, tainted, and what they did besides calls.
pub fn run(world: &World, dice: &mut Dice) -> (Caller, CommandBody) {
    let of = of(dice);
    let run_id = run_id(world, dice);
    let (caller, subject) = asker(dice, of);
    let (justification, parent) = (b"because".to_vec(), once_in(dice, 3).then(|| super::run_id(world, dice)));
    let labels = vec![label(dice.pick(&TaintSource::ALL), &format!("origin-{}", dice.below(40)))];
    let request = RunRequest { run_id: run_id.clone(), subject: subject.clone(), parent_run_id: parent };
    match dice.below(12) {
        0..=2 => (caller, CommandBody::OpenRun(request)),
        3 => (caller, CommandBody::CloseRun(request)),
        4 | 5 => {
            let mode = dice.pick(&[RunMode::Normal, RunMode::Restricted, RunMode::Restricted, RunMode::Quarantined]);
            (admin(of), run_command(RunCommand::SetRunMode { tenant: tenant(of), run_id, mode, justification }))
        }
        6 => {
            let by = dice.pick(&[boss(of), person(PEOPLE[2]), admin(of)]);
            (by, run_command(RunCommand::ReleaseQuarantine { tenant: tenant(of), run_id, justification }))
        }
        7..=9 => (dice.pick(&[caller, admin(of)]), run_command(RunCommand::AttachTaint { run_id, subject, labels })),
        _ => {
            let (kind, content) = (dice.pick(&StepKind::ALL), b"what the model said".to_vec());
            let labels = if once_in(dice, 2) { labels } else { Vec::new() };
            let (source, content_type) = (Some("model-1".into()), "text/plain".into());
            let step = RunCommand::RecordStep { run_id, subject, kind, source, labels, content_type, content };
            (caller, run_command(step))
        }
    }
}

/// What somebody who watches reports; mostly low, so that not everything is stopped.
pub fn signal(world: &World, dice: &mut Dice) -> (Caller, CommandBody) {
    let run = SignalScope::Run(run_id(world, dice));
    let subject = SignalScope::Subject(dice.pick(&SUBJECTS[..3]).to_owned());
    let scope = dice.pick(&[SignalScope::Tenant, subject, run]);
    let signals = Signals {
        risk_milli: (dice.below(3) > 0).then(|| dice.pick(&[0, 100, 100, 650, 800, 960, 1_001])),
        queue_depth: once_in(dice, 2).then(|| dice.pick(&[0, 10, 100])),
        budget_use_milli: once_in(dice, 2).then(|| dice.pick(&[0, 500, 950])),
    };
    let report = ReportSignal { scope, signals, valid_seconds: 10 + dice.below(120) as u32 };
    let by = dice.pick(&[reporter("acme", None), reporter("acme", None), reporter("acme", Some("agent-1"))]);
    (by, CommandBody::Signal(Box::new(report)))
}
