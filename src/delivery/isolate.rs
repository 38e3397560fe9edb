//! A coalesced mutation that the store rejects stands for several records: they are read again and
//! applied one by one, in order, so that only those that fail become dead letters (D9).

use std::sync::Arc;
use std::time::Duration;

use super::Projectors;
use super::attempt::{Attempted, admits, attempt};
use crate::config::Table;
use crate::envelope::{Decoded, Decoder, KeyMoves};
use crate::projector::{Mutation, Projector};
use crate::sink::{Outcome, Rejection, Sink};
use crate::source::reread::{Missing, Reader};
use crate::source::{Fence, Generation, Partition};

/// How long to wait before a record whose store is away is tried again.
const PAUSE: Duration = Duration::from_millis(500);

/// One record behind a rejected mutation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Suspect {
    pub(super) partition: Partition,
    pub(super) generation: Generation,
    pub(super) offset: i64,
}

/// What came of one suspect.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It is in the store, or stale there.
    Applied,
    /// It is the culprit, or one of them.
    Guilty(Rejection),
    /// Its partition was taken from us: nothing was decided.
    Replaced,
}

/// What is needed to apply records again.
pub(super) struct Isolation<P, S> {
    pub(super) sink: Arc<S>,
    pub(super) projectors: Arc<Projectors<P>>,
    pub(super) tables: Arc<[Table]>,
    pub(super) reader: Reader,
    pub(super) fence: Arc<Fence>,
}

impl<P, S> Isolation<P, S>
where
    P: Projector,
    S: Sink<Mutation = P::Mutation>,
{
    /// Applies each suspect's own mutation of `key`.
    pub(super) async fn run(
        &self,
        key: &<P::Mutation as Mutation>::Key,
        suspects: &[Suspect],
    ) -> Result<Vec<Verdict>, String> {
        let mut verdicts = Vec::with_capacity(suspects.len());
        for suspect in suspects {
            verdicts.push(self.apply(key, *suspect).await?);
        }
        Ok(verdicts)
    }

    async fn apply(
        &self,
        key: &<P::Mutation as Mutation>::Key,
        suspect: Suspect,
    ) -> Result<Verdict, String> {
        loop {
            if !self.fence.owns(suspect.partition, suspect.generation) {
                return Ok(Verdict::Replaced);
            }
            if let Some(mutations) = self.mutations(key, suspect).await {
                let mutations = match mutations {
                    Ok(mutations) => mutations,
                    Err(rejection) => return Ok(Verdict::Guilty(rejection)),
                };
                let owners = [(suspect.partition, suspect.generation)];
                let admits = || admits(&self.fence, &owners);
                match attempt(&*self.sink, &mutations, admits).await.attempted {
                    Attempted::Fatal(reason) => return Err(reason),
                    Attempted::Replaced(_) => {}
                    Attempted::Outcomes(outcomes) => {
                        if let Some(verdict) = verdict(outcomes) {
                            return Ok(verdict);
                        }
                    }
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// The record's mutations of this key; `None` when Kafka did not answer. One that compaction has
    /// removed has nothing to apply, for a later one of its key is there. One that has expired cannot
    /// be applied, and perhaps should have been.
    async fn mutations(
        &self,
        key: &<P::Mutation as Mutation>::Key,
        suspect: Suspect,
    ) -> Option<Result<Vec<P::Mutation>, Rejection>> {
        let original = match self.reader.read(suspect.partition, suspect.offset).await {
            Ok(original) => original,
            Err(reason) => {
                tracing::debug!(
                    reason,
                    "a record behind a rejected mutation was not read again"
                );
                return None;
            }
        };
        match original.missing {
            None => {}
            Some(Missing::Compacted) => return Some(Ok(Vec::new())),
            Some(why @ Missing::Expired) => {
                let reason = format!("{why}, so it cannot be applied by itself");
                return Some(Err(Rejection::new("expired", reason)));
            }
        }
        let decoded = Decoder::new(&self.tables).decode(
            suspect.partition.table,
            &mut KeyMoves::default(),
            original.into_input(suspect.offset),
        );
        let mut mutations = Vec::new();
        if let Ok(Decoded::Change(change)) = decoded {
            // It was projected before, so a failure here belongs to another projection.
            drop(self.projectors.project(&change, &mut mutations));
        }
        mutations.retain(|mutation| mutation.key() == key);
        Some(Ok(mutations))
    }
}

/// The record's verdict; `None` when the store was away and the record is to be tried again.
fn verdict(outcomes: Vec<Outcome>) -> Option<Verdict> {
    let mut verdict = Verdict::Applied;
    for outcome in outcomes {
        match outcome {
            Outcome::Failed(_) => return None,
            Outcome::Rejected(rejection) => verdict = Verdict::Guilty(rejection),
            Outcome::Written | Outcome::Incomplete | Outcome::Stale => {}
        }
    }
    Some(verdict)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::future::BoxFuture;

    use super::*;
    use crate::change::{Change, ProjectionId, TableId, Version};
    use crate::projector::ProjectError;
    use crate::sink::memory::Memory;
    use crate::source::reread::{Original, Originals};

    #[derive(Debug)]
    struct Nothing(Infallible);

    impl Mutation for Nothing {
        type Key = u8;

        fn key(&self) -> &u8 {
            match self.0 {}
        }

        fn version(&self) -> Version {
            match self.0 {}
        }

        fn projection(&self) -> ProjectionId {
            match self.0 {}
        }

        fn merge(&mut self, newer: Self) {
            match newer.0 {}
        }

        fn bytes(&self) -> usize {
            match self.0 {}
        }
    }

    struct ToNothing;

    impl Projector for ToNothing {
        type Mutation = Nothing;

        fn project(&self, _: &Change, _: &mut Vec<Nothing>) -> Result<(), ProjectError> {
            Ok(())
        }
    }

    /// A topic without any of its records.
    struct Without(Missing);

    impl Originals for Without {
        fn read(&self, _: Partition, _: i64) -> BoxFuture<'_, Result<Original, String>> {
            let missing = Some(self.0);
            Box::pin(async move {
                Ok(Original {
                    missing,
                    ..Original::default()
                })
            })
        }
    }

    #[tokio::test]
    async fn a_record_that_has_expired_is_put_aside_and_one_that_was_replaced_is_not() {
        let partition = Partition {
            table: TableId(0),
            number: 0,
        };
        let fence = Arc::new(Fence::new(Duration::from_secs(3600)));
        fence.open(partition, 1);
        for (missing, is_guilty) in [(Missing::Expired, true), (Missing::Compacted, false)] {
            let isolation = Isolation {
                sink: Arc::new(Memory::new(&[])),
                projectors: Arc::new(Projectors::new(
                    1,
                    [(partition.table, ProjectionId(0), ToNothing)],
                )),
                tables: Arc::default(),
                reader: Reader::of(Without(missing)),
                fence: Arc::clone(&fence),
            };
            let suspect = Suspect {
                partition,
                generation: 1,
                offset: 7,
            };
            let verdicts = isolation.run(&0, &[suspect]).await.unwrap();
            let found = matches!(verdicts[..], [Verdict::Guilty(_)]);
            assert_eq!(found, is_guilty, "{missing}: {verdicts:?}");
        }
    }
}
