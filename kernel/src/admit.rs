//! Shapes: what a command's fields may consist of. The node asks at its door, `decide` asks again.
//!
//! Names that callers choose end up in leaves, which live for ever: they are short and of a plain alphabet, so that no free text
//! gets there.

use crate::command::{CallContext, Command, CommandBody, Evaluate, Genesis, NewCredential, RunRequest};
use crate::limits::{
    BUNDLE_BYTES_MAX, CHAIN_MAX, CLAIMS_MAX, INPUTS_BYTES_MAX, JUSTIFICATION_BYTES_MAX, LABELS_MAX, NAME_BYTES_MAX,
    PAYLOAD_BYTES_MAX, SUBJECT_BYTES_MAX, TAINT_LABELS_MAX,
};
use crate::refusal::Refusal;
use crate::taint::TaintLabel;

const NAME: &str = "1 to 128 letters, digits or . _ : / @ # -";
const SUBJECT: &str = "1 to 256 letters, digits or . _ : / @ # -";
const CONTENT_TYPE: &str = "a media type of 1 to 128 letters, digits or . _ + / ; = - and spaces";

/// Checks the shape of every field of a command.
pub fn check(command: &Command) -> Result<(), Refusal> {
    let caller = &command.caller;
    name("the caller's credential", &caller.credential)?;
    optional(subject, "the caller's subject", caller.subject.as_deref())?;
    check_body(&command.body)
}

fn check_body(body: &CommandBody) -> Result<(), Refusal> {
    match body {
        CommandBody::Genesis(genesis) => check_genesis(genesis),
        CommandBody::CreateTenant(new) if new.tenant.is_system() => {
            Err(Refusal::Malformed { field: "tenant", expected: "another name than that of the system" })
        }
        CommandBody::RegisterPrincipal { subject: who, owner, .. } => {
            subject("subject", who)?;
            optional(subject, "owner", owner.as_deref())
        }
        CommandBody::DisablePrincipal { subject: who, .. } => subject("subject", who),
        CommandBody::RegisterCredential(new) => check_credential(new),
        CommandBody::RevokeCredential { name: of, .. } => name("name", of),
        CommandBody::OfferBundle(offer) if !(1..=BUNDLE_BYTES_MAX).contains(&offer.source.len()) => {
            Err(Refusal::Malformed { field: "source", expected: "1 byte to 1 MiB" })
        }
        // An operator's baseline may hold in every environment.
        CommandBody::ActivateBundle { tenant, environment, .. } if tenant.is_system() && environment == "*" => Ok(()),
        CommandBody::ActivateBundle { environment, .. } => name("environment", environment),
        CommandBody::OpenRun(run) | CommandBody::CloseRun(run) => check_run(run),
        CommandBody::Evaluate(evaluate) => check_evaluate(evaluate),
        CommandBody::Execution(asked) => asked.check(),
        CommandBody::Control(control) => control.check(),
        CommandBody::Message(message) => message.check(),
        CommandBody::Grant(grant) => grant.check(),
        CommandBody::Approval(approval) => approval.check(),
        CommandBody::Memory(memory) => memory.check(),
        CommandBody::Run(run) => run.check(),
        CommandBody::Signal(report) => report.check(),
        CommandBody::CreateTenant(_)
        | CommandBody::OfferBundle(_)
        | CommandBody::EndorseKey(_)
        | CommandBody::RetireKey(_)
        | CommandBody::Seal { .. }
        | CommandBody::Cosigned(_)
        | CommandBody::Anchored(_)
        | CommandBody::Tick => Ok(()),
    }
}

/// Checks the shape of a call that is to be decided.
pub fn check_evaluate(evaluate: &Evaluate) -> Result<(), Refusal> {
    name("environment", &evaluate.environment)?;
    name("tool", &evaluate.tool)?;
    optional(name, "run_id", evaluate.run_id.as_deref())?;
    optional(name, "trace_id", evaluate.trace_id.as_deref())?;
    optional(name, "agent.instance_id", evaluate.agent.instance_id.as_deref())?;
    optional(name, "agent.name", evaluate.agent.name.as_deref())?;
    optional(name, "agent.version", evaluate.agent.version.as_deref())?;
    optional(subject, "subject", evaluate.subject.as_deref())?;
    content_type(&evaluate.content_type)?;
    media_type(&evaluate.content_type)?;
    if evaluate.inputs.len() > INPUTS_BYTES_MAX {
        return Err(Refusal::Malformed { field: "inputs", expected: "at most 256 KiB" });
    }
    check_context(&evaluate.context)
}

fn check_context(context: &CallContext) -> Result<(), Refusal> {
    optional(name, "span_id", context.span_id.as_deref())?;
    optional(name, "parent_decision", context.parent_decision.as_deref())?;
    optional(name, "approval_id", context.approval_id.as_deref())?;
    optional(name, "category", context.claimed.category.as_deref())?;
    optional(name, "risk_tier", context.claimed.risk_tier.as_deref())?;
    optional(name, "idempotency_key", context.idempotency_key.as_deref())?;
    each("on_behalf_of", &context.on_behalf_of, CHAIN_MAX, subject)?;
    each("source_labels", &context.source_labels, LABELS_MAX, name)?;
    each("fulfils", context.fulfils.as_deref().unwrap_or_default(), LABELS_MAX, name)?;
    if context.claims.len() > CLAIMS_MAX {
        return Err(Refusal::Malformed { field: "claims", expected: "a list of at most 16" });
    }
    context.claims.iter().try_for_each(|(claim, _)| name("claims", claim))?;
    if context.risk_score_milli.is_some_and(|risk| risk > 1_000) {
        return Err(Refusal::Malformed { field: "risk_score_milli", expected: "0 to 1000" });
    }
    labels(&context.taint)
}

