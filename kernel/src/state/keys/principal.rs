//! A subject of a tenant: `Principal(tenant, subject)`.

use crate::codec::{CodecError, Reader, Writer};
use crate::limits::TEXT_BYTES_MAX;
use crate::state::record::RecordCodec;

/// A subject that may ask for decisions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrincipalRecord {
    /// The person or group that answers for it.
    pub owner: Option<String>,
    /// Whether it is denied everything.
    pub disabled: bool,
}

impl RecordCodec for PrincipalRecord {
    const VERSION: u8 = 1;

    fn write(&self, w: &mut Writer) {
        w.text_opt(self.owner.as_deref());
        w.bool(self.disabled);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(PrincipalRecord { owner: r.text_opt("the owner", TEXT_BYTES_MAX)?, disabled: r.bool("disabled")? })
    }
}
