//! Outcomes of single documents.

use distributary::sink::{OutageKind, Outcome};
use serde_json::json;

use super::{Live, document, failed, index};

#[tokio::test]
async fn an_older_version_is_stale_and_an_equal_one_is_written_again() {
    let live = Live::prepared().await;
    assert_eq!(
        live.write(&[index("a", 5, &[("n", "5")])]).await,
        [Outcome::Written]
    );
    assert_eq!(
        live.write(&[index("a", 4, &[("n", "4")])]).await,
        [Outcome::Stale]
    );
    assert_eq!(
        live.write(&[index("a", 5, &[("n", "5")])]).await,
        [Outcome::Written]
    );
    assert_eq!(live.document("a").await, Some((5, json!({"n": 5}))));
}

#[tokio::test]
async fn an_older_row_does_not_come_back_after_its_delete() {
    let live = Live::prepared().await;
    live.write(&[index("a", 1, &[("n", "1")])]).await;
    // The second delete, and one of a document that never was, find nothing: they are done, too.
    for batch in [
        vec![document("a", 3, None)],
        vec![document("a", 3, None), document("b", 3, None)],
    ] {
        let written = vec![Outcome::Written; batch.len()];
        assert_eq!(live.write(&batch).await, written);
    }
    let late = [
        index("a", 2, &[("n", "2")]),
        index("b", 2, &[("n", "2")]),
        document("a", 2, None),
    ];
    assert_eq!(
        live.write(&late).await,
        [Outcome::Stale, Outcome::Stale, Outcome::Stale]
    );
    assert_eq!(live.document("a").await, None);
    assert_eq!(
        live.write(&[index("a", 4, &[("n", "4")])]).await,
        [Outcome::Written]
    );
}

#[tokio::test]
async fn a_document_that_does_not_fit_is_rejected_and_its_neighbours_are_written() {
    let live = Live::prepared().await;
    live.write(&[index("first", 1, &[("n", "1")])]).await;
    let batch = [
        index("a", 2, &[("n", "2")]),
        index("b", 3, &[("n", "\"row value\"")]),
        index("c", 4, &[("n", "4")]),
        document("first", 5, None),
    ];
    let outcomes = live.write(&batch).await;
    let Outcome::Rejected(rejection) = &outcomes[1] else {
        panic!("{outcomes:?}");
    };
    assert_eq!(rejection.kind, "document_parsing_exception");
    assert!(rejection.reason.contains("field [n]"), "{rejection:?}");
    assert!(!rejection.reason.contains("row value"), "{rejection:?}");
    for item in [0, 2, 3] {
        assert_eq!(outcomes[item], Outcome::Written);
    }
    assert!(live.document("c").await.is_some());
}

#[tokio::test]
async fn any_text_is_an_id_up_to_512_bytes() {
    let live = Live::prepared().await;
    let longest = "é".repeat(256);
    let ids = [
        "q\"uo\\te",
        "zwölf/日本 🦀",
        "tab\tnew\nline\u{1}\u{7f}",
        " ",
        "[1,\"a\"]",
        &longest,
    ];
    let batch: Vec<_> = ids.iter().map(|id| index(id, 1, &[("n", "1")])).collect();
    assert_eq!(live.write(&batch).await, vec![Outcome::Written; ids.len()]);
    for id in ids {
        assert!(live.document(id).await.is_some(), "{id:?}");
    }
    let too_long = format!("{longest}x");
    let batch = [
        index(&too_long, 1, &[("n", "1")]),
        index("", 1, &[("n", "1")]),
        document(&too_long, 2, None),
        index("neighbour", 1, &[("n", "1")]),
    ];
    let outcomes = live.write(&batch).await;
    assert!(
        matches!(&outcomes[0], Outcome::Rejected(it) if it.kind == "id_too_long"),
        "{outcomes:?}"
    );
    assert!(
        matches!(&outcomes[1], Outcome::Rejected(it) if it.kind == "id_empty"),
        "{outcomes:?}"
    );
    assert_eq!(outcomes[2..], [Outcome::Written, Outcome::Written]);
}

#[tokio::test]
async fn blocks_are_outages_that_end_with_the_block() {
    let live = Live::prepared().await;
    let batch = [index("a", 1, &[("n", "1")]), document("b", 2, None)];
    let settings = format!("/{}/_settings", live.index());
    let blocks = [
        ("index.blocks.write", OutageKind::Blocked),
        ("index.blocks.read_only", OutageKind::Blocked),
        // Flood stage: Elasticsearch asks to come back later (429).
        (
            "index.blocks.read_only_allow_delete",
            OutageKind::Overloaded,
        ),
    ];
    for (block, kind) in blocks {
        live.must("PUT", &settings, json!({block: true})).await;
        for outcome in live.write(&batch).await {
            assert_eq!(failed(&outcome), kind, "{block}");
        }
        live.must("PUT", &settings, json!({block: null})).await;
        assert_eq!(
            live.write(&batch).await,
            [Outcome::Written, Outcome::Written]
        );
    }
}

#[tokio::test]
async fn a_closed_index_is_an_outage_that_ends_when_it_opens() {
    let live = Live::prepared().await;
    live.must("POST", &format!("/{}/_close", live.index()), json!(null))
        .await;
    let batch = [
        index("a", 1, &[("n", "1")]),
        index("b", 2, &[("n", "-"), ("m", "1")]),
    ];
    for outcome in live.write(&batch).await {
        assert_eq!(failed(&outcome), OutageKind::Blocked);
    }
    live.must("POST", &format!("/{}/_open", live.index()), json!(null))
        .await;
    assert_eq!(
        live.write(&batch).await,
        [Outcome::Written, Outcome::Incomplete]
    );
}
