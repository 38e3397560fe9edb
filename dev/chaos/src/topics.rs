//! What the broker knows of the group: how far it has committed, and how many dead letters there are.

use std::time::Duration;

use anyhow::{Context, Result};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

const PATIENCE: Duration = Duration::from_secs(20);
const GROUP: &str = "ecommerce";
const TOPICS: [&str; 5] = [
    "users-events",
    "categories-events",
    "products-events",
    "orders-events",
    "order_items-events",
];
const DEAD_LETTERS: &str = "ecommerce.dead-letter";

/// Partitions whose commit is not their end, in words. Blocks.
///
/// # Errors
/// Where the broker does not answer.
pub(crate) fn uncommitted(brokers: &str) -> Result<Vec<String>> {
    let consumer = consumer(brokers)?;
    let mut list = TopicPartitionList::new();
    for topic in TOPICS {
        for partition in partitions(&consumer, topic)? {
            list.add_partition(topic, partition);
        }
    }
    let committed = consumer.committed_offsets(list, PATIENCE)?;
    let mut behind = Vec::new();
    for element in committed.elements() {
        let (topic, partition) = (element.topic(), element.partition());
        let (_, end) = consumer.fetch_watermarks(topic, partition, PATIENCE)?;
        if element.offset() != Offset::Offset(end) {
            let offset = element.offset();
            behind.push(format!(
                "partition {partition} of {topic} is committed to {offset:?} and ends at {end}"
            ));
        }
    }
    Ok(behind)
}

/// How many dead letters there are. Blocks.
///
/// # Errors
/// Where the broker does not answer.
pub(crate) fn dead_letters(brokers: &str) -> Result<i64> {
    let consumer = consumer(brokers)?;
    let mut count = 0;
    for partition in partitions(&consumer, DEAD_LETTERS)? {
        let (begin, end) = consumer.fetch_watermarks(DEAD_LETTERS, partition, PATIENCE)?;
        count += end - begin;
    }
    Ok(count)
}

/// None where the topic does not exist.
fn partitions(consumer: &BaseConsumer, topic: &str) -> Result<Vec<i32>> {
    let metadata = consumer.fetch_metadata(Some(topic), PATIENCE)?;
    let topic = metadata.topics().first().context("the topic asked for")?;
    Ok(topic.partitions().iter().map(|it| it.id()).collect())
}

fn consumer(brokers: &str) -> Result<BaseConsumer> {
    let consumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", GROUP)
        .set("enable.auto.commit", "false")
        .set("allow.auto.create.topics", "false")
        .create()?;
    Ok(consumer)
}
