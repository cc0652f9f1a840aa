//! Messages between agents, and the keys with which they sign them. A message that is not accepted is a recorded deny.

use assent_ledger::hash::sha256;
use assent_ledger::keys::PublicKey;
use assent_ledger::message::RotationText;

use super::acting::{self, Act, Actor, Stop};
use super::{Context, ledger, principals};
use crate::command::{AgentKeyRotation, AgentMessage, MessageCommand, NewAgentKey, Role};
use crate::event::{
    AgentKeyRegistered, AgentKeyRotated, AgentMessageChecked, ENVELOPE_ROLE, Event, MESSAGE_ROLE, PayloadIntent,
};
use crate::limits::{MESSAGE_GENERATION_MAX, MESSAGE_LIFE_MICROS};
use crate::reason::ReasonCode;
use crate::refusal::Refusal;
use crate::stamp::Purpose;
use crate::state::keys::{AgentKeyRecord, pair_text};
use crate::state::{Record, StateKey, StateRead};
use crate::verdict::Verdict;

/// The one shape of the envelope.
const SCHEMA_VERSION: &str = "v1";
/// The one protocol.
const PROTOCOL: &str = "1.0";

/// Decides a command about messages.
pub(super) fn message<S: StateRead>(ctx: &Context<'_, S>, asked: &MessageCommand) -> Result<Vec<Event>, Refusal> {
    match asked {
        MessageCommand::Record(message) => record(ctx, message),
        MessageCommand::RegisterKey(new) => register(ctx, new),
        MessageCommand::RotateKey(rotation) => rotate(ctx, rotation),
    }
}

fn record<S: StateRead>(ctx: &Context<'_, S>, message: &AgentMessage) -> Result<Vec<Event>, Refusal> {
    let mut events = Vec::with_capacity(1);
    let act = Act {
        subject: Some(&message.sender),
        run_id: message.run_id.as_deref(),
        trace_id: message.trace_id.as_deref(),
    };
    let (code, run_id, actor) = match acting::actor(ctx, &act, &mut events) {
        Err(Stop::Refused(refusal)) => return Err(refusal),
        Err(Stop::Denied(code, run_id)) => (code, run_id, None),
        Ok(actor) => {
            let code = judge(ctx, message, &actor).err().unwrap_or(ReasonCode::MessageAccepted);
            (code, Some(actor.run_id.clone()), Some(actor))
        }
    };
    let number = u32::try_from(events.len()).unwrap_or(u32::MAX);
    let id = ctx.command.stamp.derive_uuid(Purpose::Event, number);
    events.push(checked(ctx, message, Found { code, run_id, actor }, &id));
    Ok(events)
}

/// What was found about a message.
struct Found<'a> {
    code: ReasonCode,
    run_id: Option<String>,
    actor: Option<Actor<'a>>,
}

/// The checks of a message whose sender may act, in the order of what later ones rest on.
fn judge<S: StateRead>(ctx: &Context<'_, S>, message: &AgentMessage, actor: &Actor<'_>) -> Result<(), ReasonCode> {
    let tenant = &ctx.command.caller.tenant;
    actor.admits(false)?;
    if message.schema_version != SCHEMA_VERSION || message.protocol != PROTOCOL {
        return Err(ReasonCode::ProtocolUnsupported);
    }
    let latest = ctx.now.0.saturating_add(MESSAGE_LIFE_MICROS);
    if message.expires_at <= ctx.now || message.expires_at.0 > latest || message.time > message.expires_at {
        return Err(ReasonCode::MessageExpired);
    }
    if acting::known(ctx.state, tenant, &message.recipient).is_err() {
        return Err(ReasonCode::RecipientUnknown);
    }
    verify(ctx, actor.subject, message)?;
    let nonce = StateKey::MessageNonce(tenant.clone(), pair_text(&message.sender, &message.nonce));
    if ctx.state.get(&nonce).is_some() {
        return Err(ReasonCode::NonceReplayed);
    }
    recipient_run(ctx, message)?;
    if actor.generation >= MESSAGE_GENERATION_MAX { Err(ReasonCode::BehaviourCascade) } else { Ok(()) }
}

/// The payload is the one that was signed, and a key of the sender signed it.
fn verify<S: StateRead>(ctx: &Context<'_, S>, sender: &str, message: &AgentMessage) -> Result<(), ReasonCode> {
    let invalid = ReasonCode::SignatureInvalid;
    let tenant = &ctx.command.caller.tenant;
    let origin = ledger(ctx.state).ok_or(invalid)?.origin;
    if sha256(&[&message.payload]) != message.payload_hash {
        return Err(invalid);
    }
    let known = key(ctx, sender, &message.key_id).filter(|key| key.retired.is_none()).ok_or(invalid)?;
    let public = PublicKey::from_bytes(&known.public_key).map_err(|_| invalid)?;
    public.verify(&message.text(&origin, tenant).to_bytes(), &message.signature).map_err(|_| invalid)
}

fn key<S: StateRead>(ctx: &Context<'_, S>, subject: &str, key_id: &str) -> Option<AgentKeyRecord> {
    let tenant = match &ctx.command.body {
        crate::command::CommandBody::Message(asked) => asked.target(),
        _ => None,
    };
    let tenant = tenant.unwrap_or(&ctx.command.caller.tenant);
    match ctx.state.get(&StateKey::AgentKey(tenant.clone(), pair_text(subject, key_id))).as_deref() {
        Some(Record::AgentKey(known)) => Some(known.clone()),
        _ => None,
    }
}

