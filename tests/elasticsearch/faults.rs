//! Answers that a healthy server cannot be made to give, from a fake that plays a script.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use distributary::config::{Credentials, Secret};
use distributary::sink::{OutageKind, Outcome, Sink, SinkError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{config, index, sink};

/// A server that gives one raw answer to each connection and remembers what it was asked.
struct Fake {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    async fn start(answers: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        tokio::spawn(async move {
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let request = read_request(&mut stream).await;
                log.lock().unwrap().push(request);
                stream.write_all(answer.as_bytes()).await.unwrap();
                stream.shutdown().await.unwrap();
            }
        });
        Self { url, asked }
    }
}

async fn read_request(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    loop {
        let read = stream.read(&mut buffer).await.unwrap();
        text.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let head = head.to_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        if read == 0 || body.len() >= length.map_or(0, |it| it.parse().unwrap()) {
            return text;
        }
    }
}

fn answer(status: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
}

/// Writes one document to a server that gives this answer.
async fn write(answer: String) -> Result<Vec<Outcome>, SinkError> {
    let fake = Fake::start(vec![answer]).await;
    let sink = sink(&config(&fake.url), "items", None);
    sink.write(&[index("a", 1, &[("n", "1")])]).await
}

async fn outage(answer: String) -> OutageKind {
    match write(answer).await {
        Err(SinkError::Outage(outage)) => outage.kind,
        other => panic!("no outage: {other:?}"),
    }
}

#[tokio::test]
async fn a_request_that_is_too_large_is_refused_as_a_whole() {
    let answer = answer("413 Payload Too Large", "");
    let Err(SinkError::TooMuch(rejection)) = write(answer).await else {
        panic!("not refused");
    };
    assert_eq!(rejection.kind, "request_too_large");
}

#[tokio::test]
async fn busy_servers_and_broken_proxies_are_outages() {
    let overloaded = r#"{"error":{"type":"es_rejected_execution_exception","reason":"full"}}"#;
    for (status, body, kind) in [
        ("429 Too Many Requests", overloaded, OutageKind::Overloaded),
        ("503 Service Unavailable", "", OutageKind::Overloaded),
        ("502 Bad Gateway", "<html>", OutageKind::Unreachable),
        ("504 Gateway Timeout", "<html>", OutageKind::Unreachable),
        ("404 Not Found", "<html>", OutageKind::Unreachable),
        ("200 OK", "<html>", OutageKind::Unreachable),
        ("200 OK", r#"{"items":[]}"#, OutageKind::Unreachable),
    ] {
        assert_eq!(outage(answer(status, body)).await, kind, "{status} {body}");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_and_none_at_all_are_outages() {
    let whole = answer("200 OK", r#"{"items":[{"index":{"status":201}}]}"#);
    assert_eq!(write(whole.clone()).await.unwrap(), [Outcome::Written]);
    let cut = whole.split_at(whole.len() - 9).0.to_owned();
    assert_eq!(outage(cut).await, OutageKind::Unreachable);
    assert_eq!(outage(String::new()).await, OutageKind::Unreachable);
    let nobody = sink(&config("http://user:secret@127.0.0.1:1"), "items", None);
    let Err(SinkError::Outage(outage)) = nobody.ping().await else {
        panic!("nobody listens there");
    };
    assert_eq!(outage.kind, OutageKind::Unreachable);
    assert!(!outage.reason.contains("secret"), "{outage:?}");
}

#[tokio::test]
async fn an_outage_after_some_documents_were_written_is_that_of_the_others_only() {
    let fake = Fake::start(vec![
        answer("200 OK", r#"{"items":[{"index":{"status":201}}]}"#),
        answer("503 Service Unavailable", ""),
    ])
    .await;
    let sink = sink(&config(&fake.url), "items", None);
    let partial = index("b", 2, &[("n", "-"), ("m", "1")]);
    let batch = [index("a", 1, &[("n", "1")]), partial];
    let outcomes = sink.write(&batch).await.unwrap();
    assert_eq!(outcomes[0], Outcome::Written);
    assert_eq!(super::failed(&outcomes[1]), OutageKind::Overloaded);
}

#[tokio::test]
async fn an_owner_that_is_replaced_between_two_requests_sends_no_second_one() {
    let done = answer("200 OK", r#"{"items":[{"index":{"status":201}}]}"#);
    let absent = answer("200 OK", r#"{"docs":[{"found":false}]}"#);
    let fake = Fake::start(vec![done.clone(), absent, done]).await;
    let sink = sink(&config(&fake.url), "items", None);
    let partial = index("b", 2, &[("n", "-"), ("m", "1")]);
    let batch = [index("a", 1, &[("n", "1")]), partial];
    let asked = AtomicUsize::new(0);
    let first_only = || asked.fetch_add(1, Ordering::Relaxed) == 0;
    assert_eq!(sink.write_if(&batch, first_only).await, Ok(None));
    let requests = fake.asked.lock().unwrap();
    let bulks = requests.iter().filter(|it| it.starts_with("POST /_bulk"));
    assert_eq!(bulks.count(), 1, "{requests:?}");
}

#[tokio::test]
async fn refused_credentials_are_read_again_before_the_next_attempt() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("api-key");
    let done = answer("200 OK", r#"{"items":[{"index":{"status":201}}]}"#);
    let item = r#"{"items":[{"index":{"status":403,"error":{"type":"security_exception","reason":"r"}}}]}"#;
    let answers = vec![answer("401 Unauthorized", ""), answer("200 OK", item), done];
    let fake = Fake::start(answers).await;
    let mut config = config(&fake.url);
    config.credentials = Some(Credentials::ApiKey(Secret::File(path.clone())));
    let sink = sink(&config, "items", None);
    let batch = [index("a", 1, &[("n", "1")])];

    let refused = |error| matches!(error, SinkError::Outage(it) if it.kind == OutageKind::Refused);
    // The secret is not there yet: nothing is sent.
    assert!(refused(sink.write(&batch).await.unwrap_err()));
    std::fs::write(&path, "Zmlyc3Q=\n").unwrap();
    assert!(refused(sink.write(&batch).await.unwrap_err()));
    std::fs::write(&path, "c2Vjb25k\n").unwrap();
    assert_eq!(
        super::failed(&sink.write(&batch).await.unwrap()[0]),
        OutageKind::Refused
    );
    std::fs::write(&path, "dGhpcmQ=\n").unwrap();
    assert_eq!(sink.write(&batch).await.unwrap(), [Outcome::Written]);

    let asked = fake.asked.lock().unwrap();
    for (request, key) in asked.iter().zip(["Zmlyc3Q=", "c2Vjb25k", "dGhpcmQ="]) {
        assert!(
            request.contains(&format!("authorization: ApiKey {key}\r\n")),
            "{request}"
        );
    }
    assert_eq!(asked.len(), 3);
}
