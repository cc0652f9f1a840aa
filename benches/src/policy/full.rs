//! A policy in which everything is on that the bar on `decide` names: capabilities with constraints, taint, budgets, rates, behaviour
//! rules, a contract and 100 rules; with native rules, with the same rules as CEL conditions, and with a policy in Rego beside them.

use std::fmt::Write as _;

use assent_kernel::command::CallContext;
use assent_kernel::taint::{TaintLabel, TaintSource};

use super::{BenchCall, Policy, filled};

/// Tools, capabilities, contract, budgets, rates and behaviour. The tool sends nothing out, so that the taint of its inputs completes no
/// forbidden sequence; all limits are larger than a bench reaches.
const HEAD: &str = r#"name: full
version: 1
tools:
  - name: mail.send
    class: mail
    action: send
    category: reversible_write
    risk_tier: medium
    egress: false
    cost: {tokens: 500, cost_micro_usd: 200}
    output_labels: [{source: tool-output, origin: mail}]
    inputs:
      to: {type: array, required: true, max_length: 8, items: {type: string, max_length: 80}}
      subject: {type: string, required: true, max_length: 200}
      body: {type: string, required: true, max_length: 8000}
      recipient_count: {type: integer, required: true, min: 1, max: 1000}
  - name: file.read
    class: file
    action: read
    category: read
    inputs:
      path: {type: string, required: true}
