//! From an allow to its outcome: redeemed once, completed once, refunded when nobody came; budgets and rates in between.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::collections::BTreeMap;

use assent_kernel::charge::parse_budget;
use assent_kernel::command::{
    CallerBudgets, CommandBody, Complete, Completion, ControlCommand, Evaluate, ExecutionCommand, Fulfilled,
    GrantCommand, GrantTerms, KillTarget, OfferedSource, Redeem, Usage,
};
use assent_kernel::decide::{ChargedCall, charges, request_hash};
use assent_kernel::event::{EventBody, ToolResponse};
use assent_kernel::machine::Answer;
use assent_kernel::reason::ReasonCode::{self, *};
use assent_kernel::refusal::Refusal;
use assent_kernel::replay::Recorded;
use assent_kernel::state::keys::{BudgetRecord, OutstandingRecord, RunRecord};
use assent_kernel::state::{MemoryState, Record, StateKey, StateRead};
use assent_kernel::verdict::Verdict;
use assent_ledger::hash::{Hash, sha256};
use assent_ledger::ids::{Seq, Time};
use support::*;

const SPEND: &str = r"
name: spend
version: 1
tools:
  - name: pay
    class: pay
    action: pay
    category: external_effect
    inputs:
      amount: {type: integer, required: true}
    cost: {tokens: 10}
    output_labels: [{source: web, origin: bank.example}]
principals:
  - subject: agent-*
    capabilities:
      - {class: pay, actions: [pay]}
rules:
  - id: allow-pay
    match: {toolClass: pay}
    decision: allow
    obligations: [{type: redact, required: true}]
budgets:
  - {id: few, unit: calls, limit: 5, per: day}
  - {id: tokens, scope: tenant, unit: tokens, limit: 100, match: {tool: pay}}
  - {id: other, scope: tenant, unit: calls, limit: 0, match: {principal: somebody-else}}
rates:
  - {id: fast, calls: 6, per_seconds: 60, burst: 6}
";

/// What an agent holds after an allow.
#[derive(Clone)]
struct Token {
    seq: Seq,
    decision_id: String,
    salt: [u8; 32],
    hash: Hash,
}

impl Token {
    fn redeem(&self) -> Redeem {
        let Token { seq, decision_id, salt, hash } = self.clone();
        Redeem { decision_id, seq, request_hash: hash, request_salt: salt, audience: None }
    }

    fn complete(&self) -> Complete {
        Complete {
            decision_id: self.decision_id.clone(),
            seq: self.seq,
            status: Completion::Success,
            duration_ms: 12,
            content_type: "application/json".into(),
            output: b"{\"ok\":true}".to_vec(),
            redacted: Some(b"{}".to_vec()),
            taint: Vec::new(),
            fulfilled: vec![Fulfilled { kind: "redact".into(), proof: Hash([1; 32]) }],
            usage: Some(Usage { tokens: 4, cost_micro_usd: 0 }),
        }
    }
}

fn redeem(asked: Redeem) -> CommandBody {
    CommandBody::Execution(Box::new(ExecutionCommand::Redeem(asked)))
}

fn complete(asked: Complete) -> CommandBody {
    CommandBody::Execution(Box::new(ExecutionCommand::Complete(asked)))
}

fn me() -> assent_kernel::command::Caller {
    agent("acme", Some("agent-1"))
}

fn spending(seed: u64) -> World {
    spending_under(seed, SPEND)
}

fn spending_under(seed: u64, source: &str) -> World {
    let mut world = World::ready(seed);
    let offered = OfferedSource { tenant: tenant("acme"), source: source.as_bytes().to_vec() };
    world.must(admin("acme"), CommandBody::OfferBundle(offered));
    let bundle_hash = assent_kernel::bundle::bundle_hash(source.as_bytes());
    let (tenant, environment) = (tenant("acme"), "prod".into());
    world.must(admin("acme"), CommandBody::ActivateBundle { tenant, environment, bundle_hash });
    world
}

