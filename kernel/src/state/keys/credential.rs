//! A credential: `Credential(hash of its token)`.

use assent_ledger::ids::TenantId;

use crate::codec::{CodecError, Reader, Writer};
use crate::command::{Role, read_role};
use crate::limits::TEXT_BYTES_MAX;
use crate::state::record::RecordCodec;

/// A credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialRecord {
    /// The tenant.
    pub tenant: TenantId,
    /// Its name, unique within the tenant.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// The subject that it stands for; `None` for a tenant-wide one.
    pub subject: Option<String>,
    /// Whether it is worth nothing any more.
    pub revoked: bool,
}

impl RecordCodec for CredentialRecord {
    const VERSION: u8 = 1;

    fn write(&self, w: &mut Writer) {
        w.text(self.tenant.as_str());
        w.text(&self.name);
        w.u8(self.role.number());
        w.text_opt(self.subject.as_deref());
        w.bool(self.revoked);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(CredentialRecord {
            tenant: r.tenant("the tenant")?,
            name: r.text("the name", TEXT_BYTES_MAX)?,
            role: read_role(r)?,
            subject: r.text_opt("the subject", TEXT_BYTES_MAX)?,
            revoked: r.bool("revoked")?,
        })
    }
}
