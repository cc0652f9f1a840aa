//! The play: every command once at least, each answer checked, and what came of it written down without what must differ.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use assent_client::Client;
use assent_ledger::hash::sha256;
use assent_ledger::ids::{Origin, TenantId, Time};
use assent_ledger::keys::SecretKey;
use assent_ledger::message::{MessageText, RotationText};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::doors::{Door, Failed, method};

pub const BUNDLE: &str = r#"name: every-command
version: 1
tools:
  - {name: crm.read, class: crm, action: read, category: read, inputs: {n: {type: integer}}}
  - {name: mail.send, class: mail, action: send, category: external_effect, inputs: {to: {type: string, required: true}}}
  - {name: pay.send, class: pay, action: send, category: irreversible_write, inputs: {amount: {type: integer, required: true}}}
principals:
  - subject: agent-*
    owner: owner@example.com
    capabilities:
      - {class: crm, actions: [read]}
      - {class: mail, actions: [send]}
      - {class: pay, actions: [send], lease: {required: true, calls_max: 20, seconds_max: 900}}
memory:
  - {namespace: notes, readers: ['*'], writers: ['*'], ttl_seconds_max: 7200, labels: [], on_tainted_write: label}
  - {namespace: kb, readers: ['*'], classification_max: internal}
rules:
  - {id: mail-waits, match: {tool_class: mail}, decision: escalate, approval: {required: 1, expires_seconds: 600}}
  - {id: allow-rest, match: {tool_class: [crm, pay]}, decision: allow}
"#;

const RUNTIME: &str = "rules:\n  - {id: stop, match: {tool: crm.read}, decision: deny}\n";

/// The token of a tenant's credential.
pub fn token(tenant: &str, credential: &str) -> String {
    sha256(&[b"every command ", tenant.as_bytes(), credential.as_bytes()]).to_string()
}

/// One run of the play.
pub struct Play<'a> {
    door: &'a Door,
    pub tenant: String,
    operator: String,
    origin: Origin,
    pub transcript: Vec<String>,
}

impl<'a> Play<'a> {
    pub fn new(door: &'a Door, tenant: &str, operator: &str, origin: Origin) -> Self {
        let (tenant, operator) = (tenant.to_owned(), operator.to_owned());
        Play { door, tenant, operator, origin, transcript: Vec::new() }
    }

    pub async fn everything(&mut self) {
        self.people().await;
        self.policy().await;
        self.switches().await;
        self.calls().await;
        self.approvals().await;
        self.leases().await;
        self.memory().await;
        self.messages().await;
        super::runs::runs(self).await;
        super::runs::refusals(self).await;
        super::runs::signals(self).await;
        self.lists().await;
        self.evidence().await;
        self.cluster().await;
    }

    async fn call(&self, name: &str, who: &str, mut fields: Value) -> Result<Value, Failed> {
        if method(name).input.field("request_id").is_some() && fields.get("request_id").is_none() {
            fields["request_id"] = json!(Client::request_id().unwrap());
        }
        let token = match who {
            "operator" => self.operator.clone(),
            who => token(&self.tenant, who),
        };
        self.door.call(name, &token, fields).await
    }

    /// A call that must be answered; the answer.
    pub async fn ok(&mut self, name: &str, who: &str, fields: Value) -> Value {
        let answer = self.call(name, who, fields.clone()).await;
        let answer = answer.unwrap_or_else(|failed| panic!("{name} by {who} with {fields}: {failed:?}"));
        self.note(name, &answer);
        answer
    }

    fn note(&mut self, name: &str, answer: &Value) {
        let codes: Vec<&str> =
            answer["codes"].as_array().into_iter().flatten().filter_map(|c| c["name"].as_str()).collect();
        let keys: Vec<&String> = answer.as_object().unwrap().keys().collect();
        let (verdict, entries) = (&answer["verdict"], &answer["entries"]);
        self.transcript.push(format!("{name}: {verdict} {codes:?} {entries} {} {keys:?}", answer["replayed"]));
    }

    /// A call that must be answered with this verdict.
    pub async fn ruled(&mut self, name: &str, who: &str, fields: Value, verdict: &str) -> Value {
        let answer = self.ok(name, who, fields).await;
        assert_eq!(answer["verdict"], verdict, "{name}: {answer}");
        answer
    }

