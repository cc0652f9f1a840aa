//! The kernel's answers in the scenario's words.

use assent_kernel::event::Obligation;
use assent_kernel::machine::Answer as KernelAnswer;
use assent_kernel::reason::ReasonCode;

use crate::scenario::answer::Answer;

/// The kernel's answer in the scenario's words.
pub(in crate::scenario) fn answer(answer: &KernelAnswer) -> Answer {
    let names = |codes: &[ReasonCode]| codes.iter().map(|code| code.name().to_owned()).collect();
    match answer {
        KernelAnswer::Decided { seq, decision_id, run_id, verdict, codes, request_salt, terms, replayed } => Answer {
            verdict: Some(verdict.name().to_owned()),
            effective: Some(terms.effective.name().to_owned()),
            codes: names(codes),
            seq: Some(seq.0),
            id: Some(decision_id.clone()),
            run_id: run_id.clone(),
            approval: terms.approval.clone(),
            request_salt: request_salt.to_vec(),
            tool_schema: terms.tool_schema.map(|hash| hash.0.to_vec()).unwrap_or_default(),
            observe: terms.observe,
            token_expires: terms.token_expires.map(|time| time.to_string()),
            audience: terms.audience.clone(),
            obligations: terms.obligations.iter().map(in_words).collect(),
            replayed: *replayed,
            details: terms.constraints.iter().cloned().collect(),
            ..Answer::default()
        },
        KernelAnswer::Ruled { seq, event_id, verdict, codes, details, replayed } => Answer {
            verdict: Some(verdict.name().to_owned()),
            effective: Some(verdict.name().to_owned()),
            codes: names(codes),
            seq: Some(seq.0),
            id: Some(event_id.clone()),
            replayed: *replayed,
            details: details.iter().cloned().collect(),
            ..Answer::default()
        },
        KernelAnswer::Recorded { first_seq, replayed, .. } => {
            Answer { seq: Some(first_seq.0), replayed: *replayed, ..Answer::default() }
        }
        KernelAnswer::Refused(refusal) => Answer { refusal: Some(refusal.name().to_owned()), ..Answer::default() },
    }
}

fn in_words(obligation: &Obligation) -> String {
    let params = obligation.params.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    obligation_in_words(&obligation.kind, obligation.required, params)
}

/// An obligation as answers show it.
pub(in crate::scenario) fn obligation_in_words<'a>(
    kind: &str,
    required: bool,
    params: impl Iterator<Item = (&'a str, &'a str)>,
) -> String {
    let mut text = kind.to_owned();
    if required {
        text.push('!');
    }
    for (name, value) in params {
        text.push_str(&format!(" {name}={value}"));
    }
    text
}
