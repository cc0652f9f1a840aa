//! The example's claims desk through the kernel alone: every step comes to what its author expects, the record decides again without a
//! difference, and a stricter bundle turns those decisions that the example's own second reading says.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::replay::{Book, record, run};
use crate::support::{World, admin, agent, call, credential_of, evaluate, new_tenant, operator, register, tenant};
use assent_kernel::bundle::{CompiledBundle, Sensitivity, bundle_hash, compile};
use assent_kernel::command::{
    ApprovalAction, ApprovalCommand, Caller, Command, CommandBody, Complete, Completion, Evaluate, ExecutionCommand,
    MemoryAct, MemoryCommand, MemoryRead, MemoryTarget, MemoryWrite, OfferedSource, Redeem, Role,
};
use assent_kernel::decide::request_hash;
use assent_kernel::event::EventBody;
use assent_kernel::machine::Answer;
use assent_kernel::replay::{Found, Held, Payloads, Recorded, Selection, WhatIf, Why};
use assent_ledger::ids::Seq;
use assent_ledger::payload::decrypt;
use serde_json::Value;

const TENANT: &str = "dunmore";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/fleet/claims")
}

fn text(name: &str) -> String {
    std::fs::read_to_string(folder().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn bundle(name: &str) -> CompiledBundle {
    compile(text(name).as_bytes()).unwrap_or_else(|errors| {
        let lines: Vec<String> = errors.iter().map(|error| error.in_file(name)).collect();
        panic!("{}", lines.join("\n"))
    })
}

/// A call that was made, and the newest answer to it.
struct Made {
    command: Command,
    evaluate: Evaluate,
    seq: Seq,
    decision_id: String,
    salt: [u8; 32],
    approval: String,
}

struct Desk {
    world: World,
    tools: CompiledBundle,
    people: BTreeMap<String, Caller>,
    calls: BTreeMap<(String, String), Made>,
    /// What is to run in the place of what was asked for, by the decision's entry.
    replaced: BTreeMap<Seq, Vec<u8>>,
}

fn str_of<'a>(step: &'a Value, field: &str) -> &'a str {
    step[field].as_str().unwrap_or_default()
}

/// A value's bytes: the same each time, if not in the file's order of keys.
fn bytes(step: &Value, field: &str) -> Vec<u8> {
    step.get(field).map(|value| value.to_string().into_bytes()).unwrap_or_default()
}

fn claims_agent() -> Caller {
    Caller { credential: "dunmore/claims".into(), ..agent(TENANT, None) }
}

impl Desk {
    fn settled() -> Desk {
        let mut world = World::ready(31);
        let fleet: Value = serde_json::from_str(&text("fleet.json")).unwrap();
        world.must(operator(), new_tenant(TENANT));
        world.must(operator(), credential_of(&admin(TENANT)));
        world.must(operator(), credential_of(&claims_agent()));
        for subject in fleet[0]["principals"].as_array().unwrap() {
            world.must(admin(TENANT), register(TENANT, subject.as_str().unwrap()));
        }
        let mut people = BTreeMap::new();
        for person in fleet[0]["people"].as_array().unwrap() {
            let (name, subject) = (str_of(person, "credential"), str_of(person, "subject"));
            let caller = Caller { role: Role::Approver, credential: name.into(), ..agent(TENANT, Some(subject)) };
            world.must(admin(TENANT), register(TENANT, subject));
            world.must(admin(TENANT), credential_of(&caller));
            people.insert(name.to_owned(), caller);
        }
        let source = text("bundle.yaml").into_bytes();
        let bundle_hash = bundle_hash(&source);
        world.must(admin(TENANT), CommandBody::OfferBundle(OfferedSource { tenant: tenant(TENANT), source }));
        let environment = "prod".to_owned();
        world.must(admin(TENANT), CommandBody::ActivateBundle { tenant: tenant(TENANT), environment, bundle_hash });
        Desk { world, tools: bundle("bundle.yaml"), people, calls: BTreeMap::new(), replaced: BTreeMap::new() }
    }

