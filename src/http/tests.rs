use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::{Health, listen, serve};
use crate::metrics::Metrics;
use crate::sink::{Outage, OutageKind};

struct Endpoint {
    address: SocketAddr,
    health: Arc<Health>,
    stop: CancellationToken,
    served: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Endpoint {
    async fn start(stall_after: Duration) -> Self {
        let listener = listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let groups = BTreeMap::from([("shop".to_owned(), vec!["cache".to_owned()])]);
        let health = Arc::new(Health::new(stall_after, &groups));
        let stop = CancellationToken::new();
        let metrics = Arc::new(Metrics::new("shop"));
        let stopped = stop.clone().cancelled_owned();
        let served = tokio::spawn(serve(listener, metrics, Arc::clone(&health), stopped));
        Self {
            address,
            health,
            stop,
            served,
        }
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let url = format!("http://{}{path}", self.address);
        let response = reqwest::get(url).await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }
}

#[tokio::test]
async fn readiness_says_what_is_missing_and_why() {
    let endpoint = Endpoint::start(Duration::from_secs(60)).await;
    // Before anything has begun.
    let (status, body) = endpoint.get("/readyz").await;
    let expected = concat!(
        r#"{"ready":false,"waiting_for":{"consumer group shop":"not in the group yet","#,
        r#""sink cache":"not reached yet"}}"#,
        "\n"
    );
    assert_eq!((status, body.as_str()), (503, expected));

    let (group, sink) = (endpoint.health.group("shop"), endpoint.health.sink("cache"));
    group.refused(String::from("authentication failed"));
    let (_, body) = endpoint.get("/readyz").await;
    assert!(
        body.contains(r#""consumer group shop":"authentication failed""#),
        "{body}"
    );
    let (_, scrape) = endpoint.get("/metrics").await;
    for line in [
        "cdc_ready 0\n",
        "cdc_waiting_for{what=\"consumer group shop\"} 1\n",
        "cdc_waiting_for{what=\"sink cache\"} 1\n",
    ] {
        assert!(scrape.contains(line), "{scrape}");
    }

    group.joined(true);
    let refused = Outage::new(OutageKind::Unreachable, "connection refused");
    sink.answers(Some(&refused));
    let (status, body) = endpoint.get("/readyz").await;
    assert_eq!(status, 503);
    assert!(
        body.contains(r#""sink cache":"unreachable: connection refused""#),
        "{body}"
    );
    assert!(!body.contains("group"), "{body}");

    sink.answers(None);
    let (status, body) = endpoint.get("/readyz").await;
    assert_eq!(
        (status, body.as_str()),
        (200, "{\"ready\":true,\"waiting_for\":{}}\n")
    );
    let (_, scrape) = endpoint.get("/metrics").await;
    assert!(scrape.contains("cdc_ready 1\n"), "{scrape}");
    assert!(!scrape.contains("cdc_waiting_for{"), "{scrape}");

    group.held_up(String::from("no broker says it"));
    let (status, body) = endpoint.get("/readyz").await;
    assert_eq!(status, 503);
    assert!(
        body.contains(r#""consumer group shop":"no broker says it""#),
        "{body}"
    );
}

#[tokio::test]
async fn liveness_is_about_the_poll_loop_only() {
    let endpoint = Endpoint::start(Duration::from_secs(60)).await;
    let group = endpoint.health.group("shop");
    endpoint.health.sink("cache");
    assert_eq!(
        endpoint.get("/livez").await.0,
        200,
        "starting is not being stuck"
    );
    group.beat(Instant::now());
    assert_eq!(endpoint.get("/livez").await.0, 200);
}

#[tokio::test]
async fn a_poll_loop_that_does_not_move_is_dead() {
    let endpoint = Endpoint::start(Duration::ZERO).await;
    endpoint.health.group("shop").beat(Instant::now());
    let (status, body) = endpoint.get("/livez").await;
    let expected = "{\"live\":false,\"seconds_since_poll\":{\"shop\":0}}\n";
    assert_eq!((status, body.as_str()), (503, expected));
}

#[tokio::test]
async fn metrics_are_served_and_the_endpoint_stops_when_told() {
    let endpoint = Endpoint::start(Duration::from_secs(60)).await;
    let (status, body) = endpoint.get("/metrics").await;
    assert_eq!(status, 200);
    assert!(body.contains("cdc_build_info{"), "{body}");
    endpoint.stop.cancel();
    endpoint.served.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_port_in_use_is_told_with_the_way_out() {
    let taken = listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let error = listen(taken.local_addr().unwrap()).await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("has the port") && text.contains("http.listen"),
        "{text}"
    );
}
