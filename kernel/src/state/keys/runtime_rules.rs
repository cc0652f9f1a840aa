//! The runtime layer of an environment: `RuntimeRules(tenant, environment)`.

use assent_ledger::hash::Hash;

use crate::codec::{CodecError, Reader, Writer};
use crate::limits::BUNDLE_BYTES_MAX;
use crate::state::record::RecordCodec;

/// Rules that are asked before those of the active bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuntimeRulesRecord {
    /// The bundle that they were compiled for. It stays the one that they compile with when another is activated, so that they mean the
    /// same for as long as they hold.
    pub bundle: Hash,
    /// The source's hash.
    pub hash: Hash,
    /// The exact bytes.
    pub source: Vec<u8>,
}

impl RecordCodec for RuntimeRulesRecord {
    const VERSION: u8 = 1;

    fn write(&self, w: &mut Writer) {
        w.fixed(&self.bundle.0);
        w.fixed(&self.hash.0);
        w.bytes(&self.source);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(RuntimeRulesRecord {
            bundle: r.hash("the bundle")?,
            hash: r.hash("the hash")?,
            source: r.bytes("the source", BUNDLE_BYTES_MAX)?.to_vec(),
        })
    }
}
