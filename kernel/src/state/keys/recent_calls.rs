//! The calls that came last in a run, told apart and counted: what loops are found by.

use assent_ledger::hash::Hash;

use crate::codec::{CodecError, Reader, Writer};
use crate::limits::RECENT_CALLS_MAX;

/// Bytes of a digest that are kept: enough to tell the calls of one run apart.
const DIGEST_BYTES: usize = 16;

/// What tells a call from others: a part of the digest of its tool and its arguments. It stays in the state and never gets into a
/// leaf.
pub type CallDigest = [u8; DIGEST_BYTES];

/// The digest as it is kept.
pub fn call_digest(hash: &Hash) -> CallDigest {
    let mut digest = [0; DIGEST_BYTES];
    digest.iter_mut().zip(hash.0).for_each(|(kept, byte)| *kept = byte);
    digest
}

/// The calls that came last, the latest first, each once with how often it came. A call is forgotten when so many different ones came
/// since that it has no place any more: then it does not count as repeated.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecentCalls(Vec<(CallDigest, u32)>);

impl RecentCalls {
    /// How often a call came lately.
    pub fn count(&self, call: &CallDigest) -> u32 {
        self.0.iter().find(|(known, _)| known == call).map_or(0, |(_, count)| *count)
    }

    /// How often the call came lately that came most often.
    pub fn most(&self) -> u32 {
        self.0.iter().map(|(_, count)| *count).max().unwrap_or_default()
    }

    /// Takes a call in.
    pub fn take(&mut self, call: CallDigest) {
        let count = self.count(&call).saturating_add(1);
        self.0.retain(|(known, _)| *known != call);
        self.0.insert(0, (call, count));
        self.0.truncate(RECENT_CALLS_MAX);
    }

    pub(super) fn write(&self, w: &mut Writer) {
        w.count(self.0.len());
        for (call, count) in &self.0 {
            w.fixed(call);
            w.u32(*count);
        }
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Result<RecentCalls, CodecError> {
        let count = r.count("the recent calls", RECENT_CALLS_MAX)?;
        let call = |r: &mut Reader<'_>| Ok((r.fixed("a call's digest")?, r.u32("how often it came")?));
        (0..count).map(|_| call(r)).collect::<Result<_, CodecError>>().map(RecentCalls)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_again_and_again_is_counted_whatever_comes_between() {
        let mut recent = RecentCalls::default();
        for _ in 0..5 {
            (1..=8).for_each(|call| recent.take([call; DIGEST_BYTES]));
        }
        assert_eq!(recent.count(&[1; DIGEST_BYTES]), 5);
        assert_eq!((recent.count(&[0; DIGEST_BYTES]), recent.most(), RecentCalls::default().most()), (0, 5, 0));
        // One more that is different, and the oldest has no place any more.
        recent.take([0; DIGEST_BYTES]);
        assert_eq!(recent.count(&[1; DIGEST_BYTES]), 0);
        assert_eq!(recent.count(&[2; DIGEST_BYTES]), 5);
        assert_eq!(recent.0.len(), RECENT_CALLS_MAX);
    }
}
