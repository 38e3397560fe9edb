//! The topic that is read, filled once.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};

use crate::support::event;
use crate::way::EVENTS;

const PATIENCE: Duration = Duration::from_secs(60);

/// The address of the stack's broker.
pub(crate) fn brokers() -> String {
    std::env::var("KAFKA_BROKERS")
        .expect("KAFKA_BROKERS: `make stack-up`, then `set -a; . .stack/env; set +a`")
}

/// The topic with so many partitions and a million events in it.
pub(crate) async fn filled(partitions: i32) -> String {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers());
    let topic = format!("bench-null-{partitions}");
    if events_in(&config, &topic, partitions) != EVENTS {
        make(&config, &topic, partitions).await;
        fill(&config, &topic, partitions);
    }
    topic
}

fn events_in(config: &ClientConfig, topic: &str, partitions: i32) -> u64 {
    let consumer: BaseConsumer = config.create().expect("good settings");
    let end = |partition| consumer.fetch_watermarks(topic, partition, PATIENCE);
    let ends = (0..partitions).map(|it| end(it).map_or(0, |(_, end)| end.unsigned_abs()));
    ends.sum()
}

async fn make(config: &ClientConfig, topic: &str, partitions: i32) {
    let admin: AdminClient<DefaultClientContext> = config.create().expect("good settings");
    let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
    let made = admin.create_topics([&new], &AdminOptions::new()).await;
    made.expect("the broker answers")
        .remove(0)
        .expect("half a topic of an earlier run has to be deleted by hand");
}

fn fill(config: &ClientConfig, topic: &str, partitions: i32) {
    let mut config = config.clone();
    config
        .set("linger.ms", "20")
        .set("queue.buffering.max.messages", "1000000");
    let producer: ThreadedProducer<DefaultProducerContext> =
        config.create().expect("good settings");
    for id in 0..EVENTS {
        let (key, value) = (event::key(id), event::plain(id));
        let partition = i32::try_from(id % partitions.unsigned_abs() as u64).expect("it is small");
        let mut record = BaseRecord::to(topic)
            .partition(partition)
            .key(&key)
            .payload(&value);
        while let Err((_, full)) = producer.send(record) {
            record = full;
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    producer.flush(PATIENCE).expect("the broker takes them");
}
