//! The Elasticsearch sink on the real server; only what a server cannot be made to do is faked.

mod alias;
mod faults;
mod index;
mod older;
mod partial;
mod write;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use distributary::change::{Change, Op, ProjectionId, Row, TableId, Version};
use distributary::config;
use distributary::projector::Projector;
use distributary::projector::document::{Document, DocumentProjector};
use distributary::sink::elasticsearch::{DocumentProjection, Elasticsearch};
use distributary::sink::{Outage, OutageKind, Outcome, Sink};
use serde_json::{Value, json};

use crate::support::stack;

const HOUR: Duration = Duration::from_secs(3600);

/// A sink with one projection and an alias that no other test has; its indices go in the end.
struct Live {
    sink: Elasticsearch,
    alias: String,
    http: reqwest::Client,
}

impl Live {
    /// A sink whose alias does not exist yet.
    fn new(settings: Option<Value>) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let alias = format!("test-documents-{}-{count}", std::process::id());
        Self {
            sink: sink(&config(&stack("ES_URL")), &alias, settings),
            alias,
            http: reqwest::Client::new(),
        }
    }

    /// A sink whose index has been created.
    async fn prepared() -> Self {
        let live = Self::new(None);
        live.sink.prepare().await.unwrap();
        live
    }

    fn index(&self) -> String {
        format!("{}-000001", self.alias)
    }

    async fn call(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let url = format!("{}{path}", stack("ES_URL"));
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.http.request(method, url);
        if !body.is_null() {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.json().await.unwrap_or_default())
    }

    async fn must(&self, method: &str, path: &str, body: Value) -> Value {
        let (status, answer) = self.call(method, path, body).await;
        assert_eq!(status, 200, "{method} {path}: {answer}");
        answer
    }

    /// The document's version and source.
    async fn document(&self, id: &str) -> Option<(i64, Value)> {
        let body = json!({"docs": [{"_index": self.alias, "_id": id}]});
        let answer = self.must("POST", "/_mget", body).await;
        let doc = &answer["docs"][0];
        let source = doc["found"].as_bool()?.then(|| doc["_source"].clone())?;
        Some((doc["_version"].as_i64().unwrap(), source))
    }

    async fn write(&self, batch: &[Document]) -> Vec<Outcome> {
        self.sink.write(batch).await.unwrap()
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let url = stack("ES_URL");
        let address = url.trim_start_matches("http://");
        for index in [
            self.index(),
            format!("{}-000002", self.alias),
            self.alias.clone(),
        ] {
            let request = format!("DELETE /{index} HTTP/1.0\r\nhost: test\r\n\r\n");
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(request.as_bytes()).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
        }
    }
}

fn config(url: &str) -> config::Elasticsearch {
    config::Elasticsearch {
        url: url.to_owned(),
        credentials: None,
        ca: None,
        gc_deletes: 6 * HOUR,
        batch: config::Batch {
            max_items: 5000,
            max_bytes: 8 << 20,
        },
        in_flight: 2,
    }
}

fn document_config(alias: &str, settings: Option<Value>) -> config::Document {
    config::Document {
        from: TableId(0),
        alias: alias.to_owned(),
        settings: settings.map(|content| config::IndexSettings {
            path: "index.json".into(),
            content,
        }),
        fields: None,
        when: None,
    }
}

fn sink(config: &config::Elasticsearch, alias: &str, settings: Option<Value>) -> Elasticsearch {
    let projection = DocumentProjection {
        id: ProjectionId(0),
        name: "items-index",
        table: "public.items".to_owned(),
        document: &document_config(alias, settings),
    };
    Elasticsearch::new(config, &[projection]).unwrap()
}

/// What the projector makes of a row; a value of `-` was not sent. No row: it was deleted.
fn document(id: &str, version: i64, after: Option<&[(&str, &str)]>) -> Document {
    let op = after.map_or(Op::Delete, |_| Op::Update);
    project(change(op, id, version, after))
}

fn index(id: &str, version: i64, after: &[(&str, &str)]) -> Document {
    document(id, version, Some(after))
}

/// A row that is new, or new under this key.
fn created(id: &str, version: i64, after: &[(&str, &str)]) -> Document {
    project(change(Op::Create, id, version, Some(after)))
}

fn project(change: Change<'_>) -> Document {
    let config = document_config("", None);
    let projector = DocumentProjector::new(ProjectionId(0), "items", &config).unwrap();
    let mut out = Vec::new();
    projector.project(&change, &mut out).unwrap();
    out.remove(0)
}

fn change(op: Op, id: &str, version: i64, after: Option<&[(&str, &str)]>) -> Change<'static> {
    Change {
        table: TableId(0),
        op,
        key: key(id),
        before: None,
        after: after.map(row),
        moved_from: None,
        version: Version::new(0, version),
        committed_at_ms: 0,
    }
}

fn key(id: &str) -> Row<'static> {
    Row::from_pairs(&[("id", &Value::from(id).to_string())])
}

fn row(pairs: &[(&str, &str)]) -> Row<'static> {
    let columns = pairs
        .iter()
        .map(|&(name, json)| (name, (json != "-").then_some(json)));
    Row::of(&columns.collect::<Vec<_>>())
}

fn failed(outcome: &Outcome) -> OutageKind {
    match outcome {
        Outcome::Failed(Outage { kind, .. }) => *kind,
        other => panic!("no outage: {other:?}"),
    }
}
