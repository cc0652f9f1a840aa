//! What an entry has to say: a pattern of the parts of its leaf that matter to a step.

use serde_json::Value;

/// Everything in which the recorded value differs from the pattern; empty when it fits.
pub(super) fn differences(pattern: &Value, recorded: &Value) -> Vec<String> {
    let mut out = Vec::new();
    compare(&mut out, "recorded", pattern, Some(recorded));
    out
}

fn compare(out: &mut Vec<String>, place: &str, pattern: &Value, recorded: Option<&Value>) {
    match (pattern, recorded) {
        (Value::Null, None) => {}
        (Value::Object(wanted), Some(Value::Object(there))) => {
            for (name, pattern) in wanted {
                compare(out, &format!("{place}.{name}"), pattern, there.get(name));
            }
        }
        (Value::Array(wanted), Some(Value::Array(there))) if wanted.len() == there.len() => {
            for (number, (pattern, recorded)) in wanted.iter().zip(there).enumerate() {
                compare(out, &format!("{place}[{number}]"), pattern, Some(recorded));
            }
        }
        (wanted, Some(there)) if wanted == there => {}
        (wanted, there) => {
            let there = there.map_or_else(|| "nothing".to_owned(), Value::to_string);
            out.push(format!("{place}: expected {wanted}, got {there}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_named_must_be_there_and_what_is_named_null_must_not() {
        let recorded =
            json!({"type": "a", "body": {"codes": [200, 310], "effects": {"latches": [{"rule": "x", "step": 1}]}}});
        for (fits, pattern) in [
            (true, json!({})),
            (true, json!({"type": "a", "body": {"codes": [200, 310]}})),
            (true, json!({"body": {"effects": {"latches": [{"rule": "x"}], "reserved": null}}})),
            (false, json!({"type": "b"})),
            (false, json!({"body": {"codes": [200]}})),
            (false, json!({"body": {"codes": [310, 200]}})),
            (false, json!({"body": {"effects": {"latches": null}}})),
            (false, json!({"body": {"effects": {"reserved": []}}})),
            (false, json!({"body": null})),
        ] {
            assert_eq!(differences(&pattern, &recorded).is_empty(), fits, "{pattern}");
        }
        let named = differences(&json!({"body": {"codes": [200, 300]}}), &recorded);
        assert_eq!(named, ["recorded.body.codes[1]: expected 300, got 310"]);
    }
}
