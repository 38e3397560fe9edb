//! Topics written in transactions: their markers lie between and behind the records, and what was
//! aborted is not for us.

use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::support::feed::{Feed, change, row};
use crate::support::stack;

const PATIENCE: Duration = Duration::from_secs(30);

/// Writes rows in one transaction, which is committed or aborted.
fn transaction(feed: &Feed, ids: &[i64], commit: bool) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", stack("KAFKA_BROKERS"))
        .set("transactional.id", &feed.name)
        .create()
        .unwrap();
    producer.init_transactions(PATIENCE).unwrap();
    producer.begin_transaction().unwrap();
    let topic = feed.topic();
    for &id in ids {
        let record = change("c", None, Some(row(id, "new")));
        let (key, value) = (record.key.unwrap(), record.value.unwrap());
        let record = BaseRecord::to(&topic)
            .partition(0)
            .key(&key)
            .payload(&value);
        assert!(producer.send(record).is_ok());
    }
    producer.flush(PATIENCE).unwrap();
    if commit {
        producer.commit_transaction(PATIENCE).unwrap();
    } else {
        producer.abort_transaction(PATIENCE).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_ends_in_transaction_markers_is_committed_to_its_end_and_aborted_rows_are_not_there()
 {
    let feed = Feed::new(1).await;
    transaction(&feed, &[1, 2], true);
    transaction(&feed, &[3], false);
    let program = feed.run(&[]);
    // The end lies behind two markers and an aborted row, where no record is ever delivered.
    feed.until_committed().await;
    assert!(feed.document(2).await.is_some());
    assert!(feed.document(3).await.is_none());
    feed.insert(4).await;
    feed.until_committed().await;
    assert!(feed.document(4).await.is_some());
    program.stop().await;
}
