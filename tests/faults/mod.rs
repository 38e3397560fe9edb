//! Faults of the program itself on the real servers: it dies, is replaced, shares its partitions.
//!
//! Every test feeds a topic of its own and knows what must be in the stores in the end. What the
//! whole system does under many faults at once is `make chaos`.

mod hot_key;
#[cfg(feature = "failpoints")]
mod points;
mod rebalance;
mod starved;
mod stop;
mod zombie;

use std::collections::BTreeMap;

use chaos::Proxy;

use crate::support::feed::{Feed, change, row};
use crate::support::kafka::Record;
use crate::support::program::Program;
use crate::support::{stack, until};

/// The rows that a test's table has, and the changes that led there.
pub(super) struct Table {
    partitions: i64,
    rows: BTreeMap<i64, String>,
}

impl Table {
    pub(super) const fn new(partitions: i64) -> Self {
        let rows = BTreeMap::new();
        Self { partitions, rows }
    }

    /// Caches a value that the change makes stale, and inserts or updates the row.
    pub(super) async fn put(&mut self, feed: &Feed, id: i64, name: &str) {
        cache(feed, id).await;
        self.write(feed, id, name).await;
    }

    /// Inserts or updates the row; for when the cache cannot be asked.
    pub(super) async fn write(&mut self, feed: &Feed, id: i64, name: &str) {
        let before = self.rows.insert(id, name.to_owned());
        let op = if before.is_some() { "u" } else { "c" };
        let before = before.map(|name| row(id, &name));
        self.send(feed, id, change(op, before, Some(row(id, name))))
            .await;
    }

    /// Deletes a row, with the tombstone that Debezium sends behind it.
    pub(super) async fn delete(&mut self, feed: &Feed, id: i64) {
        cache(feed, id).await;
        let before = self.rows.remove(&id).unwrap();
        let record = change("d", Some(row(id, &before)), None);
        let key = record.key.clone();
        self.send(feed, id, record).await;
        let tombstone = Record {
            key,
            ..Record::default()
        };
        self.send(feed, id, tombstone).await;
    }

    /// Waits until the documents are the rows, no touched key is cached, and all is committed.
    pub(super) async fn until_equal(&self, feed: &Feed) {
        feed.until_committed().await;
        until("every document is its row", async || {
            let found: BTreeMap<i64, String> = feed
                .documents()
                .await
                .iter()
                .map(|it| {
                    (
                        it[0].as_str().unwrap().parse().unwrap(),
                        it[2]["name"].as_str().unwrap().to_owned(),
                    )
                })
                .collect();
            (found == self.rows).then_some(())
        })
        .await;
        let cached: Vec<String> = feed.redis.run("KEYS item:*").await.unwrap();
        assert!(cached.is_empty(), "stale and still cached: {cached:?}");
    }

    async fn send(&self, feed: &Feed, id: i64, record: Record) {
        let partition = i32::try_from(id % self.partitions).unwrap();
        feed.kafka.produce(&feed.topic(), partition, record).await;
    }
}

async fn cache(feed: &Feed, id: i64) {
    let set = format!("SET item:{id} stale");
    let answer: String = feed.redis.run(&set).await.unwrap();
    assert_eq!(answer, "OK");
}

/// Starts an instance whose requests to Elasticsearch go through the proxy.
pub(super) fn run_behind(feed: &mut Feed, proxy: &Proxy) -> Program {
    let url = ("ES_URL", format!("http://{}", proxy.address()));
    feed.call.variables.push(url);
    let program = feed.run(&[]);
    feed.call.variables.pop();
    program
}

/// A proxy before Elasticsearch.
pub(super) async fn proxy() -> Proxy {
    let url = stack("ES_URL");
    let upstream = url.strip_prefix("http://").unwrap();
    Proxy::start(upstream.to_owned()).await.unwrap()
}
