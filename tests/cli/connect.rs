//! `validate --connect` beside brokers and stores that are there, and that are not.

use super::said;
use crate::support::feed::Feed;
use crate::support::redis_server::free_port;
use crate::support::stack;

const CONNECT: [&str; 3] = ["validate", "--connect", "--deny-warnings"];

#[tokio::test(flavor = "multi_thread")]
async fn brokers_and_stores_are_asked_and_nothing_is_made_in_them() {
    let feed = Feed::new(2).await;
    let output = feed.call.output(&CONNECT);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    for fact in [
        "1 of 1 topics, 2 partitions, 0 of them with a commit; running members: 0",
        "sink search: answers",
        "sink cache: answers",
    ] {
        assert!(said.contains(fact), "no {fact} in {said}");
    }
    let index = format!("{}/{}-items", stack("ES_URL"), feed.name);
    let answer = reqwest::get(index).await.unwrap();
    assert_eq!(answer.status(), 404, "an index was made");
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_cannot_be_used_is_named_at_once() {
    let feed = Feed::new(1).await;
    let nobody = format!("127.0.0.1:{}", free_port().unwrap());
    let brokers = format!("source.brokers=[{nobody}]");
    let url = format!("sinks.cache.url=redis://{nobody}");
    let output = feed
        .call
        .output(&["validate", "--connect", "--set", &brokers, "--set", &url]);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(69), "{said}");
    for error in ["error: kafka", "error: sink cache: unreachable"] {
        assert!(said.contains(error), "no {error} in {said}");
    }
    assert!(said.contains("sink search: answers"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_run_would_stop_at_is_a_mistake() {
    let feed = Feed::new(1).await;
    let assignments = [
        "sinks.search.url=https://localhost:1",
        "sinks.search.ca=not-there.pem",
    ];
    let assignments = assignments.iter().flat_map(|it| ["--set", it]);
    let output = feed
        .call
        .output(&CONNECT.into_iter().chain(assignments).collect::<Vec<_>>());
    let said = said(&output);
    assert_eq!(output.status.code(), Some(78), "{said}");
    assert!(
        said.contains("error: sink search: cannot read the CA file not-there.pem"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_that_are_missing_or_no_longer_whole_are_warned_of() {
    let feed = Feed::new(1).await;
    for id in 0..3 {
        feed.insert(id).await;
    }
    feed.kafka.forget_below(&feed.topic(), 2).await;
    for (assignment, warning) in [
        (
            "dead_letter.topic=not-there",
            "the dead-letter topic not-there is not there",
        ),
        (
            "drain_timeout=3s",
            "no longer has its first records (partition 0 begins at 2)",
        ),
        (
            "tables.items.topic=not-there",
            "topic not-there is not there",
        ),
    ] {
        let output = feed
            .call
            .output(&[&CONNECT[..], &["--set", assignment]].concat());
        let said = said(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(warning), "no {warning} in {said}");
    }
}
