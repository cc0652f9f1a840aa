//! How decisions are shown: everything that the next step needs, be it redeeming, asking a person, or running something else.

use assent_client::{Decision, v1};
use serde_json::{Map, Value, json};

use crate::output::fields;

/// A verdict as it is written everywhere.
pub fn verdict_name(verdict: v1::Verdict) -> String {
    verdict.as_str_name().trim_start_matches("VERDICT_").to_ascii_lowercase()
}

fn codes(decision: &Decision) -> String {
    let codes: Vec<String> = decision.response.codes.iter().map(|c| format!("{} {}", c.number, c.name)).collect();
    codes.join(", ")
}

fn receipt_text(decision: &Decision) -> String {
    match &decision.receipt {
        Some(receipt) => format!("verified: signed by node {}, leaf {}", receipt.node(), receipt.leaf_hash()),
        None => "NOT CHECKED: no root_key is pinned".to_owned(),
    }
}

/// A decision for people.
pub fn human(decision: &Decision) -> String {
    let response = &decision.response;
    let mut verdict = verdict_name(response.verdict()).to_ascii_uppercase();
    if response.replayed {
        verdict.push_str(" (known already; as it stands now)");
    }
    let mut pairs = vec![
        ("verdict", verdict),
        ("codes", codes(decision)),
        ("entry", response.seq.to_string()),
        ("decision", response.decision_id.clone()),
        ("run", response.run_id.clone()),
        ("request", response.request_id.clone()),
    ];
    if let Some(terms) = &response.terms {
        pairs.extend(human_terms(terms));
        let redeemable = !terms.token_expires.is_empty();
        pairs.extend(redeemable.then(|| ("salt", hex::encode(&response.request_salt))));
    }
    pairs.push(("receipt", receipt_text(decision)));
    fields(&pairs)
}

/// The terms that are not the usual ones.
fn human_terms(terms: &v1::DecisionTerms) -> Vec<(&'static str, String)> {
    let named = |details: &[v1::Detail]| {
        let pairs: Vec<String> = details.iter().map(|d| format!("{}:{}", d.name, d.value)).collect();
        pairs.join(" ")
    };
    let obligation = |o: &v1::Obligation| {
        let params = if o.params.is_empty() { String::new() } else { format!(" {}", named(&o.params)) };
        format!("{}{params}{}", o.kind, if o.required { " (required)" } else { "" })
    };
    let mut pairs = Vec::new();
    if terms.observe {
        let text = format!("{} is enforced: the policy is only observed", verdict_name(terms.effective()));
        pairs.push(("effective", text));
    }
    let obligations: Vec<String> = terms.obligations.iter().map(obligation).collect();
    let instead = String::from_utf8_lossy(&terms.replacement_inputs).into_owned();
    for (name, text) in [
        ("approval", terms.approval_id.clone()),
        ("tool instead", terms.replacement_tool.clone()),
        ("run instead", instead),
        ("obligations", obligations.join(", ")),
        ("constraints", named(&terms.constraints)),
        ("executor", terms.audience.clone()),
        ("redeem until", terms.token_expires.clone()),
    ] {
        pairs.extend((!text.is_empty()).then_some((name, text)));
    }
    pairs
}

/// A decision among many.
pub fn one_line(request: &v1::EvaluateRequest, decision: &Decision) -> String {
    let checked = if decision.receipt.is_some() { "receipt ok" } else { "receipt not checked" };
    let (verdict, seq) = (verdict_name(decision.response.verdict()), decision.response.seq);
    format!("{verdict:<8}  {seq:>8}  {:<28}  {}  {checked}", request.tool, codes(decision))
}

/// A decision for machines.
pub fn to_json(decision: &Decision) -> Value {
    let response = &decision.response;
    let codes: Vec<Value> = response.codes.iter().map(|c| json!({"number": c.number, "name": c.name})).collect();
    json!({
        "verdict": verdict_name(response.verdict()),
        "codes": codes,
        "seq": response.seq.to_string(),
        "decision_id": response.decision_id,
        "run_id": response.run_id,
        "request_id": response.request_id,
        "request_salt": hex::encode(&response.request_salt),
        "replayed": response.replayed,
        "terms": response.terms.as_ref().map(terms_json),
        "receipt_verified": decision.receipt.is_some(),
        "receipt": serde_json::from_slice::<Value>(&response.receipt).ok(),
    })
}

fn terms_json(terms: &v1::DecisionTerms) -> Value {
    let named = |details: &[v1::Detail]| {
        let pairs = details.iter().map(|d| (d.name.clone(), json!(d.value)));
        Value::Object(pairs.collect::<Map<_, _>>())
    };
    let obligation = |o: &v1::Obligation| json!({"kind": o.kind, "required": o.required, "params": named(&o.params)});
    json!({
        "effective": verdict_name(terms.effective()),
        "observe": terms.observe,
        "token_expires": terms.token_expires,
        "audience": terms.audience,
        "constraints": named(&terms.constraints),
        "obligations": terms.obligations.iter().map(obligation).collect::<Vec<_>>(),
        "approval_id": terms.approval_id,
        "replacement_tool": terms.replacement_tool,
        "replacement_inputs": String::from_utf8_lossy(&terms.replacement_inputs),
        "tool_schema_hash": hex::encode(&terms.tool_schema_hash),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(terms: v1::DecisionTerms) -> String {
        let salt = vec![0xab; 2].into();
        let response =
            v1::EvaluateResponse { request_salt: salt, terms: Some(terms), ..v1::EvaluateResponse::default() };
        human(&Decision { response, receipt: None })
    }

    #[test]
    fn what_the_next_step_needs_is_shown_and_what_is_empty_is_not() {
        let usual = shown(v1::DecisionTerms::default());
        for name in ["approval", "salt", "redeem until", "obligations", "effective"] {
            assert!(!usual.contains(name), "{usual}");
        }
        let waiting = shown(v1::DecisionTerms { approval_id: "ap-1".to_owned(), ..v1::DecisionTerms::default() });
        assert!(waiting.contains("approval") && waiting.contains("ap-1"), "{waiting}");
        let obligation = v1::Obligation { kind: "redact".to_owned(), required: true, params: Vec::new() };
        let until = "2026-01-02T03:04:05.000006Z".to_owned();
        let (obligations, token_expires) = (vec![obligation], until);
        let allowed = shown(v1::DecisionTerms { obligations, token_expires, ..v1::DecisionTerms::default() });
        assert!(allowed.contains("salt") && allowed.contains("abab"), "{allowed}");
        assert!(allowed.contains("redact (required)"), "{allowed}");
    }
}
