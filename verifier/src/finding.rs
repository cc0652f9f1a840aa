//! Verdicts, the stable names of what can be wrong, and the findings that carry them.

use core::fmt;

use assent_ledger::hash::Hash;

/// What a verification comes to. Each has an exit code of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Everything up to the stated size holds.
    Valid,
    /// The bytes contradict each other or a signature.
    Invalid,
    /// Two signed histories cannot both be true.
    Diverged,
    /// Something that is known to exist is not there.
    Incomplete,
    /// Nothing is anchored that could be verified.
    Unanchored,
    /// The bytes agree with each other, but those who must sign them did not.
    Untrusted,
}

impl Verdict {
    /// The process's exit code. 0 is valid; 2 is left to usage and I/O errors.
    pub const fn exit_code(self) -> u8 {
        match self {
            Verdict::Valid => 0,
            Verdict::Invalid => 10,
            Verdict::Diverged => 11,
            Verdict::Incomplete => 12,
            Verdict::Unanchored => 13,
            Verdict::Untrusted => 14,
        }
    }

    /// The verdict's name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Verdict::Valid => "VALID",
            Verdict::Invalid => "INVALID",
            Verdict::Diverged => "DIVERGED",
            Verdict::Incomplete => "INCOMPLETE",
            Verdict::Unanchored => "UNANCHORED",
            Verdict::Untrusted => "UNTRUSTED",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident, $name:literal, $verdict:ident, $next:literal;)*) => {
        /// What is wrong. Names are stable; each belongs to one verdict. Where several are true of one entry, the first in
        /// this list is reported first.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Kind { $($(#[$doc])* $kind,)* }

        impl Kind {
            /// Every kind.
            pub const ALL: &'static [Kind] = &[$(Kind::$kind,)*];

            /// The stable name.
            pub const fn name(self) -> &'static str {
                match self { $(Kind::$kind => $name,)* }
            }

            /// The verdict that a finding of this kind leads to.
            pub const fn verdict(self) -> Verdict {
                match self { $(Kind::$kind => Verdict::$verdict,)* }
            }

            /// What an auditor should do next.
            pub const fn next_step(self) -> &'static str {
                match self { $(Kind::$kind => $next,)* }
            }
        }
    };
}

