//! The poll thread: the only code that talks to librdkafka's consumer.
//!
//! It always polls; backpressure is pause and resume. Rebalances are answered outside their
//! callbacks (see [`super::rebalance`]), so polling goes on while a revoke drains.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::BorrowedMessage;
use rdkafka::topic_partition_list::TopicPartitionList;
use tokio::sync::mpsc::Sender;

use super::context::{Callback, Context, assign, unassign};
use super::held_up::HeldUp;
use super::owned::Owned;
use super::password::Password;
use super::policy::Policies;
use super::rebalance::Group;
use super::signs::{Brokers, End};
use super::unseen::Unseen;
use super::{
    CommitNote, Fence, Generation, NextOffset, Partition, Record, Records, SourceCommand,
    SourceError, SourceEvent, SourceHandle, settings,
};
use crate::clock::now_ms;
use crate::config::{Source, Table};
use crate::fault_point::reach;

/// How long a poll waits when nothing comes: what a command may have to wait for.
const IDLE_POLL: Duration = Duration::from_millis(100);

/// The same while partitions are paused, where the next command is most likely a resume. What is
/// under way then lasts a store longer than this.
const PAUSED_POLL: Duration = Duration::from_millis(10);

/// Records cross to the pipeline together, at most this many or this many bytes: few enough to be in
/// a core's cache still when they are decoded, and to be far below the budget where a table has
/// many projections.
const BATCH_RECORDS: usize = 256;
const BATCH_BYTES: u64 = 256 << 10;

/// Events that may wait for the pipeline. It never waits for this thread, so a full channel is a
/// wait for its CPU or, for a moment, for the stores (`pipeline::pace`), and what was polled but
/// not yet charged to the budget is bounded.
const EVENTS_WAITING: usize = 4;

/// Joins `group` for the topics of `tables` and starts the poll thread. On the `filled` ones the group
/// has no commits any more, and their stores are not empty.
///
/// # Errors
/// [`SourceError::Settings`] and [`SourceError::Secret`]; a broker that is away is no error.
pub fn spawn(
    source: &Source,
    group: &str,
    tables: Arc<[Table]>,
    fence: Arc<Fence>,
    filled: BTreeSet<String>,
) -> Result<SourceHandle, SourceError> {
    let settings = settings::consumer(source, group)?;
    let consumer: BaseConsumer<Context> = settings
        .create_with_context(Context::default())
        .map_err(SourceError::Settings)?;
    let topics: Vec<&str> = tables.iter().map(|table| table.topic.as_str()).collect();
    consumer.subscribe(&topics).map_err(SourceError::Settings)?;
    let (events_in, events) = tokio::sync::mpsc::channel(EVENTS_WAITING);
    let (commands, commands_out) = std::sync::mpsc::channel();
    let unseen = Unseen::new(&tables);
    let policies = Policies::new(settings::admin(source)?);
    let poller = Poller {
        group: Group::new(consumer, tables, policies, filled),
        fence,
        events: events_in,
        commands: commands_out,
        owned: HashMap::default(),
        generation: 0,
        room: (0, 0),
        assigning: None,
        held_up: HeldUp::default(),
        revoking: None,
        paused: BTreeSet::new(),
        ends: HashMap::new(),
        brokers: Brokers::default(),
        password: Password::of(source, &settings),
        unseen,
        asked: None,
        stop: None,
    };
    std::thread::Builder::new()
        .name("kafka-poll".to_owned())
        .spawn(move || poller.run())
        .expect("a process can start one thread");
    Ok(SourceHandle { events, commands })
}

pub(super) struct Poller {
    pub(super) group: Group,
    pub(super) fence: Arc<Fence>,
    events: Sender<SourceEvent>,
    pub(super) commands: Receiver<SourceCommand>,
    pub(super) owned: HashMap<Partition, Owned, RandomState>,
    generation: Generation,
    /// How many records came last, and how many bytes: the next ones will be about as many.
    room: (usize, usize),
    /// Given by the group, not yet begun.
    assigning: Option<TopicPartitionList>,
    pub(super) held_up: HeldUp,
    /// To be given up when the pipeline has drained them.
    pub(super) revoking: Option<TopicPartitionList>,
    pub(super) paused: BTreeSet<Partition>,
    /// Ends of partitions that librdkafka has reached, to be told after the next quiet poll.
    pub(super) ends: HashMap<Partition, End>,
    pub(super) brokers: Brokers,
    pub(super) password: Password,
    pub(super) unseen: Unseen,
    /// The paused partition whose high watermark was asked for last.
    pub(super) asked: Option<Partition>,
    pub(super) stop: Option<Vec<(Partition, NextOffset, CommitNote)>>,
}

