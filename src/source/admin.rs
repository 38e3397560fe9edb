//! What a group has committed, and changing it while the group is stopped. Blocking calls: never
//! on a runtime's worker.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::start::Commit;
use super::{CommitNote, NextOffset, SourceError, settings};
use crate::config::Source;

/// How long one question may take.
const TIMEOUT: Duration = Duration::from_secs(10);

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
    consumer: BaseConsumer,
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
            consumer: settings.create().map_err(SourceError::Settings)?,
        })
    }

    /// The partitions of a topic; empty when it does not exist.
    ///
    /// # Errors
    /// When no broker answers in time.
    pub fn partitions(&self, topic: &str) -> Result<Vec<i32>, KafkaError> {
        let metadata = self.consumer.fetch_metadata(Some(topic), TIMEOUT)?;
        let topics = metadata.topics().iter().filter(|it| it.error().is_none());
        Ok(topics
            .flat_map(|it| it.partitions().iter().map(|partition| partition.id()))
            .collect())
    }

    /// Where the group stands on each partition of these topics.
    ///
    /// # Errors
    /// When no broker answers in time.
    pub fn standings(&self, topics: &[&str]) -> Result<Vec<Standing>, KafkaError> {
        let mut standings = Vec::new();
        for topic in topics {
            let partitions = self.partitions(topic)?;
            let commits = self.commits(topic, &partitions)?;
            for (partition, commit) in partitions.into_iter().zip(commits) {
                let (low, high) = self.consumer.fetch_watermarks(topic, partition, TIMEOUT)?;
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
    ) -> Result<Vec<Option<Commit>>, KafkaError> {
        let mut list = TopicPartitionList::new();
        for &partition in partitions {
            list.add_partition(topic, partition);
        }
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        let committed = self.consumer.committed_offsets(list, TIMEOUT)?;
        partitions
            .iter()
            .map(|&partition| {
                let Some(element) = committed.find_partition(topic, partition) else {
                    return Ok(None);
                };
                element.error()?;
                Ok(match element.offset() {
                    Offset::Offset(next) => Some(Commit {
                        next: NextOffset::given(next),
                        note: CommitNote::parse(element.metadata()),
                    }),
                    _ => None,
                })
            })
            .collect()
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
    ) -> Result<Vec<i64>, KafkaError> {
        let mut list = TopicPartitionList::new();
        for it in standings {
            list.add_partition_offset(&it.topic, it.partition, Offset::Offset(timestamp_ms))?;
        }
        let found = self.consumer.offsets_for_times(list, TIMEOUT)?;
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
    /// [`KafkaError::ConsumerCommit`] with `UnknownMemberId` while the group has members.
    pub fn commit(&self, offsets: &[(Standing, NextOffset, CommitNote)]) -> Result<(), KafkaError> {
        let mut list = TopicPartitionList::new();
        for (standing, next, note) in offsets {
            let mut element = list.add_partition(&standing.topic, standing.partition);
            element.set_offset(Offset::Offset(next.get()))?;
            element.set_metadata(note.to_text());
        }
        self.consumer.commit(&list, CommitMode::Sync)
    }

    /// The members the group has now.
    ///
    /// # Errors
    /// When no broker answers in time.
    pub fn members(&self, group: &str) -> Result<usize, KafkaError> {
        let groups = self.consumer.fetch_group_list(Some(group), TIMEOUT)?;
        Ok(groups.groups().iter().map(|it| it.members().len()).sum())
    }
}

/// Whether a commit was refused because the group is not stopped.
#[must_use]
pub fn is_group_running(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::UnknownMemberId
                | RDKafkaErrorCode::IllegalGeneration
                | RDKafkaErrorCode::RebalanceInProgress
                | RDKafkaErrorCode::FencedInstanceId
        )
    )
}