fn payment() -> Evaluate {
    let mut call = Evaluate { run_id: Some("run-1".into()), ..call("pay", r#"{"amount":7}"#) };
    call.context.fulfils = Some(vec!["redact".into()]);
    call
}

fn ask(world: &mut World, call: &Evaluate) -> Result<Token, Vec<ReasonCode>> {
    let bundle = assent_kernel::bundle::compile(SPEND.as_bytes()).unwrap();
    let schema = bundle.tool("pay").unwrap().schema_hash();
    let hash = request_hash(&tenant("acme"), Some("agent-1"), call, Some(&schema));
    match world.send(me(), evaluate(call.clone())) {
        Answer::Decided { seq, decision_id, verdict: Verdict::Allow, request_salt: salt, terms, .. } => {
            assert_eq!(terms.token_expires.unwrap().0, world.clock + 60 * SECOND);
            Ok(Token { seq, decision_id, salt, hash })
        }
        Answer::Decided { codes, .. } => Err(codes),
        other => panic!("{other:?}"),
    }
}

fn ruled(answer: Answer) -> (Verdict, Vec<ReasonCode>) {
    match answer {
        Answer::Ruled { verdict, codes, .. } => (verdict, codes),
        other => panic!("{other:?}"),
    }
}

fn outstanding(world: &World, token: &Token) -> Option<OutstandingRecord> {
    match world.state.get(&StateKey::Outstanding(token.seq.0)).as_deref() {
        Some(Record::Outstanding(record)) => Some(record.clone()),
        _ => None,
    }
}

fn run(world: &World) -> RunRecord {
    match world.state.get(&StateKey::Run(tenant("acme"), "run-1".into())).as_deref() {
        Some(Record::Run(run)) => run.clone(),
        other => panic!("{other:?}"),
    }
}

fn budgets(world: &World) -> BTreeMap<String, BudgetRecord> {
    let rows = world.state.records().filter_map(|(key, record)| match (key, record.as_ref()) {
        (StateKey::Budget(_, key), Record::Budget(budget)) => Some((key.clone(), *budget)),
        _ => None,
    });
    rows.collect()
}

fn used(world: &World, id: &str) -> (u64, u64) {
    let found = budgets(world).into_iter().find(|(key, _)| key.split('|').nth(1) == Some(id));
    found.map_or((0, 0), |(_, budget)| (budget.reserved, budget.spent))
}

fn last_body(world: &World) -> EventBody {
    Recorded::read(world.leaves.last().unwrap()).unwrap().body.unwrap()
}

#[test]
fn an_allow_is_redeemed_once_and_completed_once() {
    let mut world = spending(1);
    let token = ask(&mut world, &payment()).unwrap();
    assert_eq!((used(&world, "few"), used(&world, "tokens")), ((1, 0), (10, 0)));
    assert!(!outstanding(&world, &token).unwrap().is_open_intent());
    // Two nodes at once: two commands in one batch, and a third in the next.
    let commands = vec![world.command(me(), redeem(token.redeem())), world.command(me(), redeem(token.redeem()))];
    let answers = world.apply(commands).answers;
    let answers: Vec<_> = answers.into_iter().map(ruled).collect();
    assert_eq!(answers, [(Verdict::Allow, vec![Redeemed]), (Verdict::Deny, vec![AlreadyRedeemed])]);
    assert_eq!(ruled(world.send(me(), redeem(token.redeem()))), (Verdict::Deny, vec![AlreadyRedeemed]));
    // The output's labels are taken on before anybody has seen the output.
    assert_eq!((run(&world).open_intents, run(&world).counters.redeemed), (1, 1));
    assert!(run(&world).taint.sources().any(|source| source.name() == "web"));
    assert!(outstanding(&world, &token).unwrap().is_open_intent());
    world.through_snapshot();
    let command = world.command(me(), complete(token.complete()));
    let applied = world.apply(vec![command.clone()]);
    let roles: Vec<_> = applied.entries[0].payloads.iter().map(|payload| payload.role.as_str()).collect();
    assert_eq!(roles, ["output", "output_redacted"]);
    assert_eq!(ruled(applied.answers[0].clone()), (Verdict::Allow, vec![Redeemed]));
    assert_eq!((used(&world, "few"), used(&world, "tokens")), ((0, 1), (0, 4)), "settled with what was used");
    let run = run(&world);
    assert_eq!((run.open_intents, run.counters.completed, run.counters.failed), (0, 1, 0));
    assert!(outstanding(&world, &token).is_none());
    // A retry is answered from the record; another completion finds nothing.
    assert!(matches!(world.send_command(command), Answer::Ruled { verdict: Verdict::Allow, replayed: true, .. }));
    assert_eq!(ruled(world.send(me(), complete(token.complete()))), (Verdict::Deny, vec![DecisionUnknown]));
}

#[test]
fn what_cannot_be_redeemed_says_why() {
    let gateway = || agent("acme", None);
    let other_hash = |token: &Token| Redeem { request_hash: sha256(&[b"another"]), ..token.redeem() };
    type Change = fn(&mut World);
    let kill = |target: KillTarget, engaged: bool| {
        let justification = Vec::new();
        let (tenant, target) = (tenant("acme"), target);
        control(ControlCommand::KillSwitch { tenant, target, engaged, justification })
    };
    let killed: Change = |world| {
        let (tenant, target) = (tenant("acme"), KillTarget::Tool("pay".into()));
        let on = ControlCommand::KillSwitch { tenant, target, engaged: true, justification: Vec::new() };
        world.must(admin("acme"), control(on));
    };
    let cases: [(ReasonCode, Change); 5] = [
        (TokenExpired, |world| world.clock += 61 * SECOND),
        (PrincipalDisabled, |world| {
            world.must(
                admin("acme"),
                CommandBody::DisablePrincipal { tenant: tenant("acme"), subject: "agent-1".into() },
            );
        }),
        (TenantDisabled, |world| {
            let disabled = ControlCommand::SetTenantDisabled { tenant: tenant("acme"), disabled: true };
            world.must(operator(), control(disabled));
        }),
        (KillSwitchTool, killed),
        (RunClosed, |world| {
            let run_id = "run-1".into();
            let close = assent_kernel::command::RunRequest { run_id, subject: None, parent_run_id: None };
            world.must(me(), CommandBody::CloseRun(close));
        }),
    ];
    for (code, change) in cases {
        let mut world = spending(2);
        let token = ask(&mut world, &payment()).unwrap();
        change(&mut world);
        assert_eq!(ruled(world.send(gateway(), redeem(token.redeem()))), (Verdict::Deny, vec![code]));
        assert_eq!(run(&world).counters.redeemed, 0);
    }
    let mut world = spending(3);
    let token = ask(&mut world, &payment()).unwrap();
    let denied = |world: &mut World, asked: Redeem, code: ReasonCode| {
        assert_eq!(ruled(world.send(gateway(), redeem(asked))), (Verdict::Deny, vec![code]));
    };
    denied(&mut world, other_hash(&token), RequestMismatch);
    denied(&mut world, Redeem { request_salt: [0; 32], ..token.redeem() }, RequestMismatch);
    denied(&mut world, Redeem { decision_id: "another".into(), ..token.redeem() }, DecisionUnknown);
    denied(&mut world, Redeem { seq: Seq(0), ..token.redeem() }, DecisionUnknown);
    let zeta = agent("zeta", None);
    assert_eq!(ruled(world.send(zeta, redeem(token.redeem()))), (Verdict::Deny, vec![DecisionUnknown]));
    assert!(matches!(world.refused(admin("acme"), redeem(token.redeem())), Refusal::RoleNotPermitted { .. }));
    // A switch that was engaged and released again has ended what was allowed before it.
    world.must(admin("acme"), kill(KillTarget::Agent("agent-1".into()), true));
    world.must(admin("acme"), kill(KillTarget::Agent("agent-1".into()), false));
    denied(&mut world, token.redeem(), TokenVoid);
}

#[test]
fn outcomes_are_taken_in_from_the_redeemer_only() {
    let mut world = spending(4);
    let token = ask(&mut world, &payment()).unwrap();
    assert_eq!(ruled(world.send(me(), complete(token.complete()))), (Verdict::Deny, vec![DecisionUnknown]));
    ruled(world.send(agent("acme", None), redeem(token.redeem())));
    let command = world.command(me(), complete(token.complete()));
    let applied = world.apply(vec![command]);
    assert!(applied.entries[0].payloads.is_empty(), "what somebody else claims is not kept as the output");
    assert_eq!(ruled(applied.answers[0].clone()), (Verdict::Deny, vec![SubjectMismatch]));
    // Whatever has happened since, an outcome is recorded; a required obligation without proof is named.
    let disabled = ControlCommand::SetTenantDisabled { tenant: tenant("acme"), disabled: true };
    world.must(operator(), control(disabled));
    let asked = Complete { status: Completion::Unknown, fulfilled: vec![], usage: None, ..token.complete() };
    let (verdict, codes) = ruled(world.send(agent("acme", None), complete(asked)));
    assert_eq!((verdict, codes), (Verdict::Allow, vec![ObligationUnsupported, Redeemed]));
    let EventBody::ToolResponse(body) = last_body(&world) else { panic!() };
    let ToolResponse { missing, status, .. } = *body;
    assert_eq!((missing, status), (vec!["redact".to_owned()], Completion::Unknown));
    assert_eq!(used(&world, "tokens"), (0, 10), "where nobody knows, what was set aside counts as used");
}

#[test]
fn an_unredeemed_token_gives_back_what_was_set_aside() {
    let mut world = spending(5);
    let mut once = payment();
    once.context.idempotency_key = Some("invoice-17".into());
    let token = ask(&mut world, &once).unwrap();
    let kept = ask(&mut world, &payment()).unwrap();
    ruled(world.send(me(), redeem(kept.redeem())));
    assert_eq!(ask(&mut world, &once).map(|_| ()), Err(vec![EffectRepeated]));
    assert_eq!(world.refused(node(), CommandBody::Tick), Refusal::NothingDue);
    world.clock += 61 * SECOND;
    assert_eq!(used(&world, "few"), (2, 0), "a late tick: nothing is given back yet");
    let (first, count) = world.must(node(), CommandBody::Tick);
    assert_eq!(count, 2);
    let leaf = &world.leaves[usize::try_from(first.0).unwrap()];
    let EventBody::TokenExpired(body) = Recorded::read(leaf).unwrap().body.unwrap() else { panic!() };
    assert_eq!(body.tokens.iter().map(|token| token.decision).collect::<Vec<_>>(), [token.seq]);
    assert_eq!((used(&world, "few"), used(&world, "tokens")), ((1, 0), (10, 0)), "the open intent keeps its own");
    assert!(outstanding(&world, &token).is_none() && outstanding(&world, &kept).unwrap().is_open_intent());
    assert_eq!(ruled(world.send(me(), redeem(token.redeem()))), (Verdict::Deny, vec![DecisionUnknown]));
    // The effect did not happen: it may be asked for again.
    let again = ask(&mut world, &once).unwrap();
    ruled(world.send(me(), redeem(again.redeem())));
    assert_eq!(world.refused(node(), CommandBody::Tick), Refusal::NothingDue);
    // A day later the key is forgotten, the open intents are not.
    world.clock += 25 * 3_600 * SECOND;
    world.must(node(), CommandBody::Tick);
    assert!(!world.state.records().any(|(key, _)| matches!(key, StateKey::EffectKey(..) | StateKey::Expiry(..))));
    assert!(outstanding(&world, &kept).is_some());
    assert_eq!(world.refused(node(), CommandBody::Tick), Refusal::NothingDue);
    assert!(matches!(world.refused(operator(), CommandBody::Tick), Refusal::RoleNotPermitted { .. }));
}

#[test]
fn budgets_and_rates_hold() {
    let mut world = spending(6);
    let mut own = payment();
    own.context.budgets = CallerBudgets { tokens_remaining: Some(9), ..CallerBudgets::default() };
    assert_eq!(ask(&mut world, &own).map(|_| ()), Err(vec![CallerBudgetExceeded]));
    let mut dear = payment();
    dear.context.usage = Usage { tokens: 101, cost_micro_usd: 0 };
    assert_eq!(ask(&mut world, &dear).map(|_| ()), Err(vec![BudgetExceeded]));
    assert!(budgets(&world).is_empty(), "a deny sets nothing aside");
    // Two calls of one batch see each other: of six, four are left to the rate, and all but one to the budget.
    let asked: Vec<_> = (0..5).map(|_| world.command(me(), evaluate(payment()))).collect();
    let answers = world.apply(asked).answers;
    let codes: Vec<_> = answers
        .iter()
        .map(|answer| match answer {
            Answer::Decided { codes, .. } => codes.clone(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(codes[..4].iter().all(|codes| codes.contains(&BudgetOk)), "{codes:?}");
    assert_eq!(codes[4], [RateExceeded]);
    world.clock += 10 * SECOND;
    ask(&mut world, &payment()).unwrap();
    world.clock += 10 * SECOND;
    assert_eq!(ask(&mut world, &payment()).map(|_| ()), Err(vec![BudgetExceeded]));
    // The next day has a budget of its own; what comes late from yesterday does not touch it.
    world.clock += 24 * 3_600 * SECOND;
    ask(&mut world, &payment()).unwrap();
    while let Answer::Recorded { .. } = world.send(node(), CommandBody::Tick) {}
    assert_eq!((used(&world, "few"), used(&world, "tokens")), ((1, 0), (10, 0)));
}

/// What the budgets must be, from the decisions that are under way and the outcomes that were taken in.
fn check_budgets(world: &World, spent: u64) {
    let mut reserved: BTreeMap<String, u64> = BTreeMap::new();
    for (_, record) in world.state.records() {
        let Record::Outstanding(record) = record.as_ref() else { continue };
        for reservation in &record.reserved {
            let charge = parse_budget(&reservation.budget).unwrap();
            if budgets(world)[charge.key].window == charge.window {
                *reserved.entry(charge.key.to_owned()).or_default() += reservation.amount;
            }
        }
    }
    for (key, budget) in budgets(world) {
        assert_eq!(budget.reserved, reserved.get(&key).copied().unwrap_or(0), "{key}");
        let limit = if key.contains("|few|") { 5 } else { 100 };
        assert!(budget.used() <= limit, "{key} {budget:?}");
    }
    assert_eq!(used(world, "tokens").1, spent);
}

#[test]
fn budgets_are_exact_under_random_sequences() {
    for seed in 0..12 {
        let (mut world, mut dice) = (spending(100 + seed), Dice(seed));
        let (mut tokens, mut open, mut spent): (Vec<Token>, Vec<Token>, u64) = (Vec::new(), Vec::new(), 0);
        for _ in 0..120 {
            match dice.below(8) {
                0..=2 => tokens.extend(ask(&mut world, &payment())),
                3 | 4 if !tokens.is_empty() => {
                    let token = dice.pick(&tokens);
                    let (verdict, codes) = ruled(world.send(me(), redeem(token.redeem())));
                    if verdict == Verdict::Allow {
                        assert!(open.iter().all(|known| known.seq != token.seq), "redeemed twice");
                        open.push(token);
                    } else {
                        assert!(matches!(codes[0], AlreadyRedeemed | TokenExpired | DecisionUnknown), "{codes:?}");
                    }
                }
                5 if !open.is_empty() => {
                    let token = open.swap_remove(dice.below(open.len() as u64) as usize);
                    let usage = Usage { tokens: dice.below(5), cost_micro_usd: 0 };
                    let status = dice.pick(&Completion::ALL);
                    let done = Complete { usage: Some(usage), status, ..token.complete() };
                    assert_eq!(ruled(world.send(me(), complete(done))).0, Verdict::Allow);
                    spent += usage.tokens;
                }
                6 => drop(world.send(node(), CommandBody::Tick)),
                _ => world.clock += dice.pick(&[1, 30, 61, 4 * 3_600]) * SECOND,
            }
            check_budgets(&world, spent);
        }
        assert!(spent > 0, "nothing was ever completed with seed {seed}");
        // In the end only the open intents keep something.
        world.clock += 61 * SECOND;
        while let Answer::Recorded { .. } = world.send(node(), CommandBody::Tick) {}
        check_budgets(&world, spent);
        let left = world.state.records().filter(|(key, _)| matches!(key, StateKey::Outstanding(_))).count();
        assert_eq!(left, open.len());
    }
}

#[test]
fn everybody_in_a_chain_is_charged_once() {
    let more = "  - {id: own, unit: calls, limit: 9}\n  - {id: cost, scope: run, unit: cost_micro_usd, limit: 9, per: run}\nrates:";
    let bundle = assent_kernel::bundle::compile(SPEND.replace("rates:", more).as_bytes()).unwrap();
    let chain = ["agent-2".to_owned(), "somebody-else".to_owned(), "agent-1".to_owned()];
    let (of, caller) = (tenant("acme"), CallerBudgets::default());
    let call = ChargedCall {
        tenant: &of,
        environment: "prod",
        run_id: "run-1",
        subject: "agent-1",
        chain: &chain,
        tool: bundle.tool("pay").unwrap(),
        usage: Usage { tokens: 3, cost_micro_usd: 0 },
        caller: &caller,
    };
    let charged = charges(&MemoryState::new(), Time(START_MICROS), &bundle, &call);
    let texts: Vec<_> = charged.reserved.iter().map(|r| (parse_budget(&r.budget).unwrap().key, r.amount)).collect();
    assert_eq!(
        texts,
        [
            ("prod|few|principal:agent-1|day|calls", 1),
            ("prod|few|principal:agent-2|day|calls", 1),
            ("prod|few|principal:somebody-else|day|calls", 1),
            ("prod|tokens|tenant|ever|tokens", 10),
            ("prod|other|tenant|ever|calls", 1),
            ("prod|own|principal:agent-1|ever|calls", 1),
            ("prod|own|principal:agent-2|ever|calls", 1),
            ("prod|own|principal:somebody-else|ever|calls", 1),
            ("prod|cost|run:run-1|run|cost_micro_usd", 0),
        ]
    );
    assert_eq!(charged.rates.len(), 3);
    assert_eq!(charged.exceeded, Some(BudgetExceeded), "somebody in the chain has nothing left");
    let alone = ChargedCall { chain: &[], ..call };
    let charged = charges(&MemoryState::new(), Time(START_MICROS), &bundle, &alone);
    assert_eq!((charged.exceeded, charged.reserved.len()), (None, 4));
}

#[test]
fn leases_get_their_call_back_and_end_the_token_when_they_are_revoked() {
    let source = SPEND.replace("actions: [pay]}", "actions: [pay], lease: {required: true, calls_max: 5}}");
    let mut world = spending_under(8, &source);
    let terms = GrantTerms {
        environment: "prod".into(),
        run_id: None,
        class: "pay".into(),
        actions: vec!["pay".into()],
        constraints: Vec::new(),
        calls: 2,
        seconds: 600,
        justification: b"invoices".to_vec(),
    };
    let request = GrantCommand::Request { subject: None, terms };
    assert_eq!(ruled(world.send(me(), CommandBody::Grant(Box::new(request)))).0, Verdict::Allow);
    let lease = |world: &World| {
        let mut rows = world.state.records().filter_map(|(key, record)| match (key, record.as_ref()) {
            (StateKey::Lease(_, id), Record::Lease(lease)) => Some((id.clone(), lease.calls_left)),
            _ => None,
        });
        rows.next().unwrap()
    };
    ask(&mut world, &payment()).unwrap();
    assert_eq!(lease(&world).1, 1);
    world.clock += 61 * SECOND;
    world.must(node(), CommandBody::Tick);
    assert_eq!(lease(&world).1, 2, "nobody carried it out");
    let token = ask(&mut world, &payment()).unwrap();
    let revoke = GrantCommand::Revoke {
        tenant: tenant("acme"),
        subject: None,
        lease: lease(&world).0,
        justification: Vec::new(),
    };
    world.send(admin("acme"), CommandBody::Grant(Box::new(revoke)));
    assert_eq!(ruled(world.send(me(), redeem(token.redeem()))), (Verdict::Deny, vec![TokenVoid]));
}

#[test]
fn a_capability_has_a_rate_of_its_own() {
    let source = SPEND.split("budgets:").next().unwrap();
    for key in ["maxCallsPerMinute", "max_calls_per_minute"] {
        let with = format!("{{class: pay, actions: [\"*\"], constraints: {{{key}: 2}}}}");
        let source = source.replace("{class: pay, actions: [pay]}", &with);
        let bundle = assent_kernel::bundle::compile(source.as_bytes()).unwrap();
        let [rate] = bundle.rates() else { panic!("{:?}", bundle.rates()) };
        assert_eq!((rate.terms.calls, rate.terms.per_seconds, rate.terms.burst), (2, 60, 2));
        assert!(rate.concerns(bundle.tool("pay").unwrap()) && rate.charges("agent-7") && !rate.charges("other"));
        let none = source.replace(": 2}", ": 0}");
        assert!(assent_kernel::bundle::compile(none.as_bytes()).is_err());
    }
    assert!(
        assent_kernel::bundle::Constraints::read_json(br#"{"maxCallsPerMinute":2}"#).is_err(),
        "a lease has its own"
    );
}

#[test]
fn mistakes_in_budgets_are_named() {
    let with = |line: &str| format!("{}\n  - {line}\n", SPEND.split("rates:").next().unwrap().trim_end());
    for (line, message) in [
        ("{id: few, limit: 1}", "is taken by the budget"),
        ("{id: a, limit: -1}", "whole number"),
        ("{id: a}", "needs the key `limit`"),
        ("{id: a, limit: 1, unit: apples}", "no unit"),
        ("{id: a, limit: 1, per: fortnight}", "no per"),
        ("{id: a, limit: 1, scope: tenant, per: run}", "each run's own"),
        ("{id: a, limit: 1, match: {tool: pya}}", "no tool `pya`"),
        ("{id: a, limit: 1, match: {colour: red}}", "no key `colour`"),
    ] {
        let errors = assent_kernel::bundle::compile(with(line).as_bytes()).unwrap_err();
        assert!(errors.iter().any(|error| error.to_string().contains(message)), "{line}: {errors:?}");
    }
    let rate = SPEND.replace("calls: 6, per", "calls: 0, per");
    assert!(assent_kernel::bundle::compile(rate.as_bytes()).is_err());
}
