//! What librdkafka says besides records: errors, commits, statistics, the ends of partitions, and
//! whether any broker answers. Each change of the brokers' state is one line in the log.

use std::ops::Bound;
use std::time::Duration;

use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use rdkafka::statistics::Statistics;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaErrorCode;

use super::complaints::Complaints;
use super::kafka::Poller;
use super::{NextOffset, Partition, SourceError, SourceEvent};
use crate::clock::now_ms;

/// How many statistics in a row (one a second) must show no broker before it is said: a single
/// reconnect is nobody's business.
const SILENT_SECONDS: u32 = 3;

/// How long the poll thread may wait for one watermark.
const ASK_TIMEOUT: Duration = Duration::from_millis(200);

/// Statistics in a row that must show the same end.
const CERTAIN: u32 = 3;

/// The end of a partition behind the last record delivered, as statistics showed it.
#[derive(Debug, Default)]
pub(super) struct End {
    end: i64,
    seen: u32,
}

impl End {
    fn see(&mut self, end: i64) {
        self.seen = if end == self.end { self.seen + 1 } else { 1 };
        self.end = end;
    }
}

/// Whether any broker answers.
#[derive(Debug, Default)]
pub(super) struct Brokers {
    silent_seconds: u32,
    /// What they may refuse one who is let in, each said once.
    refused: Vec<RDKafkaErrorCode>,
}

impl Brokers {
    /// Looks for one that answers; whether there has been none for some time.
    fn are_silent(&mut self, statistics: &Statistics, complaints: &Complaints) -> bool {
        let answers = statistics
            .brokers
            .values()
            .any(|it| it.nodeid >= 0 && it.state == "UP");
        if answers {
            if self.silent_seconds >= SILENT_SECONDS {
                tracing::info!("a Kafka broker answers again");
            }
            self.silent_seconds = 0;
            return false;
        }
        self.silent_seconds = self.silent_seconds.saturating_add(1);
        if self.silent_seconds == SILENT_SECONDS {
            let brokers: Vec<&str> = statistics
                .brokers
                .values()
                .map(|it| it.name.as_str())
                .collect();
            tracing::warn!(
                ?brokers,
                complaint = complaints.last(),
                "no Kafka broker answers; waiting for one"
            );
        }
        self.silent_seconds >= SILENT_SECONDS
    }

    /// What was refused may be so again, and is said again then.
    pub(super) fn let_us_in(&mut self) {
        self.refused.clear();
    }

    /// A right is missing. Somebody may grant it yet.
    fn refuse(&mut self, code: RDKafkaErrorCode) {
        if !self.refused.contains(&code) {
            self.refused.push(code);
            tracing::warn!(%code, "Kafka refuses us something; waiting for the right to it");
        }
    }
}

fn is_up(statistics: &Statistics, broker: i32) -> bool {
    let mut brokers = statistics.brokers.values();
    brokers.any(|it| it.nodeid == broker && it.state == "UP")
}

impl Poller {
    /// Most errors pass by themselves: librdkafka goes on trying and so do we.
    pub(super) fn weigh(&mut self, error: KafkaError) -> Result<(), SourceError> {
        match error {
            KafkaError::MessageConsumptionFatal(_) => Err(SourceError::Consumer(error)),
            KafkaError::MessageConsumption(
                RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange,
            ) => Err(SourceError::Mismatch(
                "an offset to be read is no longer in its topic: it was truncated, expired or the \
                 topic was made again while it was being read. Start again to see which, and what \
                 to do"
                    .to_owned(),
            )),
            KafkaError::MessageConsumption(
                code @ (RDKafkaErrorCode::BadCompression
                | RDKafkaErrorCode::BadMessage
                | RDKafkaErrorCode::NotImplemented
                | RDKafkaErrorCode::MessageSizeTooLarge),
            ) => Err(SourceError::Unreadable(code)),
            KafkaError::PartitionEOF(_) => Ok(()),
            // Of one broker, while others may let us in still.
            KafkaError::MessageConsumption(RDKafkaErrorCode::Authentication) => self.refused(),
            KafkaError::MessageConsumption(
                code @ (RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::GroupAuthorizationFailed
                | RDKafkaErrorCode::ClusterAuthorizationFailed),
            ) => {
                self.brokers.refuse(code);
                self.tell(SourceEvent::Refused(code.to_string()));
                Ok(())
            }
            error => {
                tracing::debug!(%error, "a poll reported an error that librdkafka retries");
                Ok(())
            }
        }
    }