    fn send(&mut self, command: Command) -> Answer {
        let mut applied = self.world.apply(vec![command]);
        for entry in &applied.entries {
            let recorded = Recorded::read(&entry.leaf).unwrap();
            let replacement = recorded.commitment("replacement");
            for payload in entry.payloads.iter().filter(|payload| Some(&payload.commitment) == replacement) {
                let opened = decrypt(&payload.data_key, &payload.commitment, &payload.ciphertext).unwrap();
                self.replaced.insert(entry.seq, opened.bytes.to_vec());
            }
        }
        applied.answers.remove(0)
    }

    fn ask(&mut self, caller: Caller, body: CommandBody) -> Answer {
        let command = self.world.command(caller, body);
        self.send(command)
    }

    fn step(&mut self, step: &Value) -> (String, String) {
        let name = |field: &str| (str_of(step, "story").to_owned(), str_of(step, field).to_owned());
        let answer = match str_of(step, "act") {
            "call" => {
                let evaluate = Evaluate {
                    run_id: Some(str_of(step, "run_id").into()),
                    trace_id: Some(str_of(step, "trace_id").into()),
                    subject: Some(str_of(step, "subject").into()),
                    ..call(str_of(step, "tool"), &String::from_utf8(bytes(step, "inputs")).unwrap())
                };
                let command = self.world.command(claims_agent(), self::evaluate(evaluate.clone()));
                let answer = self.send(command.clone());
                self.made(name("step"), command, evaluate, &answer);
                answer
            }
            "again" => {
                let known = &self.calls[&name("of")];
                let (command, evaluate) = (known.command.clone(), known.evaluate.clone());
                self.world.clock += 1_000;
                let answer = self.send(command.clone());
                self.made(name("of"), command, evaluate, &answer);
                answer
            }
            "answer" => {
                let action = match str_of(step, "action") {
                    "approve" => ApprovalAction::Approve,
                    "deny" => ApprovalAction::Deny,
                    _ => ApprovalAction::Modify(bytes(step, "inputs")),
                };
                let approval = self.calls[&name("of")].approval.clone();
                let justification = b"looked at the claim".to_vec();
                let answer = ApprovalCommand { approval, action, conditions: Vec::new(), justification };
                let person = self.people[str_of(step, "token_name")].clone();
                self.ask(person, CommandBody::Approval(Box::new(answer)))
            }
            "redeem" => {
                let command = self.redemption(&name("of"));
                self.ask(claims_agent(), CommandBody::Execution(Box::new(command)))
            }
            "complete" => {
                let made = &self.calls[&name("of")];
                let status =
                    if str_of(step, "status") == "success" { Completion::Success } else { Completion::Failure };
                let command = ExecutionCommand::Complete(Complete {
                    decision_id: made.decision_id.clone(),
                    seq: made.seq,
                    status,
                    duration_ms: 40,
                    content_type: "application/json".into(),
                    output: bytes(step, "output"),
                    redacted: None,
                    taint: Vec::new(),
                    fulfilled: Vec::new(),
                    usage: None,
                });
                self.ask(claims_agent(), CommandBody::Execution(Box::new(command)))
            }
            _ => {
                let command = memory(step);
                self.ask(claims_agent(), CommandBody::Memory(Box::new(command)))
            }
        };
        match answer {
            Answer::Decided { verdict, codes, .. } | Answer::Ruled { verdict, codes, .. } => {
                (verdict.name().to_owned(), codes[0].name().to_owned())
            }
            other => panic!("{step}: {other:?}"),
        }
    }

    fn made(&mut self, name: (String, String), command: Command, evaluate: Evaluate, answer: &Answer) {
        let Answer::Decided { seq, decision_id, request_salt, terms, .. } = answer else { panic!("{answer:?}") };
        // What was opened for the first answer is what people answer.
        let approval = match self.calls.get(&name) {
            Some(known) => known.approval.clone(),
            None => terms.approval.clone().unwrap_or_default(),
        };
        let (seq, decision_id, salt) = (*seq, decision_id.clone(), *request_salt);
        self.calls.insert(name, Made { command, evaluate, seq, decision_id, salt, approval });
    }

    /// Shows what is about to run: the call, or what was put in its place.
    fn redemption(&self, name: &(String, String)) -> ExecutionCommand {
        let made = &self.calls[name];
        let mut call = made.evaluate.clone();
        if let Some(replaced) = self.replaced.get(&made.seq) {
            call.inputs.clone_from(replaced);
        }
        let schema = self.tools.tool(&call.tool).map(|tool| tool.schema_hash());
        let request_hash = request_hash(&tenant(TENANT), call.subject.as_deref(), &call, schema.as_ref());
        ExecutionCommand::Redeem(Redeem {
            decision_id: made.decision_id.clone(),
            seq: made.seq,
            request_hash,
            request_salt: made.salt,
            audience: None,
        })
    }
}

