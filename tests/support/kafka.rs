//! Topics and a group of one test's own.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier,
    TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::message::{Header, Headers as _, Message as _, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{Offset, TopicPartitionList};

use super::{DEADLINE, clean_up, until};

/// How long one question to the broker may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A broker as a test sees it, and the topics that go when the test ends.
pub(crate) struct Kafka {
    brokers: String,
    admin: AdminClient<DefaultClientContext>,
    producer: FutureProducer,
    /// Asks for commits of the group; never a member of it.
    consumer: BaseConsumer,
    /// The groups that go, too; the first is the one asked for.
    groups: Vec<String>,
    topics: Vec<String>,
}

/// A record to write, or one that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: BTreeMap<String, String>,
    /// When it is said to have been written, in milliseconds; of one to write: now where `None`.
    pub(crate) timestamp_ms: Option<i64>,
}

impl Kafka {
    /// The broker seen by one who asks for this group's commits.
    pub(crate) fn new(brokers: &str, group: &str) -> Self {
        let config = config(brokers, group);
        Self {
            brokers: brokers.to_owned(),
            admin: config.create().unwrap(),
            producer: config.create().unwrap(),
            consumer: config.create().unwrap(),
            groups: vec![group.to_owned()],
            topics: vec![],
        }
    }

    /// Makes a topic and waits until it is there.
    pub(crate) async fn create(&mut self, topic: &str, partitions: i32) {
        let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
        until("a topic is made", async || {
            // Its predecessor of the same name may not be gone yet.
            let made = self.admin.create_topics([&new], &options()).await.unwrap();
            made[0].is_ok().then_some(())
        })
        .await;
        self.owns(topic);
        until("the topic has its partitions", async || {
            (self.partitions(topic) == partitions).then_some(())
        })
        .await;
    }

    /// This topic goes, too, when the test ends.
    pub(crate) fn owns(&mut self, topic: &str) {
        self.topics.push(topic.to_owned());
    }

    /// This group goes, too, when the test ends.
    pub(crate) fn owns_group(&mut self, group: &str) {
        self.groups.push(group.to_owned());
    }

    /// Deletes a topic and waits until it is gone.
    pub(crate) async fn delete(&mut self, topic: &str) {
        let deleted = self.admin.delete_topics(&[topic], &options()).await;
        deleted.unwrap().remove(0).unwrap();
        self.topics.retain(|it| it != topic);
        until("a topic is gone", async || {
            (self.partitions(topic) == 0).then_some(())
        })
        .await;
    }

    /// Gives a topic more partitions and waits until it has them.
    pub(crate) async fn grow(&self, topic: &str, partitions: i32) {
        let count = usize::try_from(partitions).unwrap();
        let new = NewPartitions::new(topic, count);
        let grown = self.admin.create_partitions([&new], &options()).await;
        grown.unwrap().remove(0).unwrap();
        until("the topic has more partitions", async || {
            (self.partitions(topic) == partitions).then_some(())
        })
        .await;
    }

    /// Changes how the broker keeps a topic; what is not named goes back to its default.
    pub(crate) async fn configure(&self, topic: &str, settings: &[(&str, &str)]) {
        let mut change = AlterConfig::new(ResourceSpecifier::Topic(topic));
        for (name, value) in settings {
            change = change.set(name, value);
        }
        let changed = self.admin.alter_configs([&change], &options()).await;
        changed.unwrap().remove(0).unwrap();
    }

    /// Lets the broker forget what the group, which must be stopped, has committed.
    pub(crate) async fn forget_commits(&self) {
        let groups: Vec<&str> = self.groups.iter().map(String::as_str).collect();
        until("the group has no member and is deleted", async || {
            let gone = self.admin.delete_groups(&groups, &options()).await.unwrap();
            gone[0].is_ok().then_some(())
        })
        .await;
    }

    /// Lets the broker forget the records of partition 0 below this offset.
    pub(crate) async fn forget_below(&self, topic: &str, offset: i64) {
        let mut below = TopicPartitionList::new();
        let offset = Offset::Offset(offset);
        below.add_partition_offset(topic, 0, offset).unwrap();
        let gone = self.admin.delete_records(&below, &options()).await.unwrap();
        gone.elements()[0].error().unwrap();
    }

    fn partitions(&self, topic: &str) -> i32 {
        let metadata = self.consumer.fetch_metadata(Some(topic), PATIENCE).unwrap();
        let found = metadata.topics().first();
        let found = found.filter(|it| it.error().is_none());
        found.map_or(0, |it| i32::try_from(it.partitions().len()).unwrap())
    }

