//! librdkafka's callbacks. They only write down what happened; the poll loop acts on it.
//!
//! The surprising fact: a rebalance callback need not assign or revoke before it returns. Leaving
//! that to the loop keeps polling and the session going while revoked partitions are drained.
//! librdkafka fetches nothing until it is answered, and its timer commits nothing, so a drain is as
//! short as it can be, and the commit at its end covers the partitions that stay, too.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::statistics::Statistics;
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;

use super::complaints::Complaints;

/// What a callback reported.
#[derive(Debug)]
pub(super) enum Callback {
    /// The group gives us these partitions.
    Assign(TopicPartitionList),
    /// The group takes these partitions back.
    Revoke {
        /// Which.
        partitions: TopicPartitionList,
        /// Whether they are gone already, so that nothing may be committed.
        lost: bool,
    },
    /// A background commit ended.
    Commit(KafkaResult<()>, TopicPartitionList),
    /// librdkafka's statistics, once a second.
    Statistics(Box<Statistics>),
}

/// Keeps what the callbacks reported until the poll loop takes it.
#[derive(Debug, Default)]
pub(super) struct Context {
    reported: Mutex<Vec<Callback>>,
    pub(super) complaints: Complaints,
    closing: AtomicBool,
}

impl Context {
    /// What was reported since the last call, in order.
    pub(super) fn take(&self) -> Vec<Callback> {
        std::mem::take(&mut self.reported.lock().expect("no panic under this lock"))
    }

    /// From now on rebalances are granted at once: the consumer is being closed, nobody reads
    /// [`Self::take`] any more, and a close waits for the answer. Nothing is kept any more: lists
    /// hold on to librdkafka's partitions, and it would wait for them to go.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::SeqCst);
        drop(self.take());
    }

    fn report(&self, callback: Callback) {
        if self.closing.load(Ordering::SeqCst) {
            return;
        }
        let mut reported = self.reported.lock().expect("no panic under this lock");
        // While the brokers are asked something, statistics pile up. Each says all that the ones
        // before it did, and several of them in a row are no proof that time has passed.
        if matches!(callback, Callback::Statistics(_)) {
            reported.retain(|it| !matches!(it, Callback::Statistics(_)));
        }
        reported.push(callback);
    }
}

impl ClientContext for Context {
    fn stats(&self, statistics: Statistics) {
        self.report(Callback::Statistics(Box::new(statistics)));
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.complaints.hear(level, message);
        match level {
            RDKafkaLogLevel::Debug => tracing::trace!(target: "librdkafka", facility, message),
            RDKafkaLogLevel::Info | RDKafkaLogLevel::Notice => {
                tracing::debug!(target: "librdkafka", facility, message);
            }
            // librdkafka reconnects by itself and repeats itself meanwhile.
            _ => tracing::debug!(target: "librdkafka", facility, message, ?level),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", %error, reason);
    }
}

impl ConsumerContext for Context {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        err: RDKafkaRespErr,
        partitions: &mut TopicPartitionList,
    ) {
        let gives = err == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if self.closing.load(Ordering::SeqCst) {
            let granted = match gives {
                true => assign(consumer, partitions),
                false => unassign(consumer, partitions),
            };
            if let Err(error) = granted {
                tracing::debug!(%error, "a rebalance could not be granted while closing");
            }
        } else if gives {
            self.report(Callback::Assign(partitions.clone()));
        } else {
            let lost = consumer.assignment_lost();
            self.report(Callback::Revoke {
                partitions: partitions.clone(),
                lost,
            });
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, offsets: &TopicPartitionList) {
        crate::fault_point::reach("committed");
        self.report(Callback::Commit(result, offsets.clone()));
    }
}

/// Takes partitions that the group gives, as its protocol wants it.
///
/// # Errors
/// librdkafka's.
pub(super) fn assign(
    consumer: &BaseConsumer<Context>,
    partitions: &TopicPartitionList,
) -> KafkaResult<()> {
    match consumer.rebalance_protocol() {
        RebalanceProtocol::Cooperative => consumer.incremental_assign(partitions),
        _ => consumer.assign(partitions),
    }
}

/// Gives partitions up that the group takes back, as its protocol wants it.
///
/// # Errors
/// librdkafka's.
pub(super) fn unassign(
    consumer: &BaseConsumer<Context>,
    partitions: &TopicPartitionList,
) -> KafkaResult<()> {
    match consumer.rebalance_protocol() {
        RebalanceProtocol::Cooperative => consumer.incremental_unassign(partitions),
        _ => consumer.unassign(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_statistics_that_came_together_the_last_ones_count_and_nothing_else_is_dropped() {
        let context = Context::default();
        for time in 1..=3 {
            context.stats(Statistics {
                time,
                ..Statistics::default()
            });
            context.report(Callback::Commit(Ok(()), TopicPartitionList::new()));
        }
        let told = context.take();
        let times: Vec<_> = told
            .iter()
            .filter_map(|it| match it {
                Callback::Statistics(it) => Some(it.time),
                _ => None,
            })
            .collect();
        assert_eq!((times, told.len()), (vec![3], 4));
    }
}
