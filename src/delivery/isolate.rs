//! A coalesced mutation that the store rejects stands for several records: they are read again and
//! applied one by one, in order, so that only those that fail become dead letters (D9).

use std::sync::Arc;
use std::time::Duration;

use super::Projectors;
use super::attempt::{Attempted, admits, attempt};
use crate::config::Table;
use crate::envelope::{Decoded, Decoder, KeyMoves};
use crate::projector::{Mutation, Projector};
use crate::sink::{Outage, OutageKind, Outcome, Rejection, Sink};
use crate::source::reread::{Missing, Reader};
use crate::source::{Fence, Generation, Partition};

/// How long to wait before a record is tried again: Kafka did not give it, the fence is closed for
/// now, or a rival won. Only the store knows after how many refusals by a rival it is no rival.
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

/// Why the suspects were not all applied.
#[derive(Debug)]
pub(super) enum Interrupted {
    /// The store cannot take anything now; it is all to be done again.
    Away(Outage),
    /// The process must stop.
    Fatal(String),
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
    ) -> Result<Vec<Verdict>, Interrupted> {
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
    ) -> Result<Verdict, Interrupted> {
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
                    Attempted::Fatal(reason) => return Err(Interrupted::Fatal(reason)),
                    Attempted::Replaced(_) => {}
                    Attempted::Outcomes(outcomes) => match verdict(outcomes) {
                        Err(outage) if outage.kind == OutageKind::Contention => {}
                        verdict => return verdict.map_err(Interrupted::Away),
                    },
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
            original.input(suspect.offset),
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

/// The record's verdict, unless the store was away.
fn verdict(outcomes: Vec<Outcome>) -> Result<Verdict, Outage> {
    let mut verdict = Verdict::Applied;
    for outcome in outcomes {
        match outcome {
            Outcome::Failed(outage) => return Err(outage),
            Outcome::Rejected(rejection) => verdict = Verdict::Guilty(rejection),
            Outcome::Written | Outcome::Incomplete | Outcome::Stale => {}
        }
    }
    Ok(verdict)
}

#[cfg(test)]
mod tests {
    use futures_util::future::BoxFuture;

    use super::*;
    use crate::change::{Change, ProjectionId, TableId, Version};
    use crate::projector::ProjectError;
    use crate::sink::SinkError;
    use crate::sink::memory::{Fault, Memory};
    use crate::source::reread::{Original, Originals};

    const PARTITION: Partition = Partition {
        table: TableId(0),
        number: 0,
    };
    const SUSPECT: Suspect = Suspect {
        partition: PARTITION,
        generation: 1,
        offset: 7,
    };

    #[derive(Debug)]
    struct One(Version);

    impl Mutation for One {
        type Key = u8;

        fn key(&self) -> &u8 {
            &0
        }

        fn version(&self) -> Version {
            self.0
        }

        fn projection(&self) -> ProjectionId {
            ProjectionId(0)
        }

        fn merge(&mut self, newer: Self) {
            *self = newer;
        }

        fn bytes(&self) -> usize {
            1
        }
    }

    struct ToOne;

    impl Projector for ToOne {
        type Mutation = One;

        fn project(&self, change: &Change<'_>, out: &mut Vec<One>) -> Result<(), ProjectError> {
            out.push(One(change.version));
            Ok(())
        }
    }

    /// A topic that has this for every record.
    struct Always(Original);

    impl Originals for Always {
        fn read(&self, _: Partition, _: i64) -> BoxFuture<'_, Result<Original, String>> {
            Box::pin(async { Ok(self.0.clone()) })
        }
    }

    fn isolation(original: Original) -> Isolation<ToOne, Memory<One>> {
        let fence = Arc::new(Fence::new(Duration::from_secs(3600)));
        fence.open(PARTITION, 1);
        let projectors = [(PARTITION.table, ProjectionId(0), ToOne)];
        Isolation {
            sink: Arc::new(Memory::new(&[])),
            projectors: Arc::new(Projectors::new(1, projectors)),
            tables: Arc::new([Table::named("items")]),
            reader: Reader::of(Always(original)),
            fence,
        }
    }

    #[tokio::test]
    async fn a_record_that_has_expired_is_put_aside_and_one_that_was_replaced_is_not() {
        for (missing, is_guilty) in [(Missing::Expired, true), (Missing::Compacted, false)] {
            let isolation = isolation(Original {
                missing: Some(missing),
                ..Original::default()
            });
            let verdicts = isolation.run(&0, &[SUSPECT]).await.unwrap();
            let found = matches!(verdicts[..], [Verdict::Guilty(_)]);
            assert_eq!(found, is_guilty, "{missing}: {verdicts:?}");
        }
    }

    fn insert() -> Original {
        let source = r#"{"schema":"public","table":"items"}"#;
        let value = format!(r#"{{"after":{{"id":1}},"op":"c","source":{source}}}"#);
        Original {
            key: Some(br#"{"id":1}"#.to_vec()),
            value: Some(value.into_bytes()),
            ..Original::default()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_row_is_refused_as_often_as_its_store_needs_to_know_that_it_is_no_rivals_doing() {
        let isolation = isolation(insert());
        let contention = Outage::new(OutageKind::Contention, "scripted");
        let contention = || Fault::Fail(SinkError::Outage(contention.clone()));
        let rejected = SinkError::Refused(Rejection::new("scripted", "scripted"));
        let refusals = std::iter::repeat_with(contention).take(11);
        let script = refusals.chain([Fault::Fail(rejected)]);
        isolation.sink.script(script.collect::<Vec<_>>());
        let verdicts = isolation.run(&0, &[SUSPECT]).await.unwrap();
        assert!(matches!(verdicts[..], [Verdict::Guilty(_)]), "{verdicts:?}");
    }

    #[tokio::test]
    async fn a_store_that_goes_away_meanwhile_is_told_of() {
        let isolation = isolation(insert());
        let outage = Outage::new(OutageKind::Unreachable, "scripted");
        isolation.sink.set_down(Some(SinkError::Outage(outage)));
        let away = isolation.run(&0, &[SUSPECT]).await;
        assert!(matches!(away, Err(Interrupted::Away(_))), "{away:?}");
        isolation.sink.set_down(None);
        let applied = isolation.run(&0, &[SUSPECT]).await.unwrap();
        assert!(matches!(applied[..], [Verdict::Applied]), "{applied:?}");
    }
}
