//! Rows of which Debezium did not send the unchanged large columns.

use distributary::projector::Mutation;
use distributary::sink::Outcome;
use serde_json::{Value, json};

use super::{Live, created, document, index};

/// A JSON string of so many bytes.
fn large(bytes: usize) -> String {
    Value::from("lorem ipsum ".repeat(bytes / 12)).to_string()
}

#[tokio::test]
async fn two_updates_that_leave_a_large_text_alone_keep_it() {
    let live = Live::prepared().await;
    let text = large(1 << 20);
    live.write(&[index(
        "a",
        1,
        &[("text", &text), ("n", "1"), ("dropped", "1")],
    )])
    .await;
    for version in [2, 3] {
        let n = version.to_string();
        let update = index("a", version, &[("text", "-"), ("n", &n)]);
        assert_eq!(live.write(&[update]).await, [Outcome::Written]);
    }
    let (version, source) = live.document("a").await.unwrap();
    let text: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((version, source), (3, json!({"text": text, "n": 3})));
}

#[tokio::test]
async fn a_partial_row_older_than_the_document_is_stale() {
    let live = Live::prepared().await;
    live.write(&[index("a", 5, &[("text", "\"new\""), ("n", "5")])])
        .await;
    let late = index("a", 4, &[("text", "-"), ("n", "4")]);
    assert_eq!(live.write(&[late]).await, [Outcome::Stale]);
    assert_eq!(
        live.document("a").await,
        Some((5, json!({"text": "new", "n": 5})))
    );
}

#[tokio::test]
async fn a_row_under_a_new_key_takes_nothing_that_may_be_older_or_another_row_s() {
    let live = Live::prepared().await;
    live.write(&[
        // The last change of the row under its old key, in another partition, is still to come.
        index("old", 1, &[("text", "\"older\"")]),
        index("new", 2, &[("text", "\"another row's\"")]),
    ])
    .await;
    let batch = [created("new", 7, &[("text", "-"), ("n", "1")])];
    assert_eq!(live.write(&batch).await, [Outcome::Incomplete]);
    assert_eq!(live.document("new").await, Some((7, json!({"n": 1}))));
}

#[tokio::test]
async fn what_nobody_has_is_left_out_and_told() {
    let live = Live::prepared().await;
    let batch = [
        index("a", 1, &[("text", "-"), ("n", "1")]),
        created("b", 2, &[("text", "-"), ("n", "2")]),
    ];
    assert_eq!(live.write(&batch).await, vec![Outcome::Incomplete; 2]);
    assert_eq!(live.document("b").await, Some((2, json!({"n": 2}))));
}

#[tokio::test]
async fn a_batch_of_many_large_partial_rows_is_written_whole() {
    let live = Live::prepared().await;
    let text = large(300 << 10);
    let ids: Vec<_> = (0..48).map(|n| n.to_string()).collect();
    for ids in ids.chunks(16) {
        let whole: Vec<_> = ids
            .iter()
            .map(|id| index(id, 1, &[("text", &text)]))
            .collect();
        live.write(&whole).await;
    }
    let partial = |id: &String| index(id, 2, &[("text", "-"), ("n", "2")]);
    let mut batch: Vec<_> = ids.iter().map(partial).collect();
    batch.push(index("whole", 3, &[("n", "3")]));
    batch.push(index("misfit", 4, &[("text", "-"), ("n", "\"text\"")]));
    let outcomes = live.write(&batch).await;
    assert_eq!(outcomes[..49], vec![Outcome::Written; 49]);
    assert!(
        matches!(&outcomes[49], Outcome::Rejected(_)),
        "{:?}",
        outcomes[49]
    );
    for id in ids {
        let (version, source) = live.document(&id).await.unwrap();
        assert_eq!(version, 2);
        assert_eq!(source["text"].to_string(), text);
    }
}

#[tokio::test]
async fn nothing_is_taken_from_a_document_that_a_waiting_delete_was_to_remove() {
    let live = Live::prepared().await;
    live.write(&[index("a", 1, &[("text", "\"of the row before\"")])])
        .await;
    let mut waiting = document("a", 2, None);
    waiting.merge(index("a", 3, &[("text", "-"), ("n", "3")]));
    assert_eq!(live.write(&[waiting]).await, [Outcome::Incomplete]);
    assert_eq!(live.document("a").await, Some((3, json!({"n": 3}))));
}
