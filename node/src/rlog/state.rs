//! What a Raft log is besides its entries: vote, committed log id, purged log id, last index.

use super::frame::Fields;

/// The last purged entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purged {
    /// Its index; this entry and all before it are gone.
    pub index: u64,
    /// What the caller wants to remember of it (its log id).
    pub meta: Vec<u8>,
}

/// The small state of a log, as of one point in its order of operations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogState {
    /// The vote, as the caller encoded it.
    pub vote: Option<Vec<u8>>,
    /// The committed log id, as the caller encoded it.
    pub committed: Option<Vec<u8>>,
    /// The last purged entry.
    pub purged: Option<Purged>,
    /// Index of the last entry, or of the last purged one when no entry is left.
    pub last: Option<u64>,
}

impl LogState {
    /// Whether an entry with this index may be appended: the next one, or any when the log never had one.
    pub fn accepts(&self, index: u64) -> bool {
        self.last.is_none_or(|last| last.checked_add(1) == Some(index))
    }

    /// Whether entries from `index` on may be removed: not when that would undo a purge.
    pub fn may_truncate_from(&self, index: u64) -> bool {
        self.purged.as_ref().is_none_or(|purged| index > purged.index)
    }

    /// Removes entries from `index` on.
    pub fn truncate_from(&mut self, index: u64) {
        let floor = self.purged.as_ref().map(|purged| purged.index);
        if self.last.is_some_and(|last| last >= index) {
            self.last = index.checked_sub(1).max(floor);
        }
    }

    /// Removes entries up to and including `purged`; a purge beyond the last entry moves the log's end there.
    pub fn purge(&mut self, purged: Purged) {
        if self.purged.as_ref().is_none_or(|old| old.index < purged.index) {
            self.last = self.last.max(Some(purged.index));
            self.purged = Some(purged);
        }
    }

    /// Appends the encoded state to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let number = |out: &mut Vec<u8>, value: Option<u64>| {
            out.push(u8::from(value.is_some()));
            out.extend_from_slice(&value.unwrap_or_default().to_be_bytes());
        };
        let bytes = |out: &mut Vec<u8>, value: Option<&[u8]>| {
            out.push(u8::from(value.is_some()));
            let value = value.unwrap_or_default();
            out.extend_from_slice(&(value.len() as u32).to_be_bytes());
            out.extend_from_slice(value);
        };
        bytes(out, self.vote.as_deref());
        bytes(out, self.committed.as_deref());
        number(out, self.purged.as_ref().map(|purged| purged.index));
        bytes(out, self.purged.as_ref().map(|purged| purged.meta.as_slice()));
        number(out, self.last);
    }

    /// Reads what [`LogState::encode`] wrote.
    pub fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        fn number(fields: &mut Fields<'_>) -> Option<Option<u64>> {
            let [some] = fields.take()?;
            let value = fields.u64()?;
            Some((some == 1).then_some(value))
        }
        fn bytes(fields: &mut Fields<'_>) -> Option<Option<Vec<u8>>> {
            let [some] = fields.take()?;
            let len = u32::from_be_bytes(fields.take()?);
            let value = fields.bytes(len as usize)?.to_vec();
            Some((some == 1).then_some(value))
        }
        let vote = bytes(fields)?;
        let committed = bytes(fields)?;
        let purged_index = number(fields)?;
        let purged_meta = bytes(fields)?;
        let last = number(fields)?;
        let purged = purged_index.zip(purged_meta).map(|(index, meta)| Purged { index, meta });
        Some(Self { vote, committed, purged, last })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_comes_back() {
        let full = LogState {
            vote: Some(vec![1]),
            committed: Some(vec![]),
            purged: Some(Purged { index: 3, meta: vec![4, 5] }),
            last: Some(9),
        };
        for state in [full, LogState::default()] {
            let mut bytes = Vec::new();
            state.encode(&mut bytes);
            assert_eq!(LogState::decode(&mut Fields(&bytes)), Some(state));
        }
    }

    #[test]
    fn truncation_stops_at_the_purge() {
        let mut state = LogState { last: Some(9), ..LogState::default() };
        state.purge(Purged { index: 4, meta: vec![] });
        assert!(!state.may_truncate_from(4));
        state.truncate_from(5);
        assert_eq!(state.last, Some(4));
        state.purge(Purged { index: 20, meta: vec![] });
        assert_eq!(state.last, Some(20));
        assert!(state.accepts(21) && !state.accepts(5));
    }
}
