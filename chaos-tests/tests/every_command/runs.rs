//! What is done to runs: modes, release, taint, steps; who may, who may not, and what is malformed.

use serde_json::{Value, json};

use super::play::{Play, call, with_id};

fn in_run(run: &str, tool: &str) -> Value {
    let mut call = with_id(call(tool, json!({})));
    call["run_id"] = json!(run);
    call
}

/// The run as `State.Runs` lists it.
async fn listed(play: &mut Play<'_>, run: &str) -> Value {
    let runs = play.ok("State.Runs", "agents", json!({"subject": "agent-1"})).await;
    let found = runs["runs"].as_array().unwrap().iter().find(|one| one["run_id"] == run);
    found.unwrap_or_else(|| panic!("{run} is not in {runs}")).clone()
}

/// A run from its opening to its end.
pub async fn runs(play: &mut Play<'_>) {
    let tenant = play.own();
    play.ok("Admin.OpenRun", "agents", json!({"run_id": "run/1", "subject": "agent-1"})).await;
    let label = |source: &str, origin: &str| json!({"source": source, "origin": origin, "confidence_milli": 500});
    let labels = json!([label("web", "example.com"), label("email", "inbox")]);
    play.ok("Runs.AttachTaint", "agents", json!({"run_id": "run/1", "subject": "agent-1", "labels": labels})).await;
    play.ok("Runs.AttachTaint", "admin", json!({"run_id": "run/1", "labels": [label("rag", "handbook")]})).await;
    for (kind, source, content) in [
        ("retrieval", "handbook", json!([{"id": "doc-1"}])),
        ("model-output", "model-7", json!({"text": "use crm.read"})),
        ("final-output", "", json!("done")),
    ] {
        let fields = json!({"run_id": "run/1", "subject": "agent-1", "kind": kind, "source": source, "content": content,
            "labels": [label("model-generated", "model-7")]});
        play.ok("Runs.RecordStep", "agents", fields).await;
    }
    repeated(play).await;
    let mode = |mode: &str| json!({"tenant": tenant, "run_id": "run/1", "mode": mode, "justification": "an alert"});
    for wanted in ["restricted", "normal", "quarantined"] {
        play.ok("Runs.SetMode", "admin", mode(wanted)).await;
    }
    play.refused("Runs.SetMode", "admin", mode("quarantined"), "UNCHANGED").await;
    play.refused("Runs.SetMode", "admin", mode("normal"), "RUN_QUARANTINED").await;
    play.ruled("Ledger.Evaluate", "agents", in_run("run/1", "crm.read"), "deny").await;
    let release = json!({"tenant": tenant, "run_id": "run/1", "justification": "a false alarm"});
    play.refused("Runs.Release", "owner", release.clone(), "SEPARATION_OF_DUTIES").await;
    play.ok("Runs.Release", "approver", release.clone()).await;
    play.refused("Runs.Release", "approver", release, "UNCHANGED").await;
    play.ruled("Ledger.Evaluate", "agents", in_run("run/1", "crm.read"), "allow").await;
    let run = listed(play, "run/1").await;
    let taint: Vec<&str> = run["taint"].as_array().unwrap().iter().filter_map(|one| one["origin"].as_str()).collect();
    for origin in ["example.com", "inbox", "handbook", "model-7"] {
        assert!(taint.contains(&origin), "{origin} is not in {run}");
    }
    play.ok("Admin.CloseRun", "agents", json!({"run_id": "run/1", "subject": "agent-1"})).await;
    let late = json!({"run_id": "run/1", "subject": "agent-1", "labels": [label("web", "x")]});
    play.refused("Runs.AttachTaint", "agents", late, "RUN_CLOSED").await;
    play.refused("Runs.SetMode", "admin", mode("restricted"), "RUN_CLOSED").await;
}

/// The same request id records a step once.
async fn repeated(play: &mut Play<'_>) {
    let step = |text: &str| json!({"run_id": "run/1", "subject": "agent-1", "kind": "retrieval", "content": text});
    let mut first = with_id(step("one"));
    let made = play.ok("Runs.RecordStep", "agents", first.clone()).await;
    let again = play.ok("Runs.RecordStep", "agents", first.clone()).await;
    assert_eq!((&again["first_seq"], &again["replayed"]), (&made["first_seq"], &json!(true)));
    first["content"] = json!("two");
    play.refused("Runs.RecordStep", "agents", first, "REQUEST_ID_REUSED").await;
}

