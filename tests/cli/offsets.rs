//! `offsets show` and `offsets reset` beside a real group, and the replay that follows.

use super::{read_no_more, said};
use crate::support::feed::{Feed, change, row};

#[tokio::test(flavor = "multi_thread")]
async fn offsets_are_reset_only_with_execute_and_only_while_the_group_is_stopped() {
    let feed = Feed::new(1).await;
    for id in 0..3 {
        feed.insert(id).await;
    }
    let mut program = feed.run(&[]);
    program.ready().await;
    feed.until_committed().await;
    let reset = ["offsets", "reset", "--to-earliest", "--all-topics"];
    let execute = [&reset[..], &["--execute"]].concat();
    let topic = feed.topic();

    let refused = feed.call.output(&execute);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(said(&refused).contains("running member"), "{refused:?}");
    program.stop().await;

    let dry = feed.call.output(&reset);
    assert!(
        dry.status.success() && said(&dry).contains("dry run"),
        "{dry:?}"
    );
    assert_eq!(feed.kafka.committed(&topic, 0), Some(3));
    // As `… | head` makes it.
    let mut unread = feed.call.command(&execute);
    let done = unread.stdout(read_no_more()).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    assert_eq!(feed.kafka.committed(&topic, 0), Some(0));
    let shown = said(&feed.call.output(&["offsets", "show"]));
    let line = shown.lines().find(|line| line.starts_with(&topic)).unwrap();
    let columns: Vec<_> = line.split_whitespace().skip(1).collect();
    assert_eq!(
        columns,
        ["0", "0", "3", "3"],
        "partition, current, end, lag"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_in_place_from_zero_changes_nothing_in_the_end() {
    let feed = Feed::new(1).await;
    for id in 0..20 {
        feed.insert(id).await;
        let changed = change("u", Some(row(id, "new")), Some(row(id, "changed")));
        feed.send(changed).await;
        if id % 3 == 0 {
            feed.send(change("d", Some(row(id, "changed")), None)).await;
        }
    }
    let program = feed.run(&[]);
    feed.until_committed().await;
    program.stop().await;
    let before = feed.documents().await;
    assert_eq!(before.len(), 13);

    let reset = [
        "offsets",
        "reset",
        "--to-earliest",
        "--all-topics",
        "--execute",
    ];
    assert!(feed.call.output(&reset).status.success());
    let program = feed.run(&[]);
    feed.until_committed().await;
    program.stop().await;
    assert_eq!(feed.documents().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_not_there_is_shown_and_no_reset() {
    let feed = Feed::new(1).await;
    let elsewhere = ["--set", "tables.items.topic=not-there"];
    let shown = feed
        .call
        .output(&[&["offsets", "show"], &elsewhere[..]].concat());
    assert!(shown.status.success(), "{shown:?}");
    assert!(said(&shown).contains("not-there  not there"), "{shown:?}");
    let reset = ["offsets", "reset", "--to-earliest", "--all-topics"];
    let refused = feed.call.output(&[&reset[..], &elsewhere].concat());
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(said(&refused).contains("nothing to reset"), "{refused:?}");
}
