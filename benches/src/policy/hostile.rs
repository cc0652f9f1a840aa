//! The worst that a tenant's own bundle and its own calls can do within the kernel's caps: 10,000 rules that are all looked at, inputs of
//! the greatest length, patterns and texts made for each other.

use std::fmt::Write as _;

use assent_kernel::bundle::limits::{PATTERN_INPUT_BYTES_MAX, PATTERN_UNITS_PER_CALL_MAX, RULES_MAX};
use assent_kernel::command::CallContext;
use assent_kernel::limits::INPUTS_BYTES_MAX;

use super::{BenchCall, Policy};

/// What looking for a pattern costs besides the bytes of the text, as the kernel counts it.
const PATTERN_OVERHEAD_BYTES: usize = 16;
/// How many texts of the greatest length are paid for in one call.
const LONG_TEXTS: usize = PATTERN_UNITS_PER_CALL_MAX / PATTERN_INPUT_BYTES_MAX;

/// A tool that takes any arguments, and who may call it.
const HEAD: &str = "\
name: hostile
version: 1
tools: [{name: t, class: c, action: a, schema: {type: object, additionalProperties: true}}]
principals: [{subject: agent-1, capabilities: [{class: c, actions: [a]}]}]
";

fn policy(name: &'static str, sections: &str, inputs: String) -> Policy {
    let call = BenchCall {
        subject: "agent-1".into(),
        tool: "t",
        inputs: inputs.into_bytes(),
        context: CallContext::default(),
    };
    Policy { name, source: format!("{HEAD}{sections}\n").into_bytes(), call }
}

/// As many rules as a bundle may have: denies by `parameters`, and an allow that comes last.
fn rules(parameters: impl Fn(usize) -> String) -> String {
    let mut text = "rules:\n".to_owned();
    for n in 1..RULES_MAX {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "- {{id: d{n}, match: {{parameters: {{{}}}}}, decision: deny}}", parameters(n));
    }
    text + "- {id: rest, priority: 900, match: {}, decision: allow}\n"
}

/// 10,000 rules about a number, and a small call. All are looked at: what they ask first is answered with yes.
pub fn many_rules() -> Policy {
    policy(
        "10,000 rules by range, 16 bytes",
        &rules(|n| format!("n: {{min: 0, max: -{n}}}")),
        r#"{"n":0,"s":"a"}"#.to_owned(),
    )
}

