//! The command line: the same commands as people give them, with exit codes and what is printed.

use std::path::PathBuf;

use assent_fleet_demo::cluster::Cluster;
use assent_fleet_demo::commands::{Output, Program};
use serde_json::Value;

use super::play::BUNDLE;

const TENANT: &str = "by-line";

/// Commands in the cluster's folder, as one of several callers.
struct Line<'a> {
    cluster: &'a Cluster,
    folder: PathBuf,
}

impl Line<'_> {
    async fn run(&self, who: &str, args: &[&str]) -> Output {
        let token = match who {
            "operator" => self.cluster.keys_dir().join("operator.token"),
            who => self.folder.join(format!("{who}.token")),
        };
        let all = [&["--config", "client.toml", "--token-file", token.to_str().unwrap()][..], args].concat();
        self.cluster.commands().output(Program::Assent, &all).await.unwrap()
    }

    /// A command that must end with 0; what it printed.
    async fn done(&self, who: &str, args: &[&str]) -> String {
        let output = self.run(who, args).await;
        assert_eq!(output.code, Some(0), "{args:?}: {}{}", output.out, output.err);
        output.out
    }

    /// The same with `--json`; the last value.
    async fn json(&self, who: &str, args: &[&str]) -> Value {
        let printed = self.done(who, &[&["--json"][..], args].concat()).await;
        serde_json::from_str(printed.lines().next_back().unwrap()).unwrap()
    }

    /// A command that must end with this code and say this on standard error.
    async fn fails(&self, who: &str, args: &[&str], code: i32, words: &[&str]) {
        let output = self.run(who, args).await;
        assert_eq!(output.code, Some(code), "{args:?}: {}{}", output.out, output.err);
        for word in words {
            assert!(output.err.contains(word), "{args:?}: {word:?} is not in {}", output.err);
        }
    }
}

pub async fn everything(cluster: &Cluster) {
    let folder = cluster.dir().join("line");
    std::fs::create_dir_all(&folder).unwrap();
    let line = Line { cluster, folder };
    settle(&line).await;
    runs(&line).await;
    wrong_usage(&line).await;
    memory(&line).await;
    executions(&line).await;
    signals(&line).await;
    repeated(&line).await;
}

async fn settle(line: &Line<'_>) {
    line.done("operator", &["tenant", "create", TENANT]).await;
    line.done("operator", &["principal", "register", "agent-1", "--tenant", TENANT, "--owner", "owner@example.com"])
        .await;
    for (name, role, subject) in [
        ("agents", "agent", ""),
        ("admin", "tenant-admin", ""),
        ("approver", "approver", "alice@example.com"),
        ("reporter", "reporter", "watcher"),
    ] {
        let file = line.folder.join(format!("{name}.token"));
        let args = ["credential", "issue", "--tenant", TENANT, "--name", name, "--role", role, "--subject", subject];
        line.done("operator", &[&args[..], &["--out", file.to_str().unwrap()]].concat()).await;
    }
    let bundle = line.folder.join("bundle.yaml");
    std::fs::write(&bundle, BUNDLE).unwrap();
    let source = bundle.to_str().unwrap();
    line.done("admin", &["bundle", "activate", source, "--tenant", TENANT, "--environment", "prod"]).await;
}

