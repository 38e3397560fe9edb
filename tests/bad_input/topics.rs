//! Topics that are not the ones the group has committed on (D3).

use crate::support::feed::{Feed, change, row};
use crate::support::program::Program;
use crate::support::until;

/// A feed whose group has committed `count` rows and has stopped.
async fn committed(count: i64) -> Feed {
    let feed = Feed::new(1).await;
    for id in 0..count {
        feed.insert(id).await;
    }
    let program = feed.run(&[]);
    feed.until_committed().await;
    feed.until_started().await;
    program.stop().await;
    feed
}

async fn recreate(feed: &mut Feed) {
    let topic = feed.topic();
    feed.kafka.delete(&topic).await;
    feed.kafka.create(&topic, 1).await;
}

/// Waits until the broker has deleted the group's commits with the topic, which it does some time after the topic is gone.
async fn until_commits_are_gone(feed: &Feed) {
    until("the commits are gone", async || {
        let commit = feed.kafka.committed(&feed.topic(), 0);
        commit.is_none().then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_made_again_whose_commits_went_with_it_is_refused() {
    let mut feed = committed(3).await;
    recreate(&mut feed).await;
    until_commits_are_gone(&feed).await;
    feed.insert(10).await;
    let mut program = feed.run(&[]);
    program
        .refuses(65, &["commits are gone", "a higher `epoch`"])
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_made_again_is_refused_before_and_after_it_has_outgrown_a_commit_that_stayed() {
    let mut feed = committed(3).await;
    let topic = feed.topic();
    let commit = feed.kafka.commit_of(&topic, 0);
    recreate(&mut feed).await;
    // A commit that is made before would be deleted, too.
    until_commits_are_gone(&feed).await;
    feed.kafka.commit(&commit);
    feed.insert(10).await;
    let way_out = ["made again", "epoch: 1", "--to-earliest"];
    let mut program = feed.run(&[]);
    program.refuses(65, &way_out).await;
    for id in 11..20 {
        feed.insert(id).await;
    }
    let mut program = feed.run(&[]);
    program.refuses(65, &way_out).await;
    // Nothing of the new topic has been written, nothing skipped.
    assert!(feed.document(10).await.is_none());
    assert!(feed.document(19).await.is_none());
    assert_eq!(feed.kafka.committed(&topic, 0), Some(3));
}

/// A second table in a topic of its own, and a search for new topics that a test can wait for.
const ORDERS: &str = r#"
source: {properties: {topic.metadata.refresh.interval.ms: "1000"}}
tables: {orders: {key: [id]}}
projections:
  - {name: items-index, sink: search, from: items, index: {alias: "${NAME}-items", settings: items.json}}
  - {name: items-cache, sink: cache, from: items, invalidate: ["item:{{ key.id }}"]}
  - {name: orders-index, sink: search, from: orders, index: {alias: "${NAME}-orders"}}
"#;

/// Changes of a topic's partitions are noticed within a second.
const ALERT: &str = r#"source: {properties: {topic.metadata.refresh.interval.ms: "1000"}}"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_missing_at_the_start_is_named_waited_for_and_read_when_it_comes() {
    let mut feed = Feed::new(1).await;
    feed.configure("orders.yaml", ORDERS);
    feed.also_removes("orders");
    let orders = format!("{}.orders", feed.name);
    let mut program = feed.run(&[]);
    program.waits_for(&format!("topic {orders}")).await;
    assert!(program.log().contains("waiting for a topic"));
    // The other table does not wait for it.
    feed.insert(1).await;
    feed.until_committed().await;
    feed.until_started().await;
    program.stop().await;
    // Nor does the next start take it for one whose commits have gone.
    let mut program = feed.run(&[]);
    program.waits_for(&format!("topic {orders}")).await;

    feed.kafka.create(&orders, 1).await;
    let mut order = change("c", None, Some(row(1, "order")));
    let text = String::from_utf8(order.value.take().unwrap()).unwrap();
    order.value = Some(text.replace("items", "orders").into_bytes());
    feed.kafka.produce(&orders, 0, order).await;
    feed.kafka.until_committed(&[orders]).await;
    program.ready().await;
    let dead_letters = format!("{}.dead-letter", feed.name);
    assert_eq!(feed.kafka.end(&dead_letters, 0), 0);
    program.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_whose_commits_have_expired_is_refused_where_its_store_is_filled() {
    let feed = committed(3).await;
    feed.kafka.forget_commits().await;
    feed.insert(10).await;
    let mut program = feed.run(&[]);
    program.refuses(65, &["commits are gone", "--adopt"]).await;
    assert_eq!(feed.kafka.committed(&feed.topic(), 0), None);
    assert!(feed.document(10).await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_whose_unread_records_have_expired_is_refused_and_nothing_is_skipped() {
    let feed = committed(3).await;
    let topic = feed.topic();
    for id in 10..15 {
        feed.insert(id).await;
    }
    feed.kafka.forget_below(&topic, 5).await;
    let mut program = feed.run(&[]);
    let says = ["committed offset 3", "begins at 5", "--to-earliest"];
    program.refuses(65, &says).await;
    assert!(feed.document(14).await.is_none());
    assert_eq!(feed.kafka.committed(&topic, 0), Some(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_was_given_partitions_is_refused() {
    let feed = committed(2).await;
    feed.kafka.grow(&feed.topic(), 2).await;
    let mut program = feed.run(&[]);
    program
        .refuses(65, &["had 1 partitions", "has 2 now"])
        .await;
}

/// A program that runs, has committed a row, and soon notices what becomes of its topic.
async fn alert() -> (Feed, Program) {
    let mut feed = Feed::new(1).await;
    feed.configure("alert.yaml", ALERT);
    feed.insert(1).await;
    let program = feed.run(&[]);
    feed.until_committed().await;
    (feed, program)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_given_partitions_while_it_is_read_is_refused() {
    let (feed, mut program) = alert().await;
    feed.kafka.grow(&feed.topic(), 2).await;
    program
        .refuses(65, &["had 1 partitions", "has 2 now"])
        .await;
    assert_eq!(feed.kafka.committed(&feed.topic(), 1), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_gone_for_a_while_and_made_again_is_refused() {
    let (mut feed, mut program) = alert().await;
    let topic = feed.topic();
    feed.kafka.delete(&topic).await;
    program.waits_for(&format!("topic {topic}")).await;
    until_commits_are_gone(&feed).await;
    feed.kafka.create(&topic, 1).await;
    feed.insert(10).await;
    // The program may have renewed the commit in between, which then belongs to another record.
    program.refuses(65, &["made again"]).await;
    assert!(feed.document(10).await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_deleted_while_it_is_read_and_made_again_is_never_skipped_silently() {
    let mut feed = Feed::new(1).await;
    for id in 0..3 {
        feed.insert(id).await;
    }
    let mut program = feed.run(&[]);
    feed.until_committed().await;
    recreate(&mut feed).await;
    feed.insert(10).await;
    program.refuses(65, &["made again"]).await;
}
