//! Behaviour over what really happens: what runs in a call's place, and loops however they are written.

use crate::support::World;
use crate::support::calls::*;
use assent_kernel::command::GrantTerms;
use assent_kernel::reason::ReasonCode::*;
use assent_kernel::state::keys::RunMode;
use assent_kernel::verdict::Verdict;

pub(super) const SOURCE: &str = "
name: behaving
version: 1
tools:
  - {name: page.post, class: http, action: post, category: external_effect, inputs: {text: {type: string}}}
  - {name: outbox, class: file, action: write, category: reversible_write, inputs: {text: {type: string}}}
  - {name: secret.read, class: file, action: read, category: read, sensitivity: secret, inputs: {path: {type: string}}}
  - {name: note.read, class: file, action: read, category: read, inputs: {path: {type: string}, n: {type: number}}}
  - {name: pay, class: money, action: send, category: external_effect, inputs: {amount: {type: integer}}}
principals:
  - subject: agent-1
    capabilities: [{class: http, actions: [post]}, {class: file, actions: [read, write]}, {class: money, actions: [send]}]
rules:
  - {id: send, priority: 1, match: {tool: outbox, parameters: {text: {in: [send]}}}, decision: compute, compute: {tool: page.post}}
  - {id: keep, priority: 2, match: {tool: page.post, parameters: {text: {in: [keep]}}}, decision: compute, compute: {tool: outbox}}
  - {id: ask, priority: 3, match: {tool: pay}, decision: escalate}
  - {id: rest, priority: 900, match: {toolClass: [http, file, money]}, decision: allow}
behaviour:
  - {builtin: sensitive_read_then_egress}
limits: {repeats: 4}
";

#[test]
fn what_runs_in_a_calls_place_is_what_counts() {
    let mut world = world_under(SOURCE);
    assert_eq!(ask(&mut world, "secret.read", "{}").verdict, Verdict::Allow);
    let kept = ask(&mut world, "page.post", r#"{"text":"keep"}"#);
    assert_eq!(kept.verdict, Verdict::Compute, "nothing is sent: {kept:?}");
    assert_eq!(run_record(&world, "run-1").counters.egress, 0);
    // A harmless call that policy turns into one that sends completes the sequence.
    denied(&ask(&mut world, "outbox", r#"{"text":"send"}"#), &[BehaviourSequence]);
    let run = run_record(&world, "run-1");
    assert_eq!((run.mode, run.counters.egress), (RunMode::Quarantined, 1));
}

#[test]
fn a_loop_is_found_however_it_is_written() {
    let same = [r#"{"path":"x","n":1}"#, r#"{ "n":1.0, "path":"x" }"#, r#"{"n":1e0,"path":"\u0078"}"#];
    let mut world = world_under(SOURCE);
    for inputs in same.iter().cycle().take(4) {
        assert_eq!(ask(&mut world, "note.read", inputs).verdict, Verdict::Allow);
    }
    for inputs in same {
        denied(&ask(&mut world, "note.read", inputs), &[BehaviourLoop]);
    }
    assert_eq!(ask(&mut world, "note.read", r#"{"path":"X","n":1}"#).verdict, Verdict::Allow, "another call");
}

#[test]
fn two_calls_that_take_turns_are_a_loop() {
    let mut world = world_under(SOURCE);
    let read = |world: &mut World, n: u32| ask(world, "note.read", &format!(r#"{{"n":{n}}}"#));
    for n in [1, 2].into_iter().cycle().take(8) {
        assert_eq!(read(&mut world, n).verdict, Verdict::Allow);
    }
    denied(&read(&mut world, 1), &[BehaviourLoop]);
    denied(&read(&mut world, 2), &[BehaviourLoop]);
    // What comes back after many others is no loop.
    for n in 10..20 {
        assert_eq!(read(&mut world, n).verdict, Verdict::Allow);
    }
    assert_eq!(read(&mut world, 1).verdict, Verdict::Allow);
}

/// A request for a capability is a step of rules that ask about denied capabilities, and of no others.
#[test]
fn asking_for_a_capability_is_no_call_of_its_class() {
    let source = SOURCE.replace(
        "  - {builtin: sensitive_read_then_egress}\n",
        "  - {id: r, steps: [{class: file}, {tool: page.post}]}\n",
    );
    let mut world = world_under(&source);
    assert_eq!(ask(&mut world, "page.post", r#"{"text":"w"}"#).verdict, Verdict::Allow, "the run begins");
    let terms = GrantTerms { run_id: Some("run-1".into()), ..super::grants::terms("file", &["read"]) };
    let _ = super::grants::ask(&mut world, super::grants::me(), super::grants::request(terms));
    assert!(run_record(&world, "run-1").latches.is_empty());
    assert_eq!(ask(&mut world, "page.post", r#"{"text":"x"}"#).verdict, Verdict::Allow);
    assert_eq!(ask(&mut world, "note.read", "{}").verdict, Verdict::Allow);
    denied(&ask(&mut world, "page.post", r#"{"text":"y"}"#), &[BehaviourSequence]);
}

#[test]
fn the_next_secret_from_the_same_vault_is_no_way_out() {
    let vault = "{name: vault.get, class: http, action: get, category: read, sensitivity: secret, inputs: {text: {type: string}}}";
    let source = SOURCE
        .replace("tools:\n", &format!("tools:\n  - {vault}\n"))
        .replace("{class: http, actions: [post]}", "{class: http, actions: [post, get]}")
        .replace("sensitive_read_then_egress", "secret_access_then_any_egress");
    let mut world = world_under(&source);
    for text in ["a", "b"] {
        assert_eq!(ask(&mut world, "vault.get", &format!(r#"{{"text":"{text}"}}"#)).verdict, Verdict::Allow, "{text}");
    }
    denied(&ask(&mut world, "page.post", r#"{"text":"x"}"#), &[BehaviourSequence]);
}
