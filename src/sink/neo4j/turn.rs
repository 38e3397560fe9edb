//! Whose turn it is: two transactions of ours that write at once would only deadlock.
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
    /// Waits until it may write. The wait ends with those before, each of which has an end.
    pub(super) async fn wait(&self, company: Company) -> Turn {
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

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::Company::{Alone, Borne};
    use super::*;

    #[tokio::test]
    async fn of_two_that_bear_each_other_one_writes_while_the_other_commits_and_not_before() {
        let turns = Turns::default();
        let first = turns.wait(Borne).await;
        assert!(turns.wait(Borne).now_or_never().is_none());
        let committing = first.has_written();
        assert!(turns.wait(Borne).now_or_never().is_some());
        drop(committing);
    }

    #[tokio::test]
    async fn one_that_is_to_be_alone_waits_for_all_commits_and_is_waited_for_until_its_own() {
        let turns = Turns::default();
        let committing = turns.wait(Borne).await.has_written();
        assert!(turns.wait(Alone).now_or_never().is_none());
        drop(committing);
        let committing = turns.wait(Alone).await.has_written();
        assert!(turns.wait(Borne).now_or_never().is_none());
        assert!(turns.wait(Alone).now_or_never().is_none());
        drop(committing);
        assert!(turns.wait(Borne).now_or_never().is_some());
    }
}