    /// A call that must be refused with this code, in words that say that nothing was recorded.
    pub async fn refused(&mut self, name: &str, who: &str, fields: Value, code: &str) -> String {
        let failed = self.call(name, who, fields.clone()).await;
        let failed = failed.expect_err(&format!("{name} by {who} with {fields} was not refused"));
        assert_eq!((failed.code.as_str(), failed.write.as_str()), (code, "refused"), "{name}: {failed:?}");
        assert!(failed.message.contains("nothing was recorded"), "{name}: {failed:?}");
        self.transcript.push(format!("{name}: refused {code}"));
        failed.message
    }

    /// The tenant's name, for requests that carry it.
    pub fn own(&self) -> String {
        self.tenant.clone()
    }

    async fn people(&mut self) {
        let tenant = self.own();
        self.ok("Admin.CreateTenant", "operator", json!({"tenant": tenant})).await;
        for subject in ["agent-1", "agent-2"] {
            let fields = json!({"tenant": tenant, "subject": subject, "owner": "owner@example.com"});
            self.ok("Admin.RegisterPrincipal", "operator", fields).await;
        }
        for (name, role, subject) in [
            ("agents", "agent", ""),
            ("admin", "tenant-admin", ""),
            ("approver", "approver", "alice@example.com"),
            ("owner", "approver", "owner@example.com"),
            ("auditor", "auditor", ""),
            ("reporter", "reporter", "watcher"),
            ("gone", "agent", ""),
        ] {
            let hash = sha256(&[token(&tenant, name).as_bytes()]).to_string();
            let fields = json!({"tenant": tenant, "name": name, "token_hash": hash, "role": role, "subject": subject});
            self.ok("Admin.RegisterCredential", "operator", fields).await;
        }
        self.ok("Admin.RevokeCredential", "admin", json!({"tenant": tenant, "name": "gone"})).await;
        self.refused("State.Runs", "gone", json!({}), "UNAUTHENTICATED").await;
        let agent = json!({"tenant": tenant, "subject": "agent-2"});
        self.ok("Admin.DisablePrincipal", "admin", agent.clone()).await;
        self.ok("Control.EnablePrincipal", "admin", agent).await;
    }

    async fn policy(&mut self) {
        let tenant = self.own();
        let offered = self.ok("Admin.OfferBundle", "admin", json!({"tenant": tenant, "source": BUNDLE})).await;
        let fields = json!({"tenant": tenant, "environment": "prod", "bundle_hash": offered["bundle_hash"]});
        self.ok("Admin.ActivateBundle", "admin", fields).await;
        let broken = json!({"tenant": tenant, "source": "name: x\nversion: 1\nnope: 1\n"});
        let words = self.refused("Admin.OfferBundle", "admin", broken, "BUNDLE_INVALID").await;
        assert!(words.contains("nope"), "{words}");
        let rules = json!({"tenant": tenant, "environment": "prod", "source": RUNTIME});
        self.ok("Control.SetRuntimeRules", "admin", rules).await;
        self.ruled("Ledger.Check", "agents", call("crm.read", json!({"n": 1})), "deny").await;
        let none = json!({"tenant": tenant, "environment": "prod", "source": "rules: []\n"});
        self.ok("Control.SetRuntimeRules", "admin", none).await;
        self.ruled("Ledger.Check", "agents", call("crm.read", json!({"n": 1})), "allow").await;
    }

    async fn switches(&mut self) {
        let tenant = self.own();
        for observe in [true, false] {
            self.ok("Control.ConfigureTenant", "admin", json!({"tenant": tenant, "observe": observe})).await;
        }
        for disabled in [true, false] {
            let fields = json!({"tenant": tenant, "disabled": disabled});
            self.ok("Control.SetTenantDisabled", "operator", fields).await;
        }
        for (engaged, verdict) in [(true, "deny"), (false, "allow")] {
            let why = "an incident";
            let fields = json!({"tenant": tenant, "target": "tool", "name": "crm.read", "engaged": engaged, "justification": why});
            self.ok("Control.SetKillSwitch", "admin", fields).await;
            self.ruled("Ledger.Check", "agents", call("crm.read", json!({})), verdict).await;
        }
        let wrong = json!({"tenant": tenant, "target": "tenant", "name": "x", "engaged": true});
        self.refused("Control.SetKillSwitch", "admin", wrong, "MALFORMED").await;
        self.refused("Control.ActivateKernelVersion", "operator", json!({"version": 1}), "UNCHANGED").await;
        self.refused("Control.ActivateKernelVersion", "admin", json!({"version": 2}), "ROLE_NOT_PERMITTED").await;
    }

