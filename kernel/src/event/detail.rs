//! What a policy in Rego made for a call: parameters of obligations, and its reasons. Both may repeat arguments, so that they are a payload
//! and not in the leaf.

use super::{Obligation, PayloadIntent};
use crate::value::{Number, Object, Value, parse_object};

/// Role of the payload.
pub const DETAIL_ROLE: &str = "policy_detail";

/// Names and texts.
type Pairs = Vec<(String, String)>;

/// What a policy made for a call. As JSON: `{"obligations":[{"at":0,"params":[["name","text"]]}],"reasons":["text"]}`, where `at` is
/// the obligation's place in the leaf, from 0; what is empty is left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PolicyDetail {
    /// Parameters of the obligation at a place in the leaf.
    pub params: Vec<(usize, Pairs)>,
    /// What the policy said about its vote.
    pub reasons: Vec<String>,
}

impl PolicyDetail {
    /// The payload; nothing when there is nothing to say.
    pub(crate) fn into_payload(self) -> Option<PayloadIntent> {
        if self == PolicyDetail::default() {
            return None;
        }
        let text = |text: &str| Value::String(text.to_owned());
        let pair = |(name, value): &(String, String)| Value::Array(vec![text(name), text(value)]);
        let of_obligation = |(at, params): &(usize, Pairs)| {
            let at = Value::Number(Number::from_u64(u64::try_from(*at).unwrap_or(u64::MAX)));
            object([("at", at), ("params", Value::Array(params.iter().map(pair).collect()))])
        };
        let mut members = Vec::new();
        if !self.params.is_empty() {
            members.push(("obligations", Value::Array(self.params.iter().map(of_obligation).collect())));
        }
        if !self.reasons.is_empty() {
            members.push(("reasons", Value::Array(self.reasons.iter().map(|reason| text(reason)).collect())));
        }
        let Value::Object(object) = object(members) else { return None };
        Some(PayloadIntent { role: DETAIL_ROLE, content_type: "application/json".to_owned(), bytes: object.to_json() })
    }

    /// Reads a payload; any bytes are safe.
    pub fn read(bytes: &[u8]) -> Option<PolicyDetail> {
        let object = parse_object(bytes).ok()?;
        let list = |name: &str| match object.get(name) {
            None => Some(&[][..]),
            Some(Value::Array(items)) => Some(items.as_slice()),
            Some(_) => None,
        };
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let pair = |value: &Value| match value {
            Value::Array(items) => match items.as_slice() {
                [name, value] => Some((text(name)?, text(value)?)),
                _ => None,
            },
            _ => None,
        };
        let of_obligation = |value: &Value| {
            let Value::Object(object) = value else { return None };
            let (Value::Number(at), Value::Array(params)) = (object.get("at")?, object.get("params")?) else {
                return None;
            };
            Some((at.text().parse().ok()?, params.iter().map(pair).collect::<Option<Pairs>>()?))
        };
        Some(PolicyDetail {
            params: list("obligations")?.iter().map(of_obligation).collect::<Option<_>>()?,
            reasons: list("reasons")?.iter().map(text).collect::<Option<_>>()?,
        })
    }
}

/// A decision's obligations with the parameters that its payloads hold; those of an erased payload are gone.
pub(crate) fn with_params(recorded: &[Obligation], payloads: &[PayloadIntent]) -> Vec<Obligation> {
    let mut all = recorded.to_vec();
    let payload = payloads.iter().find(|payload| payload.role == DETAIL_ROLE);
    let detail = payload.and_then(|payload| PolicyDetail::read(&payload.bytes)).unwrap_or_default();
    for (at, params) in detail.params {
        if let Some(obligation) = all.get_mut(at) {
            obligation.params = params;
        }
    }
    all
}

fn object<'a>(members: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    let members = members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Object::new(members).map_or(Value::Null, Value::Object)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn details_round_trip_and_odd_bytes_are_nothing() {
        let detail = PolicyDetail {
            params: vec![(1, vec![("to".into(), "a\"b".into()), ("to".into(), "c".into())])],
            reasons: vec!["too many".into()],
        };
        let payload = detail.clone().into_payload().unwrap();
        let json = r#"{"obligations":[{"at":1,"params":[["to","a\"b"],["to","c"]]}],"reasons":["too many"]}"#;
        assert_eq!(core::str::from_utf8(&payload.bytes).unwrap(), json);
        assert_eq!(PolicyDetail::read(&payload.bytes), Some(detail));
        assert_eq!(PolicyDetail::default().into_payload(), None);
        let bare = |kind: &str| Obligation { kind: kind.into(), required: true, params: Vec::new() };
        let filled = with_params(&[bare("a"), bare("b")], core::slice::from_ref(&payload));
        assert_eq!((filled[0].params.len(), filled[1].params.len()), (0, 2));
        assert_eq!(with_params(&[bare("a")], &[payload]), [bare("a")], "there is no second one");
        for odd in
            ["", "[]", r#"{"reasons":[1]}"#, r#"{"obligations":[{"at":-1,"params":[]}]}"#, r#"{"obligations":{}}"#]
        {
            assert_eq!(PolicyDetail::read(odd.as_bytes()), None, "{odd}");
        }
    }
}
