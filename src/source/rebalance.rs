//! What the poll thread does about assignments and revokes, outside the callbacks.
//!
//! An assignment waits here until the brokers have told where to begin; a revoke waits until the
//! pipeline has drained. Polling goes on meanwhile.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use foldhash::fast::RandomState;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList, TopicPartitionListElem};
use rdkafka::types::RDKafkaErrorCode;

use super::admin::commits;
use super::compaction::Removed;
use super::context::{Context, assign};
use super::held_up::Awaited;
use super::policy::Policies;
use super::start::{Commit, Commits, Facts, decide, read_from};
use super::{Assigned, CommitNote, Generation, NextOffset, Partition, SourceError, start};
use crate::change::TableId;
use crate::clock::now_ms;
use crate::config::{COMMIT_DEADLINE, Table};
use crate::fault_point::reach;

/// How long one question to the brokers may take; the next loop asks again.
const ASK_TIMEOUT: Duration = Duration::from_secs(3);

/// The consumer and the names of its topics.
pub(super) struct Group {
    pub(super) consumer: Arc<BaseConsumer<Context>>,
    pub(super) tables: Arc<[Table]>,
    topics: HashMap<String, TableId, RandomState>,
    policies: Policies,
    /// Topics without commits whose stores are filled.
    filled: BTreeSet<String>,
    /// Those on whose topics the group is known to have commits.
    committed: BTreeSet<TableId>,
}

/// What each assigned partition's commit is, if it has one, and its log.
type Found = Vec<(Partition, Option<Commit>, Facts)>;

/// What is committed on all partitions of each topic.
type OfTopics = BTreeMap<TableId, Commits>;

impl Group {
    pub(super) fn new(
        consumer: BaseConsumer<Context>,
        tables: Arc<[Table]>,
        policies: Policies,
        filled: BTreeSet<String>,
    ) -> Self {
        let topics = tables.iter().enumerate().map(|(index, table)| {
            let id = u16::try_from(index).expect("validation bounds the number of tables");
            (table.topic.clone(), TableId(id))
        });
        Self {
            consumer: Arc::new(consumer),
            topics: topics.collect(),
            tables,
            policies,
            filled,
            committed: BTreeSet::new(),
        }
    }

    /// The program's name of a topic's partition; `None` for a topic that is not ours.
    pub(super) fn partition(&self, topic: &str, number: i32) -> Option<Partition> {
        self.topics
            .get(topic)
            .map(|&table| Partition { table, number })
    }

    pub(super) fn topic(&self, partition: Partition) -> &str {
        &self.tables[usize::from(partition.table.0)].topic
    }

    pub(super) fn partitions(&self, list: &TopicPartitionList) -> Vec<Partition> {
        let elements = list.elements();
        elements
            .iter()
            .filter_map(|it| self.partition(it.topic(), it.partition()))
            .collect()
    }

    /// librdkafka's list of these partitions.
    pub(super) fn list(&self, partitions: &[Partition]) -> TopicPartitionList {
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for &partition in partitions {
            list.add_partition(self.topic(partition), partition.number);
        }
        list
    }

    /// librdkafka's list of these offsets with their notes.
    pub(super) fn offsets(
        &self,
        offsets: &[(Partition, NextOffset, CommitNote)],
    ) -> KafkaResult<TopicPartitionList> {
        let mut list = TopicPartitionList::with_capacity(offsets.len());
        for (partition, next, note) in offsets {
            let mut element = list.add_partition(self.topic(*partition), partition.number);
            element.set_offset(Offset::Offset(next.get()))?;
            element.set_metadata(note.to_text());
        }
        Ok(list)
    }

