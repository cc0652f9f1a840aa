//! How much state one live run has at its caps, in bytes of keys and records as they are stored. Nothing is timed. The run gets there by commands:
//! labels beyond the cap of origins of every source, 24 behaviour rules under way, eight calls remembered for loops, more executions
//! under way than are told apart, a signal about it and what that adjusts; run id and subject of the greatest length. The bar is 8 KiB, with
//! all that is counted in the run.

use std::collections::BTreeMap;
use std::error::Error;

use assent_benches::policy::capped::{self, Counted};
use assent_benches::world::{World, operator};
use assent_kernel::command::{
    Batch, Caller, CommandBody, Evaluate, ExecutionCommand, NewCredential, Redeem, ReportSignal, Role, RunCommand,
    RunRequest, SignalScope, Signals,
};
use assent_kernel::decide::request_hash;
use assent_kernel::limits::{NAME_BYTES_MAX, RUN_BYTES_MAX, TAINT_LABELS_MAX, TAINT_ORIGINS_MAX, UNDER_WAY_MAX};
use assent_kernel::machine::Answer;
use assent_kernel::state::{MemoryState, Record, StateKey, StateRead};
use assent_kernel::taint::{TaintLabel, TaintSource};
use assent_ledger::hash::sha256;

/// What a record of a run belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    /// The run itself: bounded by the kernel, whatever the bundle says.
    Run,
    /// What the bundle has counted for each run: as much as its author asks for, and no more than there is room for.
    Counted,
    /// Decisions in flight: gone when they end, a minute after they were made unless they are redeemed.
    InFlight,
}

