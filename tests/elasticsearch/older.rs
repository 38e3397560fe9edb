//! What a truncate finds and deletes.

use std::collections::BTreeSet;
use std::pin::pin;

use distributary::change::{ProjectionId, Version};
use distributary::sink::{OutageKind, Outcome, Sink, SinkError};
use futures_util::StreamExt;
use serde_json::json;

use super::{Live, config, document, index, sink};

/// Deletes everything below a version as delivery does; answers how often a delete was written.
async fn truncate(live: &Live, below: i64) -> Result<usize, SinkError> {
    let mut pages = pin!(live.sink.older(ProjectionId(0), Version::new(0, below)));
    let mut deleted = 0;
    while let Some(page) = pages.next().await {
        let outcomes = live.write(&page?).await;
        deleted += outcomes
            .iter()
            .filter(|it| **it == Outcome::Written)
            .count();
    }
    Ok(deleted)
}

#[tokio::test]
async fn a_truncate_deletes_exactly_what_is_older_however_many_pages_there_are() {
    let live = Live::prepared().await;
    let version = |id: i64| if id % 3 == 0 { 20_000 + id } else { 1 + id };
    for ids in (0..5000).collect::<Vec<i64>>().chunks(1000) {
        let batch: Vec<_> = ids
            .iter()
            .map(|id| index(&id.to_string(), version(*id), &[("n", "1")]))
            .collect();
        live.write(&batch).await;
    }
    assert_eq!(truncate(&live, 10_000).await, Ok(3333));
    live.must("POST", &format!("/{}/_refresh", live.alias), json!(null))
        .await;
    let search = json!({"size": 5000, "_source": false});
    let found = live
        .must("POST", &format!("/{}/_search", live.alias), search)
        .await;
    let hits = found["hits"]["hits"].as_array().unwrap().iter();
    let left: BTreeSet<i64> = hits
        .map(|hit| hit["_id"].as_str().unwrap().parse().unwrap())
        .collect();
    assert_eq!(left, (0..5000).filter(|id| id % 3 == 0).collect());
    assert_eq!(truncate(&live, 10_000).await, Ok(0), "a replay is harmless");
}

#[tokio::test]
async fn what_is_written_while_a_truncate_is_applied_stays_and_what_was_deleted_stays_away() {
    let live = Live::prepared().await;
    // The newest write is found although nobody has refreshed the index.
    live.write(&[index("a", 4, &[("n", "4")]), index("b", 4, &[("n", "4")])])
        .await;
    let mut pages = pin!(live.sink.older(ProjectionId(0), Version::new(0, 5)));
    let page = pages.next().await.unwrap().unwrap();
    live.write(&[index("a", 6, &[("n", "6")])]).await;
    let mut outcomes = live.write(&page).await;
    outcomes.sort_by_key(|it| *it == Outcome::Stale);
    assert_eq!(outcomes, [Outcome::Written, Outcome::Stale]);
    assert!(pages.next().await.is_none());
    assert_eq!(live.document("a").await, Some((6, json!({"n": 6}))));
    assert_eq!(live.document("b").await, None);
    let late = [index("b", 4, &[("n", "4")])];
    assert_eq!(live.write(&late).await, [Outcome::Stale]);
}

#[tokio::test]
async fn a_truncate_leaves_other_indices_alone_and_an_empty_one_has_nothing() {
    let (live, other) = (Live::prepared().await, Live::prepared().await);
    other.write(&[index("a", 1, &[("n", "1")])]).await;
    assert_eq!(truncate(&live, 9).await, Ok(0));
    let pages = live.sink.older(ProjectionId(7), Version::new(0, 9));
    assert_eq!(pages.count().await, 0);
    assert!(other.document("a").await.is_some());
}

#[tokio::test]
async fn a_store_that_is_away_or_closed_is_an_outage_of_a_truncate() {
    let live = Live::prepared().await;
    live.write(&[document("a", 1, None), index("b", 1, &[("n", "1")])])
        .await;
    let index = live.index();
    live.must("POST", &format!("/{index}/_close"), json!(null))
        .await;
    let Err(SinkError::Outage(outage)) = truncate(&live, 9).await else {
        panic!("a closed index is an outage");
    };
    assert_eq!(outage.kind, OutageKind::Blocked);
    live.must("POST", &format!("/{index}/_open"), json!(null))
        .await;
    live.must(
        "GET",
        &format!("/_cluster/health/{index}?wait_for_status=yellow"),
        json!(null),
    )
    .await;
    assert_eq!(truncate(&live, 9).await, Ok(1));
    let away = sink(&config("http://127.0.0.1:9"), &live.alias, None);
    let mut pages = pin!(away.older(ProjectionId(0), Version::new(0, 9)));
    let Some(Err(SinkError::Outage(outage))) = pages.next().await else {
        panic!("a store that is away is an outage");
    };
    assert_eq!(outage.kind, OutageKind::Unreachable);
    assert!(pages.next().await.is_none());
}