impl Poller {
    fn run(mut self) {
        let ended = self.poll_until_stopped();
        if let Err(error) = ended {
            self.tell(SourceEvent::Failed(error));
        }
        self.leave();
        self.tell(SourceEvent::Stopped);
    }

    fn poll_until_stopped(&mut self) -> Result<(), SourceError> {
        loop {
            if self.take_commands()?.is_break() {
                return Ok(());
            }
            let quiet = self.poll_records()?;
            self.fence.beat();
            let callbacks = self.group.consumer.context().take();
            if quiet && callbacks.is_empty() {
                self.tell_ends()?;
            }
            for callback in callbacks {
                self.serve(callback)?;
            }
            self.watch_for_loss();
            self.begin_assigned()?;
        }
    }

    /// Takes what has come, and tells whether nothing had.
    fn poll_records(&mut self) -> Result<bool, SourceError> {
        let consumer = Arc::clone(&self.group.consumer);
        let wait = if self.paused.is_empty() {
            IDLE_POLL
        } else {
            PAUSED_POLL
        };
        let begun = Instant::now();
        let mut polled = consumer.poll(wait);
        let quiet = polled.is_none() && begun.elapsed() >= wait;
        let mut records = Records::with_capacity(self.room.0, self.room.1);
        let mut bytes = 0;
        while let Some(message) = polled {
            match message {
                Ok(message) => {
                    if let Some(record) = self.record(&message)? {
                        bytes += record.bytes();
                        records.push(&record);
                    }
                }
                Err(error) => self.weigh(error)?,
            }
            if records.len() >= BATCH_RECORDS || bytes >= BATCH_BYTES {
                break;
            }
            polled = consumer.poll(Duration::ZERO);
        }
        self.room = records.room(2 * BATCH_BYTES as usize);
        if !records.is_empty() {
            reach("after-poll");
            self.tell(SourceEvent::Records(records));
        }
        Ok(quiet)
    }