impl Group {
    const fn name(self) -> &'static str {
        match self {
            Group::Run => "the run itself",
            Group::Counted => "counted in it, as its bundle asks",
            Group::InFlight => "its decisions in flight",
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let nothing = Counted { budgets: 0, rates: 0, sums: false, distinct: 0 };
    let usual = Counted { budgets: 4, rates: 2, sums: true, distinct: 0 };
    one("a bundle that counts nothing for each run", nothing)?;
    one("a bundle with four budgets, two rates, a sum and a count for each run", usual)?;
    one(
        "the same, and a contract that admits 60 values: with it nearly all that is accepted",
        Counted { distinct: 60, ..usual },
    )?;
    one(
        "a bundle with 16 budgets and 12 rates for each run: nearly all that is accepted",
        Counted { budgets: 16, rates: 12, ..nothing },
    )
}

fn one(name: &'static str, counted: Counted) -> Result<(), Box<dyn Error>> {
    let mut world = World::new(capped::policy(name, counted))?;
    let run_id = format!("run-{}", "r".repeat(NAME_BYTES_MAX - "run-".len()));
    to_its_caps(&mut world, &run_id, if counted.distinct > 0 { counted.distinct } else { 40 })?;
    print(name, &world, &run_id);
    Ok(())
}

/// Takes a run to all of its caps.
fn to_its_caps(world: &mut World, run_id: &str, calls: usize) -> Result<(), Box<dyn Error>> {
    let agent = world.agent(0).clone();
    let run = RunRequest { run_id: run_id.to_owned(), subject: None, parent_run_id: None };
    world.must(agent.clone(), CommandBody::OpenRun(run))?;
    signal(world, run_id)?;
    for labels in labels().chunks(TAINT_LABELS_MAX) {
        let attach = RunCommand::AttachTaint { run_id: run_id.to_owned(), subject: None, labels: labels.to_vec() };
        world.must(agent.clone(), CommandBody::Run(Box::new(attach)))?;
    }
    for number in 0..calls {
        let command = world.evaluate_with(0, |call| call.run_id = Some(run_id.to_owned()));
        let CommandBody::Evaluate(evaluate) = command.body.clone() else { continue };
        let (applied, _) = world.apply(&Batch { commands: vec![command] })?;
        if number <= UNDER_WAY_MAX {
            let answer = applied.answers.into_iter().next().ok_or("a call without an answer")?;
            redeem(world, &agent, &evaluate, answer)?;
        }
    }
    Ok(())
}

/// More origins than are told apart, of every source, each of the greatest length.
fn labels() -> Vec<TaintLabel> {
    let label = |n: usize, source: &TaintSource| TaintLabel {
        source: *source,
        origin: format!("{n:03}{}", "o".repeat(NAME_BYTES_MAX - 3)),
        confidence_milli: 1_000,
        propagated_from: None,
    };
    (0..TAINT_ORIGINS_MAX + 14).zip(TaintSource::ALL.iter().cycle()).map(|(n, source)| label(n, source)).collect()
}

/// A risk that somebody reports about the run.
fn signal(world: &mut World, run_id: &str) -> Result<(), Box<dyn Error>> {
    let agent = world.agent(0).clone();
    let reporter = Caller { role: Role::Reporter, subject: None, credential: "watch".into(), ..agent };
    let credential = NewCredential {
        tenant: reporter.tenant.clone(),
        name: reporter.credential.clone(),
        token_hash: sha256(&[b"watch"]),
        role: Role::Reporter,
        subject: None,
    };
    world.must(operator(), CommandBody::RegisterCredential(Box::new(credential)))?;
    let signals = Signals { risk_milli: Some(600), queue_depth: Some(3), budget_use_milli: Some(100) };
    let report = ReportSignal { scope: SignalScope::Run(run_id.to_owned()), signals, valid_seconds: 3_600 };
    world.must(Caller { attested: false, ..reporter }, CommandBody::Signal(Box::new(report)))?;
    Ok(())
}

/// Starts the execution of what was allowed.
fn redeem(world: &mut World, agent: &Caller, evaluate: &Evaluate, answer: Answer) -> Result<(), Box<dyn Error>> {
    let Answer::Decided { seq, decision_id, request_salt, terms, .. } = &answer else {
        return Err(format!("no decision: {answer:?}").into());
    };
    let request_hash = request_hash(&agent.tenant, agent.subject.as_deref(), evaluate, terms.tool_schema.as_ref());
    let redeem = Redeem {
        decision_id: decision_id.clone(),
        seq: *seq,
        request_hash,
        request_salt: *request_salt,
        audience: None,
    };
    let redeem = Box::new(ExecutionCommand::Redeem(redeem));
    let applied = world.must(agent.clone(), CommandBody::Execution(redeem))?;
    match applied.answers.first() {
        Some(Answer::Ruled { verdict, .. }) if verdict.name() == "allow" => Ok(()),
        other => Err(format!("not redeemed: {other:?}").into()),
    }
}

/// To what a record belongs, if it is one of the run.
fn group(state: &MemoryState, key: &StateKey, record: &Record, run_id: &str) -> Option<(Group, &'static str)> {
    let of_run = |text: &str| text.contains(&format!("run:{run_id}"));
    match (key, record) {
        (StateKey::Run(_, id), _) if id == run_id => Some((Group::Run, "Run")),
        (StateKey::Nesting(_, id), _) if id == run_id => Some((Group::Run, "Nesting")),
        (StateKey::Adjustment(_, id), _) if id == run_id => Some((Group::Run, "Adjustment")),
        (StateKey::Signal(_, text), _) if of_run(text) => Some((Group::Run, "Signal")),
        (StateKey::RunCounts(_, id), _) if id == run_id => Some((Group::Counted, "RunCounts")),
        (_, Record::Outstanding(known)) if known.run_id == run_id => Some((Group::InFlight, "Outstanding")),
        (_, Record::Expiry(known)) => {
            let item = state.get(&known.item)?;
            let (of, _) = group(state, &known.item, &item, run_id)?;
            Some((of, "Expiry"))
        }
        _ => None,
    }
}

fn print(name: &str, world: &World, run_id: &str) {
    println!("\nrun state, {name}:");
    println!("| of | record | how many | largest key | largest record | all bytes |");
    println!("|---|---|--:|--:|--:|--:|");
    let mut rows: BTreeMap<(Group, &str), (usize, usize, usize, usize)> = BTreeMap::new();
    for (key, record) in world.state.records() {
        let Some(of) = group(&world.state, key, record, run_id) else { continue };
        let (key, record) = (key.encode().len(), record.encode().len());
        let row = rows.entry(of).or_default();
        *row = (row.0 + 1, row.1.max(key), row.2.max(record), row.3 + key + record);
    }
    for ((group, record), (count, key, bytes, all)) in &rows {
        println!("| {} | {record} | {count} | {key} | {bytes} | {all} |", group.name());
    }
    for group in [Group::Run, Group::Counted, Group::InFlight] {
        let sum: usize = rows.iter().filter(|((of, _), _)| *of == group).map(|(_, row)| row.3).sum();
        println!("{}: {sum} bytes", group.name());
    }
    let own: usize = rows.iter().filter(|((of, _), _)| *of == Group::Run).map(|(_, row)| row.3).sum();
    let counted: usize = rows.iter().filter(|((of, _), _)| *of == Group::Counted).map(|(_, row)| row.3).sum();
    let met = |bytes: usize| if bytes <= RUN_BYTES_MAX { "met" } else { "missed" };
    println!(
        "the run itself within {RUN_BYTES_MAX} bytes: {}; with what is counted in it: {}",
        met(own),
        met(own + counted)
    );
}
