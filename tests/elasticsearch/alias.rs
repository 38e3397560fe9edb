//! An alias that is gone, leads elsewhere, or to an index that takes no documents, is an outage.

use distributary::sink::{OutageKind, Outcome, Sink};
use serde_json::{Value, json};

use super::index::fatal;
use super::{Live, document, failed, index};

impl Live {
    /// Changes aliases: each action is its verb, the index's number and what is said of the alias.
    async fn alias(&self, actions: &[(&str, &str, Value)]) {
        let actions = actions.iter().map(|(verb, number, more)| {
            let mut action =
                json!({"index": format!("{}-{number}", self.alias), "alias": self.alias});
            action
                .as_object_mut()
                .unwrap()
                .extend(more.as_object().unwrap().clone());
            json!({(*verb): action})
        });
        let body = json!({"actions": actions.collect::<Vec<_>>()});
        self.must("POST", "/_aliases", body).await;
    }

    async fn exists(&self, name: &str) -> bool {
        let (status, _) = self.call("HEAD", &format!("/{name}"), json!(null)).await;
        status == 200
    }

    /// Writes, and expects an outage of every document.
    async fn blocked(&self, batch: &[distributary::projector::document::Document]) {
        for outcome in self.write(batch).await {
            assert_eq!(failed(&outcome), OutageKind::Blocked, "{outcome:?}");
        }
    }
}

#[tokio::test]
async fn a_missing_alias_is_an_outage_and_no_index_springs_up_in_its_place() {
    let live = Live::new(None);
    let batch = [
        index("a", 1, &[("n", "1")]),
        document("b", 2, None),
        index("c", 3, &[("n", "-"), ("m", "1")]),
    ];
    live.blocked(&batch).await;
    assert!(!live.exists(&live.alias).await);
    live.sink.ping().await.unwrap();
    live.sink.prepare().await.unwrap();
    live.sink.ping().await.unwrap();
    assert_eq!(
        live.write(&batch).await,
        [Outcome::Written, Outcome::Written, Outcome::Incomplete]
    );
}

#[tokio::test]
async fn an_alias_of_two_indices_is_an_outage_and_not_the_documents_fault() {
    let live = Live::prepared().await;
    live.must("PUT", &format!("/{}-000002", live.alias), json!({}))
        .await;
    let read_only = json!({"is_write_index": false});
    live.alias(&[
        ("add", "000001", read_only.clone()),
        ("add", "000002", read_only),
    ])
    .await;
    let batch = [
        index("a", 1, &[("n", "1")]),
        index("b", 2, &[("n", "-"), ("m", "1")]),
    ];
    live.blocked(&batch).await;
}

#[tokio::test]
async fn deletes_alone_make_no_index_in_the_place_of_a_missing_alias() {
    let live = Live::prepared().await;
    live.write(&[index("a", 1, &[("n", "1")])]).await;
    live.alias(&[("remove", "000001", json!({}))]).await;
    let batch = [document("a", 2, None), document("b", 2, None)];
    live.blocked(&batch).await;
    assert!(!live.exists(&live.alias).await);
    live.alias(&[("add", "000001", json!({}))]).await;
    assert_eq!(
        live.write(&batch).await,
        [Outcome::Written, Outcome::Written]
    );
    assert_eq!(live.document("a").await, None);
}

#[tokio::test]
async fn deletes_are_not_taken_for_done_by_an_index_of_the_aliass_name() {
    let live = Live::prepared().await;
    live.alias(&[("remove", "000001", json!({}))]).await;
    live.must("PUT", &format!("/{}", live.alias), json!({}))
        .await;
    live.blocked(&[document("a", 2, None)]).await;
}

#[tokio::test]
async fn what_comes_to_the_next_index_of_a_rollover_is_written_again_to_the_first() {
    let live = Live::prepared().await;
    live.write(&[index("a", 1, &[("n", "1")]), index("b", 1, &[("n", "1")])])
        .await;
    live.must("POST", &format!("/{}/_rollover", live.alias), json!(null))
        .await;
    let batch = [
        index("a", 2, &[("n", "2")]),
        document("b", 2, None),
        index("c", 2, &[("n", "\"no number\"")]),
    ];
    live.blocked(&batch).await;
    live.blocked(&batch[1..2]).await;
    live.alias(&[
        ("remove", "000002", json!({})),
        ("add", "000001", json!({"is_write_index": true})),
    ])
    .await;
    let outcomes = live.write(&batch).await;
    assert_eq!(outcomes[..2], [Outcome::Written, Outcome::Written]);
    assert!(matches!(outcomes[2], Outcome::Rejected(_)), "{outcomes:?}");
    assert_eq!(live.document("a").await, Some((2, json!({"n": 2}))));
    assert_eq!(live.document("b").await, None);
}

#[tokio::test]
async fn an_alias_that_lets_nothing_be_written_is_refused_at_the_start_and_an_outage_later() {
    let live = Live::prepared().await;
    let read_only = json!({"is_write_index": false});
    live.alias(&[("add", "000001", read_only)]).await;
    live.blocked(&[index("a", 1, &[("n", "1")]), document("b", 2, None)])
        .await;
    let text = fatal(live.sink.prepare().await);
    assert!(
        text.contains("is_write_index") && text.contains("POST /_aliases"),
        "{text}"
    );
}

#[tokio::test]
async fn an_index_that_requires_a_routing_is_refused_at_the_start_and_an_outage_later() {
    let content = json!({"mappings": {"_routing": {"required": true}}});
    let live = Live::new(Some(content));
    let text = fatal(live.sink.prepare().await);
    assert!(text.contains("_routing.required"), "{text}");
    live.blocked(&[
        index("a", 1, &[("n", "1")]),
        index("b", 1, &[("n", "-"), ("m", "1")]),
        document("c", 2, None),
    ])
    .await;
}

#[tokio::test]
async fn a_pipeline_that_is_gone_is_an_outage_until_it_is_there() {
    let live = Live::prepared().await;
    let settings = format!("/{}/_settings", live.index());
    let pipeline = format!("/_ingest/pipeline/{}", live.alias);
    let batch = [index("a", 1, &[("n", "1")])];
    for setting in ["index.default_pipeline", "index.final_pipeline"] {
        live.must("PUT", &settings, json!({setting: live.alias}))
            .await;
        live.blocked(&batch).await;
        live.must("PUT", &pipeline, json!({"processors": []})).await;
        assert_eq!(live.write(&batch).await, [Outcome::Written]);
        live.must("PUT", &settings, json!({setting: null})).await;
        live.must("DELETE", &pipeline, json!(null)).await;
    }
}
