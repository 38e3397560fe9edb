//! Compacted topics, whose deletes are removed when they are old (D3), on a broker that compacts.

use distributary::clock::now_ms;
use distributary::source::CommitNote;
use rdkafka::{Offset, TopicPartitionList};
use serde_json::Value;

use crate::support::feed::{CONFIG, Feed, change, row};
use crate::support::kafka::Record;
use crate::support::until;

/// An hour, in milliseconds: longer than deletes are kept in any of these tests.
const LONG_AGO: i64 = 3_600_000;

/// Shorter than the program takes to start again.
const SHORT: &str = "1000";

/// Longer than it takes to start and to read everything.
const ENOUGH: &str = "300000";

/// A feed whose topic is compacted, and whose deletes go as fast as the broker can.
async fn compacted() -> Feed {
    let feed = Feed::new(1).await;
    keep_deletes(&feed, SHORT).await;
    feed
}

/// Sets how long the topic keeps deletes, in milliseconds.
async fn keep_deletes(feed: &Feed, keeps_ms: &str) {
    let settings = [
        ("cleanup.policy", "compact"),
        ("delete.retention.ms", keeps_ms),
        ("segment.ms", "100"),
        ("min.cleanable.dirty.ratio", "0.001"),
    ];
    feed.kafka.configure(&feed.topic(), &settings).await;
}

/// Writes rows that seem an hour old, and reads them in one run of the program.
async fn read_old(feed: &Feed, ids: &[i64]) {
    for &id in ids {
        let record = change("c", None, Some(row(id, "new")));
        let timestamp_ms = Some(now_ms() - LONG_AGO);
        feed.send(Record {
            timestamp_ms,
            ..record
        })
        .await;
    }
    let program = feed.run(&[]);
    feed.until_committed().await;
    program.stop().await;
}

async fn delete(feed: &Feed, id: i64) -> i64 {
    let record = change("d", Some(row(id, "new")), None);
    let key = record.key.clone();
    feed.send(record).await;
    let tombstone = Record {
        key,
        ..Record::default()
    };
    feed.send(tombstone).await
}

/// Keeps changing row 99 until the broker has removed everything from one offset to another.
async fn until_removed(feed: &Feed, from: i64, to: i64) {
    until("the broker has compacted", async || {
        let after = row(99, "changes");
        feed.send(change("u", Some(after.clone()), Some(after)))
            .await;
        (feed.kafka.first_from(&feed.topic(), from) > to).then_some(())
    })
    .await;
}

/// What is kept beside the group's commit.
fn note(feed: &Feed) -> CommitNote {
    let commit = feed.kafka.commit_of(&feed.topic(), 0);
    CommitNote::parse(commit.elements()[0].metadata()).unwrap()
}

/// Leaves the group's commit nothing but its last record to tell its age by.
fn forget_as_of(feed: &Feed) {
    let topic = feed.topic();
    let as_of = None;
    let note = CommitNote {
        as_of,
        ..note(feed)
    };
    let next = feed.kafka.committed(&topic, 0).unwrap();
    let mut commit = TopicPartitionList::new();
    let mut element = commit.add_partition(&topic, 0);
    element.set_offset(Offset::Offset(next)).unwrap();
    element.set_metadata(note.to_text());
    feed.kafka.commit(&commit);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compacted_topic_whose_deletes_went_unread_is_refused_until_its_targets_are_fresh() {
    let mut feed = compacted().await;
    read_old(&feed, &[1, 2]).await;
    let deleted = delete(&feed, 1).await;
    until_removed(&feed, deleted - 1, deleted).await;

    let says = ["keeps deletes for 1000 ms", "epoch: 1", "--to-earliest"];
    let mut program = feed.run(&[]);
    program.refuses(65, &says).await;
    let reset = [
        "offsets",
        "reset",
        "--to-earliest",
        "--all-topics",
        "--execute",
    ];
    assert!(feed.call.output(&reset).status.success());
    // The row that nobody will ever say is gone: a replay over it would leave it there.
    let mut program = feed.run(&[]);
    program.refuses(65, &says).await;
    assert!(feed.document(1).await.is_some());

    let fresh = CONFIG
        .replace("full}", "full, epoch: 1}")
        .replace("${NAME}-items", "${NAME}-fresh");
    feed.call.configs.clear();
    feed.configure("fresh.yaml", &fresh);
    feed.also_removes("fresh");
    keep_deletes(&feed, ENOUGH).await;
    assert!(feed.call.output(&reset).status.success());
    let program = feed.run(&["--adopt", "items-index", "--adopt", "items-cache"]);
    feed.until_committed().await;
    let ids = feed.documents_of("fresh").await;
    let ids: Vec<&Value> = ids.iter().map(|it| &it[0]).collect();
    assert_eq!(ids, ["2", "99"]);
    program.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compacted_topic_is_read_from_its_start_by_a_new_group_however_old_its_gaps_are() {
    let feed = compacted().await;
    feed.insert(1).await;
    let deleted = delete(&feed, 1).await;
    until_removed(&feed, 0, deleted).await;
    keep_deletes(&feed, ENOUGH).await;
    let program = feed.run(&[]);
    feed.until_committed().await;
    assert!(feed.document(99).await.is_some());
    program.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compacted_topic_left_for_long_of_which_nothing_was_removed_is_gone_on_with() {
    let feed = compacted().await;
    read_old(&feed, &[1, 2]).await;
    forget_as_of(&feed);
    read_old(&feed, &[3, 4]).await;
    assert!(feed.document(4).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_was_there_while_its_compacted_topic_rested_goes_on_after_a_short_stop() {
    let feed = compacted().await;
    keep_deletes(&feed, ENOUGH).await;
    read_old(&feed, &[1, 2, 99]).await;
    forget_as_of(&feed);
    let program = feed.run(&[]);
    until("the commit is renewed", async || {
        note(&feed).as_of.map(drop)
    })
    .await;
    program.stop().await;
    let end = feed.kafka.end(&feed.topic(), 0);
    until_removed(&feed, end, end).await;
    let program = feed.run(&[]);
    feed.until_committed().await;
    program.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compacted_topic_whose_commits_are_gone_is_refused_where_its_stores_are_filled() {
    let feed = compacted().await;
    feed.insert(1).await;
    feed.insert(2).await;
    let program = feed.run(&[]);
    feed.until_committed().await;
    feed.until_started().await;
    program.stop().await;
    let deleted = delete(&feed, 1).await;
    until_removed(&feed, deleted - 1, deleted).await;
    keep_deletes(&feed, ENOUGH).await;

    let says = ["a time that nothing tells any more", "epoch: 1"];
    feed.kafka.forget_commits().await;
    let mut program = feed.run(&["--adopt", "items-index"]);
    program.refuses(65, &says).await;
    // Nor does a replay in place make up for it, with a commit or without.
    let reset = ["offsets", "reset", "--to-earliest", "--all-topics"];
    let reset = [&reset[..], &["--execute"]].concat();
    for forget in [false, true] {
        if forget {
            feed.kafka.forget_commits().await;
        }
        assert!(feed.call.output(&reset).status.success());
        let mut program = feed.run(&[]);
        program.refuses(65, &says).await;
    }
    assert!(feed.document(1).await.is_some());
}
