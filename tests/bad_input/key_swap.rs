//! Rows that swap their keys in one transaction (D4), with a restart in the middle of it.

use serde_json::Value;

use crate::support::feed::{Feed, change, row};
use crate::support::kafka::Record;

/// The change of one transaction, all of whose records bear its number.
fn within(mut record: Record, tx_id: u64) -> Record {
    let value = record.value.take().unwrap();
    let mut value: Value = serde_json::from_slice(&value).unwrap();
    value["source"]["txId"] = tx_id.into();
    record.value = Some(value.to_string().into_bytes());
    record
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swap_of_keys_that_a_restart_cuts_through_far_behind_its_beginning_leaves_the_row() {
    let feed = Feed::new(1).await;
    feed.insert(1).await;
    // A row takes key 1, many others change, and only then the row that was there leaves it.
    let mut moved_in = within(change("c", None, Some(row(1, "moved in"))), 7);
    let old_key = r#"{"id":2}"#.to_owned();
    moved_in
        .headers
        .insert("__debezium.oldkey".to_owned(), old_key);
    feed.send(moved_in).await;
    for id in 100..1600 {
        let other = change("c", None, Some(row(id, "other")));
        feed.send(within(other, 7)).await;
    }
    let program = feed.run(&[]);
    feed.until_committed().await;
    program.stop().await;

    let moved_out = change("d", Some(row(1, "new")), None);
    let tombstone = Record {
        key: moved_out.key.clone(),
        ..Record::default()
    };
    feed.send(within(moved_out, 7)).await;
    feed.send(tombstone).await;
    let program = feed.run(&[]);
    feed.until_committed().await;
    let document = feed.document(1).await.expect("the row that moved in");
    assert_eq!(document["name"], "moved in");
    program.stop().await;
}
