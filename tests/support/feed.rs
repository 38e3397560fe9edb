//! A pipeline of one test's own whose topic the test fills itself: no Postgres, no connector.
//!
//! Rows of a table `items` become documents and invalidate keys of a private Redis.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::kafka::{Kafka, Record};
use super::program::{Call, Program};
use super::redis_server::Server;
use super::{stack, unique, until};

/// Sessions are short, so that the group notices a killed member soon.
pub(crate) const CONFIG: &str = r#"
pipeline: "${NAME}"
source:
  brokers: ["${KAFKA_BROKERS}"]
  group: "${NAME}"
  topic: "${NAME}.{table}"
  properties: {session.timeout.ms: "10000", heartbeat.interval.ms: "500"}
tables:
  items: {key: [id], replica_identity: full}
sinks:
  search: {type: elasticsearch, url: "${ES_URL}"}
  cache: {type: redis, url: "${REDIS_URL}", second_unlink_after: 0s}
projections:
  - {name: items-index, sink: search, from: items, index: {alias: "${NAME}-items", settings: items.json}}
  - {name: items-cache, sink: cache, from: items, invalidate: ["item:{{ key.id }}"]}
dead_letter: {topic: "${NAME}.dead-letter"}
drain_timeout: 4s
"#;

/// A column that takes whole numbers only, so that a row can be one that the index never takes.
const SETTINGS: &str =
    r#"{"mappings": {"dynamic": false, "properties": {"stock": {"type": "long"}}}}"#;

/// The pipeline's topic, stores and configuration.
pub(crate) struct Feed {
    pub(crate) name: String,
    pub(crate) kafka: Kafka,
    pub(crate) redis: Server,
    pub(crate) call: Call,
    folder: TempDir,
    /// What the aliases have behind the name.
    aliases: Vec<&'static str>,
    http: reqwest::Client,
}

impl Feed {
    /// A feed whose topic has so many partitions.
    pub(crate) async fn new(partitions: i32) -> Self {
        let name = unique();
        let folder = tempfile::tempdir().unwrap();
        let mut kafka = Kafka::new(&stack("KAFKA_BROKERS"), &name);
        kafka.create(&format!("{name}.items"), partitions).await;
        kafka.create(&format!("{name}.dead-letter"), 1).await;
        let redis = Server::start(&["--save", ""]).await.unwrap();
        std::fs::write(folder.path().join("items.json"), SETTINGS).unwrap();
        let call = Call {
            configs: vec![],
            variables: vec![
                ("NAME", name.clone()),
                ("KAFKA_BROKERS", stack("KAFKA_BROKERS")),
                ("ES_URL", stack("ES_URL")),
                ("REDIS_URL", redis.url()),
            ],
        };
        let mut feed = Self {
            name,
            kafka,
            redis,
            call,
            folder,
            aliases: vec!["items"],
            http: reqwest::Client::new(),
        };
        feed.configure("feed.yaml", CONFIG);
        feed
    }

    /// Adds a configuration file, which overrides the ones before it key by key.
    pub(crate) fn configure(&mut self, file: &str, text: &str) {
        let path = self.folder.path().join(file);
        std::fs::write(&path, text).unwrap();
        self.call.configs.push(path);
    }

    /// The index of another alias goes, too, when the test ends.
    pub(crate) fn also_removes(&mut self, alias: &'static str) {
        self.aliases.push(alias);
    }

    /// The broker seen by the group of one sink (`groups: per_sink`).
    pub(crate) fn group(&mut self, sink: &str) -> Kafka {
        let group = format!("{}.{sink}", self.name);
        self.kafka.owns_group(&group);
        Kafka::new(&stack("KAFKA_BROKERS"), &group)
    }

    /// Where the program's logs go.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts the program.
    pub(crate) fn run(&self, arguments: &[&str]) -> Program {
        self.call.run(self.folder(), arguments)
    }

    /// The table's topic.
    pub(crate) fn topic(&self) -> String {
        format!("{}.items", self.name)
    }

    /// Writes a record into partition 0.
    pub(crate) async fn send(&self, record: Record) -> i64 {
        self.kafka.produce(&self.topic(), 0, record).await
    }

    /// Inserts a row and says at which offset.
    pub(crate) async fn insert(&self, id: i64) -> i64 {
        self.send(change("c", None, Some(row(id, "new")))).await
    }

