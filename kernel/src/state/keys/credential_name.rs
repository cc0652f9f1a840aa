//! A credential by its name: `CredentialName(tenant, name)`.

use assent_ledger::hash::Hash;

use crate::codec::{CodecError, Reader, Writer};
use crate::state::record::RecordCodec;

/// Which credential has a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialNameRecord {
    /// The key of the credential.
    pub token_hash: Hash,
}

impl RecordCodec for CredentialNameRecord {
    const VERSION: u8 = 1;

    fn write(&self, w: &mut Writer) {
        w.fixed(&self.token_hash.0);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(CredentialNameRecord { token_hash: r.hash("the token hash")? })
    }
}
