//! A database, and connectors on it, of one test's own; all of it is removed afterwards.

use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::{Value, json};
use tokio_postgres::{Client, NoTls};

use super::Record;
use crate::support::stack;

/// Long enough for a connector's start on a machine that compiles meanwhile.
const DEADLINE: Duration = Duration::from_secs(180);

/// How a connector writes values.
#[derive(Clone, Copy)]
pub(super) struct Mode {
    pub(super) name: &'static str,
    pub(super) schemas: bool,
    pub(super) decimal: &'static str,
    pub(super) time: &'static str,
    pub(super) interval: &'static str,
    pub(super) hstore: &'static str,
    pub(super) binary: &'static str,
}

impl Mode {
    /// As in `connectors/ecommerce.json`.
    pub(super) const PLAIN: Self = Self {
        name: "plain",
        schemas: false,
        decimal: "string",
        time: "isostring",
        interval: "string",
        hstore: "json",
        binary: "bytes",
    };
}

/// A database with connectors that write to topics of one partition.
pub(super) struct Capture {
    name: String,
    pub(super) client: Client,
    connectors: Vec<String>,
    topics: Vec<String>,
    http: reqwest::Client,
}

impl Capture {
    /// A new database after this SQL, which may hold commands that need to be alone.
    pub(super) async fn new(purpose: &str, schema: &str) -> Self {
        let name = format!("{purpose}_{}", std::process::id());
        let admin = connect("postgres").await;
        let create = format!("CREATE DATABASE {name}");
        admin.batch_execute(&create).await.unwrap();
        let client = connect(&name).await;
        client.batch_execute(schema).await.unwrap();
        Self {
            name,
            client,
            connectors: vec![],
            topics: vec![],
            http: reqwest::Client::new(),
        }
    }

