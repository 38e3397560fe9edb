//! Which transactions of ours may be under way together.
//!
//! Those that have nothing but nodes share nothing: no key is in two batches at once. A server with
//! processors to spare takes nearly twice as many from two as from one, and two wait for a distant
//! one as long as one does. Relationships that share their ends would deadlock, and their commit locks
//! those that are the neighbours of new ones (Neo4j's operations manual, "Locks for dense nodes"):
//! theirs is alone.

use std::sync::Arc;

use tokio::sync::{Mutex, OwnedMutexGuard, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

/// The turns of one sink, in the order in which they were asked for.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// Held by the one that comes next.
    next: Arc<Mutex<()>>,
    /// Held by each transaction from before it writes until it has ended.
    open: Arc<RwLock<()>>,
}

/// How a transaction stands to the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Company {
    /// Others that bear it may be under way meanwhile.
    Borne,
    /// It is the only one.
    Alone,
}

/// The right to get ready: only one opens its transaction ahead, or those that wait would have all
/// connections, and be out of their order. Given back when it is dropped.
#[derive(Debug)]
pub(super) struct Next {
    _only: OwnedMutexGuard<()>,
}

/// The right to write and commit. Given back when it is dropped.
#[derive(Debug)]
#[must_use]
pub(super) enum Turn {
    Borne { _among: OwnedRwLockReadGuard<()> },
    Alone { _only: OwnedRwLockWriteGuard<()> },
}

impl Turns {
    /// Waits until nobody else comes next.
    pub(super) async fn next(&self) -> Next {
        Next {
            _only: Arc::clone(&self.next).lock_owned().await,
        }
    }

    /// Waits until it may write. The wait ends with those before, each of which has an end.
    pub(super) async fn wait(&self, next: Next, company: Company) -> Turn {
        let open = Arc::clone(&self.open);
        let turn = match company {
            Company::Borne => Turn::Borne {
                _among: open.read_owned().await,
            },
            Company::Alone => Turn::Alone {
                _only: open.write_owned().await,
            },
        };
        drop(next);
        turn
    }
}

impl Turn {
    pub(super) fn is_alone(&self) -> bool {
        matches!(self, Self::Alone { .. })
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::Company::{Alone, Borne};
    use super::*;

    async fn turn(turns: &Turns, company: Company) -> Turn {
        turns.wait(turns.next().await, company).await
    }

    #[tokio::test]
    async fn those_that_bear_each_other_are_under_way_together() {
        let turns = Turns::default();
        let first = turn(&turns, Borne).await;
        assert!(turn(&turns, Borne).now_or_never().is_some());
        drop(first);
    }

    #[tokio::test]
    async fn one_that_is_to_be_alone_waits_for_all_and_is_waited_for_until_it_has_ended() {
        let turns = Turns::default();
        let others = [turn(&turns, Borne).await, turn(&turns, Borne).await];
        for other in others {
            assert!(turn(&turns, Alone).now_or_never().is_none());
            drop(other);
        }
        let alone = turn(&turns, Alone).await;
        assert!(turn(&turns, Borne).now_or_never().is_none());
        assert!(turn(&turns, Alone).now_or_never().is_none());
        drop(alone);
        assert!(turn(&turns, Borne).now_or_never().is_some());
    }

    #[tokio::test]
    async fn only_one_gets_ready_while_another_writes() {
        let turns = Turns::default();
        let alone = turn(&turns, Alone).await;
        let next = turns.next().await;
        assert!(turns.next().now_or_never().is_none());
        drop(alone);
        let turn = turns.wait(next, Borne).await;
        assert!(turns.next().now_or_never().is_some());
        drop(turn);
    }
}
