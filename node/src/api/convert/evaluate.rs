//! Evaluations on the wire.

use assent_kernel::command::{Agent, Caller, Command, CommandBody, Evaluate, RequestId};
use assent_kernel::limits::INPUTS_BYTES_MAX;
use assent_kernel::machine::Answer;
use assent_kernel::reason::ReasonCode as KernelCode;
use assent_kernel::stamp::Stamp;
use assent_kernel::state::keys::{DecidedRecord, RequestRecord};
use assent_kernel::verdict::Verdict as KernelVerdict;
use assent_ledger::limits::CONTENT_TYPE_BYTES_MAX;
use assent_proto::v1::{EvaluateRequest, EvaluateResponse, ReasonCode, Verdict};

use super::{CONTENT_TYPE_DEFAULT, admitted, context, name, name_opt, request_id, subject_opt, wrong};
use crate::outcome::ApiError;

/// The command that a request asks for.
pub fn command(request: EvaluateRequest, caller: Caller, stamp: Stamp) -> Result<Command, ApiError> {
    let id = request_id(&request.request_id)?;
    let agent = request.agent.unwrap_or_default();
    let evaluate = Evaluate {
        environment: name("environment", request.environment)?,
        run_id: name_opt("run_id", request.run_id)?,
        trace_id: name_opt("trace_id", request.trace_id)?,
        agent: Agent {
            instance_id: name_opt("agent.instance_id", agent.instance_id)?,
            name: name_opt("agent.name", agent.name)?,
            version: name_opt("agent.version", agent.version)?,
        },
        subject: subject_opt("subject", request.subject)?,
        tool: name("tool", request.tool)?,
        content_type: content_type(request.content_type)?,
        inputs: inputs(&request.inputs)?,
        context: Box::new(context::context(request.context.unwrap_or_default())?),
    };
    admitted(Command { request_id: id, stamp, caller, body: CommandBody::Evaluate(Box::new(evaluate)) })
}

fn content_type(text: String) -> Result<String, ApiError> {
    if text.is_empty() {
        return Ok(CONTENT_TYPE_DEFAULT.to_owned());
    }
    let right =
        format_args!("a media type of at most {CONTENT_TYPE_BYTES_MAX} letters, digits and . _ + / ; = - and spaces");
    if text.len() > CONTENT_TYPE_BYTES_MAX {
        return Err(wrong("content_type", format_args!("has {} bytes", text.len()), right));
    }
    if !text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._+/;=- ".contains(&b)) || !text.contains('/') {
        return Err(wrong("content_type", format_args!("is {}", super::shown(&text)), right));
    }
    Ok(text)
}

/// Empty inputs are not malformed: they are no JSON object, and that is decided and recorded.
fn inputs(bytes: &[u8]) -> Result<Vec<u8>, ApiError> {
    if bytes.len() > INPUTS_BYTES_MAX {
        let right = format_args!("at most {INPUTS_BYTES_MAX} bytes; hand large content over by reference");
        return Err(wrong("inputs", format_args!("has {} bytes", bytes.len()), right));
    }
    Ok(bytes.to_vec())
}

/// A committed decision as it is answered.
pub fn response(
    id: RequestId,
    answer: &Answer,
    receipt: Vec<u8>,
    replacement: Vec<u8>,
) -> Result<EvaluateResponse, ApiError> {
    let Answer::Decided { seq, decision_id, run_id, verdict: decided, codes, request_salt, terms, replayed } = answer
    else {
        return Err(ApiError::internal("an evaluation made no decision"));
    };
    Ok(EvaluateResponse {
        request_id: id.to_string(),
        decision_id: decision_id.clone(),
        verdict: verdict(*decided).into(),
        codes: codes.iter().map(reason).collect(),
        seq: seq.0,
        run_id: run_id.clone().unwrap_or_default(),
        request_salt: request_salt.to_vec().into(),
        replayed: *replayed,
        receipt: receipt.into(),
        terms: Some(super::terms::terms(terms, replacement)),
    })
}

/// A decision that was committed earlier, from what is remembered of its request.
pub fn remembered(
    id: RequestId,
    row: &RequestRecord,
    decided: &DecidedRecord,
    receipt: Vec<u8>,
    replacement: Vec<u8>,
) -> EvaluateResponse {
    EvaluateResponse {
        request_id: id.to_string(),
        decision_id: decided.decision_id.clone(),
        verdict: verdict(decided.verdict).into(),
        codes: decided.codes.iter().map(reason).collect(),
        seq: row.last_seq().0,
        run_id: decided.run_id.clone().unwrap_or_default(),
        request_salt: decided.request_salt.to_vec().into(),
        replayed: true,
        receipt: receipt.into(),
        terms: Some(super::terms::terms(&decided.terms, replacement)),
    }
}

/// A reason on the wire.
pub fn reason(code: &KernelCode) -> ReasonCode {
    ReasonCode { number: u32::from(code.number()), name: code.name().to_owned() }
}

