//! In which environments a tenant has bundles: `Environments(tenant)`. State is read by key, so that somebody has to know the keys.

use crate::codec::{CodecError, Reader, Writer};
use crate::limits::{ENVIRONMENTS_MAX, NAME_BYTES_MAX};
use crate::state::record::RecordCodec;

use super::lease::{read_texts, write_texts};

/// The environments of a tenant, in the order in which they came.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EnvironmentsRecord {
    /// Their names.
    pub names: Vec<String>,
}

impl RecordCodec for EnvironmentsRecord {
    const VERSION: u8 = 1;

    fn write(&self, w: &mut Writer) {
        write_texts(&self.names, w);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(EnvironmentsRecord { names: read_texts(r, "the environments", ENVIRONMENTS_MAX, NAME_BYTES_MAX)? })
    }
}
