//! A coalesced mutation that the store rejects stands for several records: they are read again and
//! applied one by one, in order, so that only those that fail become dead letters (D9). Each of
//! these is safe before the next record is applied; see [`Undertaker`].

use std::sync::Arc;
use std::time::Duration;

use super::Projectors;
use super::attempt::{Attempted, admits, attempt};
use super::dead_letter::{Buried, Stage};
use super::undertaker::Undertaker;
use crate::change::ProjectionId;
use crate::envelope::{Decoded, Decoder, KeyMoves};
use crate::error::Fatal;
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
    /// It is the culprit, or one of them, and was put aside; the kind of its rejection.
    Guilty(String),
    /// Its partition was taken from us: nothing was decided.
    Replaced,
}

/// Why the suspects were not all applied.
#[derive(Debug)]
pub(super) enum Interrupted {
    /// The store cannot take anything now; it is all to be done again.
    Away(Outage),
    /// The process must stop.
    Fatal(Fatal),
}

/// What is needed to apply records again.
pub(super) struct Isolation<P, S> {
    pub(super) sink: Arc<S>,
    pub(super) projectors: Arc<Projectors<P>>,
    pub(super) undertaker: Undertaker,
    pub(super) reader: Reader,
    pub(super) fence: Arc<Fence>,
}

/// What a store says to a record's own mutations.
enum Answer {
    Taken,
    Refused(Rejection),
}

