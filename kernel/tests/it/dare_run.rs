//! A whole run in DARE's terms: the response, the trace, the commits, a message; and an agent that runs again at the recorded boundary.

use crate::support::archive::{Archive, archive, full_call, valid};
use crate::support::{SECOND, admin, agent, call, credential_of, evaluate, origin, register, tenant};
use assent_kernel::command::{
    AgentMessage, CommandBody, Complete, Completion, Evaluate, ExecutionCommand, MessageCommand, NewAgentKey,
};
use assent_kernel::dare::{
    ReplayTrace, agent_message_envelope, ledger_event, policy_decision_record, request_hash_of, tool_response_envelope,
};
use assent_kernel::event::EventBody;
use assent_kernel::replay::{Boundary, BoundaryFinding, Recorded, Served};
use assent_ledger::hash::{Hash, sha256};
use assent_ledger::ids::Time;
use assent_ledger::keys::SecretKey;
use serde_json::{Value, json};

const OUTPUT: &[u8] = br#"{"updated": true, "secret": "hunter2"}"#;

fn planner() -> assent_kernel::command::Caller {
    agent("acme", Some("agent-1"))
}

fn in_run(mut call: Evaluate) -> CommandBody {
    call.run_id = Some("run-1".into());
    evaluate(call)
}

/// Two calls that run, one that is denied; the first one's output is redacted.
fn recorded() -> Archive {
    archive(|keeper| {
        for redacted in [Some(br#"{"updated": true}"#.to_vec()), None] {
            keeper.send(planner(), evaluate(full_call()));
            let token = keeper.world.seen.tokens.last().unwrap().1.clone();
            keeper.send(planner(), CommandBody::Execution(Box::new(ExecutionCommand::Redeem(token.clone()))));
            let complete = Complete {
                decision_id: token.decision_id,
                seq: token.seq,
                status: Completion::Success,
                duration_ms: 312,
                content_type: "application/json".into(),
                output: OUTPUT.to_vec(),
                redacted,
                taint: Vec::new(),
                fulfilled: Vec::new(),
                usage: None,
            };
            keeper.send(planner(), CommandBody::Execution(Box::new(ExecutionCommand::Complete(complete))));
            keeper.another_key();
        }
        keeper.send(planner(), in_run(call("nobody.knows", "{}")));
    })
}

fn of_type<'a>(archive: &'a Archive, kind: &str) -> Vec<&'a Recorded> {
    archive.entries.iter().filter(|recorded| recorded.entry.kind == kind).collect()
}

#[test]
fn a_response_says_what_was_returned_and_shows_what_may_be_shown() {
    let mut archive = recorded();
    let responses = of_type(&archive, "dare.tool.response");
    let text = tool_response_envelope(responses[0], &archive).unwrap().to_text();
    let response = valid("tool-response-envelope", &text);
    assert!(!text.contains("hunter2"), "only the redacted output is shown");
    assert_eq!(response["outputs"]["payload_redacted"], json!({"updated": true}));
    assert_eq!(response["hashes"]["response_hash"], format!("sha256:{}", sha256(&[OUTPUT])));
    assert_eq!((&response["tool"]["status"], &response["tool"]["duration_ms"]), (&json!("success"), &json!(312)));
    let decision = of_type(&archive, "dare.policy.decision")[0];
    assert_eq!(response["policy"]["decision_id"], decision.entry.event_id.as_str());
    assert_eq!(response["policy"]["decision"], "allow");
    let event = valid("ledger-event", &ledger_event(responses[0], &archive).to_text());
    let record = valid("policy-decision-record", &policy_decision_record(decision, &archive).unwrap().to_text());
    assert_eq!(event["references"]["tool_request_hash"], record["inputs"]["request_hash"]);
    assert_eq!(event["references"]["tool_response_hash"], response["hashes"]["response_hash"]);

    let erased: Vec<Hash> = responses[0].entry.payloads.iter().map(|payload| payload.commitment).collect();
    let first = responses[0].clone();
    archive.erased.extend(erased);
    let response = valid("tool-response-envelope", &tool_response_envelope(&first, &archive).unwrap().to_text());
    assert_eq!(response["outputs"]["payload_redacted"], Value::Null);
    assert_eq!(response["assent"]["erased"], json!(["hashes.response_hash", "outputs.payload_redacted"]));
}

