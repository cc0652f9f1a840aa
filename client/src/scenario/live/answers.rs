//! The wire's answers in the scenario's words.

use assent_kernel::command::Evaluate;

use crate::scenario::answer::Answer;
use crate::scenario::commands::{Replacement, called, obligation_in_words};
use crate::v1;

pub(super) fn verdict(verdict: v1::Verdict) -> Option<String> {
    let name = match verdict {
        v1::Verdict::Unspecified => return None,
        v1::Verdict::Deny => "deny",
        v1::Verdict::Escalate => "escalate",
        v1::Verdict::Compute => "compute",
        v1::Verdict::Allow => "allow",
    };
    Some(name.to_owned())
}

pub(super) fn codes(codes: Vec<v1::ReasonCode>) -> Vec<String> {
    codes.into_iter().map(|code| code.name).collect()
}

fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

pub(super) fn recorded(response: v1::CommandResponse) -> Answer {
    Answer { seq: Some(response.first_seq), replayed: response.replayed, ..Answer::default() }
}

pub(super) fn offered(response: v1::OfferBundleResponse) -> Answer {
    recorded(response.command.unwrap_or_default())
}

pub(super) fn ruled(response: v1::RulingResponse) -> Answer {
    Answer {
        verdict: verdict(response.verdict()),
        effective: verdict(response.verdict()),
        codes: codes(response.codes),
        seq: Some(response.seq),
        id: some(response.event_id),
        replayed: response.replayed,
        details: response.details.into_iter().map(|detail| (detail.name, detail.value)).collect(),
        ..Answer::default()
    }
}

pub(super) fn read(response: v1::RulingResponse) -> Answer {
    let allowed = response.verdict() == v1::Verdict::Allow;
    let bytes = response.value.to_vec();
    let answer = ruled(response);
    // A query is allowed without a value: what it finds needs a release.
    let value = (allowed && answer.details.contains_key("value_commitment")).then_some(bytes);
    Answer { value, ..answer }
}

pub(super) fn decided(response: v1::EvaluateResponse, asked: &Evaluate, subject: Option<&str>) -> Answer {
    let decided = verdict(response.verdict());
    let terms = response.terms.unwrap_or_default();
    let replaced = !terms.replacement_inputs.is_empty();
    let replacement =
        Replacement { tool: some(terms.replacement_tool.clone()), inputs: terms.replacement_inputs.to_vec() };
    let obligation = |one: &v1::Obligation| {
        let params = one.params.iter().map(|param| (param.name.as_str(), param.value.as_str()));
        obligation_in_words(&one.kind, one.required, params)
    };
    Answer {
        verdict: decided,
        effective: verdict(terms.effective()),
        codes: codes(response.codes),
        seq: Some(response.seq),
        id: some(response.decision_id),
        run_id: some(response.run_id),
        approval: some(terms.approval_id),
        request_salt: response.request_salt.to_vec(),
        tool_schema: terms.tool_schema_hash.to_vec(),
        observe: terms.observe,
        token_expires: some(terms.token_expires),
        audience: some(terms.audience),
        obligations: terms.obligations.iter().map(obligation).collect(),
        replayed: response.replayed,
        details: terms.constraints.into_iter().map(|detail| (detail.name, detail.value)).collect(),
        call: Some(called(asked, subject, replaced.then_some(replacement))),
        ..Answer::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_gives_a_value_out_even_an_empty_one_and_a_query_gives_none() {
        let ruling = |verdict: v1::Verdict, detail: &str| v1::RulingResponse {
            verdict: verdict.into(),
            details: vec![v1::Detail { name: detail.to_owned(), value: "00".to_owned() }],
            ..Default::default()
        };
        assert_eq!(read(ruling(v1::Verdict::Allow, "value_commitment")).value, Some(Vec::new()));
        assert_eq!(read(ruling(v1::Verdict::Allow, "classification")).value, None);
        assert_eq!(read(ruling(v1::Verdict::Deny, "value_commitment")).value, None);
    }
}
