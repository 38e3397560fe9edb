//! Truncates that are applied, from the topic to the index.

use serde_json::json;

use crate::support::feed::{Feed, source};
use crate::support::kafka::Record;

const APPLY: &str = r#"
tables: {items: {on_truncate: apply}}
projections:
  - {name: items-index, sink: search, from: items, index: {alias: "${NAME}-items", settings: items.json}}
"#;

async fn truncate(feed: &Feed) {
    let value = json!({"before": null, "after": null, "source": source(), "op": "t"});
    let record = Record {
        value: Some(value.to_string().into()),
        ..Record::default()
    };
    feed.send(record).await;
}

/// Ids and versions of what the index holds.
async fn held(feed: &Feed) -> Vec<(String, i64)> {
    let documents = feed.documents().await;
    let held = documents.iter().map(|it| {
        let id = it[0].as_str().unwrap().to_owned();
        (id, it[1].as_i64().unwrap())
    });
    held.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncate_leaves_exactly_the_rows_that_came_after_it() {
    let mut feed = Feed::new(1).await;
    feed.configure("apply.yaml", APPLY);
    for id in 1..=5 {
        feed.insert(id).await;
    }
    truncate(&feed).await;
    let again = feed.insert(2).await;
    let program = feed.run(&[]);
    feed.until_committed().await;
    assert_eq!(held(&feed).await, [("2".to_owned(), again)]);
    // Live, and after a kill that may have come in the middle.
    feed.insert(6).await;
    feed.until_committed().await;
    assert_eq!(held(&feed).await.len(), 2);
    truncate(&feed).await;
    let after = feed.insert(7).await;
    program.kill();
    let program = feed.run(&[]);
    feed.until_committed().await;
    assert_eq!(held(&feed).await, [("7".to_owned(), after)]);
    program.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn truncates_are_not_applied_where_the_topic_has_several_partitions() {
    let mut feed = Feed::new(3).await;
    feed.configure("apply.yaml", APPLY);
    feed.insert(1).await;
    let mut program = feed.run(&[]);
    program
        .refuses(65, &["on_truncate: apply", "has 3 partitions"])
        .await;
}
