//! Messages between agents on the wire.

use assent_kernel::command::{AgentKeyRotation, AgentMessage, CommandBody, MessageCommand, NewAgentKey};
use assent_ledger::ids::Time;
use assent_proto::v1;

use super::admin::{Ask, Asked};
use super::{CONTENT_TYPE_DEFAULT, bytes32, context, hash, request_id, tenant, text_opt, wrong};
use crate::outcome::ApiError;

fn asked(id: &str, command: MessageCommand) -> Asked {
    Ok((request_id(id)?, CommandBody::Message(Box::new(command))))
}

fn time(field: &str, text: &str) -> Result<Time, ApiError> {
    let right = "a time as entries state it, such as 2026-01-02T03:04:05.000006Z";
    Time::parse(text.as_bytes()).ok_or_else(|| wrong(field, "does not parse", right))
}

fn signature(bytes: &[u8]) -> Result<[u8; 64], ApiError> {
    bytes.try_into().map_err(|_| wrong("signature", format_args!("has {} bytes", bytes.len()), "exactly 64 bytes"))
}

impl Ask for v1::RecordMessageRequest {
    fn ask(self) -> Asked {
        let message = AgentMessage {
            schema_version: self.schema_version,
            time: time("time", &self.time)?,
            run_id: text_opt(self.run_id),
            trace_id: text_opt(self.trace_id),
            protocol: self.protocol,
            capabilities: self.capabilities,
            nonce: self.nonce,
            expires_at: time("expires_at", &self.expires_at)?,
            sender_instance: text_opt(self.sender_instance),
            sender: self.sender,
            recipient: self.recipient,
            recipient_run: text_opt(self.recipient_run_id),
            content_type: text_opt(self.content_type).unwrap_or_else(|| CONTENT_TYPE_DEFAULT.to_owned()),
            payload: self.payload.to_vec(),
            payload_hash: hash("payload_hash", &self.payload_hash)?,
            key_id: self.key_id,
            signature: signature(&self.signature)?,
            taint: context::labels("taint", self.taint)?,
        };
        asked(&self.request_id, MessageCommand::Record(Box::new(message)))
    }
}

fn key(tenant_name: &str, subject: String, key_id: String, public_key: &[u8]) -> Result<NewAgentKey, ApiError> {
    let tenant = tenant("tenant", tenant_name)?;
    Ok(NewAgentKey { tenant, subject, key_id, public_key: bytes32("public_key", public_key)? })
}

impl Ask for v1::RegisterAgentKeyRequest {
    fn ask(self) -> Asked {
        let new = key(&self.tenant, self.subject, self.key_id, &self.public_key)?;
        asked(&self.request_id, MessageCommand::RegisterKey(new))
    }
}

impl Ask for v1::RotateAgentKeyRequest {
    fn ask(self) -> Asked {
        let new = key(&self.tenant, self.subject, self.key_id, &self.public_key)?;
        let rotation = AgentKeyRotation { new, old_key_id: self.old_key_id, signature: signature(&self.signature)? };
        asked(&self.request_id, MessageCommand::RotateKey(rotation))
    }
}