    /// Waits until the group has committed all of the topic.
    pub(crate) async fn until_committed(&self) {
        self.kafka.until_committed(&[self.topic()]).await;
    }

    /// Waits until the index's marker says that the group's first commits are there: a process that
    /// ends before has begun, and not started.
    pub(crate) async fn until_started(&self) {
        let url = format!("{}/{}-items/_mapping", stack("ES_URL"), self.name);
        until("the marker says that the group has started", async || {
            let answer = self.http.get(&url).send().await.unwrap();
            let mapping = answer.text().await.unwrap();
            mapping.contains(r#""started":true"#).then_some(())
        })
        .await;
    }

    /// The dead letters, of which there must be so many at least.
    pub(crate) fn dead_letters(&self, count: usize) -> Vec<Record> {
        let topic = format!("{}.dead-letter", self.name);
        self.kafka.read(&topic, count)
    }

    /// A row's document.
    pub(crate) async fn document(&self, id: i64) -> Option<Value> {
        let url = format!("{}/{}-items/_doc/{id}", stack("ES_URL"), self.name);
        let answer = self.http.get(url).send().await.unwrap();
        let mut answer: Value = answer.json().await.unwrap();
        answer.get_mut("_source").map(Value::take)
    }

    /// How many single writes the index has answered, refused ones included; deletes not.
    pub(crate) async fn writes(&self) -> u64 {
        let url = format!("{}/{}-items/_stats/indexing", stack("ES_URL"), self.name);
        let answer = self.http.get(url).send().await.unwrap();
        let mut answer: Value = answer.json().await.unwrap();
        let indexing = answer["_all"]["primaries"]["indexing"].take();
        let count = |name: &str| indexing[name].as_u64().unwrap();
        count("index_total") + count("index_failed")
    }

    /// Every document with its version, as one text: equal texts, equal indices.
    pub(crate) async fn documents(&self) -> Vec<Value> {
        self.documents_of("items").await
    }

    /// The same of another alias.
    pub(crate) async fn documents_of(&self, alias: &str) -> Vec<Value> {
        let index = format!("{}/{}-{alias}", stack("ES_URL"), self.name);
        let refreshed = self.http.post(format!("{index}/_refresh")).send().await;
        refreshed.unwrap();
        let url = format!("{index}/_search?size=1000&version=true");
        let query = json!({"sort": ["_doc"]});
        let answer = self.http.post(url).json(&query).send().await.unwrap();
        let mut answer: Value = answer.json().await.unwrap();
        let mut hits = std::mem::take(answer["hits"]["hits"].as_array_mut().unwrap());
        hits.sort_by_key(|hit| hit["_id"].as_str().unwrap().to_owned());
        let text = |hit: &Value| json!([hit["_id"], hit["_version"], hit["_source"]]);
        hits.iter().map(text).collect()
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        let url = |alias| format!("{}/{}-{alias}-000001", stack("ES_URL"), self.name);
        super::clean_up(async || {
            for alias in &self.aliases {
                // There is no index where the test never got so far.
                drop(reqwest::Client::new().delete(url(alias)).send().await);
            }
        });
    }
}

/// A row of the table.
pub(crate) fn row(id: i64, name: &str) -> Value {
    json!({"id": id, "name": name, "stock": 1})
}

/// A change as Debezium writes it; the key is that of the row.
pub(crate) fn change(op: &str, before: Option<Value>, after: Option<Value>) -> Record {
    let row = after.as_ref().or(before.as_ref()).unwrap();
    let key = json!({"id": row["id"]});
    let value = json!({
        "before": before,
        "after": after,
        "source": source(),
        "op": op,
        "ts_ms": 1_700_000_000_100_i64,
        "transaction": null,
    });
    Record {
        key: Some(key.to_string().into_bytes()),
        value: Some(value.to_string().into_bytes()),
        ..Record::default()
    }
}

/// Where a change comes from, as Debezium says it.
pub(crate) fn source() -> Value {
    json!({
        "version": "3.7.0.Final", "connector": "postgresql", "name": "feed",
        "ts_ms": 1_700_000_000_000_i64, "snapshot": "false", "db": "feed", "sequence": "[null,\"1\"]",
        "schema": "public", "table": "items", "txId": 1, "lsn": 1, "xmin": null,
    })
}
