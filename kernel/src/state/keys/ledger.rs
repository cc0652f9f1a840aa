//! The ledger's parameters: `Ledger`. Its absence means that there is no ledger yet.

use assent_ledger::ids::{Origin, Time};
use assent_ledger::keys::{PublicKey, SIGNATURE_BYTES};

use crate::codec::{CodecError, Reader, Writer};
use crate::limits::TEXT_BYTES_MAX;
use crate::state::record::RecordCodec;

/// The ledger's parameters, as its first entry states them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerRecord {
    /// The ledger's name.
    pub origin: Origin,
    /// The offline key that endorses all others.
    pub root_key: PublicKey,
    /// How many distinct nodes must cosign a checkpoint.
    pub quorum: u32,
    /// A seal is due after this many entries of tenants.
    pub seal_entries: u32,
    /// A seal is due after this many seconds.
    pub seal_seconds: u32,
    /// Longest time between two seals, in seconds.
    pub interval_max_seconds: u32,
    /// The kernel whose decisions hold.
    pub kernel_version: u32,
    /// When it was created.
    pub created: Time,
    /// The root key's signature over all this but the time; kept, because nobody here could make it again.
    pub signature: [u8; SIGNATURE_BYTES],
}

impl RecordCodec for LedgerRecord {
    const VERSION: u8 = 1;

    fn write(&self, w: &mut Writer) {
        w.text(self.origin.as_str());
        w.fixed(self.root_key.as_bytes());
        w.u32(self.quorum);
        w.u32(self.seal_entries);
        w.u32(self.seal_seconds);
        w.u32(self.interval_max_seconds);
        w.u32(self.kernel_version);
        w.u64(self.created.0);
        w.fixed(&self.signature);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(LedgerRecord {
            origin: Origin::new(r.text("the origin", TEXT_BYTES_MAX)?)
                .map_err(|_| CodecError::Invalid { what: "the origin" })?,
            root_key: PublicKey::from_bytes(&r.fixed("the root key")?)
                .map_err(|_| CodecError::Invalid { what: "the root key" })?,
            quorum: r.u32("the quorum")?,
            seal_entries: r.u32("seal entries")?,
            seal_seconds: r.u32("seal seconds")?,
            interval_max_seconds: r.u32("the longest interval")?,
            kernel_version: r.u32("the kernel version")?,
            created: r.time("created")?,
            signature: r.fixed("the root key's signature")?,
        })
    }
}