    /// Writes a record; its offset, once the broker has acknowledged it.
    pub(crate) async fn produce(&self, topic: &str, partition: i32, record: Record) -> i64 {
        let mut headers = OwnedHeaders::new();
        for (key, value) in &record.headers {
            let value = Some(value);
            headers = headers.insert(Header { key, value });
        }
        let mut out = FutureRecord::<[u8], [u8]>::to(topic)
            .partition(partition)
            .headers(headers);
        out.key = record.key.as_deref();
        out.payload = record.value.as_deref();
        out.timestamp = record.timestamp_ms;
        self.producer.send(out, PATIENCE).await.unwrap().offset
    }

    /// The first offset from there on that partition 0 still has.
    pub(crate) fn first_from(&self, topic: &str, offset: i64) -> i64 {
        let consumer = self.reader(topic, Offset::Offset(offset));
        let begun = Instant::now();
        loop {
            assert!(begun.elapsed() < DEADLINE, "nothing in {topic}");
            if let Some(message) = consumer.poll(Duration::from_millis(100)) {
                return message.unwrap().offset();
            }
        }
    }

    /// One who reads partition 0 and commits nothing.
    fn reader(&self, topic: &str, from: Offset) -> BaseConsumer {
        let consumer: BaseConsumer = config(&self.brokers, "unused").create().unwrap();
        let mut start = TopicPartitionList::new();
        start.add_partition_offset(topic, 0, from).unwrap();
        consumer.assign(&start).unwrap();
        consumer
    }

    /// The first `count` records of a partition.
    pub(crate) fn read(&self, topic: &str, count: usize) -> Vec<Record> {
        let consumer = self.reader(topic, Offset::Beginning);
        let mut records = vec![];
        let begun = Instant::now();
        while records.len() < count {
            let found = records.len();
            assert!(begun.elapsed() < DEADLINE, "{found} of {count} in {topic}");
            if let Some(message) = consumer.poll(Duration::from_millis(100)) {
                let message = message.unwrap();
                let mut headers = BTreeMap::new();
                for header in message.headers().iter().flat_map(|it| it.iter()) {
                    let value = String::from_utf8_lossy(header.value.unwrap_or_default());
                    headers.insert(header.key.to_owned(), value.into_owned());
                }
                records.push(Record {
                    key: message.key().map(<[u8]>::to_vec),
                    value: message.payload().map(<[u8]>::to_vec),
                    headers,
                    timestamp_ms: message.timestamp().to_millis(),
                });
            }
        }
        records
    }

    /// One past the last offset of a partition.
    pub(crate) fn end(&self, topic: &str, partition: i32) -> i64 {
        let marks = self.consumer.fetch_watermarks(topic, partition, PATIENCE);
        marks.unwrap().1
    }

    /// What the group has committed on a partition.
    pub(crate) fn committed(&self, topic: &str, partition: i32) -> Option<i64> {
        match self.commit_of(topic, partition).elements()[0].offset() {
            Offset::Offset(next) => Some(next),
            _ => None,
        }
    }

    /// The same with what is kept beside it, to be put back later.
    pub(crate) fn commit_of(&self, topic: &str, partition: i32) -> TopicPartitionList {
        let mut asked = TopicPartitionList::new();
        asked.add_partition(topic, partition);
        self.consumer.committed_offsets(asked, PATIENCE).unwrap()
    }

    /// Commits in the name of the group, which must be stopped.
    pub(crate) fn commit(&self, commit: &TopicPartitionList) {
        self.consumer.commit(commit, CommitMode::Sync).unwrap();
    }

    /// Waits until the group has committed all that these topics hold.
    pub(crate) async fn until_committed(&self, topics: &[String]) {
        until("the group has committed everything", async || {
            let mut all = topics
                .iter()
                .flat_map(|topic| (0..self.partitions(topic)).map(move |number| (topic, number)));
            let done = |(topic, number): (&String, i32)| {
                self.committed(topic, number) == Some(self.end(topic, number))
            };
            all.all(done).then_some(())
        })
        .await;
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        // A mock cluster can delete nothing and goes as a whole.
        if self.topics.is_empty() {
            return;
        }
        let topics: Vec<&str> = self.topics.iter().map(String::as_str).collect();
        clean_up(async || {
            drop(self.admin.delete_topics(&topics, &options()).await);
            let groups: Vec<&str> = self.groups.iter().map(String::as_str).collect();
            // A group that a killed member is still in stays, and expires.
            drop(self.admin.delete_groups(&groups, &options()).await);
        });
    }
}

fn config(brokers: &str, group: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", brokers)
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("linger.ms", "1")
        .set("message.max.bytes", "10000000")
        .set("allow.auto.create.topics", "false");
    config
}

fn options() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(PATIENCE))
}