    async fn calls(&mut self) {
        let asked = with_id(call("crm.read", json!({"n": 7})));
        let decision = self.ruled("Ledger.Evaluate", "agents", asked.clone(), "allow").await;
        let again = self.ok("Ledger.Evaluate", "agents", asked.clone()).await;
        assert_eq!((&again["replayed"], &again["seq"]), (&json!(true), &decision["seq"]));
        let status = json!({"request_id": asked["request_id"], "subject": "agent-1"});
        let status = self.ok("Ledger.Status", "agents", status).await;
        assert_eq!(status["state"], "committed");
        let many = json!({"requests": [with_id(call("crm.read", json!({}))), with_id(call("nope", json!({})))]});
        let many = self.ok("Ledger.EvaluateMany", "agents", many).await;
        let verdicts = [0, 1].map(|i| many["results"][i]["decision"]["verdict"].clone());
        assert_eq!(verdicts, ["allow", "deny"]);
        let redeem = |call: Value| {
            let of = json!({"decision_id": decision["decision_id"], "seq": decision["seq"], "call": call});
            let mut fields = of;
            fields["request_salt"] = decision["request_salt"].clone();
            fields
        };
        self.ruled("Execution.Redeem", "agents", redeem(call("crm.read", json!({"n": 8}))), "deny").await;
        self.ruled("Execution.Redeem", "agents", redeem(call("crm.read", json!({"n": 7}))), "allow").await;
        let complete = json!({
            "decision_id": decision["decision_id"], "seq": decision["seq"], "status": "success", "duration_ms": 12,
            "output": {"name": "Ada"}, "redacted": {"name": "A"}, "usage": {"tokens": 5, "cost_micro_usd": 7},
        });
        self.ok("Execution.Complete", "agents", complete).await;
        self.erasure(&decision).await;
    }

