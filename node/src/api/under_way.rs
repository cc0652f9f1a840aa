//! Which requests this node has under way, so that `Status` can say PENDING instead of UNKNOWN.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use assent_kernel::command::{Command, RequestId};
use assent_ledger::ids::TenantId;

/// Whose request it is, and its id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestKey {
    /// The caller's tenant.
    pub tenant: TenantId,
    /// As of [`Command::principal`].
    pub principal: String,
    /// The id.
    pub id: RequestId,
}

impl RequestKey {
    /// The key of a command.
    pub fn of(command: &Command) -> Self {
        RequestKey { tenant: command.caller.tenant.clone(), principal: command.principal(), id: command.request_id }
    }
}

/// The requests under way; as many as the batcher's queue and its batches hold.
#[derive(Clone, Default)]
pub struct UnderWay {
    // The same request may be under way several times.
    counts: Arc<Mutex<BTreeMap<RequestKey, usize>>>,
}

impl UnderWay {
    fn counts(&self) -> MutexGuard<'_, BTreeMap<RequestKey, usize>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Marks a request until the mark is dropped.
    pub fn enter(&self, key: RequestKey) -> Mark {
        *self.counts().entry(key.clone()).or_default() += 1;
        Mark { set: self.clone(), key }
    }

    /// Whether a request is under way.
    pub fn contains(&self, key: &RequestKey) -> bool {
        self.counts().contains_key(key)
    }

    /// How many different requests are under way.
    pub fn len(&self) -> usize {
        self.counts().len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Keeps a request marked as under way.
pub struct Mark {
    set: UnderWay,
    key: RequestKey,
}

impl Drop for Mark {
    fn drop(&mut self) {
        let mut counts = self.set.counts();
        if let Some(count) = counts.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_under_way_until_its_last_mark_goes() {
        let set = UnderWay::default();
        let key = RequestKey {
            tenant: TenantId::new("acme").unwrap(),
            principal: "subject:a".to_owned(),
            id: RequestId::new(1, [0; 10]),
        };
        let (one, two) = (set.enter(key.clone()), set.enter(key.clone()));
        assert_eq!(set.len(), 1);
        drop(one);
        assert!(set.contains(&key));
        drop(two);
        assert!(!set.contains(&key) && set.is_empty());
    }
}
