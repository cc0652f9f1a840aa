//! The bundle that decides: `ActiveBundle(tenant, environment)`.

use assent_ledger::hash::Hash;

use crate::codec::{CodecError, Reader, Writer};
use crate::state::record::RecordCodec;

/// The bundle that decides in an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActiveBundleRecord {
    /// Its hash.
    pub bundle: Hash,
}

impl RecordCodec for ActiveBundleRecord {
    const VERSION: u8 = 1;

    fn write(&self, w: &mut Writer) {
        w.fixed(&self.bundle.0);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(ActiveBundleRecord { bundle: r.hash("the bundle")? })
    }
}
