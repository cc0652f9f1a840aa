//! The ledger's keys: `Keyring`, the endorsements and retirements in their order, as the root key signed them.

use assent_ledger::json::parse;
use assent_ledger::limits::LEAF_BYTES_MAX;
use assent_ledger::seal::{KeyEndorsed, KeyRetired};

use crate::codec::{CodecError, Reader, Writer};
use crate::limits::KEY_EVENTS_MAX;
use crate::state::record::RecordCodec;

/// Endorsements and retirements in their order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyringRecord {
    /// At most `limits::KEY_EVENTS_MAX`.
    pub events: Vec<KeyEvent>,
}

/// One change of the keyring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyEvent {
    /// A key was endorsed.
    Endorsed(KeyEndorsed),
    /// A key's interval was closed.
    Retired(KeyRetired),
}

impl RecordCodec for KeyringRecord {
    const VERSION: u8 = 1;

    fn write(&self, w: &mut Writer) {
        w.count(self.events.len());
        for event in &self.events {
            let (number, value) = match event {
                KeyEvent::Endorsed(body) => (1, body.to_value()),
                KeyEvent::Retired(body) => (2, body.to_value()),
            };
            w.u8(number);
            // Bodies that were read from an entry can be written as one.
            w.bytes(&value.to_bytes().unwrap_or_default());
        }
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CodecError> {
        let what = "a key event";
        let mut events = Vec::new();
        for _ in 0..r.count("the key events", KEY_EVENTS_MAX)? {
            let number = r.u8(what)?;
            let value = parse(r.bytes(what, LEAF_BYTES_MAX)?).map_err(|_| CodecError::Invalid { what })?;
            let event = match number {
                1 => KeyEndorsed::from_value(&value).map(KeyEvent::Endorsed),
                2 => KeyRetired::from_value(&value).map(KeyEvent::Retired),
                _ => return Err(CodecError::Choice { what, got: u64::from(number) }),
            };
            events.push(event.map_err(|_| CodecError::Invalid { what })?);
        }
        Ok(KeyringRecord { events })
    }
}
