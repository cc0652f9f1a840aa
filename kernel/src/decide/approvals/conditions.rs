//! Conditions that people set: each is known, and is either met by the call's exact arguments or becomes a constraint of the decision.

use crate::command::split_condition;
use crate::reason::ReasonCode;
use crate::value::{Number, Object, Value, parse_object};

/// What conditions come to for the decision.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct TokenTerms {
    /// After how many seconds the decision can no longer be redeemed.
    pub(super) expires_in_seconds: Option<u64>,
    /// The only executor that can redeem it.
    pub(super) audience: Option<String>,
    /// All of them, as the decision's leaf shows them.
    pub(super) constraints: Vec<(String, String)>,
}

/// Whether the kernel knows every condition, for a call with these arguments:
/// `expires_in_seconds:N`, `audience:NAME`, `max_ARGUMENT:NUMBER`, `must_use_ARGUMENT:VALUE`.
pub(super) fn known(conditions: &[String], args: &Object) -> Result<(), ReasonCode> {
    let known = |text: &String| split_condition(text).is_some_and(|(name, value)| of(name, value, args).is_some());
    if conditions.iter().all(known) { Ok(()) } else { Err(ReasonCode::ConditionUnknown) }
}

/// What the conditions come to; `None` when the call does not meet one of them.
pub(super) fn terms(conditions: &[String], args: &Object) -> Option<TokenTerms> {
    let mut terms = TokenTerms::default();
    for text in conditions {
        let (name, value) = split_condition(text)?;
        match of(name, value, args)? {
            Condition::ExpiresIn(seconds) => {
                terms.expires_in_seconds = Some(terms.expires_in_seconds.map_or(seconds, |known| known.min(seconds)));
            }
            Condition::Audience(audience) => {
                // Two people who name different executors leave none.
                if terms.audience.as_ref().is_some_and(|known| known != audience) {
                    return None;
                }
                terms.audience = Some(audience.to_owned());
            }
            Condition::Met(true) => {}
            Condition::Met(false) => return None,
        }
        terms.constraints.push((name.to_owned(), value.to_owned()));
    }
    Some(terms)
}

/// Whether arguments that nobody was asked about meet the conditions.
pub(in crate::decide) fn are_met(conditions: &[String], inputs: &[u8]) -> bool {
    parse_object(inputs).is_ok_and(|args| terms(conditions, &args).is_some())
}

enum Condition<'a> {
    ExpiresIn(u64),
    Audience(&'a str),
    /// About an argument, and whether it holds.
    Met(bool),
}

/// The condition of a name; nothing for a name that is not known, or whose argument the call does not have.
fn of<'a>(name: &str, value: &'a str, args: &Object) -> Option<Condition<'a>> {
    if name == "expires_in_seconds" {
        return value.parse().ok().filter(|seconds| *seconds > 0).map(Condition::ExpiresIn);
    }
    if name == "audience" {
        return Some(Condition::Audience(value));
    }
    if let Some(argument) = name.strip_prefix("max_") {
        let most = Number::parse(value).ok()?;
        let given = args.get(argument)?;
        return Some(Condition::Met(matches!(given, Value::Number(number) if *number <= most)));
    }
    let given = args.get(name.strip_prefix("must_use_")?)?;
    Some(Condition::Met(match given {
        Value::String(text) => text == value,
        Value::Number(number) => number.text() == value,
        Value::Bool(flag) => value == if *flag { "true" } else { "false" },
        _ => false,
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::value::parse_object;

    #[test]
    fn conditions_are_known_met_or_refused() {
        let args = parse_object(br#"{"amount_usd":4999.5,"account":"primary","dry":true,"to":["a"]}"#).unwrap();
        for (condition, is_known, is_met) in [
            ("max_amount_usd:5000", true, true),
            ("max_amount_usd:4999.4", true, false),
            ("max_amount_usd:lots", false, false),
            ("max_account:5", true, false),
            ("max_other:5", false, false),
            ("must_use_account:primary", true, true),
            ("must_use_account:secondary", true, false),
            ("must_use_dry:true", true, true),
            ("must_use_to:a", true, false),
            ("must_use_nothing:a", false, false),
            ("expires_in_seconds:30", true, true),
            ("expires_in_seconds:0", false, false),
            ("expires_in_seconds:-1", false, false),
            ("audience:gateway-1", true, true),
            ("be_careful:please", false, false),
        ] {
            let conditions = [condition.to_owned()];
            assert_eq!(known(&conditions, &args).is_ok(), is_known, "{condition}");
            assert_eq!(terms(&conditions, &args).is_some(), is_met, "{condition}");
        }
        let several = |texts: &[&str]| terms(&texts.iter().map(|&t| t.to_owned()).collect::<Vec<_>>(), &args);
        assert_eq!(several(&["expires_in_seconds:30", "expires_in_seconds:9"]).unwrap().expires_in_seconds, Some(9));
        assert_eq!(several(&["audience:a", "audience:b"]), None);
    }
}