/// A named run must be an open one of the recipient: anybody else's would take on what its subject never read.
fn recipient_run<S: StateRead>(ctx: &Context<'_, S>, message: &AgentMessage) -> Result<(), ReasonCode> {
    let Some(run_id) = &message.recipient_run else { return Ok(()) };
    match ctx.state.get(&StateKey::Run(ctx.command.caller.tenant.clone(), run_id.clone())).as_deref() {
        Some(Record::Run(run)) if run.subject == message.recipient && run.is_closed() => Err(ReasonCode::RunClosed),
        Some(Record::Run(run)) if run.subject == message.recipient => Ok(()),
        _ => Err(ReasonCode::RunNotOwned),
    }
}

fn checked<S: StateRead>(ctx: &Context<'_, S>, message: &AgentMessage, found: Found<'_>, id: &str) -> Event {
    let caller = &ctx.command.caller;
    let Found { code, run_id, actor } = found;
    let accepted = code.is_allow();
    let sends = actor.as_ref().filter(|_| accepted);
    let body = AgentMessageChecked {
        attested: caller.attested && caller.subject.is_some(),
        capabilities: message.capabilities.clone(),
        codes: vec![code],
        expires_at: message.expires_at,
        generation: sends.map_or(0, |actor| actor.generation.saturating_add(1)),
        given: actor.as_ref().map(|actor| actor.takes_on(&message.taint)).unwrap_or_default(),
        key_id: message.key_id.clone(),
        nonce: message.nonce.clone(),
        protocol: message.protocol.clone(),
        recipient: message.recipient.clone(),
        recipient_run: message.recipient_run.clone(),
        request_id: ctx.command.request_id,
        sender: message.sender.clone(),
        sender_instance: message.sender_instance.clone(),
        taint: sends.map(|actor| actor.carried(&message.taint, id)).unwrap_or_default(),
        verdict: if accepted { Verdict::Allow } else { Verdict::Deny },
    };
    let payload =
        |role, content_type: &str, bytes| PayloadIntent { role, content_type: content_type.to_owned(), bytes };
    Event {
        run_id,
        trace_id: message.trace_id.clone(),
        payloads: vec![
            payload(MESSAGE_ROLE, &message.content_type, message.payload.clone()),
            payload(ENVELOPE_ROLE, "application/vnd.assent.agent-message", message.envelope()),
        ],
        ..ctx.event(&caller.tenant, body)
    }
}

fn register<S: StateRead>(ctx: &Context<'_, S>, new: &NewAgentKey) -> Result<Vec<Event>, Refusal> {
    let public_key = acceptable(ctx, new)?;
    let body = AgentKeyRegistered { key_id: new.key_id.clone(), public_key, subject: new.subject.clone() };
    Ok(vec![ctx.event(&new.tenant, body)])
}

/// A key of an enabled subject, whose name was never used: an old signature must not get a new meaning.
fn acceptable<S: StateRead>(ctx: &Context<'_, S>, new: &NewAgentKey) -> Result<PublicKey, Refusal> {
    ctx.enabled_tenant(&new.tenant)?;
    principals::require_enabled(ctx, &new.tenant, &new.subject)?;
    if key(ctx, &new.subject, &new.key_id).is_some() {
        return Err(Refusal::AgentKeyExists);
    }
    PublicKey::from_bytes(&new.public_key).map_err(|error| Refusal::KeyRefused { reason: error.to_string() })
}

fn rotate<S: StateRead>(ctx: &Context<'_, S>, rotation: &AgentKeyRotation) -> Result<Vec<Event>, Refusal> {
    let AgentKeyRotation { new, old_key_id, signature } = rotation;
    let caller = &ctx.command.caller;
    if caller.role == Role::Agent && caller.tenant != new.tenant {
        return Err(Refusal::OtherTenant);
    }
    if caller.subject.as_deref().is_some_and(|own| caller.role == Role::Agent && own != new.subject) {
        return Err(Refusal::SubjectMismatch);
    }
    let new_key = acceptable(ctx, new)?;
    let origin = ledger(ctx.state).ok_or(Refusal::NotCreated)?.origin;
    let refused = || Refusal::KeyRefused { reason: "the old key is not a valid key of the subject".to_owned() };
    let old = key(ctx, &new.subject, old_key_id).filter(|old| old.retired.is_none()).ok_or_else(refused)?;
    let old = PublicKey::from_bytes(&old.public_key).map_err(|_| refused())?;
    let text = RotationText {
        origin: &origin,
        tenant: &new.tenant,
        subject: &new.subject,
        old_key_id,
        new_key_id: &new.key_id,
        new_key,
    };
    let unsigned = |_| Refusal::KeyRefused { reason: "the old key did not sign the new one".to_owned() };
    old.verify(&text.to_bytes(), signature).map_err(unsigned)?;
    let body = AgentKeyRotated {
        key_id: new.key_id.clone(),
        previous: old_key_id.clone(),
        public_key: new_key,
        signature: *signature,
        subject: new.subject.clone(),
    };
    Ok(vec![ctx.event(&new.tenant, body)])
}
