//! Topics of this benchmark: made, filled as fast as the broker takes it or at a rate, measured.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};

use crate::envelope;
use crate::load::{Event, Load};
use crate::schema;

const PATIENCE: Duration = Duration::from_secs(60);
/// Events that are handed over before others get a turn, such as whoever listens for Ctrl-C.
const TURN: usize = 1000;

/// The broker, as one who fills topics sees it.
pub(crate) struct Topics {
    brokers: String,
    admin: AdminClient<DefaultClientContext>,
}

impl Topics {
    /// For the broker at this address.
    pub(crate) fn new(brokers: &str) -> Result<Self> {
        Ok(Self {
            brokers: brokers.to_owned(),
            admin: client(brokers).create()?,
        })
    }

    /// Makes an empty topic, in place of one that an earlier benchmark has left.
    pub(crate) async fn create(&self, topic: &str, partitions: i32) -> Result<()> {
        self.delete(topic).await?;
        let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1))
            .set("retention.ms", "-1")
            .set("max.message.bytes", "2097152");
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        let start = Instant::now();
        loop {
            let made = self.admin.create_topics([&new], &options).await?;
            match made.into_iter().next() {
                Some(Ok(_)) => return Ok(()),
                // Its predecessor is not gone yet.
                Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists)))
                    if start.elapsed() < PATIENCE =>
                {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                other => bail!("topic {topic} cannot be made: {other:?}"),
            }
        }
    }

    async fn delete(&self, topic: &str) -> Result<()> {
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        match self.admin.delete_topics(&[topic], &options).await?.first() {
            Some(Ok(_) | Err((_, RDKafkaErrorCode::UnknownTopicOrPartition))) => Ok(()),
            other => bail!("topic {topic} cannot be deleted: {other:?}"),
        }
    }

    /// Makes a topic that holds exactly these events.
    pub(crate) async fn preload(&self, load: &Load, topic: &str) -> Result<()> {
        self.create(topic, load.shape.partitions).await?;
        let feed = self.feed()?;
        feed.send_all(load, topic, &load.events, || None).await?;
        feed.flush().await?;
        let consumer: BaseConsumer = client(&self.brokers)
            .set("group.id", "bench-watermarks")
            .create()?;
        for (partition, expected) in (0..).zip(load.ends()) {
            let (_, end) = consumer.fetch_watermarks(topic, partition, PATIENCE)?;
            ensure!(
                end == expected,
                "partition {partition} of {topic} ends at {end} and not at {expected}: versions \
                 could not be compared"
            );
        }
        Ok(())
    }

    /// Something that writes events.
    pub(crate) fn feed(&self) -> Result<Feed> {
        let producer = client(&self.brokers)
            // In order and once: an event's offset is known beforehand.
            .set("enable.idempotence", "true")
            .set("linger.ms", "5")
            .set("batch.size", "1000000")
            .set("message.max.bytes", "2097152")
            .set("queue.buffering.max.kbytes", "131072")
            .create()?;
        Ok(Feed { producer })
    }

    /// The same without waiting for company: for single records.
    pub(crate) fn prompt_feed(&self) -> Result<Feed> {
        let producer = client(&self.brokers).set("linger.ms", "0").create()?;
        Ok(Feed { producer })
    }
}

/// Writes events to topics.
pub(crate) struct Feed {
    producer: ThreadedProducer<DefaultProducerContext>,
}

impl Feed {
    /// Hands events over as fast as they are taken, each with the time that `at_ms` then says.
    pub(crate) async fn send_all(
        &self,
        load: &Load,
        topic: &str,
        events: &[Event],
        at_ms: impl Fn() -> Option<u64>,
    ) -> Result<()> {
        for some in events.chunks(TURN) {
            for &event in some {
                self.send(load, topic, event, at_ms()).await?;
            }
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Hands one event over; it carries the time `at_ms` as its commit's and the record's, if given.
    pub(crate) async fn send(
        &self,
        load: &Load,
        topic: &str,
        event: Event,
        at_ms: Option<u64>,
    ) -> Result<()> {
        let (mut key, mut value) = (String::new(), String::with_capacity(1200));
        load.shape.rows.key(event.key, &mut key);
        envelope::value(&load.shape.rows, event, at_ms, &mut value);
        if load.shape.schemas {
            (key, value) = (schema::key(&key), schema::value(&value));
        }
        let mut record = BaseRecord::to(topic)
            .partition(load.partition(event.key))
            .key(&key);
        if let Some(at) = at_ms {
            record = record.timestamp(i64::try_from(at)?);
        }
        if !value.is_empty() {
            record = record.payload(&value);
        }
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), refused)) => {
                    record = refused;
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                Err((error, _)) => return Err(error).context("producing"),
            }
        }
    }

    /// Waits until the broker has everything.
    pub(crate) async fn flush(&self) -> Result<()> {
        let start = Instant::now();
        while self.producer.in_flight_count() > 0 {
            ensure!(start.elapsed() < PATIENCE, "the broker does not take all");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }

    /// Writes events at a steady rate, each with the time at which it is due: a record that is late
    /// has waited. The share of the rate that was kept up until the broker had them all.
    ///
    /// Those that are due go together, as Debezium's do. One by one they make so many requests that
    /// the broker and this generator take most of the machine from what is measured.
    pub(crate) async fn pace(&self, load: &Load, events: &[Event], per_second: f64) -> Result<f64> {
        const TOGETHER: Duration = Duration::from_millis(20);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rate"
        )]
        let each_time = (per_second * TOGETHER.as_secs_f64()).ceil() as usize;
        let (start, start_ms) = (Instant::now(), now_ms());
        let mut due = Duration::ZERO;
        for some in events.chunks(each_time.max(1)) {
            tokio::time::sleep_until((start + due).into()).await;
            let due_ms = start_ms + u64::try_from(due.as_millis())?;
            for &event in some {
                let topic = load.shape.topic;
                self.send(load, topic, event, Some(due_ms)).await?;
            }
            due += TOGETHER;
        }
        self.flush().await?;
        Ok(kept_up(due, start.elapsed()))
    }
}

/// The share of a rate that was kept up by who took so long for what is due within `due`.
fn kept_up(due: Duration, took: Duration) -> f64 {
    (due.as_secs_f64() / took.as_secs_f64()).min(1.0)
}

/// Milliseconds since the Unix epoch.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn client(brokers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", brokers)
        .set("allow.auto.create.topics", "false");
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_kept_up_by_who_is_done_when_the_last_was_due() {
        let second = Duration::from_secs(1);
        assert_eq!(kept_up(20 * second, 19 * second), 1.0);
        assert_eq!(kept_up(19 * second, 20 * second), 0.95);
    }
}