principals:
  - subject: agent-1
    capabilities:
      - {class: http, actions: [get], constraints: {hosts: [api.example.com, "*.docs.example.com"]}}
      - {class: file, actions: ["*"], constraints: {paths: [/srv/data/**]}}
      - {class: mail, actions: [send], constraints: {arguments: [{argument: recipient_count, op: "<=", value: 500}]}}
contract:
  - id: few-recipients
    tools: [mail.send]
    hard: true
    require:
      - {argument: recipient_count, op: "<=", value: 100}
budgets:
  - {id: calls-of-a-run, unit: calls, limit: 1000000000, per: run}
  - {id: calls-a-day, scope: principal, unit: calls, limit: 1000000000, per: day}
  - {id: tokens-a-day, scope: principal, unit: tokens, limit: 1000000000000, per: day}
  - {id: cost-a-month, scope: tenant, unit: cost_micro_usd, limit: 1000000000000, per: month}
rates:
  - {id: of-a-run, scope: run, calls: 1000000, per_seconds: 1, burst: 1000000}
  - {id: of-the-tenant, scope: tenant, calls: 1000000, per_seconds: 1, burst: 1000000}
behaviour:
  - {builtin: web_taint_sensitive_probe}
  - {builtin: denied_capability_then_escalation}
  - {builtin: sensitive_read_then_egress}
  - {builtin: tainted_database_write}
  - {builtin: tainted_shell_with_data}
  - {builtin: secret_access_then_any_egress, id: across, scope: principal}
rules:
"#;

/// Votes for the call after looking at its arguments, the run and the taint, as a policy of some rules does.
const REGO: &str = r#"rego:
  modules:
    - file: mail.rego
      source: |
        package assent
        default decision := false
        decision if {
          input.tool.class == "mail"
          input.args.recipient_count <= 100
          count(input.args.to) <= input.args.recipient_count
          count(strangers) == 0
          not blocked
        }
        strangers contains to if {
          some to in input.args.to
          not own(to)
        }
        own(address) if endswith(address, "@example.com")
        own(address) if endswith(address, "@example.org")
        blocked if startswith(lower(input.args.subject), "forbidden")
        blocked if input.run.denied > 1000000000
        blocked if "rag" in input.taint
        blocked if input.context.risk_milli > 900
        blocked if {
          input.tool.risk_tier == "critical"
          input.run.sensitive_reads > 0
        }
"#;

/// How the rules ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Native,
    Cel,
}

/// Native rules.
pub fn native() -> Policy {
    Policy { name: "100 rules, everything on", source: source(Form::Native).into_bytes(), call: call() }
}

/// The same rules, each asking by a CEL condition.
pub fn cel() -> Policy {
    Policy {
        name: "100 rules with CEL conditions, everything on",
        source: source(Form::Cel).into_bytes(),
        call: call(),
    }
}

/// Native rules, and a policy in Rego that votes too.
pub fn rego() -> Policy {
    let source = source(Form::Native) + REGO;
    Policy { name: "100 rules and Rego beside, everything on", source: source.into_bytes(), call: call() }
}

/// Native rules, and a policy in Rego that makes `rounds` × 100 steps of a loop before it allows.
pub fn rego_heavy(rounds: usize) -> Policy {
    let policy = format!(
        r#"rego:
  modules:
    - file: heavy.rego
      source: |
        package assent
        default decision := false
        decision if count(found) >= 0
        found := [1 | some i in numbers.range(1, {rounds}); some j in numbers.range(1, 100); i * j == 7001]
"#
    );
    let source = source(Form::Native) + &policy;
    Policy { name: "Rego at its budget", source: source.into_bytes(), call: call() }
}

/// A mail whose text came from a web page and a person.
fn call() -> BenchCall {
    let start =
        r#"{"to":["a@example.com","b@example.com"],"subject":"Your order has left","recipient_count":2,"body":""#;
    let label = |source, origin: &str| TaintLabel {
        source,
        origin: origin.to_owned(),
        confidence_milli: 900,
        propagated_from: None,
    };
    let taint = vec![label(TaintSource::Web, "news.example"), label(TaintSource::UserProvided, "desk")];
    let context = CallContext { taint, ..CallContext::default() };
    BenchCall { subject: "agent-1".into(), tool: "mail.send", inputs: filled(start), context }
}

/// 20 rules about another tool; 79 denies about the called one, by pattern (20), list (20), range (20), taint (10) and principal (9),
/// none of which applies, so that each is looked at; and the one that allows, which is the last.
fn source(form: Form) -> String {
    let mut source = HEAD.to_owned();
    for n in 0..99 {
        let (of, condition) = match form {
            Form::Native => native_rule(n),
            Form::Cel => cel_rule(n),
        };
        // Writing to a string cannot fail.
        let _ = write!(
            source,
            "  - id: deny-{n}\n    priority: {n}\n    match:\n      {of}\n{condition}    decision: deny\n"
        );
    }
    source.push_str(
        "  - id: allow-rest\n    priority: 998\n    match:\n      toolClass: [mail, file]\n    decision: allow\n",
    );
    source
}

fn native_rule(n: usize) -> (&'static str, String) {
    let parameters = |text: String| format!("      parameters:\n        {text}\n");
    match (n % 5, n < 50) {
        (0, _) => ("tool: file.read", parameters(format!("path: {{within: [/srv/data/private-{n}]}}"))),
        (1, _) => ("tool: mail.send", parameters(format!("subject: {{pattern: '^forbidden-{n}-[a-z]+$'}}"))),
        (2, _) => ("tool: mail.send", parameters(format!("subject: {{in: [secret-{n}, internal-{n}, draft-{n}]}}"))),
        (3, _) => ("toolClass: mail", parameters(format!("recipient_count: {{min: {}}}", 500 + n))),
        (_, true) => ("toolClass: mail", "      taintSources: [rag]\n".to_owned()),
        (_, false) => ("toolClass: mail", format!("      principalId: [intern-{n}, \"contractor-{n}-*\"]\n")),
    }
}

fn cel_rule(n: usize) -> (&'static str, String) {
    let condition = |text: String| format!("    condition: \"{text}\"\n");
    match (n % 5, n < 50) {
        (0, _) => ("tool: file.read", condition(format!("args.path.startsWith('/srv/data/private-{n}/')"))),
        (1, _) => ("tool: mail.send", condition(format!("args.subject.matches('^forbidden-{n}-[a-z]+$')"))),
        (2, _) => {
            ("tool: mail.send", condition(format!("args.subject in ['secret-{n}', 'internal-{n}', 'draft-{n}']")))
        }
        (3, _) => ("toolClass: mail", condition(format!("args.recipient_count >= {}", 500 + n))),
        (_, true) => ("toolClass: mail", condition("'rag' in taint".to_owned())),
        (_, false) => {
            ("toolClass: mail", condition(format!("subject == 'intern-{n}' || subject.startsWith('contractor-{n}-')")))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn there_are_as_many_rules_of_each_kind_as_is_said() {
        let native = source(Form::Native);
        let about = |what: &str| native.matches(what).count();
        assert_eq!(about("  - id: deny-"), 99);
        let kinds = ["{within:", "{pattern:", "{in:", "{min: 5", "taintSources:", "principalId:"];
        assert_eq!(kinds.map(about), [20, 20, 20, 20, 10, 9]);
        assert_eq!(source(Form::Cel).matches("condition:").count(), 99);
    }
}