impl<P, S> Isolation<P, S>
where
    P: Projector,
    S: Sink<Mutation = P::Mutation>,
{
    /// Applies each suspect's own mutation of `key`, which belongs to this projection.
    pub(super) async fn run(
        &self,
        key: &<P::Mutation as Mutation>::Key,
        projection: ProjectionId,
        suspects: &[Suspect],
    ) -> Result<Vec<Verdict>, Interrupted> {
        let mut verdicts = Vec::with_capacity(suspects.len());
        for suspect in suspects {
            verdicts.push(match self.apply(key, *suspect).await? {
                None => Verdict::Replaced,
                Some(Answer::Taken) => Verdict::Applied,
                Some(Answer::Refused(rejection)) => {
                    self.condemn(*suspect, projection, rejection).await?
                }
            });
        }
        Ok(verdicts)
    }

    async fn condemn(
        &self,
        suspect: Suspect,
        projection: ProjectionId,
        rejection: Rejection,
    ) -> Result<Verdict, Interrupted> {
        let kind = rejection.kind.clone();
        let cause = (Stage::Write, projection);
        match self.undertaker.bury(suspect, cause, rejection).await {
            Ok(Buried::Safe) => Ok(Verdict::Guilty(kind)),
            Ok(Buried::NotOurs) => Ok(Verdict::Replaced),
            Err(fatal) => Err(Interrupted::Fatal(fatal)),
        }
    }

    /// `None` where the suspect's partition is no longer ours.
    async fn apply(
        &self,
        key: &<P::Mutation as Mutation>::Key,
        suspect: Suspect,
    ) -> Result<Option<Answer>, Interrupted> {
        loop {
            if !self.fence.owns(suspect.partition, suspect.generation) {
                return Ok(None);
            }
            if let Some(mutations) = self.mutations(key, suspect).await {
                let mutations = match mutations {
                    Ok(mutations) => mutations,
                    Err(rejection) => return Ok(Some(Answer::Refused(rejection))),
                };
                let owners = [(suspect.partition, suspect.generation)];
                let admits = || admits(&self.fence, &owners);
                match attempt(&*self.sink, &mutations, admits).await.attempted {
                    Attempted::Fatal(reason) => {
                        let sink = self.undertaker.sink.clone();
                        return Err(Interrupted::Fatal(Fatal::Store { sink, reason }));
                    }
                    Attempted::Replaced(_) => {}
                    Attempted::Outcomes(outcomes) => match answer(outcomes) {
                        Err(outage) if outage.kind == OutageKind::Contention => {}
                        answer => return answer.map(Some).map_err(Interrupted::Away),
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
        let decoded = Decoder::new(&self.undertaker.tables).decode(
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

/// What the store says to all mutations of a record, unless it was away.
fn answer(outcomes: Vec<Outcome>) -> Result<Answer, Outage> {
    let mut answer = Answer::Taken;
    for outcome in outcomes {
        match outcome {
            Outcome::Failed(outage) => return Err(outage),
            Outcome::Rejected(rejection) => answer = Answer::Refused(rejection),
            Outcome::Written | Outcome::Incomplete | Outcome::Stale => {}
        }
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::{Change, TableId, Version};
    use crate::config::Table;
    use crate::delivery::doubles::{self, Crypt};
    use crate::projector::ProjectError;
    use crate::sink::SinkError;
    use crate::sink::memory::{Fault, Memory};
    use crate::source::reread::Original;

    const PROJECTION: ProjectionId = ProjectionId(0);
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

    fn isolation(original: Original, crypt: &Crypt) -> Isolation<ToOne, Memory<One>> {
        let fence = Arc::new(Fence::new(Duration::from_secs(3600)));
        fence.open(PARTITION, 1);
        let projectors = [(PARTITION.table, ProjectionId(0), ToOne)];
        let tables: Arc<[Table]> = Arc::new([Table::named("items")]);
        let ours = (Arc::clone(&tables), Arc::clone(&fence));
        let (dead_letters, reader) = doubles::burying(ours, original, crypt);
        Isolation {
            sink: Arc::new(Memory::new(&[])),
            projectors: Arc::new(Projectors::new(1, projectors)),
            undertaker: Undertaker {
                sink: "memory".to_owned(),
                tables,
                projections: Arc::new(["items".to_owned()]),
                dead_letters,
            },
            reader,
            fence,
        }
    }

    #[tokio::test]
    async fn a_record_that_has_expired_is_put_aside_and_one_that_was_replaced_is_not() {
        for (missing, is_guilty) in [(Missing::Expired, true), (Missing::Compacted, false)] {
            let original = Original {
                missing: Some(missing),
                ..Original::default()
            };
            let isolation = isolation(original, &Crypt::open());
            let verdicts = isolation.run(&0, PROJECTION, &[SUSPECT]).await.unwrap();
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

    #[tokio::test]
    async fn no_later_record_is_applied_before_the_dead_letter_of_an_earlier_one_is_safe() {
        let crypt = Crypt::closed();
        let isolation = Arc::new(isolation(insert(), &crypt));
        let rejection = Rejection::new("scripted", "scripted");
        isolation.sink.reject(0, Version::new(0, 7), rejection);
        let running = tokio::spawn({
            let isolation = Arc::clone(&isolation);
            let suspects = [
                SUSPECT,
                Suspect {
                    offset: 8,
                    ..SUSPECT
                },
            ];
            async move { isolation.run(&0, PROJECTION, &suspects).await }
        });
        crypt.until_asked(1).await;
        assert_eq!(isolation.sink.version(&0), None);
        crypt.gate.open();
        let verdicts = running.await.unwrap().unwrap();
        assert!(
            matches!(verdicts[..], [Verdict::Guilty(_), Verdict::Applied]),
            "{verdicts:?}"
        );
        assert_eq!(isolation.sink.version(&0), Some(Version::new(0, 8)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_row_is_refused_as_often_as_its_store_needs_to_know_that_it_is_no_rivals_doing() {
        let isolation = isolation(insert(), &Crypt::open());
        let contention = Outage::new(OutageKind::Contention, "scripted");
        let contention = || Fault::Fail(SinkError::Outage(contention.clone()));
        let rejected = SinkError::Refused(Rejection::new("scripted", "scripted"));
        let refusals = std::iter::repeat_with(contention).take(11);
        let script = refusals.chain([Fault::Fail(rejected)]);
        isolation.sink.script(script.collect::<Vec<_>>());
        let verdicts = isolation.run(&0, PROJECTION, &[SUSPECT]).await.unwrap();
        assert!(matches!(verdicts[..], [Verdict::Guilty(_)]), "{verdicts:?}");
    }

    #[tokio::test]
    async fn a_store_that_goes_away_meanwhile_is_told_of() {
        let isolation = isolation(insert(), &Crypt::open());
        let outage = Outage::new(OutageKind::Unreachable, "scripted");
        isolation.sink.set_down(Some(SinkError::Outage(outage)));
        let away = isolation.run(&0, PROJECTION, &[SUSPECT]).await;
        assert!(matches!(away, Err(Interrupted::Away(_))), "{away:?}");
        isolation.sink.set_down(None);
        let applied = isolation.run(&0, PROJECTION, &[SUSPECT]).await.unwrap();
        assert!(matches!(applied[..], [Verdict::Applied]), "{applied:?}");
    }
}