    /// Finds where each assigned partition begins and begins there, with all of them at once: a
    /// rebalance has one answer. The inner error is a question that was not answered: to be tried
    /// again after the next poll.
    ///
    /// # Errors
    /// [`SourceError::Mismatch`] when commits and topics do not belong together.
    pub(super) fn begin(
        &mut self,
        assigned: &TopicPartitionList,
        generation: Generation,
    ) -> Result<Result<Vec<Assigned>, Awaited>, SourceError> {
        let learnt = self.learn_policies(assigned);
        let (found, commits) = match learnt.and_then(|()| self.facts(assigned)) {
            Ok(found) => found,
            Err(awaited) => return Ok(Err(awaited)),
        };
        let mut begun = Vec::with_capacity(found.len());
        let mut start_list = TopicPartitionList::with_capacity(found.len());
        for (partition, commit, facts) in found {
            let table = &self.tables[usize::from(partition.table.0)];
            let of_topic = &commits[&partition.table];
            let start = decide(table, partition.number, commit.as_ref(), (facts, of_topic))
                .map_err(SourceError::Mismatch)?;
            let note = commit.as_ref().and_then(|it| it.note.as_ref());
            let read_from = read_from(start, note, facts.low);
            start_list
                .add_partition_offset(&table.topic, partition.number, Offset::Offset(read_from))
                .map_err(SourceError::Consumer)?;
            begun.push(Assigned {
                partition,
                generation,
                start,
                is_compacted: self.keeps_ms(partition).is_some(),
                as_of: self.keeps_ms(partition).and(match &commit {
                    None if self.filled.contains(&table.topic) => Some(CommitNote::NOBODY_KNOWS),
                    // The stores begin empty, with the log as it is now.
                    None => Some(now_ms()),
                    Some(commit) => commit.note.as_ref().and_then(CommitNote::as_of),
                }),
                note: commit.and_then(|commit| commit.note),
                partition_count: facts.partitions,
                high: facts.high,
            });
        }
        assign(&self.consumer, &start_list).map_err(SourceError::Consumer)?;
        let committed = commits.iter().filter(|(_, it)| it.are_there);
        self.has_committed(committed.map(|(&table, _)| table));
        Ok(Ok(begun))
    }