    /// Starts a connector of these tables and waits until it runs.
    pub(super) async fn start(&mut self, mode: Mode, tables: &[&str]) {
        let connector = self.connector(mode);
        self.connectors.push(connector.clone());
        let topics = tables.iter().map(|table| topic(&connector, table));
        self.topics.extend(topics);
        let url = format!("{}/connectors/{connector}/config", stack("CONNECT_URL"));
        let config = self.config(mode, tables);
        let response = self.http.put(url).json(&config).send().await.unwrap();
        assert!(
            response.status().is_success(),
            "{:?}",
            response.text().await
        );
        let deadline = Instant::now() + DEADLINE;
        while !self.is_running(&connector).await {
            assert!(Instant::now() < deadline, "{connector} does not start");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// The first `count` records of a table's topic.
    ///
    /// # Panics
    /// When the connector fails before it has written them.
    pub(super) async fn records(&self, mode: Mode, table: &str, count: usize) -> Vec<Record> {
        let connector = self.connector(mode);
        let topic = topic(&connector, table);
        let deadline = Instant::now() + DEADLINE;
        loop {
            let records = read(&topic, count);
            if records.len() >= count {
                return records;
            }
            assert!(self.is_running(&connector).await, "{connector} stopped");
            let found = records.len();
            assert!(Instant::now() < deadline, "{found} of {count} in {topic}");
        }
    }

    /// Whether the connector's task runs; fails with its trace when it has failed.
    async fn is_running(&self, connector: &str) -> bool {
        let url = format!("{}/connectors/{connector}/status", stack("CONNECT_URL"));
        let response = self.http.get(url).send().await.unwrap();
        let status: Value = response.json().await.unwrap_or_default();
        let task = &status["tasks"][0];
        assert_ne!(task["state"], "FAILED", "{connector}: {}", task["trace"]);
        task["state"] == "RUNNING"
    }

    fn connector(&self, mode: Mode) -> String {
        format!("{}_{}", self.name, mode.name)
    }

    fn config(&self, mode: Mode, tables: &[&str]) -> Value {
        let connector = self.connector(mode);
        let converter = "org.apache.kafka.connect.json.JsonConverter";
        let schemas = mode.schemas.to_string();
        json!({
            "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
            "database.hostname": stack("PG_HOST"),
            "database.port": stack("PG_PORT"),
            "database.user": stack("PG_USER"),
            "database.password": stack("PG_PASSWORD"),
            "database.dbname": self.name,
            "plugin.name": "pgoutput",
            "slot.name": connector,
            "slot.drop.on.stop": "true",
            "publication.name": connector,
            "publication.autocreate.mode": "filtered",
            "topic.prefix": connector,
            "table.include.list": format!("public\\.({})", tables.join("|")),
            "skipped.operations": "none",
            "event.converting.failure.handling.mode": "fail",
            "decimal.handling.mode": mode.decimal,
            "time.precision.mode": mode.time,
            "interval.handling.mode": mode.interval,
            "hstore.handling.mode": mode.hstore,
            "binary.handling.mode": mode.binary,
            "key.converter": converter,
            "key.converter.schemas.enable": schemas,
            "value.converter": converter,
            "value.converter.schemas.enable": schemas,
            "value.converter.replace.null.with.default": "false",
            "header.converter": converter,
            "header.converter.schemas.enable": "false",
            "topic.creation.default.partitions": "1",
            "topic.creation.default.replication.factor": "-1",
            "poll.interval.ms": "50",
        })
    }

    /// Removes connectors, topics and database.
    pub(super) async fn remove(self) {
        for connector in &self.connectors {
            let url = format!("{}/connectors/{connector}", stack("CONNECT_URL"));
            self.http.delete(url).send().await.unwrap();
        }
        let slots = "SELECT count(*) FROM pg_replication_slots WHERE database = current_database()";
        let deadline = Instant::now() + DEADLINE;
        while self
            .client
            .query_one(slots, &[])
            .await
            .unwrap()
            .get::<_, i64>(0)
            > 0
        {
            assert!(Instant::now() < deadline, "a replication slot is left");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let topics: Vec<&str> = self.topics.iter().map(String::as_str).collect();
        let admin: AdminClient<_> = kafka().create().unwrap();
        let deleted = admin.delete_topics(&topics, &AdminOptions::new()).await;
        deleted.unwrap();
        let admin = connect("postgres").await;
        let drop = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        admin.batch_execute(&drop).await.unwrap();
    }
}

fn topic(connector: &str, table: &str) -> String {
    format!("{connector}.public.{table}")
}

async fn connect(database: &str) -> Client {
    let mut config = tokio_postgres::Config::new();
    config
        .host(stack("PG_HOST"))
        .port(stack("PG_PORT").parse().unwrap())
        .user(stack("PG_USER"))
        .password(stack("PG_PASSWORD"))
        .dbname(database);
    let (client, connection) = config.connect(NoTls).await.unwrap();
    tokio::spawn(async move {
        // The connection ends when its client is dropped, or its database.
        connection.await.ok();
    });
    client
}

fn kafka() -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", stack("KAFKA_BROKERS"));
    config
}

/// Up to `count` records of a topic from its start, as many as come within a second.
fn read(topic: &str, count: usize) -> Vec<Record> {
    let mut config = kafka();
    config
        .set("group.id", "unused")
        .set("enable.auto.commit", "false");
    let consumer: BaseConsumer = config.create().unwrap();
    let mut start = TopicPartitionList::new();
    start
        .add_partition_offset(topic, 0, Offset::Beginning)
        .unwrap();
    consumer.assign(&start).unwrap();
    let mut records = vec![];
    let mut last = Instant::now();
    while records.len() < count && last.elapsed() < Duration::from_secs(1) {
        // Before the connector has made the topic, asking for it is an error.
        if let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) {
            records.push(record(&message));
            last = Instant::now();
        }
    }
    records
}

fn record(message: &BorrowedMessage<'_>) -> Record {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let headers = message.headers();
    let old_key = headers.and_then(|headers| {
        let mut headers = headers.iter();
        let header = headers.find(|header| header.key == distributary::envelope::OLD_KEY);
        header.and_then(|header| header.value)
    });
    Record {
        key: message.key().map(text),
        value: message.payload().map(text),
        old_key: old_key.map(text),
    }
}
