//! Budgets and rates: what holds them up, what they are charged, and that they are exact whatever happens.

use std::collections::BTreeMap;

use crate::support::calls::{decide, world_under};
use crate::support::spending::*;
use crate::support::*;
use assent_kernel::charge::parse_budget;
use assent_kernel::command::{CallerBudgets, CommandBody, Complete, Completion, Usage};
use assent_kernel::decide::{ChargedCall, charges};
use assent_kernel::machine::Answer;
use assent_kernel::reason::ReasonCode::*;
use assent_kernel::state::{MemoryState, Record, StateKey};
use assent_kernel::verdict::Verdict;
use assent_ledger::ids::Time;

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

#[test]
fn a_caller_may_spend_its_last_unit() {
    let (mut world, mut last) = (spending(6), payment());
    last.context.budgets =
        CallerBudgets { tokens_remaining: Some(10), tool_calls_remaining: Some(1), ..CallerBudgets::default() };
    ask(&mut world, &last).unwrap();
    last.context.budgets = CallerBudgets { tool_calls_remaining: Some(0), ..CallerBudgets::default() };
    assert_eq!(ask(&mut world, &last).map(|_| ()), Err(vec![CallerBudgetExceeded]));
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
        shares: assent_kernel::charge::Shares::default(),
        tenant: &of,
        environment: "prod",
        run_id: "run-1",
        subject: "agent-1",
        chain: &chain,
        tool: bundle.tool("pay").unwrap(),
        usage: Usage { tokens: 3, cost_micro_usd: 0 },
        caller: &caller,
        before: &[],
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
        assent_kernel::bundle::Constraints::read_json(
            br#"{"maxCallsPerMinute":2}"#,
            &assent_kernel::bundle::Work::default()
        )
        .is_err(),
        "a lease has its own"
    );
}

#[test]
fn capabilities_do_not_share_a_rate() {
    let capability =
        |class: &str| format!("{{class: {class}, actions: [do], constraints: {{max_calls_per_minute: 2}}}}");
    let head = "name: n\nversion: 1\ntools: [{name: a, class: a, action: do}, {name: b, class: b, action: do}]\n\
        rules: [{id: rest, match: {toolClass: [a, b]}, decision: allow}]\n";
    for principals in [
        format!(
            "[{{subject: agent-1, capabilities: [{}]}}, {{subject: agent-*, capabilities: [{}]}}]",
            capability("a"),
            capability("b")
        ),
        format!("[{{subject: agent-1, capabilities: [{}, {}]}}]", capability("a"), capability("b")),
    ] {
        let mut world = world_under(&format!("{head}principals: {principals}\n"));
        let codes = ["a", "a", "a", "b", "b", "b"].map(|tool| decide(&mut world, call(tool, "{}")).codes[0]);
        let wanted = [AllowedRulesPassed, AllowedRulesPassed, RateExceeded];
        assert_eq!(codes, [wanted, wanted].concat()[..], "{principals}");
    }
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
