//! What librdkafka says besides records: commits, statistics, the ends of partitions, and whether
//! any broker answers. Each change of the brokers' state is one line in the log.

use rdkafka::error::KafkaError;
use rdkafka::statistics::Statistics;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::kafka::Poller;
use super::{NextOffset, SourceEvent};

/// How many statistics in a row (one a second) must show no broker before it is said: a single
/// reconnect is nobody's business.
const SILENT_SECONDS: u32 = 3;

/// Whether any broker answers.
#[derive(Debug, Default)]
pub(super) struct Brokers {
    silent_seconds: u32,
}

impl Brokers {
    fn see(&mut self, statistics: &Statistics) {
        let answers = statistics
            .brokers
            .values()
            .any(|it| it.nodeid >= 0 && it.state == "UP");
        if answers {
            if self.silent_seconds >= SILENT_SECONDS {
                tracing::info!("a Kafka broker answers again");
            }
            self.silent_seconds = 0;
            return;
        }
        self.silent_seconds = self.silent_seconds.saturating_add(1);
        if self.silent_seconds == SILENT_SECONDS {
            let brokers: Vec<&str> = statistics
                .brokers
                .values()
                .map(|it| it.name.as_str())
                .collect();
            tracing::warn!(?brokers, "no Kafka broker answers; waiting for one");
        }
    }
}

impl Poller {
    pub(super) fn report_commit(&self, result: Result<(), KafkaError>, list: &TopicPartitionList) {
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
        self.tell(SourceEvent::Committed(committed.collect()));
    }

    pub(super) fn read_statistics(&mut self, statistics: &Statistics) {
        self.brokers.see(statistics);
        let mut marks = Vec::with_capacity(self.owned.len());
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
                }
                if facts.eof_offset > owned.delivered {
                    self.ends.insert(partition, facts.eof_offset);
                }
            }
        }
        self.tell(SourceEvent::HighWatermarks(marks));
    }

    /// Called after a poll that found nothing: whatever librdkafka had fetched below the ends it
    /// reported earlier has been delivered by now.
    pub(super) fn tell_ends(&mut self) {
        for (partition, end) in std::mem::take(&mut self.ends) {
            let Some(owned) = self.owned.get_mut(&partition) else {
                continue;
            };
            if end > owned.delivered {
                owned.delivered = end;
                self.tell(SourceEvent::End(partition, NextOffset::given(end)));
            }
        }
    }
}