async fn runs(line: &Line<'_>) {
    let me = ["--subject", "agent-1"];
    let of_agent = |args: &[&'static str]| [args, &me[..]].concat();
    line.done("agents", &of_agent(&["run", "open", "r1"])).await;
    line.done("agents", &of_agent(&["run", "open", "r2", "--parent", "r1"])).await;
    let labels = ["run", "taint", "r1", "--label", "web:https://a.example/x=250", "--label", "rag:handbook"];
    let printed = line.done("agents", &of_agent(&labels)).await;
    assert!(printed.starts_with("run r1 tainted by web:https://a.example/x, rag:handbook (entry "), "{printed}");
    for kind in ["retrieval", "model-output", "final-output"] {
        let step = ["run", "step", "r1", "--kind", kind, "--content", "{\"a\":1}", "--source", "model-7"];
        line.done("agents", &[&step[..], &me[..]].concat()).await;
    }
    let set = |mode| ["run", "set-mode", "r1", mode, "--tenant", TENANT, "--because", "an alert"];
    assert!(line.done("admin", &set("quarantined")).await.starts_with("run r1 is quarantined (entry "));
    line.fails("admin", &set("normal"), 1, &["RUN_QUARANTINED", "release it first", "nothing was recorded"]).await;
    line.fails("agents", &set("normal"), 1, &["ROLE_NOT_PERMITTED", "agent may not set-run-mode"]).await;
    let evaluate = ["evaluate", "--tool", "crm.read", "--run", "r1", "--subject", "agent-1"];
    assert_eq!(line.run("agents", &evaluate).await.code, Some(3));
    let list = line.json("agents", &["run", "list", "--status", "quarantined"]).await;
    assert_eq!((&list["run_id"], &list["mode"]), (&"r1".into(), &"quarantined".into()));
    line.done("approver", &["run", "release", "r1", "--tenant", TENANT, "--because", "a false alarm"]).await;
    line.done("agents", &evaluate).await;
    line.done("agents", &of_agent(&["run", "close", "r1"])).await;
    line.fails("agents", &of_agent(&labels), 1, &["RUN_CLOSED"]).await;
}

async fn wrong_usage(line: &Line<'_>) {
    let cases: [(&[&str], &str); 6] = [
        (&["run", "taint", "r2"], "at least one --label"),
        (&["run", "taint", "r2", "--label", "web"], "give SOURCE:ORIGIN"),
        (&["run", "taint", "r2", "--label", "moon:x"], "the source must be one of web, rag"),
        (&["run", "set-mode", "r2", "closed", "--tenant", TENANT], "possible values: normal, restricted, quarantined"),
        (&["run", "step", "r2"], "--kind"),
        (&["complete", "x", "--seq", "1", "--status", "success", "--fulfilled", "log"], "give KIND=HASH"),
    ];
    for (args, words) in cases {
        line.fails("agents", args, 2, &[words]).await;
    }
}

async fn memory(line: &Line<'_>) {
    let me = ["--subject", "agent-1"];
    let of_agent = |args: &[&'static str]| [args, &me[..]].concat();
    line.done("agents", &of_agent(&["memory", "write", "notes", "k", "--value", "{\"a\":1}", "--label", "web:x"]))
        .await;
    let read = of_agent(&["memory", "read", "notes", "k"]);
    assert_eq!(line.json("agents", &read).await["value"], "{\"a\":1}");
    let quarantine = ["memory", "quarantine", "notes", "k", "--tenant", TENANT];
    line.done("admin", &quarantine).await;
    assert_eq!(line.run("agents", &read).await.code, Some(3));
    line.done("admin", &[&quarantine[..], &["--lift"]].concat()).await;
    line.done("agents", &read).await;
    line.done("agents", &of_agent(&["memory", "forget", "notes", "k"])).await;
    let query = line.json("agents", &of_agent(&["memory", "query", "kb", "{\"text\":\"refunds\"}"])).await;
    let items = "[{\"id\":\"doc-1\",\"labels\":[\"rag:kb\"],\"classification\":\"internal\"}]";
    let release = ["memory", "release", "kb", "--query", query["event_id"].as_str().unwrap(), "--items", items];
    line.done("agents", &[&release[..], &me[..]].concat()).await;
}

async fn executions(line: &Line<'_>) {
    let evaluate = ["evaluate", "--tool", "crm.read", "--inputs", "{\"n\":7}", "--subject", "agent-1"];
    let shown = line.done("agents", &evaluate).await;
    assert!(shown.contains("salt ") && shown.contains("redeem until "), "what redeeming needs is shown: {shown}");
    let decision = line.json("agents", &[&evaluate[..], &["--label", "user-provided:chat"]].concat()).await;
    let text = |name: &str| decision[name].as_str().unwrap().to_owned();
    let (id, seq, salt) = (text("decision_id"), text("seq"), text("request_salt"));
    let redeem = ["redeem", &id, "--seq", &seq, "--salt", &salt, "--tool", "crm.read", "--inputs", "{\"n\":7}"];
    line.done("agents", &[&redeem[..], &["--subject", "agent-1"]].concat()).await;
    let complete =
        ["complete", &id, "--seq", &seq, "--status", "success", "--output", "{}", "--label", "tool-output:crm"];
    line.done("agents", &[&complete[..], &["--tokens", "5", "--redacted", "{}"]].concat()).await;
    let waiting = ["evaluate", "--tool", "mail.send", "--inputs", "{\"to\":\"a@example.com\"}", "--subject", "agent-1"];
    let output = line.run("agents", &waiting).await;
    assert_eq!(output.code, Some(3), "{}", output.err);
    assert!(output.out.contains("ESCALATE") && output.out.contains("approval "), "{}", output.out);
    let field = |name: &str| {
        let found = output.out.lines().find_map(|line| line.strip_prefix(name)).map(|rest| rest.trim().to_owned());
        found.unwrap_or_else(|| panic!("{name} is not in {}", output.out))
    };
    let (approval, request) = (field("approval "), field("request "));
    line.done("approver", &["approval", "resolve", &approval, "approve", "--because", "a known recipient"]).await;
    // The same request again is answered with how it stands now, and the receipt of that verifies.
    let again = line.json("agents", &[&waiting[..], &["--request-id", &request]].concat()).await;
    assert_eq!((&again["verdict"], &again["receipt_verified"]), (&"allow".into(), &true.into()), "{again}");
    observed(line).await;
}

/// Where policy is only observed, what it would deny is done all the same, and the command line says so.
async fn observed(line: &Line<'_>) {
    let denied = ["evaluate", "--tool", "nope", "--subject", "agent-1"];
    assert_eq!(line.run("agents", &denied).await.code, Some(3));
    line.done("admin", &["tenant", "configure", TENANT, "--observe"]).await;
    let shown = line
        .run("agents", &["evaluate", "--tool", "mail.send", "--inputs", "{\"to\":\"x\"}", "--subject", "agent-1"])
        .await;
    assert_eq!(shown.code, Some(0), "{}{}", shown.out, shown.err);
    assert!(shown.out.contains("allow is enforced: the policy is only observed"), "{}", shown.out);
    line.done("admin", &["tenant", "configure", TENANT]).await;
}

async fn signals(line: &Line<'_>) {
    let report = ["signal", "report", "--run", "r2", "--risk", "900", "--queue-depth", "3", "--seconds", "600"];
    assert!(line.done("reporter", &report).await.starts_with("signals about run r2 reported for 600 seconds (entry "));
    let listed = line.json("reporter", &["signal", "list"]).await;
    assert_eq!((&listed["scope"], &listed["signals"][0]["value"]), (&"run".into(), &900.into()));
    line.fails("agents", &report, 1, &["ROLE_NOT_PERMITTED", "agent may not report-signal"]).await;
    line.fails("reporter", &["signal", "report", "--run", "r2"], 2, &["--risk"]).await;
}

/// `--request-id` repeats an earlier attempt of a command, and is refused where a repetition would be another request.
async fn repeated(line: &Line<'_>) {
    let id = assent_client::Client::request_id().unwrap();
    let step = ["run", "step", "r2", "--kind", "retrieval", "--subject", "agent-1", "--request-id", &id];
    let first = line.json("agents", &step).await;
    let again = line.json("agents", &step).await;
    assert_eq!((&again["first_seq"], &again["replayed"]), (&first["first_seq"], &true.into()));
    let issue = ["credential", "issue", "--tenant", TENANT, "--name", "x", "--role", "agent", "--out", "x.token"];
    let args = [&issue[..], &["--request-id", &id]].concat();
    line.fails("admin", &args, 2, &["a new token each time", "assent status"]).await;
}
