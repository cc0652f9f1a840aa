//! A tenant's settings: `TenantSettings(tenant)`; absent while nobody set any.

use crate::codec::{CodecError, Reader, Writer};
use crate::command::TenantSettings;
use crate::state::record::RecordCodec;

/// How a tenant is decided for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantSettingsRecord {
    /// The settings.
    pub settings: TenantSettings,
}

impl RecordCodec for TenantSettingsRecord {
    const VERSION: u8 = 1;

    fn write(&self, w: &mut Writer) {
        self.settings.write(w);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(TenantSettingsRecord { settings: TenantSettings::read(r)? })
    }
}
