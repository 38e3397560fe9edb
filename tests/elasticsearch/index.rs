//! What is created, what is refused, and the marker.

use distributary::sink::{Marker, Sink, SinkError};
use serde_json::json;

use super::{HOUR, Live, config, index, sink};
use crate::support::stack;

pub(super) fn fatal<T: std::fmt::Debug>(answer: Result<T, SinkError>) -> String {
    match answer {
        Err(SinkError::Fatal(text)) => text,
        other => panic!("not fatal: {other:?}"),
    }
}

#[tokio::test]
async fn a_missing_index_is_created_from_its_settings_behind_the_alias() {
    let content = json!({"settings": {"number_of_replicas": 0, "index.gc_deletes": "1m"},
        "mappings": {"dynamic": false, "_meta": {"owner": "shop"}, "properties": {"n": {"type": "long"}}}});
    let live = Live::new(Some(content));
    for _ in 0..2 {
        let found = live.sink.prepare().await.unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].projection.as_str(), &found[0].marker),
            ("items-index", &None)
        );
    }
    let answer = live
        .must("GET", &format!("/{}", live.index()), json!(null))
        .await;
    let index = &answer[live.index()];
    assert_eq!(index["aliases"][&live.alias]["is_write_index"], true);
    assert_eq!(index["mappings"]["dynamic"], "false");
    assert_eq!(index["settings"]["index"]["number_of_replicas"], "0");
    assert_eq!(index["settings"]["index"]["gc_deletes"], "21600000ms");
}

#[tokio::test]
async fn gc_deletes_is_raised_and_never_lowered() {
    let live = Live::prepared().await;
    for (set, kept) in [("60s", "21600000ms"), ("12h", "12h")] {
        let path = format!("/{}/_settings", live.index());
        live.must("PUT", &path, json!({"index.gc_deletes": set}))
            .await;
        live.sink.prepare().await.unwrap();
        let answer = live.must("GET", &path, json!(null)).await;
        assert_eq!(
            answer[live.index()]["settings"]["index"]["gc_deletes"],
            kept
        );
    }
}

#[tokio::test]
async fn instances_that_start_together_share_one_index() {
    let live = Live::new(None);
    let mut config = config(&stack("ES_URL"));
    config.gc_deletes = HOUR;
    let others: Vec<_> = (0..4).map(|_| sink(&config, &live.alias, None)).collect();
    let (a, b, c, d, e) = tokio::join!(
        live.sink.prepare(),
        others[0].prepare(),
        others[1].prepare(),
        others[2].prepare(),
        others[3].prepare(),
    );
    for found in [a, b, c, d, e] {
        assert_eq!(found.unwrap().len(), 1);
    }
    live.write(&[index("a", 1, &[("n", "1")])]).await;
}

#[tokio::test]
async fn a_real_index_under_the_aliass_name_is_refused() {
    let live = Live::new(None);
    live.must("PUT", &format!("/{}", live.alias), json!({}))
        .await;
    let text = fatal(live.sink.prepare().await);
    assert!(text.contains("is an index, not an alias"), "{text}");
}

#[tokio::test]
async fn an_index_without_its_alias_is_refused_with_the_way_out() {
    let live = Live::new(None);
    live.must("PUT", &format!("/{}", live.index()), json!({}))
        .await;
    let text = fatal(live.sink.prepare().await);
    assert!(
        text.contains("no alias") && text.contains("POST /_aliases"),
        "{text}"
    );
}

#[tokio::test]
async fn an_alias_of_several_indices_is_refused() {
    let live = Live::prepared().await;
    let body = json!({"aliases": {live.alias.as_str(): {}}});
    live.must("PUT", &format!("/{}-000002", live.alias), body)
        .await;
    let text = fatal(live.sink.prepare().await);
    assert!(text.contains("2 indices"), "{text}");
}

#[tokio::test]
async fn settings_that_elasticsearch_refuses_are_fatal_and_explained() {
    let content = json!({"mappings": {"properties": {"n": {"type": "lnog"}}}});
    let live = Live::new(Some(content));
    let text = fatal(live.sink.prepare().await);
    assert!(
        text.contains("lnog") && text.contains("items-index"),
        "{text}"
    );
}

#[tokio::test]
async fn the_marker_is_found_again_and_the_rest_of_the_mapping_stays() {
    let content = json!({"mappings": {"dynamic": false, "_meta": {"owner": "shop"}}});
    let live = Live::new(Some(content));
    live.sink.prepare().await.unwrap();
    let mut marker = Marker {
        pipeline: "shop".into(),
        group: "shop".into(),
        projection: "items-index".into(),
        fingerprint: "1234".into(),
        started: false,
    };
    for started in [false, true] {
        marker.started = started;
        live.sink.mark(&marker).await.unwrap();
        let found = live.sink.prepare().await.unwrap();
        assert_eq!(found[0].marker.as_ref(), Some(&marker));
    }
    let path = format!("/{}/_mapping", live.index());
    let answer = live.must("GET", &path, json!(null)).await;
    let mappings = &answer[live.index()]["mappings"];
    assert_eq!(mappings["_meta"]["owner"], "shop");
    assert_eq!(mappings["dynamic"], "false");
    marker.projection = "another".into();
    fatal(live.sink.mark(&marker).await);
}
