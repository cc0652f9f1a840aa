//! A key with which an agent signs: `AgentKey(tenant, subject and key id)`, as of `pair_text`.

use assent_ledger::ids::Time;

use crate::codec::{CodecError, Reader, Writer};
use crate::state::record::RecordCodec;

/// A key of an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentKeyRecord {
    /// The Ed25519 public key.
    pub public_key: [u8; 32],
    /// When it became known.
    pub registered: Time,
    /// Since when another key stands in its place; it verifies nothing any more.
    pub retired: Option<Time>,
}

/// Two names in the text of one key. No name holds a space, so that the text has one reading.
pub fn pair_text(first: &str, second: &str) -> String {
    format!("{first} {second}")
}

impl RecordCodec for AgentKeyRecord {
    const VERSION: u8 = 1;

    fn write(&self, w: &mut Writer) {
        w.fixed(&self.public_key);
        w.u64(self.registered.0);
        w.option(self.retired, |w, time| w.u64(time.0));
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(AgentKeyRecord {
            public_key: r.fixed("the public key")?,
            registered: r.time("registered")?,
            retired: r.option("retired", |r| r.time("retired"))?,
        })
    }
}