/// 10,000 rules, each with a pattern; 4,000 different ones, so that none is warm, and a text as long as the kernel lets each look through.
pub fn many_patterns() -> Policy {
    let text = "x".repeat(PATTERN_UNITS_PER_CALL_MAX / RULES_MAX - PATTERN_OVERHEAD_BYTES);
    let rules = rules(|n| format!("s: {{pattern: '(x+x+)+y{}$'}}", n % 4_000));
    policy("10,000 rules by pattern, 4,000 different ones", &rules, format!(r#"{{"s":"{text}"}}"#))
}

/// 10,000 rules about a number, and a payload of `bytes` in texts of the greatest length that patterns are looked for in.
pub fn large_texts(name: &'static str, bytes: usize) -> Policy {
    let mut inputs = r#"{"n":0"#.to_owned();
    for n in 0.. {
        let room = bytes.saturating_sub(inputs.len() + 1);
        let Some(text) = room.checked_sub(10).filter(|text| *text > 0) else { break };
        let _ = write!(inputs, r#","t{n:03}":"{}""#, "a".repeat(text.min(PATTERN_INPUT_BYTES_MAX)));
    }
    policy(name, &rules(|n| format!("n: {{min: 0, max: -{n}}}")), inputs + "}")
}

/// 10,000 rules about a number, and a payload of `bytes` that is a list of small numbers: as many values as the kernel takes.
pub fn many_values(name: &'static str, bytes: usize) -> Policy {
    // 65,536 values at most, the object and the list among them.
    let count = (bytes.saturating_sub(32) / 16).min(65_500);
    let numbers: Vec<String> = (0..count).map(|n| format!("{:015}", 100_000_000_000_000 + n)).collect();
    policy(name, &rules(|n| format!("n: {{min: 0, max: -{n}}}")), format!(r#"{{"n":0,"l":[{}]}}"#, numbers.join(",")))
}

/// 10,000 rules about a path and a URL in turns, each of the greatest length that is read.
pub fn many_places() -> Policy {
    let rules = rules(|n| match n % 2 {
        0 => format!("p: {{within: /srv/{n}}}"),
        _ => format!("u: {{host: h{n}.example}}"),
    });
    let (path, url) = ("/a".repeat(2_048), format!("https://a.example/{}", "a".repeat(8_000)));
    policy("10,000 rules by path and host", &rules, format!(r#"{{"p":"{path}","u":"{url}"}}"#))
}

/// 10,000 rules about a number, and a list of numbers as long as inputs may be, each of which its tool looks for among 1,024.
pub fn enumerated() -> Policy {
    let listed: Vec<String> = (0..1_024_u64).map(|n| (100_000_000_000_000 + n * 7).to_string()).collect();
    let schema =
        format!("properties: {{n: {{type: integer}}, l: {{type: array, items: {{enum: [{}]}}}}}}", listed.join(", "));
    let all = many_values("10,000 rules, 16,000 numbers, each to be one of 1,024", LARGEST);
    let numbers: Vec<String> =
        (0..(LARGEST - 32) / 16).map(|n| (100_000_000_000_000 + n % 1_024 * 7).to_string()).collect();
    let source = String::from_utf8_lossy(&all.source).replace("additionalProperties: true", &schema);
    let inputs = format!(r#"{{"n":0,"l":[{}]}}"#, numbers.join(",")).into_bytes();
    Policy { source: source.into_bytes(), call: BenchCall { inputs, ..all.call }, ..all }
}

/// A pattern that rules look for in a text of 64 KiB as often as one call pays for, if it has a table; as many more rules as there may
/// be, and inputs of the greatest length.
pub fn long_subjects(name: &'static str, pattern: &str, unit: &str) -> Policy {
    let bytes = PATTERN_INPUT_BYTES_MAX - PATTERN_OVERHEAD_BYTES;
    let text: String = unit.chars().cycle().take(bytes).collect();
    let rest = "a".repeat(LARGEST - bytes - 32);
    let rules = rules(|n| match n {
        1..=LONG_TEXTS => format!("s: {{pattern: '{pattern}'}}"),
        _ => format!("n: {{min: 0, max: -{n}}}"),
    });
    policy(name, &rules, format!(r#"{{"n":0,"s":"{text}","t":"{rest}"}}"#))
}

/// Everything that a call may take at once, none of it exhausted: as many rules as there may be, patterns, a condition and Rego near their
/// budgets, and inputs of the greatest length, half of them numbers.
pub fn everything() -> Policy {
    let text = "x".repeat(PATTERN_INPUT_BYTES_MAX - PATTERN_OVERHEAD_BYTES);
    let rules = rules(|n| match n {
        1..LONG_TEXTS => "s: {pattern: '(x+x+)+[c-w]'}".to_owned(),
        _ => format!("n: {{min: 0, max: -{n}}}"),
    });
    let condition = "- {id: near, priority: 1, match: {}, condition: 'args.l.exists(x, args.m.exists(y, x + y < 0))', decision: deny}\n";
    let rego = "rego:\n  modules:\n    - file: near.rego\n      source: |\n        package assent\n        \
                decision if count([1 | some i in numbers.range(1, 20); i == 7]) > 0\n";
    let numbers = |count: usize| (0..count).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    let start = format!(r#"{{"n":0,"l":[{}],"m":[{}],"s":"{text}","k":["#, numbers(25), numbers(25));
    let many: Vec<String> = (0..(LARGEST / 2 - 16) / 16).map(|n| format!("{:015}", 100_000_000_000_000 + n)).collect();
    let rest = LARGEST - start.len() - many.join(",").len() - 16;
    let inputs = format!(r#"{start}{}],"t":"{}"}}"#, many.join(","), "a".repeat(rest));
    // The condition takes the place of one of as many rules as there may be.
    let last = format!("- {{id: d{},", RULES_MAX - 1);
    let rules = rules.lines().filter(|line| !line.starts_with(&last)).collect::<Vec<_>>().join("\n") + "\n";
    policy("everything at once", &(rules + condition + rego), inputs)
}

/// Patterns with what is known to be dear elsewhere, and texts that almost match: name, pattern and what the text repeats. None ends with
/// a fixed text, for which alone an engine could look first.
pub const PATTERNS: [(&str, &str, &str); 7] = [
    ("nested quantifiers (x+x+)+", "(x+x+)+[c-w]", "x"),
    (
        "long alternation",
        "(alpha|alphabet|alphabets|beta|betas|gamma|gammas|delta|deltas|omega)+[!-/]",
        "alphabetsgammas",
    ),
    ("[ab]*a[ab]{20}: 2^20 states when made deterministic", "[ab]*a[ab]{20}[c-z]", "abbabaab"),
    ("[ab]*a[ab]{200}: 200 places at once", "[ab]*a[ab]{200}[c-z]", "abbabaababbaabba"),
    ("[ab]*a[ab]{900}: 900 places at once", "[ab]*a[ab]{900}[c-z]", "abbabaababbaabba"),
    ("(?:a?){200}a{200}: as many places", "(?:a?){200}a{200}[b-z]", "a"),
    (
        "ignore.{0,40}previous: no table, few places",
        "(?i)ignore.{0,40}previous.{0,40}instructions",
        "please ignore all previous ins ",
    ),
];

/// The largest payload.
pub const LARGEST: usize = INPUTS_BYTES_MAX;

/// Conditions that take as many steps as all conditions of one call may.
pub fn cel_steps() -> Policy {
    let numbers = (0..240).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    let rule = "rules: [{id: r, match: {}, condition: 'args.l.all(x, args.l.all(y, x + y >= 0))', decision: allow}]";
    policy("a CEL condition at its budget", rule, format!(r#"{{"l":[{numbers}]}}"#))
}

/// A policy in Rego that spends its whole budget in a loop.
pub fn rego_loop() -> Policy {
    rego(
        "Rego at its budget: a loop",
        "decision if count([1 | some i in numbers.range(1, 1000); some j in numbers.range(1, 1000); i == j]) > 0",
    )
}

/// A policy in Rego that spends its whole budget on a regular expression that is written out, over a long text.
pub fn rego_written_patterns() -> Policy {
    rego(
        "Rego at its budget: a regular expression that is written out",
        "decision if count([1 | some i in numbers.range(1, 1000); regex.match(`(x+x+)+y`, input.args.s)]) > 0",
    )
}

/// A policy in Rego that spends its whole budget on regular expressions that it puts together, each of which is compiled anew.
pub fn rego_patterns() -> Policy {
    let pattern = r"[\\w]{1,9}(x+x+)+y";
    rego(
        "Rego at its budget: regular expressions",
        &format!(
            "decision if count([1 | some i in numbers.range(1, 1000); regex.match(concat(\"\", [\"{pattern}\", sprintf(\"%d\", [i])]), input.args.s)]) > 0"
        ),
    )
}

fn rego(name: &'static str, rule: &str) -> Policy {
    let section = format!(
        "rego:\n  modules:\n    - file: hostile.rego\n      source: |\n        package assent\n        {rule}\n"
    );
    policy(name, &section, r#"{"s":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}"#.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use assent_kernel::bundle::{Call, Outcome, compile};
    use assent_kernel::reason::ReasonCode;
    use assent_kernel::value::parse_object;
    use assent_kernel::verdict::Verdict;

    fn ask(policy: &Policy) -> Outcome {
        assert!(policy.call.inputs.len() <= LARGEST, "{}", policy.name);
        let bundle = compile(&policy.source).unwrap_or_else(|errors| panic!("{}: {:?}", policy.name, errors.first()));
        let args = parse_object(&policy.call.inputs).unwrap();
        bundle.evaluate(&Call { subject: "agent-1", tool: bundle.tool("t").unwrap(), args: &args })
    }

    #[test]
    fn whatever_is_looked_at_the_last_rule_allows() {
        for policy in [
            many_rules(),
            many_places(),
            many_patterns(),
            large_texts("t", LARGEST),
            many_values("v", LARGEST),
            enumerated(),
            everything(),
        ] {
            assert_eq!(ask(&policy).verdict, Verdict::Allow, "{}", policy.name);
        }
        for (name, pattern, unit) in PATTERNS {
            let policy = long_subjects(name, pattern, unit);
            assert!(compile(&policy.source).is_ok(), "{name}");
        }
    }

    #[test]
    fn what_is_at_its_budget_spends_it() {
        for policy in [cel_steps(), rego_loop(), rego_patterns(), rego_written_patterns()] {
            assert_eq!(ask(&policy).codes.first(), Some(&ReasonCode::PolicyBudget), "{}", policy.name);
        }
        assert!(large_texts("t", LARGEST).call.inputs.len() > LARGEST - 64);
    }
}
