//! A tenant: `Tenant(name)`.

use assent_ledger::hash::Hash;
use assent_ledger::ids::Time;

use crate::codec::{CodecError, Reader, Writer};
use crate::state::record::RecordCodec;

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantRecord {
    /// Hides the name in the tenant map.
    pub blind: [u8; 32],
    /// The name under which others see it.
    pub opaque: Hash,
    /// Whether everything of it is denied.
    pub disabled: bool,
    /// When it was created.
    pub created: Time,
}

impl RecordCodec for TenantRecord {
    const VERSION: u8 = 1;

    fn write(&self, w: &mut Writer) {
        w.fixed(&self.blind);
        w.fixed(&self.opaque.0);
        w.bool(self.disabled);
        w.u64(self.created.0);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(TenantRecord {
            blind: r.fixed("the blind")?,
            opaque: r.hash("the opaque id")?,
            disabled: r.bool("disabled")?,
            created: r.time("created")?,
        })
    }
}