/// A verdict on the wire.
pub const fn verdict(verdict: KernelVerdict) -> Verdict {
    match verdict {
        KernelVerdict::Deny => Verdict::Deny,
        KernelVerdict::Escalate => Verdict::Escalate,
        KernelVerdict::Compute => Verdict::Compute,
        KernelVerdict::Allow => Verdict::Allow,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use assent_kernel::command::Role;
    use assent_ledger::ids::{Seq, TenantId, Time};

    const ID: &str = "018bcfe5-6800-7909-8909-090909090909";

    fn request() -> EvaluateRequest {
        EvaluateRequest {
            request_id: ID.to_owned(),
            environment: "prod".to_owned(),
            tool: "mail.send".to_owned(),
            inputs: b"{}".to_vec().into(),
            ..EvaluateRequest::default()
        }
    }

    fn convert(request: EvaluateRequest) -> Result<Command, ApiError> {
        let tenant = TenantId::new("acme").unwrap();
        let caller =
            Caller { tenant, subject: None, attested: false, role: Role::Agent, credential: "agents".to_owned() };
        command(request, caller, Stamp { time: Time(5), seed: [1; 32] })
    }

    #[test]
    fn a_short_request_is_filled_in() {
        let command = convert(request()).unwrap();
        assert_eq!(command.request_id.to_string(), ID);
        let CommandBody::Evaluate(evaluate) = command.body else { panic!("another command") };
        assert_eq!((evaluate.content_type.as_str(), evaluate.inputs.as_slice()), ("application/json", &b"{}"[..]));
        assert_eq!((evaluate.run_id, evaluate.trace_id, evaluate.subject), (None, None, None));
        assert_eq!(evaluate.agent, Agent::default());
    }

    #[test]
    fn inputs_may_be_empty_and_may_be_as_long_as_the_limit() {
        for length in [0, INPUTS_BYTES_MAX] {
            let ok = EvaluateRequest { inputs: vec![b' '; length].into(), ..request() };
            assert!(convert(ok).is_ok(), "{length}");
        }
    }

    #[test]
    fn every_malformed_field_is_named() {
        let agent = |instance_id: &str, name: &str, version: &str| {
            let (instance_id, name, version) = (instance_id.to_owned(), name.to_owned(), version.to_owned());
            Some(assent_proto::v1::Agent { instance_id, name, version })
        };
        let long = "x".repeat(300);
        let table: Vec<(&str, EvaluateRequest)> = vec![
            ("request_id", EvaluateRequest { request_id: String::new(), ..request() }),
            ("request_id", EvaluateRequest { request_id: ID.replace("-7", "-4"), ..request() }),
            ("environment", EvaluateRequest { environment: String::new(), ..request() }),
            ("environment", EvaluateRequest { environment: "two words".to_owned(), ..request() }),
            ("run_id", EvaluateRequest { run_id: "r\n".to_owned(), ..request() }),
            ("trace_id", EvaluateRequest { trace_id: long.clone(), ..request() }),
            ("agent.instance_id", EvaluateRequest { agent: agent("ä", "", ""), ..request() }),
            ("agent.name", EvaluateRequest { agent: agent("", "a b", ""), ..request() }),
            ("agent.version", EvaluateRequest { agent: agent("", "", &long), ..request() }),
            ("subject", EvaluateRequest { subject: "a b".to_owned(), ..request() }),
            ("subject", EvaluateRequest { subject: long.clone(), ..request() }),
            ("tool", EvaluateRequest { tool: String::new(), ..request() }),
            ("tool", EvaluateRequest { tool: long.clone(), ..request() }),
            ("content_type", EvaluateRequest { content_type: "json".to_owned(), ..request() }),
            ("content_type", EvaluateRequest { content_type: "text/<b>".to_owned(), ..request() }),
            ("content_type", EvaluateRequest { content_type: format!("a/{long}"), ..request() }),
            ("inputs", EvaluateRequest { inputs: vec![0; INPUTS_BYTES_MAX + 1].into(), ..request() }),
        ];
        for (field, request) in table {
            let error = convert(request).unwrap_err();
            assert_eq!(error.code, "MALFORMED", "{field}");
            assert!(error.message.starts_with(&format!("{field} ")), "{field}: {}", error.message);
            assert!(error.message.contains("; it must be "), "{field}: {}", error.message);
        }
    }

    #[test]
    fn a_decision_keeps_its_codes_in_their_order() {
        let answer = Answer::Decided {
            seq: Seq(9),
            decision_id: "d".to_owned(),
            run_id: None,
            verdict: KernelVerdict::Deny,
            codes: vec![KernelCode::UnknownTool, KernelCode::NoMatchingRule],
            request_salt: [3; 32],
            terms: Box::new(assent_kernel::state::keys::DecisionTerms::nothing(KernelVerdict::Deny)),
            replayed: true,
        };
        let wire = response(ID.parse().unwrap(), &answer, b"{}".to_vec(), Vec::new()).unwrap();
        assert_eq!((wire.verdict(), wire.seq, wire.replayed), (Verdict::Deny, 9, true));
        let numbers: Vec<u32> = wire.codes.iter().map(|c| c.number).collect();
        assert_eq!(numbers, [150, 320]);
        assert_eq!(wire.request_salt.len(), 32);
    }
}