/// Who may not, and what is no request.
pub async fn refusals(play: &mut Play<'_>) {
    let tenant = play.own();
    play.ok("Admin.OpenRun", "agents", json!({"run_id": "run-2", "subject": "agent-1"})).await;
    let label = json!([{"source": "web", "origin": "x"}]);
    for (method, who, fields, code) in [
        (
            "Runs.SetMode",
            "agents",
            json!({"tenant": tenant, "run_id": "run-2", "mode": "normal"}),
            "ROLE_NOT_PERMITTED",
        ),
        (
            "Runs.SetMode",
            "operator",
            json!({"tenant": tenant, "run_id": "run-2", "mode": "normal"}),
            "ROLE_NOT_PERMITTED",
        ),
        (
            "Runs.SetMode",
            "admin",
            json!({"tenant": "elsewhere", "run_id": "run-2", "mode": "restricted"}),
            "OTHER_TENANT",
        ),
        ("Runs.SetMode", "admin", json!({"tenant": tenant, "run_id": "nope", "mode": "restricted"}), "RUN_UNKNOWN"),
        ("Runs.SetMode", "admin", json!({"tenant": tenant, "run_id": "run-2"}), "MALFORMED"),
        ("Runs.SetMode", "admin", json!({"tenant": tenant, "run_id": "run-2", "mode": "closed"}), "MALFORMED"),
        ("Runs.Release", "agents", json!({"tenant": tenant, "run_id": "run-2"}), "ROLE_NOT_PERMITTED"),
        ("Runs.Release", "approver", json!({"tenant": tenant, "run_id": "two words"}), "MALFORMED"),
        ("Runs.AttachTaint", "agents", json!({"run_id": "run-2", "subject": "agent-1"}), "MALFORMED"),
        (
            "Runs.AttachTaint",
            "agents",
            json!({"run_id": "run-2", "subject": "agent-2", "labels": label}),
            "RUN_NOT_OWNED",
        ),
        ("Runs.AttachTaint", "agents", json!({"run_id": "run-2", "labels": label}), "SUBJECT_MISSING"),
        ("Runs.AttachTaint", "auditor", json!({"run_id": "run-2", "labels": label}), "ROLE_NOT_PERMITTED"),
        ("Runs.RecordStep", "agents", json!({"run_id": "run-2", "subject": "agent-1"}), "MALFORMED"),
        ("Runs.RecordStep", "admin", json!({"run_id": "run-2", "kind": "retrieval"}), "ROLE_NOT_PERMITTED"),
        ("Runs.RecordStep", "", json!({"run_id": "run-2", "kind": "retrieval"}), "UNAUTHENTICATED"),
    ] {
        play.refused(method, who, fields, code).await;
    }
    let long = "x".repeat((1 << 20) + 1);
    let large = json!({"run_id": "run-2", "subject": "agent-1", "kind": "retrieval", "content": long});
    play.refused("Runs.RecordStep", "agents", large, "MALFORMED").await;
}

/// What a watcher reports: about a run, a subject and the tenant; nobody else may.
pub async fn signals(play: &mut Play<'_>) {
    for (scope, name) in [("run", "run-2"), ("subject", "agent-1"), ("tenant", "")] {
        let fields = json!({"scope": scope, "name": name, "risk_milli": 400, "queue_depth": 3, "valid_seconds": 600});
        play.ok("Signals.Report", "reporter", fields.clone()).await;
        play.refused("Signals.Report", "agents", fields.clone(), "ROLE_NOT_PERMITTED").await;
        play.refused("Signals.Report", "admin", fields, "ROLE_NOT_PERMITTED").await;
    }
    for (fields, code) in [
        (json!({"scope": "run", "name": "nope", "risk_milli": 1, "valid_seconds": 60}), "RUN_UNKNOWN"),
        (json!({"scope": "subject", "risk_milli": 1, "valid_seconds": 60}), "MALFORMED"),
        (json!({"scope": "tenant", "valid_seconds": 60}), "MALFORMED"),
        (json!({"scope": "tenant", "risk_milli": 1001, "valid_seconds": 60}), "MALFORMED"),
        (json!({"scope": "tenant", "risk_milli": 1}), "MALFORMED"),
    ] {
        play.refused("Signals.Report", "reporter", fields, code).await;
    }
    let listed = play.ok("State.Signals", "reporter", json!({})).await;
    let of_run = listed["signals"].as_array().unwrap().iter().find(|one| one["scope"] == "run").unwrap();
    assert_eq!((&of_run["name"], &of_run["values"][0]["number"]), (&json!("run-2"), &json!(400)));
}
