//! What a group has committed, and changing it while the group is stopped. Blocking calls: never
//! on a runtime's worker.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::complaints::Complaints;
use super::start::Commit;
use super::{CommitNote, NextOffset, SourceError, settings};
use crate::config::Source;

/// How long one question may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How long to listen to what librdkafka has to say of a question that was not answered.
const LISTEN: Duration = Duration::from_millis(100);

/// What a topic is that no broker shows.
pub const MISSING: &str = "not there, or may not be read";

/// What a dead-letter topic is that no broker shows.
pub const MISSING_DEAD_LETTERS: &str = "not there, or may not be read: make it, or the first record \
     that can never be applied holds up its partition";

/// One partition as the brokers and the group see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// What the group has committed.
    pub commit: Option<Commit>,
    /// The first offset still there.
    pub low: i64,
    /// One past the last offset.
    pub high: i64,
}

impl Standing {
    /// The offset that the group reads next, if it has committed one.
    #[must_use]
    pub fn current(&self) -> Option<i64> {
        self.commit.as_ref().map(|commit| commit.next.get())
    }
}

/// Looks at and changes the offsets of one group.
pub struct Admin {
    consumer: BaseConsumer<Complaints>,
}

/// Why a question was not answered.
#[derive(Debug, thiserror::Error)]
#[error("{error}{}", complaint.as_ref().map_or(String::new(), |it| format!(" ({it})")))]
pub struct Unanswered {
    error: KafkaError,
    /// What librdkafka said last.
    complaint: Option<String>,
}

impl Unanswered {
    /// Whether a commit was refused because the group is not stopped.
    #[must_use]
    pub fn is_group_running(&self) -> bool {
        matches!(
            self.error.rdkafka_error_code(),
            Some(
                RDKafkaErrorCode::UnknownMemberId
                    | RDKafkaErrorCode::IllegalGeneration
                    | RDKafkaErrorCode::RebalanceInProgress
                    | RDKafkaErrorCode::FencedInstanceId
            )
        )
    }
}

/// What a consumer's group has committed on these partitions of a topic, in their order.
pub(super) fn commits<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    partitions: &[i32],
    timeout: Duration,
) -> KafkaResult<Vec<Option<Commit>>> {
    if partitions.is_empty() {
        return Ok(Vec::new());
    }
    let mut list = TopicPartitionList::new();
    for &partition in partitions {
        list.add_partition(topic, partition);
    }
    let committed = consumer.committed_offsets(list, timeout)?;
    let commit = |&partition: &i32| {
        let Some(element) = committed.find_partition(topic, partition) else {
            return Ok(None);
        };
        element.error()?;
        Ok(Commit::of(&element))
    };
    partitions.iter().map(commit).collect()
}

impl Admin {
    /// An administrator of `group`; connects to nothing yet.
    ///
    /// # Errors
    /// [`SourceError`] when librdkafka refuses the settings or a secret cannot be read.
    pub fn new(source: &Source, group: &str) -> Result<Self, SourceError> {
        let mut settings = settings::reader(source)?;
        settings.set("group.id", group);
        Ok(Self {
            consumer: settings
                .create_with_context(Complaints::default())
                .map_err(SourceError::Settings)?,
        })
    }

    /// The partitions of a topic; empty when it does not exist.
    ///
    /// # Errors
    /// When no broker answers in time.
    pub fn partitions(&self, topic: &str) -> Result<Vec<i32>, Unanswered> {
        let metadata = self.ask(|it| it.fetch_metadata(Some(topic), TIMEOUT))?;
        let topics = metadata.topics().iter().filter(|it| it.error().is_none());
        Ok(topics
            .flat_map(|it| it.partitions().iter().map(|partition| partition.id()))
            .collect())
    }

    /// Where the group stands on each partition of these topics.
    ///
    /// # Errors
    /// When no broker answers in time.
    pub fn standings(&self, topics: &[&str]) -> Result<Vec<Standing>, Unanswered> {
        let mut standings = Vec::new();
        for topic in topics {
            let partitions = self.partitions(topic)?;
            let commits = self.commits(topic, &partitions)?;
            for (partition, commit) in partitions.into_iter().zip(commits) {
                let (low, high) = self.ask(|it| it.fetch_watermarks(topic, partition, TIMEOUT))?;
                let topic = (*topic).to_owned();
                standings.push(Standing {
                    topic,
                    partition,
                    commit,
                    low,
                    high,
                });
            }
        }
        Ok(standings)
    }

    /// What the group has committed on these partitions of a topic, in their order.
    ///
    /// # Errors
    /// When no broker answers in time.
    pub fn commits(
        &self,
        topic: &str,
        partitions: &[i32],
    ) -> Result<Vec<Option<Commit>>, Unanswered> {
        self.ask(|it| commits(it, topic, partitions, TIMEOUT))
    }

    /// The first offset of each partition whose record is not older than `timestamp_ms`; the end
    /// where there is none.
    ///
    /// # Errors
    /// When no broker answers in time.
    pub fn at_time(
        &self,
        standings: &[Standing],
        timestamp_ms: i64,
    ) -> Result<Vec<i64>, Unanswered> {
        let found = self.ask(|consumer| {
            let mut list = TopicPartitionList::new();
            for it in standings {
                list.add_partition_offset(&it.topic, it.partition, Offset::Offset(timestamp_ms))?;
            }
            consumer.offsets_for_times(list, TIMEOUT)
        })?;
        let offset = |it: &Standing| match found.find_partition(&it.topic, it.partition)?.offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        };
        Ok(standings
            .iter()
            .map(|it| offset(it).unwrap_or(it.high))
            .collect())
    }

    /// Commits these offsets in the group's name.
    ///
    /// # Errors
    /// One that [is about members](Unanswered::is_group_running) while the group has some.
    pub fn commit(&self, offsets: &[(Standing, NextOffset, CommitNote)]) -> Result<(), Unanswered> {
        self.ask(|consumer| {
            let mut list = TopicPartitionList::new();
            for (standing, next, note) in offsets {
                let mut element = list.add_partition(&standing.topic, standing.partition);
                element.set_offset(Offset::Offset(next.get()))?;
                element.set_metadata(note.to_text());
            }
            consumer.commit(&list, CommitMode::Sync)
        })
    }

    /// The members the group has now.
    ///
    /// # Errors
    /// When no broker answers in time.
    pub fn members(&self, group: &str) -> Result<usize, Unanswered> {
        let groups = self.ask(|it| it.fetch_group_list(Some(group), TIMEOUT))?;
        Ok(groups.groups().iter().map(|it| it.members().len()).sum())
    }

    fn ask<T>(
        &self,
        question: impl FnOnce(&BaseConsumer<Complaints>) -> KafkaResult<T>,
    ) -> Result<T, Unanswered> {
        question(&self.consumer).map_err(|error| {
            self.listen();
            Unanswered {
                error,
                complaint: self.consumer.context().last(),
            }
        })
    }

    /// librdkafka's log comes with its other events: to whoever polls.
    fn listen(&self) {
        let until = Instant::now() + LISTEN;
        while Instant::now() < until {
            // Nothing is assigned, so there are no records, and its errors say less than its log.
            drop(self.consumer.poll(LISTEN / 10));
        }
    }
}
