//! A store like Redis: keys go when they are told to, whatever the version.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use distributary::projector::Mutation;
use distributary::projector::cache::CacheKey;
use distributary::sink::{Outcome, SinkError};

use super::link::Store;
use super::rows::CACHE;
use super::world::State;

/// How long after its first removal a key is removed again.
pub(super) const SECOND_AFTER: Duration = Duration::from_secs(1);

/// When each key was removed.
#[derive(Default)]
pub(super) struct Cache(BTreeMap<Arc<str>, Vec<Duration>>);

impl Cache {
    /// Whether a key was removed after a change of then; if `twice`, so that a reader of the old row
    /// has lost what it filled in: by a second removal, which a drain may hurry, or by one so long
    /// after the change that the reader was done before.
    pub(super) fn has_lost(&self, key: &str, change: Duration, twice: bool) -> bool {
        let since = |then| self.removals_since(key, then);
        if !twice {
            return since(change) > 0;
        }
        since(change) > 1 || since(change + SECOND_AFTER) > 0
    }

    fn removals_since(&self, key: &str, since: Duration) -> usize {
        let times = self.0.get(key).map_or(&[][..], Vec::as_slice);
        times.len() - times.partition_point(|it| *it < since)
    }
}

impl Store for Cache {
    const SINK: usize = CACHE;
    const ATOMIC: bool = false;
    type Mutation = CacheKey;
    type Request = Arc<str>;

    fn of(state: &mut State) -> &mut Self {
        &mut state.cache
    }

    fn complete(&self, key: &CacheKey) -> Arc<str> {
        Arc::clone(key.key())
    }

    fn apply(
        state: &mut State,
        now: Duration,
        requests: &[Arc<str>],
        _: &mut Vec<String>,
    ) -> Result<Vec<Outcome>, SinkError> {
        for key in requests {
            state.cache.0.entry(Arc::clone(key)).or_default().push(now);
        }
        Ok(vec![Outcome::Written; requests.len()])
    }

    /// A superfluous removal is allowed, so nobody asks whose it is.
    fn row(_: &CacheKey) -> Option<u64> {
        None
    }
}