fn memory(step: &Value) -> MemoryCommand {
    let act = MemoryAct {
        environment: "prod".into(),
        namespace: str_of(step, "namespace").into(),
        subject: Some(str_of(step, "subject").into()),
        run_id: Some(str_of(step, "run_id").into()),
        trace_id: Some(str_of(step, "trace_id").into()),
    };
    let key = str_of(step, "key").to_owned();
    if str_of(step, "act") == "recall" {
        return MemoryCommand::Read(Box::new(MemoryRead { act, target: MemoryTarget::Key(key), clearance: None }));
    }
    MemoryCommand::Write(Box::new(MemoryWrite {
        act,
        key,
        content_type: "application/json".into(),
        value: bytes(step, "value"),
        external: false,
        ttl_seconds: None,
        labels: Vec::new(),
        classification: Sensitivity::from_name(str_of(step, "classification")).unwrap(),
    }))
}

/// Every step, held against its author's word.
fn played() -> (Vec<Recorded>, Book) {
    let mut desk = Desk::settled();
    let (mut acts, mut wrong) = (BTreeSet::new(), Vec::new());
    for line in text("claims.jsonl").lines() {
        let step: Value = serde_json::from_str(line).unwrap();
        let expected = (str_of(&step, "expect").to_owned(), str_of(&step, "expect_code").to_owned());
        let got = desk.step(&step);
        if got != expected {
            wrong.push(format!("{} {}: {got:?}, expected {expected:?}", step["story"], step["step"]));
        }
        acts.insert(str_of(&step, "act").to_owned());
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!(acts.len(), 7);
    record(&desk.world)
}

#[test]
fn the_desk_plays_replays_and_turns_as_its_second_reading_says() {
    let (entries, mut book) = played();
    let (summary, found) = run(&entries, &book);
    assert_eq!(found, []);
    assert_eq!((summary.contradictions, summary.not_replayable, summary.elsewhere), (0, 0, 0));

    let source = text("stricter.yaml");
    let what_if = WhatIf {
        hash: bundle_hash(source.as_bytes()),
        bundle: Arc::new(bundle("stricter.yaml")),
        selection: Selection { tenant: Some(tenant(TENANT)), ..Selection::default() },
    };
    let mut turned: BTreeMap<[String; 3], u64> = BTreeMap::new();
    let flips = what_if.run(entries.iter().cloned().map(Ok::<_, Infallible>), &book, |flip| {
        let by = flip.computed.rules.first().map_or(flip.computed.codes[0].name(), String::as_str).to_owned();
        let key = [flip.recorded.verdict.name().to_owned(), flip.computed.verdict.name().to_owned(), by];
        *turned.entry(key).or_default() += 1;
    });
    let flips = flips.unwrap();
    let expected: Value = serde_json::from_str(&text("flips.json")).unwrap();
    let rows = expected["flips"].as_array().unwrap().iter().map(|row| {
        let key = ["recorded", "now", "by"].map(|field| str_of(row, field).to_owned());
        (key, row["calls"].as_u64().unwrap())
    });
    assert_eq!(turned, rows.collect());
    assert_eq!((flips.flipped, flips.not_replayable), (expected["total"].as_u64().unwrap(), 0));

    // One payout's arguments are gone: that call cannot be decided again, and nothing else changes.
    let payout = entries.iter().find(|recorded| {
        matches!(&recorded.body, Some(EventBody::Decision(body)) if body.tool == "payouts.send" && body.verdict.name() == "allow")
    });
    let payout = payout.unwrap();
    let commitment = *payout.commitment("input").unwrap();
    book.erased.insert(commitment);
    assert_eq!(book.payload(&tenant(TENANT), &commitment), Held::Erased);
    let (summary, found) = run(&entries, &book);
    assert_eq!(summary.contradictions, 0);
    let [one] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((one.seq, &one.what), (payout.entry.seq, &Found::NotReplayable(Why::PayloadErased { role: "input" })));
}