kinds! {
    /// Same entries, another order.
    EntriesReordered, "entries-reordered", Invalid, "fetch the object again from the locked store and compare its version ids; keep this copy as evidence";
    /// One entry twice.
    EntryDuplicated, "entry-duplicated", Invalid, "fetch the object again from the locked store; keep this copy as evidence";
    /// An entry that the signed tree does not hold.
    EntryInserted, "entry-inserted", Invalid, "fetch the object again from the locked store; keep this copy as evidence";
    /// The entry at this position is not the one that was signed.
    LeafEdited, "leaf-edited", Invalid, "fetch the object again from the locked store, compare the entry byte by byte and keep this copy as evidence";
    /// A tenant's whole bundle is not there.
    TenantBundleWithheld, "tenant-bundle-withheld", Incomplete, "demand the named bundle from whoever gave you the archive; the manifest lists it";
    /// A tenant's last entry of a span is not in its bundle.
    TenantEntryWithheld, "tenant-entry-withheld", Incomplete, "demand the whole bundle from whoever gave you the archive; the tenant map and the leaf hashes prove the entry exists";
    /// An entry is missing with later ones present.
    EntryRemoved, "entry-removed", Invalid, "fetch the object again from the locked store; keep this copy as evidence";
    /// Belongs to another ledger, tenant or position.
    SpanSwapped, "span-swapped", Invalid, "find out where these bytes come from; fetch the right ones from the locked store";
    /// The quorum signed something that is no entry.
    EntryMalformed, "entry-malformed", Invalid, "the writer itself was faulty or hostile: keep the archive and report it to the operator and the other auditors";
    /// An entry names another predecessor.
    ChainBroken, "chain-broken", Invalid, "the signed history itself is broken: keep the archive and report it to the operator and the other auditors";
    /// An entry names another predecessor of its tenant.
    TenantChainBroken, "tenant-chain-broken", Invalid, "the signed history itself is broken: keep the archive and report it to the operator and the other auditors";
    /// Time runs backwards.
    TimeReversed, "time-reversed", Invalid, "the signed history itself is broken: keep the archive and report it to the operator and the other auditors";
    /// An object other than a bundle has other bytes than those signed for.
    ObjectAltered, "object-altered", Invalid, "fetch the object again from the locked store and compare digests";
    /// A file that the manifest does not list.
    ObjectUnlisted, "object-unlisted", Invalid, "find out who put the file there; the signed manifest does not list it";
    /// An object that the manifest lists is not there.
    ObjectMissing, "object-missing", Incomplete, "demand the object from whoever gave you the archive; the manifest lists it";
    /// The manifest is not what the log key signed, or not what was committed.
    ManifestAltered, "manifest-altered", Invalid, "fetch the manifest again from the locked store and compare its version ids";
    /// The checkpoint object is not what was signed or committed.
    CheckpointAltered, "checkpoint-altered", Invalid, "fetch the checkpoint again from the locked store and compare its version ids";
    /// The entries do not make the signed root.
    RootMismatch, "root-mismatch", Invalid, "the span's entries were rewritten together: fetch the whole span again from the locked store";
    /// The entries do not make the manifest's span root.
    SpanRootMismatch, "span-root-mismatch", Invalid, "the signed manifest is wrong about its span: report it to the operator and the other auditors";
    /// The seal leaf says something else than the archive shows.
    SealMismatch, "seal-mismatch", Invalid, "the signed seal is wrong about its span: report it to the operator and the other auditors";
    /// The tenant map that was sealed is not the one that the entries make.
    TenantMapMismatch, "tenant-map-mismatch", Invalid, "the sealed tenant map disagrees with the entries: report it to the operator and the other auditors";
    /// The payload is not the one that was committed to.
    PayloadMismatch, "payload-mismatch", Invalid, "check that the key is the right one for this commitment, then treat the payload as forged; the entry itself stays proven";
    /// A ciphertext that no entry of the tenant in the span commits to.
    PayloadUnclaimed, "payload-unclaimed", Invalid, "find out where the ciphertext comes from; no entry of the tenant commits to it";
    /// Two span directories cover the same entries.
    SpanOverlap, "span-overlap", Invalid, "find out which of the directories the store locked first; the other was put beside it";
    /// A span between two others, or before the first, is not there.
    SpanMissing, "span-missing", Incomplete, "demand the named span from whoever gave you the archive";
    /// The archive ends before something that is known to exist.
    TailCut, "tail-cut", Incomplete, "demand the spans from the first missing entry on; the outside anchor proves that they exist";
    /// A known checkpoint and the archive give one size two roots.
    CheckpointContradicts, "checkpoint-contradicts", Diverged, "keep both: two signed histories of one ledger are proof against its operator";
    /// An older known checkpoint agrees, a newer one does not: the history was rolled back and continued otherwise.
    RolledBack, "rolled-back", Diverged, "keep both: the ledger was taken back to an older state and continued otherwise";
    /// A receipt promises another entry at its position.
    ReceiptContradicts, "receipt-contradicts", Diverged, "keep both: the receipt is evidence against the node that signed it or against the archive";
    /// A signed span continues another history than the one before it.
    ConsistencyBroken, "consistency-broken", Diverged, "keep both spans: two signed histories of one ledger are proof against its operator";
    /// The ledger's root key is not the pinned one.
    RootKeyMismatch, "root-key-mismatch", Untrusted, "check the root key and its fingerprint with the operator over another channel; this may be another ledger";
    /// The ledger's parameters are not the ones that the root key signed.
    GenesisNotSigned, "genesis-not-signed", Untrusted, "trust nothing: the ledger was begun anew without the root key, the log key and a cosigner's may be stolen";
    /// An endorsement or a retirement that the root key did not sign, or that contradicts another.
    EndorsementInvalid, "endorsement-invalid", Untrusted, "trust nothing that is signed by the key in question";
    /// A signature by a key that the root key never endorsed for this.
    KeyNotEndorsed, "key-not-endorsed", Untrusted, "trust nothing from this position on; ask the operator whose key it is";
    /// A signature by an endorsed key at a size outside its interval.
    KeyOutsideInterval, "key-outside-interval", Untrusted, "trust nothing from this position on; a retired or future key was used, it may be stolen";
    /// Fewer cosigners than the ledger's quorum.
    QuorumMissing, "quorum-missing", Untrusted, "trust nothing from this position on; the log key may be stolen: ask the nodes for their own checkpoints";
    /// A receipt that does not verify proves nothing.
    ReceiptUntrusted, "receipt-untrusted", Untrusted, "discard the receipt or find its original; unsigned receipts prove nothing";
    /// A known checkpoint that does not verify proves nothing.
    AnchorUntrusted, "anchor-untrusted", Untrusted, "check where the known checkpoint comes from; it is not signed by this ledger's log key";
    /// The last span was not finished.
    SpanUnfinished, "span-unfinished", Unanchored, "wait for the upload to finish or demand the missing object";
    /// There is nothing to verify.
    NothingAnchored, "nothing-anchored", Unanchored, "check the directory; it should hold <ledger>/spans";
    /// No manifest ever lists the tenant.
    TenantUnknown, "tenant-unknown", Unanchored, "check the opaque tenant id with the operator";
    /// Longer than the ledger's own parameter allows between two seals. Entries are all there: a notice, not a verdict.
    SealIntervalExceeded, "seal-interval-exceeded", Valid, "ask the operator about the outage; the ledger promised to attest silence more often";
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub kind: Kind,
    /// The first sequence number that it affects.
    pub seq: u64,
    /// When the exact position cannot be known: it lies from `seq` to before this.
    pub before: Option<u64>,
    /// The object, relative to the directory.
    pub path: Option<String>,
    /// The tenant's opaque id.
    pub tenant: Option<Hash>,
    /// What was seen, in words.
    pub detail: String,
}

impl Finding {
    /// A finding without path and tenant.
    pub fn new(kind: Kind, seq: u64, detail: impl Into<String>) -> Self {
        Finding { kind, seq, before: None, path: None, tenant: None, detail: detail.into() }
    }

    /// Names the object.
    #[must_use]
    pub fn at(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Names the tenant.
    #[must_use]
    pub const fn of(mut self, tenant: Hash) -> Self {
        self.tenant = Some(tenant);
        self
    }

    /// Says that the exact position is only known to lie before `end`.
    #[must_use]
    pub fn until(mut self, end: u64) -> Self {
        self.before = (end > self.seq.saturating_add(1)).then_some(end);
        self
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_and_exit_codes_are_distinct() {
        let names: BTreeSet<&str> = Kind::ALL.iter().map(|k| k.name()).collect();
        assert_eq!(names.len(), Kind::ALL.len());
        let codes: BTreeSet<u8> = Kind::ALL.iter().map(|k| k.verdict().exit_code()).collect();
        assert_eq!(codes.into_iter().collect::<Vec<_>>(), [0, 10, 11, 12, 13, 14]);
    }

    #[test]
    fn a_bracket_of_one_is_exact() {
        assert_eq!(Finding::new(Kind::TailCut, 4, "").until(5).before, None);
        assert_eq!(Finding::new(Kind::TailCut, 4, "").until(6).before, Some(6));
    }
}