#[test]
fn a_run_is_traced_step_by_step() {
    let archive = recorded();
    let mut trace = ReplayTrace::new(tenant("acme"), "run-1".into());
    archive.entries.iter().for_each(|recorded| trace.add(recorded, &archive));
    let trace = valid("replay-trace", &trace.finish().unwrap().to_text());
    let steps = trace["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 3);
    assert_eq!(steps[0]["request_hash"], json!(format!("sha256:{}", hashes(&archive)[0])));
    assert_eq!(steps[0]["response_hash"], steps[1]["response_hash"]);
    assert!(steps[0]["response_snapshot_uri"].as_str().unwrap().starts_with("assent://ledger.example/test/acme/"));
    assert_eq!((&steps[2]["tool_name"], &steps[2]["response_hash"]), (&json!("nobody.knows"), &Value::Null));
    assert_eq!(trace["agent"]["agent_version"], "2.1.0");
    assert!(ReplayTrace::new(tenant("acme"), "another".into()).finish().is_none());
}

fn hashes(archive: &Archive) -> Vec<Hash> {
    let decisions = of_type(archive, "dare.policy.decision").into_iter();
    decisions.map(|recorded| request_hash_of(recorded, archive).unwrap()).collect()
}

fn boundary(archive: &Archive) -> Boundary {
    let mut boundary = Boundary::new(tenant("acme"), "run-1".into());
    for recorded in &archive.entries {
        boundary.add(recorded, request_hash_of(recorded, archive), archive);
    }
    boundary
}

#[test]
fn an_agent_that_runs_again_is_answered_from_the_record() {
    let mut archive = recorded();
    let asked = hashes(&archive);
    let mut same = boundary(&archive);
    for request in &asked[..2] {
        let (served, finding) = same.serve(request);
        assert!(matches!(served, Some(Served::Response(response)) if response.output == OUTPUT));
        assert_eq!(finding, None);
    }
    assert!(matches!(same.serve(&asked[2]), (Some(Served::NotAllowed { .. }), None)));
    assert_eq!(same.finish(), []);

    let mut other = boundary(&archive);
    let unknown = Hash([7; 32]);
    assert_eq!(other.serve(&unknown), (None, Some(BoundaryFinding::NotRecorded { request: unknown })));
    let seqs: Vec<_> = of_type(&archive, "dare.policy.decision").iter().map(|r| r.entry.seq).collect();
    let (_, finding) = other.serve(&asked[2]);
    assert_eq!(finding, Some(BoundaryFinding::OutOfOrder { made: seqs[2], due: seqs[0] }));
    assert_eq!(other.finish().len(), 2);

    let outputs = of_type(&archive, "dare.tool.response")[0].entry.payloads.iter().map(|p| p.commitment);
    let outputs: Vec<Hash> = outputs.collect();
    archive.erased.extend(outputs);
    assert_eq!(boundary(&archive).serve(&asked[0]), (Some(Served::NotReplayable), None));
}

#[test]
fn a_message_carries_its_signature_and_loses_it_with_its_payload() {
    let key = SecretKey::from_seed(&[8; 32]);
    let mut archive = archive(|keeper| {
        keeper.send(admin("acme"), register("acme", "agent-2"));
        keeper.send(admin("acme"), credential_of(&agent("acme", Some("agent-2"))));
        let new = NewAgentKey {
            tenant: tenant("acme"),
            subject: "agent-1".into(),
            key_id: "k1".into(),
            public_key: *key.public().as_bytes(),
        };
        keeper.send(admin("acme"), CommandBody::Message(Box::new(MessageCommand::RegisterKey(new))));
        let payload = br#"{"type":"delegate_task","inputs":{"tool":"crm.update_contact"}}"#.to_vec();
        let mut message = AgentMessage {
            schema_version: "v1".into(),
            time: Time(keeper.world.clock),
            run_id: None,
            trace_id: Some("trace-1".into()),
            protocol: "1.0".into(),
            capabilities: vec!["delegate_task".into()],
            nonce: "0123456789abcdef".into(),
            expires_at: Time(keeper.world.clock + 60 * SECOND),
            sender_instance: None,
            sender: "agent-1".into(),
            recipient: "agent-2".into(),
            recipient_run: None,
            content_type: "application/json".into(),
            payload_hash: sha256(&[&payload]),
            payload,
            key_id: "k1".into(),
            signature: [0; 64],
            taint: Vec::new(),
        };
        message.signature = key.sign(&message.text(&origin(), &tenant("acme")).to_bytes());
        keeper.send(planner(), CommandBody::Message(Box::new(MessageCommand::Record(Box::new(message)))));
    });
    let recorded = of_type(&archive, "dare.agent.message")[0].clone();
    let envelope = valid("agent-message-envelope", &agent_message_envelope(&recorded, &archive).unwrap().to_text());
    assert_eq!(envelope["payload"]["inputs"]["tool"], "crm.update_contact");
    assert_eq!((&envelope["assent"]["accepted"], &envelope["sender"]["subject_id"]), (&json!(true), &json!("agent-1")));
    assert!(envelope["signature"]["sig"].as_str().unwrap().len() > 80);
    archive.erased.extend(recorded.entry.payloads.iter().map(|payload| payload.commitment));
    let envelope = valid("agent-message-envelope", &agent_message_envelope(&recorded, &archive).unwrap().to_text());
    assert_eq!((&envelope["payload"], &envelope["signature"]["sig"]), (&Value::Null, &Value::Null));
    assert_eq!(envelope["assent"]["erased"], json!(["payload", "signature.sig"]));
    assert!(matches!(recorded.body, Some(EventBody::AgentMessage(_))));
}
