//! Whose turn it is: one transaction of ours writes at a time, because those whose relationships share
//! their ends would deadlock. (Nodes would not, and a server with processors to spare takes more of
//! them from two at once; see `BENCHMARKS.md`.)
//!
//! One that has written everything holds its locks and waits for nobody's, if all it wrote are nodes:
//! the next one may write while it is committed, which takes the server a third as long as writing
//! does. With relationships it may not, because a commit locks those that are the neighbours of new
//! ones (Neo4j's operations manual, "Locks for dense nodes").

use std::sync::Arc;

use tokio::sync::{Mutex, OwnedMutexGuard, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

/// The turns of one sink, in the order in which they were asked for.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// Held by the one that comes next.
    next: Arc<Mutex<()>>,
    /// Held by the transaction that writes.
    writing: Arc<Mutex<()>>,
    /// Held by each transaction until it has ended.
    open: Arc<RwLock<()>>,
}

/// How a transaction stands to the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Company {
    /// Others that bear it may write while it commits, and commit while it writes.
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

/// The right to write. Given back when it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    _writing: OwnedMutexGuard<()>,
    open: Open,
}

/// The right to commit. Given back when it is dropped.
#[derive(Debug)]
#[must_use]
pub(super) enum Open {
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
        let writing = Arc::clone(&self.writing).lock_owned().await;
        let open = Arc::clone(&self.open);
        let open = match company {
            Company::Borne => Open::Borne {
                _among: open.read_owned().await,
            },
            Company::Alone => Open::Alone {
                _only: open.write_owned().await,
            },
        };
        drop(next);
        Turn {
            _writing: writing,
            open,
        }
    }
}

impl Turn {
    /// Everything is written: the next one may begin, if both bear it.
    pub(super) fn has_written(self) -> Open {
        self.open
    }
}

impl Open {
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
    async fn of_two_that_bear_each_other_one_writes_while_the_other_commits_and_not_before() {
        let turns = Turns::default();
        let first = turn(&turns, Borne).await;
        assert!(turn(&turns, Borne).now_or_never().is_none());
        let committing = first.has_written();
        assert!(turn(&turns, Borne).now_or_never().is_some());
        drop(committing);
    }

    #[tokio::test]
    async fn one_that_is_to_be_alone_waits_for_all_commits_and_is_waited_for_until_its_own() {
        let turns = Turns::default();
        let committing = turn(&turns, Borne).await.has_written();
        assert!(turn(&turns, Alone).now_or_never().is_none());
        drop(committing);
        let committing = turn(&turns, Alone).await.has_written();
        assert!(turn(&turns, Borne).now_or_never().is_none());
        assert!(turn(&turns, Alone).now_or_never().is_none());
        drop(committing);
        assert!(turn(&turns, Borne).now_or_never().is_some());
    }

    #[tokio::test]
    async fn only_one_gets_ready_while_another_writes() {
        let turns = Turns::default();
        let writing = turn(&turns, Borne).await;
        let next = turns.next().await;
        assert!(turns.next().now_or_never().is_none());
        drop(writing);
        let writing = turns.wait(next, Borne).await;
        assert!(turns.next().now_or_never().is_some());
        drop(writing);
    }
}