    pub(super) fn report_commit(
        &mut self,
        result: Result<(), KafkaError>,
        list: &TopicPartitionList,
    ) {
        if let Err(error) = result {
            return self.tell(SourceEvent::CommitFailed(error.to_string()));
        }
        let elements = list.elements();
        let committed = elements.iter().filter_map(|it| {
            let partition = self.group.partition(it.topic(), it.partition())?;
            match (it.offset(), it.error()) {
                (Offset::Offset(next), Ok(())) => Some((partition, NextOffset::given(next))),
                _ => None,
            }
        });
        let committed: Vec<_> = committed.collect();
        let tables = committed.iter().map(|(partition, _)| partition.table);
        self.group.has_committed(tables);
        self.tell(SourceEvent::Committed(committed));
    }

    pub(super) fn read_statistics(&mut self, statistics: &Statistics) -> Result<(), SourceError> {
        let complaints = &self.group.consumer.context().complaints;
        if self.brokers.are_silent(statistics, complaints) {
            self.refused()?;
        }
        let mut marks = Vec::with_capacity(self.owned.len());
        let mut at_rest = None;
        for (topic, partitions) in &statistics.topics {
            for (&number, facts) in &partitions.partitions {
                let Some(partition) = self.group.partition(topic, number) else {
                    continue;
                };
                let Some(owned) = self.owned.get(&partition) else {
                    continue;
                };
                if facts.hi_offset >= 0 {
                    marks.push((partition, facts.hi_offset));
                    if self.is_to_be_renewed(partition, facts) {
                        at_rest = Some(partition);
                    }
                }
                // Signs that may be older than what librdkafka has thrown away are no signs: while
                // a partition is paused or not fetched yet after it came, while a rebalance waits
                // for its answer, and while its leader is away, so that nothing was fetched since.
                let at_end = facts.next_offset == facts.eof_offset
                    && facts.eof_offset > owned.delivered
                    && !self.paused.contains(&partition)
                    && facts.fetch_state == "active"
                    && !self.is_rebalancing()
                    && is_up(statistics, facts.leader);
                if at_end {
                    let sign = self.ends.entry(partition).or_default();
                    sign.see(facts.eof_offset);
                } else {
                    self.ends.remove(&partition);
                }
            }
        }
        // One at a time: it asks a broker, and the poll waits.
        if let Some(partition) = at_rest {
            self.renew(partition);
        }
        self.look_for_topics();
        marks.extend(self.ask_paused());
        self.tell(SourceEvent::HighWatermarks(marks));
        Ok(())
    }

    /// A broker does not let us in, or none answers: says why, or stops where there is another
    /// password to be read.
    fn refused(&self) -> Result<(), SourceError> {
        self.password.check()?;
        let complaint = self.group.consumer.context().complaints.last();
        let why = complaint.unwrap_or_else(|| "no Kafka broker answers".to_owned());
        self.tell(SourceEvent::Refused(why));
        Ok(())
    }

    /// Called after a poll that found nothing: whatever librdkafka had fetched when it reported an
    /// end has been delivered by now. Only an end that was seen often enough is told, because a
    /// pause makes librdkafka throw away what it has fetched, and a sign from before it would pass
    /// over records that come again.
    pub(super) fn tell_ends(&mut self) -> Result<(), SourceError> {
        let certain: Vec<(Partition, i64)> = self
            .ends
            .extract_if(|_, sign| sign.seen >= CERTAIN)
            .map(|(partition, sign)| (partition, sign.end))
            .collect();
        for (partition, end) in certain {
            let Some(owned) = self.owned.get_mut(&partition) else {
                continue;
            };
            if let Some(compaction) = &owned.compaction {
                let passed = compaction.pass(owned.delivered..end, now_ms());
                passed.map_err(|removed| self.group.refuse(partition, &removed))?;
            }
            if end > owned.delivered {
                owned.delivered = end;
                self.tell(SourceEvent::End(partition, NextOffset::given(end)));
            }
        }
        Ok(())
    }

    /// The high watermark of one paused partition, another one each time: librdkafka learns it
    /// from fetching, and a paused partition is not fetched, so its lag would seem to stand still.
    fn ask_paused(&mut self) -> Option<(Partition, i64)> {
        let after = self.asked.map_or(Bound::Unbounded, Bound::Excluded);
        let mut behind = self.paused.range((after, Bound::Unbounded));
        let next = behind.next().or_else(|| self.paused.first()).copied();
        self.asked = next;
        let (partition, consumer) = (next?, &self.group.consumer);
        let topic = self.group.topic(partition);
        let asked = consumer.fetch_watermarks(topic, partition.number, ASK_TIMEOUT);
        asked.ok().map(|(_, high)| (partition, high))
    }
}