    async fn erasure(&mut self, decision: &Value) {
        let receipt = decision["receipt"].as_str().unwrap().replace('\\', "");
        let commitment = receipt.split(r#""commitment":""#).nth(1).unwrap()[..64].to_owned();
        let payload = json!({"commitment": commitment});
        assert_eq!(self.ok("Ledger.Payload", "agents", payload.clone()).await["content"], json!({"n": 7}));
        let erase = json!({"tenant": self.own(), "seq": decision["seq"], "commitment": commitment, "justification": "asked to"});
        self.ok("Control.ErasePayload", "admin", erase).await;
        self.refused("Ledger.Payload", "agents", payload, "NOT_FOUND").await;
    }

    async fn approvals(&mut self) {
        for (action, inputs) in [("approve", None), ("modify", Some(json!({"to": "b@example.com"}))), ("deny", None)] {
            let asked = with_id(call("mail.send", json!({"to": format!("{action}@example.com")})));
            let waiting = self.ruled("Ledger.Evaluate", "agents", asked.clone(), "escalate").await;
            let id = &waiting["terms"]["approval_id"];
            let more = json!({"approval_id": id, "action": "request-more-info", "justification": "whom is it for?"});
            self.ok("Approvals.Resolve", "approver", more).await;
            let mut fields = json!({"approval_id": id, "action": action});
            if let Some(inputs) = inputs {
                fields["inputs"] = inputs;
            }
            self.ok("Approvals.Resolve", "approver", fields).await;
            self.ok("Ledger.Evaluate", "agents", asked).await;
        }
        let wrong = json!({"approval_id": "x", "action": "approve", "inputs": {}});
        self.refused("Approvals.Resolve", "approver", wrong, "MALFORMED").await;
        self.refused("Approvals.Resolve", "approver", json!({"approval_id": "x"}), "MALFORMED").await;
    }

    async fn leases(&mut self) {
        let terms = json!({"environment": "prod", "class": "pay", "actions": ["send"], "calls": 3, "seconds": 600,
            "constraints": {"arguments": [{"argument": "amount", "op": "<=", "value": 100}]}, "justification": "invoices"});
        let request = json!({"subject": "agent-1", "terms": terms});
        let lease = self.ruled("Capabilities.Request", "agents", request, "allow").await;
        let details = lease["details"].as_array().unwrap();
        let id = details.iter().find(|detail| detail["name"] == "lease").unwrap_or_else(|| panic!("{lease}"));
        let id = id["value"].clone();
        self.ruled("Ledger.Evaluate", "agents", with_id(call("pay.send", json!({"amount": 5}))), "allow").await;
        let terms = json!({"environment": "prod", "class": "pay", "actions": ["send"], "calls": 1, "seconds": 60});
        let delegate = json!({"subject": "agent-1", "lease_id": id, "to": "agent-2", "terms": terms});
        self.ruled("Capabilities.Delegate", "agents", delegate, "allow").await;
        let revoke = json!({"tenant": self.own(), "lease_id": id, "justification": "done"});
        self.ok("Capabilities.Revoke", "admin", revoke).await;
        self.ruled("Ledger.Evaluate", "agents", with_id(call("pay.send", json!({"amount": 5}))), "deny").await;
    }

    async fn memory(&mut self) {
        let tenant = self.own();
        let act = |namespace: &str| json!({"environment": "prod", "namespace": namespace, "subject": "agent-1"});
        let label = json!([{"source": "user-provided", "origin": "chat", "confidence_milli": 900}]);
        let write = json!({"act": act("notes"), "key": "k", "value": {"a": 1}, "ttl_seconds": 60, "labels": label});
        self.ruled("Memory.Write", "agents", write, "allow").await;
        let read = json!({"act": act("notes"), "key": "k"});
        assert_eq!(self.ruled("Memory.Read", "agents", read.clone(), "allow").await["value"], json!({"a": 1}));
        for (quarantined, verdict) in [(true, "deny"), (false, "allow")] {
            let fields = json!({"tenant": tenant, "environment": "prod", "namespace": "notes", "key": "k",
                "quarantined": quarantined, "justification": "looks poisoned"});
            self.ok("Memory.Quarantine", "admin", fields).await;
            self.ruled("Memory.Read", "agents", read.clone(), verdict).await;
        }
        self.ruled("Memory.Forget", "agents", read.clone(), "allow").await;
        self.ruled("Memory.Read", "agents", read, "deny").await;
        let query = json!({"act": act("kb"), "query": {"text": "refunds"}});
        let query = self.ruled("Memory.Read", "agents", query, "allow").await;
        let items =
            json!([{"id": "doc-1", "labels": [{"source": "rag", "origin": "kb"}], "classification": "internal"}]);
        let release = json!({"act": act("kb"), "query_decision": query["event_id"], "items": items});
        self.ruled("Memory.Release", "agents", release, "allow").await;
        let wrong = json!({"act": act("kb")});
        self.refused("Memory.Read", "agents", wrong, "MALFORMED").await;
    }

    async fn messages(&mut self) {
        let (tenant, key) = (self.own(), SecretKey::from_seed(&[7; 32]));
        let public = |key: &SecretKey| hex::encode(key.public().as_bytes());
        let register = json!({"tenant": tenant, "subject": "agent-1", "key_id": "k1", "public_key": public(&key)});
        self.ok("Messages.RegisterKey", "admin", register).await;
        let mut message = self.message(&key);
        self.ruled("Messages.Record", "agents", message.clone(), "allow").await;
        message["nonce"] = json!("another-nonce-of-32-characters-x");
        self.ruled("Messages.Record", "agents", message, "deny").await;
        let (next, id) = (SecretKey::from_seed(&[8; 32]), TenantId::new(tenant.as_str()).unwrap());
        let text = RotationText {
            origin: &self.origin,
            tenant: &id,
            subject: "agent-1",
            old_key_id: "k1",
            new_key_id: "k2",
            new_key: next.public(),
        };
        let rotate = json!({"tenant": tenant, "subject": "agent-1", "key_id": "k2", "public_key": public(&next),
            "old_key_id": "k1", "signature": hex::encode(key.sign(&text.to_bytes()))});
        self.ok("Messages.RotateKey", "admin", rotate).await;
    }

    fn message(&self, key: &SecretKey) -> Value {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let time = Time(u64::try_from(since.as_micros()).unwrap());
        let expires_at = Time(time.0 + 60_000_000);
        let (payload, tenant) = (json!({"hello": "there"}), TenantId::new(self.tenant.as_str()).unwrap());
        let payload_hash = sha256(&[payload.to_string().as_bytes()]);
        let nonce = Client::request_id().unwrap();
        let text = MessageText {
            origin: &self.origin,
            tenant: &tenant,
            schema_version: "v1",
            time,
            run_id: None,
            trace_id: None,
            protocol: "1.0",
            capabilities: &[],
            nonce: &nonce,
            expires_at,
            sender_instance: None,
            sender: "agent-1",
            recipient: "agent-2",
            recipient_run: None,
            content_type: "application/json",
            payload_hash,
        };
        json!({"schema_version": "v1", "time": time.to_string(), "protocol": "1.0", "nonce": nonce,
            "expires_at": expires_at.to_string(), "sender": "agent-1", "recipient": "agent-2", "payload": payload,
            "payload_hash": payload_hash.to_string(), "key_id": "k1",
            "signature": hex::encode(key.sign(&text.to_bytes()))})
    }

    async fn lists(&mut self) {
        for (name, list) in [
            ("State.Runs", "runs"),
            ("State.ActiveBundles", "bundles"),
            ("State.Approvals", "approvals"),
            ("State.Leases", "leases"),
            ("State.Intents", "intents"),
            ("State.Principals", "principals"),
            ("State.KillSwitches", "switches"),
            ("State.Signals", "signals"),
        ] {
            let all = self.ok(name, "auditor", json!({"limit": 1000})).await;
            let count = all[list].as_array().unwrap().len();
            assert!(count > 0, "{name} lists nothing");
            self.transcript.push(format!("{name}: {count}"));
        }
        let waiting = self.ok("State.Intents", "auditor", json!({"status": "waiting", "subject": "agent-1"})).await;
        assert!(waiting["intents"].as_array().unwrap().iter().all(|one| one["status"] == "waiting"), "{waiting}");
        let foreign = json!({"tenant": "somebody-else"});
        self.refused("State.Runs", "auditor", foreign, "FORBIDDEN").await;
        self.refused("State.Runs", "auditor", json!({"limit": 1001}), "MALFORMED").await;
    }

    /// Seals and proofs. How many seals there are depends on time, and is not written down.
    async fn evidence(&mut self) {
        // Somebody else may have sealed in between; what counts is that the command got there.
        if let Err(failed) = self.call("Admin.SealNow", "operator", json!({})).await {
            assert!(failed.code.starts_with("STALE") || failed.code == "SEAL_PENDING", "{failed:?}");
        }
        let mut size = 0;
        for _ in 0..200 {
            if let Ok(answer) = self.call("Ledger.Checkpoint", "auditor", json!({})).await {
                size = answer["size"].as_u64().unwrap();
                break;
            }
            sleep(Duration::from_millis(50)).await;
        }
        assert!(size > 1, "nothing was co-signed");
        let proof = self.ok("Ledger.InclusionProof", "auditor", json!({"seq": 1, "size": size})).await;
        assert_eq!(proof["size"], size);
        self.ok("Ledger.ConsistencyProof", "auditor", json!({"from_size": 1, "to_size": size})).await;
        let seals = self.ok("Ledger.Seals", "auditor", json!({"limit": 1})).await;
        assert_eq!(seals["seals"][0]["cosigned"], true);
        self.refused("Admin.EndorseKey", "operator", json!({"endorsement": "{}"}), "MALFORMED").await;
        self.refused("Admin.RetireKey", "operator", json!({"retirement": "{}"}), "MALFORMED").await;
    }

    async fn cluster(&mut self) {
        let info = self.ok("Cluster.Info", "agents", json!({})).await;
        assert_eq!(info["members"].as_array().unwrap().len(), 3);
        let member = json!({"member": {"node_id": "0000000000000001", "name": "x"}});
        self.refused("Cluster.AddLearner", "admin", member, "FORBIDDEN").await;
        self.refused("Cluster.ChangeMembers", "admin", json!({"voters": ["0000000000000001"]}), "FORBIDDEN").await;
        self.refused("Cluster.TransferLeader", "admin", json!({}), "FORBIDDEN").await;
        self.call("Cluster.Bootstrap", "operator", json!({"origin": "x"})).await.expect_err("there is a ledger");
    }
}

/// A call of agent-1's.
pub fn call(tool: &str, inputs: Value) -> Value {
    json!({"environment": "prod", "subject": "agent-1", "tool": tool, "inputs": inputs})
}

/// The same with a request id, so that it can be repeated.
pub fn with_id(mut call: Value) -> Value {
    call["request_id"] = json!(Client::request_id().unwrap());
    call
}