    /// What the brokers say of the assigned partitions, and of their topics' other ones.
    fn facts(&self, assigned: &TopicPartitionList) -> Result<(Found, OfTopics), Awaited> {
        let mut found = Found::new();
        let mut of_topics = OfTopics::new();
        let assigned = self.partitions(assigned);
        let tables: BTreeSet<TableId> = assigned.iter().map(|it| it.table).collect();
        for table in tables {
            let topic = &self.tables[usize::from(table.0)].topic;
            let partitions = self.partition_count(topic)?;
            let has_all = |it: &Partition| it.table != table || it.number < partitions;
            if !assigned.iter().all(has_all) {
                // This broker does not know yet what the group's leader does.
                let unknown = KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownPartition);
                return Err(Awaited::to(partitions_of(topic))(unknown));
            }
            let numbers: Vec<i32> = (0..partitions).collect();
            let commits = commits(&self.consumer, topic, &numbers, ASK_TIMEOUT)
                .map_err(Awaited::to(format!("what is committed on topic `{topic}`")))?;
            let there = || commits.iter().flatten();
            let of_topic = Commits {
                are_there: there().next().is_some(),
                notes: there().filter_map(|it| it.note.clone()).collect(),
                were_seen: self.committed.contains(&table),
            };
            of_topics.insert(table, of_topic);
            for &partition in assigned.iter().filter(|it| it.table == table) {
                let (low, high) = self.ends(topic, partition.number)?;
                let facts = Facts {
                    low,
                    high,
                    partitions,
                };
                let commit = usize::try_from(partition.number).ok();
                let commit = commit.and_then(|it| commits.get(it)?.clone());
                found.push((partition, commit, facts));
            }
        }
        Ok((found, of_topics))
    }

    /// The brokers have taken or told commits of these.
    pub(super) fn has_committed(&mut self, tables: impl IntoIterator<Item = TableId>) {
        self.committed.extend(tables);
    }

    fn learn_policies(&mut self, assigned: &TopicPartitionList) -> Result<(), Awaited> {
        let elements = assigned.elements();
        let mut topics: Vec<&str> = elements.iter().map(TopicPartitionListElem::topic).collect();
        topics.sort_unstable();
        topics.dedup();
        let learnt = self.policies.learn(&topics, ASK_TIMEOUT);
        learnt.map_err(Awaited::to("which topics are compacted"))
    }

    /// `delete.retention.ms` where the partition's topic is compacted.
    pub(super) fn keeps_ms(&self, partition: Partition) -> Option<i64> {
        self.policies.keeps_ms(self.topic(partition))
    }

    /// What stops the process where deletes may have been lost.
    pub(super) fn refuse(&self, partition: Partition, removed: &Removed) -> SourceError {
        let table = &self.tables[usize::from(partition.table.0)];
        SourceError::Mismatch(start::compacted(table, partition.number, removed))
    }

    fn partition_count(&self, topic: &str) -> Result<i32, Awaited> {
        let asked = self.consumer.fetch_metadata(Some(topic), ASK_TIMEOUT);
        let metadata = asked.map_err(Awaited::to(partitions_of(topic)))?;
        let found = metadata.topics().iter().find(|it| it.name() == topic);
        let count = found.map_or(0, |it| it.partitions().len());
        i32::try_from(count)
            .ok()
            .filter(|&count| count > 0)
            .ok_or(KafkaError::MetadataFetch(
                RDKafkaErrorCode::UnknownTopicOrPartition,
            ))
            .map_err(Awaited::to(partitions_of(topic)))
    }

    /// The first offset of a partition that is there, and one past the last.
    fn ends(&self, topic: &str, number: i32) -> Result<(i64, i64), Awaited> {
        let asked = self.consumer.fetch_watermarks(topic, number, ASK_TIMEOUT);
        asked.map_err(Awaited::to(format!(
            "where partition {number} of topic `{topic}` begins and ends"
        )))
    }

    /// Commits these and what was stored before, and waits for the answer, but not for ever.
    pub(super) fn commit_now(&self, offsets: &[(Partition, NextOffset, CommitNote)]) {
        reach("before-last-commit");
        let list = match self.offsets(offsets) {
            Ok(list) => list,
            Err(error) => return tracing::error!(%error, "a watermark cannot be committed"),
        };
        let (answer, answered) = mpsc::channel();
        let consumer = Arc::clone(&self.consumer);
        // On a thread of its own, because a synchronous commit has no deadline. It lets go of the
        // consumer before it answers: whoever lets go last closes it, and a process that does not
        // wait for that is gone before the group hears that it leaves.
        std::thread::spawn(move || {
            let committed = commit(&consumer, &list);
            drop(consumer);
            answer.send(committed).is_ok()
        });
        match answered.recv_timeout(COMMIT_DEADLINE) {
            Ok(Ok(())) => reach("after-last-commit"),
            Ok(Err(error)) => {
                tracing::warn!(%error, "the last commit failed; what it covered is done again");
            }
            Err(_) => {
                let waited = COMMIT_DEADLINE;
                tracing::warn!(
                    ?waited,
                    "no answer to the last commit; what it covered may be done again"
                );
            }
        }
    }
}

fn partitions_of(topic: &str) -> String {
    format!("which partitions topic `{topic}` has")
}

/// By way of the store: when partitions are given up, librdkafka commits what is stored, over
/// whatever else was committed meanwhile.
fn commit(consumer: &BaseConsumer<Context>, list: &TopicPartitionList) -> KafkaResult<()> {
    if list.count() > 0 && consumer.store_offsets(list).is_err() {
        // They are no longer ours to store; the coordinator decides whether they may be committed.
        return consumer.commit(list, CommitMode::Sync);
    }
    match consumer.commit_consumer_state(CommitMode::Sync) {
        Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::NoOffset)) => Ok(()),
        committed => committed,
    }
}