/// Checks a media type.
pub(crate) fn content_type(text: &str) -> Result<(), Refusal> {
    let is_media = |b: u8| b.is_ascii_alphanumeric() || b"._+/;=- ".contains(&b);
    shape("content_type", text, NAME_BYTES_MAX, CONTENT_TYPE, is_media)
}

/// Checks taint labels: how many, and what their origins consist of.
pub fn labels(labels: &[TaintLabel]) -> Result<(), Refusal> {
    if labels.len() > TAINT_LABELS_MAX {
        return Err(Refusal::Malformed { field: "taint", expected: "a list of at most 16 labels" });
    }
    for label in labels {
        name("the origin of a taint label", &label.origin)?;
        optional(name, "the cause of a taint label", label.propagated_from.as_deref())?;
        if label.confidence_milli > 1_000 {
            return Err(Refusal::Malformed { field: "confidence_milli", expected: "0 to 1000" });
        }
    }
    Ok(())
}

pub(crate) fn each(
    field: &'static str,
    texts: &[String],
    max: usize,
    check: impl Fn(&'static str, &str) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    if texts.len() > max {
        return Err(Refusal::Malformed { field, expected: "a shorter list" });
    }
    texts.iter().try_for_each(|text| check(field, text))
}

fn check_genesis(genesis: &Genesis) -> Result<(), Refusal> {
    name("the operator's name", &genesis.operator)?;
    if genesis.endorsements.len() > crate::limits::GENESIS_ENDORSEMENTS_MAX {
        return Err(Refusal::Malformed { field: "endorsements", expected: "a list of at most 64" });
    }
    let created = &genesis.created;
    let counts = [created.quorum, created.seal_entries, created.seal_seconds, created.interval_max_seconds];
    if counts.contains(&0) {
        return Err(Refusal::Malformed { field: "quorum and seal intervals", expected: "positive" });
    }
    if created.seal_seconds > created.interval_max_seconds {
        return Err(Refusal::Malformed { field: "seal_seconds", expected: "at most interval_max_seconds" });
    }
    Ok(())
}

fn check_credential(new: &NewCredential) -> Result<(), Refusal> {
    name("name", &new.name)?;
    optional(subject, "subject", new.subject.as_deref())
}

fn check_run(run: &RunRequest) -> Result<(), Refusal> {
    name("run_id", &run.run_id)?;
    optional(name, "parent_run_id", run.parent_run_id.as_deref())?;
    optional(subject, "subject", run.subject.as_deref())
}

pub(crate) fn optional(
    check: impl Fn(&'static str, &str) -> Result<(), Refusal>,
    field: &'static str,
    text: Option<&str>,
) -> Result<(), Refusal> {
    text.map_or(Ok(()), |text| check(field, text))
}

pub(crate) fn media_type(text: &str) -> Result<(), Refusal> {
    let is_media = |b: u8| b.is_ascii_alphanumeric() || b"._+/;=- ".contains(&b);
    shape("content_type", text, NAME_BYTES_MAX, CONTENT_TYPE, is_media)
}

/// Checks the length of bytes that become a payload; there may be none.
pub(crate) fn payload(field: &'static str, bytes: &[u8]) -> Result<(), Refusal> {
    let fits = bytes.len() <= PAYLOAD_BYTES_MAX;
    if fits { Ok(()) } else { Err(Refusal::Malformed { field, expected: "at most 1 MiB" }) }
}

/// A person's or an agent's reason, in words.
pub(crate) fn reason(field: &'static str, bytes: &[u8]) -> Result<(), Refusal> {
    let fits = bytes.len() <= JUSTIFICATION_BYTES_MAX;
    if fits { Ok(()) } else { Err(Refusal::Malformed { field, expected: "at most 16 KiB" }) }
}

pub(crate) fn name(field: &'static str, text: &str) -> Result<(), Refusal> {
    shape(field, text, NAME_BYTES_MAX, NAME, is_name_byte)
}

pub(crate) fn subject(field: &'static str, text: &str) -> Result<(), Refusal> {
    shape(field, text, SUBJECT_BYTES_MAX, SUBJECT, is_name_byte)
}

const fn is_name_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'/' | b'@' | b'#' | b'-')
}

fn shape(
    field: &'static str,
    text: &str,
    max: usize,
    expected: &'static str,
    ok: impl Fn(u8) -> bool,
) -> Result<(), Refusal> {
    if (1..=max).contains(&text.len()) && text.bytes().all(ok) {
        return Ok(());
    }
    Err(Refusal::Malformed { field, expected })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Agent;

    fn plain() -> Evaluate {
        Evaluate {
            environment: "prod".into(),
            run_id: None,
            trace_id: None,
            agent: Agent::default(),
            subject: None,
            tool: "mail.send".into(),
            content_type: "application/json; charset=utf-8".into(),
            inputs: b"{}".to_vec(),
            context: Box::default(),
        }
    }

    #[test]
    fn free_text_does_not_get_into_a_leaf() {
        assert_eq!(check_evaluate(&plain()), Ok(()));
        for tool in ["", "has space", "läuft", "quote\"", "line\nbreak", &"x".repeat(129)] {
            let evaluate = Evaluate { tool: tool.to_owned(), ..plain() };
            assert_eq!(check_evaluate(&evaluate), Err(Refusal::Malformed { field: "tool", expected: NAME }), "{tool}");
        }
        let evaluate = Evaluate { content_type: "text/<b>".into(), ..plain() };
        assert!(check_evaluate(&evaluate).is_err());
        let evaluate = Evaluate { inputs: vec![b' '; INPUTS_BYTES_MAX + 1], ..plain() };
        assert!(check_evaluate(&evaluate).is_err());
    }
}
