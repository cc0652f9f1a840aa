//! Writing an entry: the fields in their sorted order, after the checks that the reader makes too.

use super::{
    ACTOR, CONTENT_TYPE, ENTRY_VERSION, EVENT_ID, Entry, EntryError, KIND, PayloadCommitment, ROLE, RUN_ID, TRACE_ID,
    TextRule, check_payload_length,
};
use crate::ids::Time;
use crate::json::{Value, write_decimal, write_hex, write_key, write_string};
use crate::limits::{LEAF_BYTES_MAX, PAYLOADS_PER_ENTRY_MAX};

/// What most leaves fit into, in bytes.
const USUAL_LEAF_BYTES: usize = 1024;

impl Entry {
    /// The leaf's bytes. Whatever this returns, [`Entry::parse`] reads back as the same entry.
    pub fn encode(&self) -> Result<Vec<u8>, EntryError> {
        self.check()?;
        let mut out = Vec::with_capacity(USUAL_LEAF_BYTES);
        out.push(b'{');
        write_key("@v", &mut out);
        write_string(ENTRY_VERSION, &mut out);
        optional("actor", self.actor.as_deref(), &mut out);
        next_key("body", &mut out);
        self.body.write_nested(&mut out, 1)?;
        text("event_id", &self.event_id, &mut out);
        hex("nonce", &self.nonce, &mut out);
        text("origin", self.origin.as_str(), &mut out);
        self.write_payloads(&mut out);
        hex("prev", &self.prev.0, &mut out);
        optional("run_id", self.run_id.as_deref(), &mut out);
        decimal("seq", self.seq.0, &mut out);
        text("tenant", self.tenant.as_str(), &mut out);
        text("time", &self.time.to_string(), &mut out);
        hex("tprev", &self.tprev.0, &mut out);
        optional("trace_id", self.trace_id.as_deref(), &mut out);
        decimal("tseq", self.tseq.0, &mut out);
        text("type", &self.kind, &mut out);
        out.push(b'}');
        if out.len() > LEAF_BYTES_MAX {
            return Err(EntryError::TooLong { got: out.len() });
        }
        Ok(out)
    }

    fn check(&self) -> Result<(), EntryError> {
        if self.time > Time::MAX {
            return Err(EntryError::BadTime);
        }
        if !matches!(self.body, Value::Map(_)) {
            return Err(EntryError::BadBody);
        }
        KIND.check(&self.kind)?;
        EVENT_ID.check(&self.event_id)?;
        check_optional(&RUN_ID, self.run_id.as_deref())?;
        check_optional(&TRACE_ID, self.trace_id.as_deref())?;
        check_optional(&ACTOR, self.actor.as_deref())?;
        if self.payloads.len() > PAYLOADS_PER_ENTRY_MAX {
            return Err(EntryError::TooManyPayloads);
        }
        for payload in &self.payloads {
            CONTENT_TYPE.check(&payload.content_type)?;
            ROLE.check(&payload.role)?;
            check_payload_length(payload.length)?;
        }
        Ok(())
    }

    fn write_payloads(&self, out: &mut Vec<u8>) {
        for (i, payload) in self.payloads.iter().enumerate() {
            if i == 0 {
                next_key("payloads", out);
                out.push(b'[');
            } else {
                out.push(b',');
            }
            payload.write(out);
        }
        if !self.payloads.is_empty() {
            out.push(b']');
        }
    }
}

impl PayloadCommitment {
    fn write(&self, out: &mut Vec<u8>) {
        out.push(b'{');
        write_key("commitment", out);
        quoted_hex(&self.commitment.0, out);
        text("content_type", &self.content_type, out);
        decimal("length", self.length, out);
        text("role", &self.role, out);
        out.push(b'}');
    }
}

fn check_optional(rule: &TextRule, text: Option<&str>) -> Result<(), EntryError> {
    text.map_or(Ok(()), |text| rule.check(text))
}

/// Writes the key of a field that is not the first of its object.
fn next_key(key: &str, out: &mut Vec<u8>) {
    out.push(b',');
    write_key(key, out);
}

fn text(key: &str, value: &str, out: &mut Vec<u8>) {
    next_key(key, out);
    write_string(value, out);
}

fn optional(key: &str, value: Option<&str>, out: &mut Vec<u8>) {
    if let Some(value) = value {
        text(key, value, out);
    }
}

fn decimal(key: &str, value: u64, out: &mut Vec<u8>) {
    next_key(key, out);
    out.push(b'"');
    write_decimal(value, out);
    out.push(b'"');
}

fn hex(key: &str, value: &[u8], out: &mut Vec<u8>) {
    next_key(key, out);
    quoted_hex(value, out);
}

fn quoted_hex(value: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    write_hex(value, out);
    out.push(b'"');
}