    fn record<'a>(
        &mut self,
        message: &'a BorrowedMessage<'_>,
    ) -> Result<Option<Record<'a>>, SourceError> {
        let Some(partition) = self.group.partition(message.topic(), message.partition()) else {
            return Ok(None);
        };
        let Some(owned) = self.owned.get_mut(&partition) else {
            return Ok(None);
        };
        let record = Record::of(partition, owned.generation, message);
        if let Some(compaction) = &mut owned.compaction {
            let passed = compaction.pass(owned.delivered..record.offset, now_ms());
            passed.map_err(|removed| self.group.refuse(partition, &removed))?;
            compaction.saw(record.timestamp_ms);
        }
        owned.delivered = owned.delivered.max(record.offset + 1);
        Ok(Some(record))
    }

    fn serve(&mut self, callback: Callback) -> Result<(), SourceError> {
        if matches!(callback, Callback::Assign(_) | Callback::Revoke { .. }) {
            // librdkafka pauses every partition while a rebalance waits for its answer, and throws
            // away what it had fetched of those that stay, too.
            self.ends.clear();
        }
        match callback {
            Callback::Assign(list) if list.count() == 0 => {
                // A rebalance that gives nothing still waits for its answer.
                let begun = self.group.begin(&list, self.generation)?;
                self.tell(SourceEvent::Assigned(begun.unwrap_or_default()));
                Ok(())
            }
            Callback::Assign(list) => {
                self.assigning = Some(list);
                Ok(())
            }
            Callback::Revoke { partitions, lost } => self.give_up(partitions, lost),
            Callback::Commit(result, list) => {
                self.report_commit(result, &list);
                Ok(())
            }
            Callback::Statistics(statistics) => self.read_statistics(&statistics),
        }
    }

    fn begin_assigned(&mut self) -> Result<(), SourceError> {
        let Some(list) = &self.assigning else {
            return Ok(());
        };
        self.generation += 1;
        let begun = match self.group.begin(list, self.generation)? {
            Ok(begun) => begun,
            Err(awaited) => return self.held_up_by(&awaited),
        };
        self.assigning = None;
        self.held_up = HeldUp::default();
        self.brokers.let_us_in();
        for assigned in &begun {
            let (partition, generation) = (assigned.partition, assigned.generation);
            let keeps_ms = self.group.keeps_ms(partition);
            let owned = Owned::new(assigned, keeps_ms);
            self.owned.insert(partition, owned);
            self.fence.open(partition, generation);
        }
        self.ends.clear();
        self.tell(SourceEvent::Assigned(begun));
        Ok(())
    }

    /// Whether a rebalance waits for our answer.
    pub(super) fn is_rebalancing(&self) -> bool {
        self.assigning.is_some() || self.revoking.is_some()
    }

    fn give_up(&mut self, list: TopicPartitionList, lost: bool) -> Result<(), SourceError> {
        reach("in-revoke");
        // An assignment that has not begun is given up without a word.
        self.assigning = None;
        self.held_up = HeldUp::default();
        let partitions = self.disown(&list);
        if lost || partitions.is_empty() {
            partitions.iter().for_each(|&it| self.fence.close(it));
            self.tell(SourceEvent::Lost(partitions));
            return unassign(&self.group.consumer, &list).map_err(SourceError::Consumer);
        }
        self.revoking = Some(list);
        self.tell(SourceEvent::Revoking(partitions));
        Ok(())
    }

    /// While a revoke drains, partitions may be lost all the same: their topic is deleted. A session
    /// that ends then is not told: librdkafka skips whatever comes while it waits for an answer
    /// (`rd_kafka_cgrp_revoke_all_rejoin_maybe`), and the drain's deadline has to do.
    fn watch_for_loss(&mut self) {
        if self.revoking.is_some() && self.group.consumer.assignment_lost() {
            let list = self.revoking.take().expect("just seen");
            let partitions = self.group.partitions(&list);
            partitions.iter().for_each(|&it| self.fence.close(it));
            self.tell(SourceEvent::Lost(partitions));
            if let Err(error) = unassign(&self.group.consumer, &list) {
                tracing::debug!(%error, "could not give up partitions that were lost");
            }
        }
    }

    fn disown(&mut self, list: &TopicPartitionList) -> Vec<Partition> {
        let mut partitions = self.group.partitions(list);
        partitions.retain(|it| self.owned.remove(it).is_some());
        for it in &partitions {
            self.ends.remove(it);
            // It may be gone: librdkafka gives up what is.
            self.unseen.look_again(self.group.topic(*it));
        }
        // librdkafka keeps a pause beyond the assignment: the partition would come back paused.
        let paused = partitions.iter().copied();
        let paused: Vec<_> = paused.filter(|it| self.paused.remove(it)).collect();
        if let Err(error) = self.group.consumer.resume(&self.group.list(&paused)) {
            tracing::debug!(%error, "partitions that are given up were not resumed");
        }
        partitions
    }

    fn leave(&mut self) {
        if let Some(offsets) = self.stop.take() {
            self.group.commit_now(&offsets);
        }
        self.owned.clear();
        self.fence.close_all();
        self.group.consumer.context().close();
        self.answer_rebalance();
        self.group.consumer.unsubscribe();
    }

    /// A rebalance that waits for its answer would hold up the close for ever. What it gives is
    /// taken, because librdkafka knows no other answer; the close gives it back.
    fn answer_rebalance(&mut self) {
        let consumer = &self.group.consumer;
        let given = self.assigning.take().map(|it| assign(consumer, &it));
        let taken = self.revoking.take().map(|it| unassign(consumer, &it));
        if let Some(Err(error)) = given.or(taken) {
            tracing::debug!(%error, "a rebalance could not be answered before leaving");
        }
    }

    pub(super) fn tell(&self, event: SourceEvent) {
        // The pipeline drops its end only when the process is about to end.
        drop(self.events.blocking_send(event));
    }
}
