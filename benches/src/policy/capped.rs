//! A policy under which one run comes to all of its caps at once: behaviour rules under way, loops counted, signals that adjust it, budgets,
//! rates and a contract across steps of its own.

use std::fmt::Write as _;

use assent_kernel::command::CallContext;
use assent_kernel::limits::{BEHAVIOUR_ID_BYTES_MAX, LATCHES_MAX, SUBJECT_BYTES_MAX};

use super::{BenchCall, Policy, filled};

const HEAD: &str = r#"name: capped
version: 1
tools:
  - name: mail.send
    class: mail
    action: send
    category: reversible_write
    egress: false
    cost: {tokens: 500, cost_micro_usd: 200}
    inputs:
      subject: {type: string, required: true}
      amount: {type: integer, required: true}
      body: {type: string, required: true}
principals:
  - subject: agent-*
    capabilities:
      - {class: mail, actions: [send]}
rules:
  - {id: allow-mail, match: {toolClass: mail}, decision: allow}
orchestration:
  - {id: risky, when: {risk: 0.5}, adjust: {strikes: 4, rates: 0.9}}
limits: {depth: 100, fan_out: 1000000}
"#;

/// How much of what a bundle can count for each run is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// Budgets of each run.
    pub budgets: usize,
    /// Rates of each run.
    pub rates: usize,
    /// Whether a contract sums and counts over a run.
    pub sums: bool,
    /// How many distinct values a contract admits in a run; 0 when it does not ask.
    pub distinct: usize,
}

/// The policy, and calls of 512 bytes for it.
pub fn policy(name: &'static str, counted: Counted) -> Policy {
    let mut source = HEAD.to_owned() + "behaviour:\n";
    for n in 0..LATCHES_MAX {
        let id = format!("b{n:0width$}", width = BEHAVIOUR_ID_BYTES_MAX - 1);
        // Writing to a string cannot fail.
        let _ = writeln!(source, "  - {{id: {id}, steps: [{{class: mail}}, {{class: never}}]}}");
    }
    section(&mut source, "budgets", counted.budgets, |n| {
        format!("{{id: budget-{n}, unit: calls, limit: 1000000, per: run}}")
    });
    section(&mut source, "rates", counted.rates, |n| {
        format!("{{id: rate-{n}, scope: run, calls: 1000000, per_seconds: 1, burst: 1000000}}")
    });
    let sums =
        ["{sum: amount, per: run, op: '<=', value: 1000000000}", "{count: '*', per: run, op: '<=', value: 1000000}"];
    let distinct = [format!("{{distinct: body, per: run, op: '<=', value: {}}}", counted.distinct)];
    let sums = if counted.sums { sums.map(str::to_owned).to_vec() } else { Vec::new() };
    let distinct = if counted.distinct > 0 { distinct.to_vec() } else { Vec::new() };
    let predicates = [sums, distinct].concat();
    section(&mut source, "contract", usize::from(!predicates.is_empty()), |_| {
        format!("{{id: in-a-run, class: mail, require: [{}]}}", predicates.join(", "))
    });
    let subject = format!("agent-{}", "s".repeat(SUBJECT_BYTES_MAX - "agent-".len()));
    let inputs = filled(r#"{"subject":"Your order has left","amount":2,"body":""#);
    let call = BenchCall { subject, tool: "mail.send", inputs, context: CallContext::default() };
    Policy { name, source: source.into_bytes(), call }
}

fn section(source: &mut String, name: &str, count: usize, item: impl Fn(usize) -> String) {
    if count > 0 {
        let _ = writeln!(source, "{name}:");
    }
    for n in 0..count {
        let _ = writeln!(source, "  - {}", item(n));
    }
}
