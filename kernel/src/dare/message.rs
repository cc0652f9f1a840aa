//! `AgentMessageEnvelope`: what one agent sent to another, with the signature over it.

use super::evidence::{Evidence, Gone, base64_text, content};
use super::{Json, SCHEMA_VERSION};
use crate::event::{ENVELOPE_ROLE, EventBody, MESSAGE_ROLE};
use crate::replay::{Recorded, message_of};
use crate::verdict::Verdict;

/// The envelope of a message that was checked; `None` for any other entry. `time` is the sender's, which it signed.
pub fn agent_message_envelope(recorded: &Recorded, evidence: &impl Evidence) -> Option<Json> {
    let Some(EventBody::AgentMessage(checked)) = &recorded.body else { return None };
    let entry = &recorded.entry;
    let mut gone = Gone::default();
    gone.bytes(recorded, MESSAGE_ROLE, "payload", evidence);
    gone.bytes(recorded, ENVELOPE_ROLE, "signature.sig", evidence);
    // Hash and signature could give an erased payload away: they go with it.
    let message = message_of(recorded, evidence).ok();
    let payload = message.as_ref().map_or(Json::Null, |message| content(&message.content_type, &message.payload).0);
    let signature = message.as_ref().map(|message| base64_text(&message.signature));
    let time = message.as_ref().map_or(entry.time, |message| message.time);
    Some(Json::object([
        ("schema_version", Json::text(Some(SCHEMA_VERSION))),
        ("event_type", Json::text(Some("dare.agent.message"))),
        ("time", Json::Text(time.to_string())),
        ("run_id", Json::text(entry.run_id.as_deref())),
        ("trace_id", Json::text(entry.trace_id.as_deref())),
        ("tenant_id", Json::text(Some(entry.tenant.as_str()))),
        (
            "protocol",
            Json::object([
                ("version", Json::text(Some(&checked.protocol))),
                ("capabilities", Json::texts(checked.capabilities.iter().map(String::as_str))),
                ("nonce", Json::text(Some(&checked.nonce))),
                ("expires_at", Json::Text(checked.expires_at.to_string())),
            ]),
        ),
        (
            "sender",
            Json::object([
                ("agent_instance_id", Json::text(checked.sender_instance.as_deref())),
                ("subject_id", Json::text(Some(&checked.sender))),
            ]),
        ),
        ("recipient", Json::object([("subject_id", Json::text(Some(&checked.recipient)))])),
        ("payload", payload),
        (
            "hashes",
            Json::object([("payload_hash", Json::digest(message.as_ref().map(|message| message.payload_hash)))]),
        ),
        (
            "signature",
            Json::object([("key_id", Json::text(Some(&checked.key_id))), ("sig", Json::text(signature.as_deref()))]),
        ),
        (
            "assent",
            gone.extension(
                recorded,
                [
                    ("accepted", Json::Bool(checked.verdict == Verdict::Allow)),
                    ("reason_codes", Json::texts(checked.codes.iter().map(|code| code.name()))),
                ],
            ),
        ),
    ]))
}
