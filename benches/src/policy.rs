//! The policies of the benches, and calls that they allow after looking at everything that could apply.

pub mod capped;
pub mod full;
pub mod hostile;

use std::fmt::Write as _;

use assent_kernel::command::CallContext;

/// A call, which its policy allows unless it says otherwise.
#[derive(Debug, Clone)]
pub struct BenchCall {
    /// The principal.
    pub subject: String,
    /// The tool.
    pub tool: &'static str,
    /// The inputs: a JSON object, of exactly [`INPUT_BYTES`] unless it says otherwise.
    pub inputs: Vec<u8>,
    /// What it says besides, such as the labels of its inputs.
    pub context: CallContext,
}

impl BenchCall {
    /// Inputs of the same length that were not sent before: the same call again and again is a loop, which the kernel denies. What ends with
    /// a long text gets a number there; what does not stays as it is.
    pub fn inputs(&self, number: u64) -> Vec<u8> {
        let mut inputs = self.inputs.clone();
        let digits = format!("{number:012}");
        let end = inputs.len().saturating_sub(2);
        let start = end.saturating_sub(digits.len());
        let is_text =
            inputs.ends_with(b"\"}") && !inputs.iter().skip(start).take(end - start).any(|byte| *byte == b'"');
        if let Some(place) = inputs.get_mut(start..end).filter(|place| is_text && place.len() == digits.len()) {
            place.copy_from_slice(digits.as_bytes());
        }
        inputs
    }
}

/// Length of the inputs, in bytes.
pub const INPUT_BYTES: usize = 512;

/// A bundle as source, and a call for it.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The name in the benches' output.
    pub name: &'static str,
    /// The bundle's source.
    pub source: Vec<u8>,
    /// A call.
    pub call: BenchCall,
}

const HEAD: &str = r#"name: hundred
version: 1
tools:
  - name: mail.send
    class: mail
    action: send
    inputs:
      to: {type: array, required: true, max_length: 8, items: {type: string, max_length: 80}}
      subject: {type: string, required: true, max_length: 200}
      body: {type: string, required: true, max_length: 8000}
      recipient_count: {type: integer, required: true, min: 1, max: 1000}
  - name: file.read
    class: file
    action: read
    inputs:
      path: {type: string, required: true}
principals:
  - subject: agent-1
    capabilities:
      - {class: mail, actions: [send]}
      - {class: file, actions: ["*"], constraints: {paths: [/srv/data/**]}}
contract:
  - id: few-recipients
    tools: [mail.send]
    hard: true
    require:
      - {argument: recipient_count, op: "<=", value: 100}
rules:
"#;

/// A hundred rules: 20 about another tool; 79 denies about the called one, by pattern (20), list (30) and range (29), none of which
/// applies, so that each is looked at; and the one that allows, which is the last.
pub fn hundred_rules() -> Policy {
    let mut source = HEAD.to_owned();
    for n in 0..99 {
        let (of, condition) = match n % 5 {
            0 => ("tool: file.read", format!("path: {{within: [/srv/data/private-{n}]}}")),
            1 => ("tool: mail.send", format!(r"subject: {{pattern: '^forbidden-{n}-[a-z]+\b'}}")),
            2 | 4 if n < 75 => ("tool: mail.send", format!("subject: {{in: [secret-{n}, internal-{n}, draft-{n}]}}")),
            _ => ("toolClass: mail", format!("recipient_count: {{min: {}}}", 500 + n)),
        };
        // Writing to a string cannot fail.
        let _ = write!(
            source,
            "  - id: deny-{n}\n    priority: {n}\n    match:\n      {of}\n      parameters:\n        {condition}\n    decision: deny\n"
        );
    }
    source.push_str(
        "  - id: allow-rest\n    priority: 998\n    match:\n      toolClass: [mail, file]\n    decision: allow\n",
    );
    let start =
        r#"{"to":["a@example.com","b@example.com"],"subject":"Your order has left","recipient_count":2,"body":""#;
    let call = BenchCall {
        subject: "agent-1".into(),
        tool: "mail.send",
        inputs: filled(start),
        context: CallContext::default(),
    };
    Policy { name: "100 rules", source: source.into_bytes(), call }
}

/// The bundle of the example fleet's tenant Acme, and a mail to a customer.
pub fn acme() -> Policy {
    let source = include_bytes!("../../examples/fleet/bundles/acme/bundle.yaml").to_vec();
    Policy { name: "acme", source, call: acme_call() }
}

/// A mail of Acme's support to a customer.
pub fn acme_call() -> BenchCall {
    let start = r#"{"to":"quentin@example.com","subject":"Your order has left","recipient_count":1,"body":""#;
    let subject = "spiffe://acme/agent/support-triage-eu".to_owned();
    BenchCall { subject, tool: "mail.send", inputs: filled(start), context: CallContext::default() }
}

/// The text and as many words as it takes, closed as the last string of an object.
fn filled(start: &str) -> Vec<u8> {
    let words = b"your parcel is on its way and will be with you in two days; ".iter().cycle();
    let count = INPUT_BYTES.saturating_sub(start.len() + 2);
    start.bytes().chain(words.copied().take(count)).chain(*b"\"}").collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use assent_kernel::bundle::{Call, compile};
    use assent_kernel::value::parse_object;
    use assent_kernel::verdict::Verdict;

    #[test]
    fn each_policy_allows_its_call() {
        for Policy { name, source, call } in [hundred_rules(), acme(), full::native(), full::cel(), full::rego()] {
            assert_eq!(call.inputs.len(), INPUT_BYTES, "{name}");
            let bundle = compile(&source).unwrap();
            let tool = bundle.tool(call.tool).unwrap();
            let args = parse_object(&call.inputs).unwrap();
            tool.check_arguments(&args).unwrap();
            let outcome = bundle.evaluate(&Call { subject: &call.subject, tool, args: &args });
            assert_eq!(outcome.verdict, Verdict::Allow, "{name}: {outcome:?}");
        }
    }

    #[test]
    fn no_two_calls_have_the_same_inputs() {
        let call = acme_call();
        assert_ne!(call.inputs(1), call.inputs(2));
        assert!(call.inputs(7).ends_with(b"000000000007\"}"));
        assert_eq!(call.inputs(7).len(), INPUT_BYTES);
        let short = BenchCall { inputs: br#"{"s":"a"}"#.to_vec(), ..call };
        assert_eq!(short.inputs(7), short.inputs);
    }

    #[test]
    fn there_are_a_hundred_rules() {
        let source = String::from_utf8(hundred_rules().source).unwrap();
        assert_eq!(source.matches("  - id: deny-").count(), 99);
        let about = |what: &str| source.matches(what).count();
        assert_eq!((about("{within:"), about("{pattern:"), about("{in:"), about("{min: 5")), (20, 20, 30, 29));
    }
}
