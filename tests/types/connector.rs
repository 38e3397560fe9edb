//! A database, and connectors on it, of one test's own; all of it goes when the test ends.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use tokio_postgres::Client;

use super::Record;
use crate::support::connector::Connector;
use crate::support::kafka::{self, Kafka};
use crate::support::{clean_up, database, stack, unique, until};

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
    kafka: Kafka,
}

impl Capture {
    /// A new database with this schema.
    pub(super) async fn new(schema: &str) -> Self {
        let name = unique();
        Self {
            client: database::create(&name, schema).await.unwrap(),
            connectors: vec![],
            kafka: Kafka::new(&stack("KAFKA_BROKERS"), &name),
            name,
        }
    }

    /// Starts a connector of these tables and waits until it runs.
    pub(super) async fn start(&mut self, mode: Mode, tables: &[&str]) {
        let connector = self.connector(mode);
        for table in tables {
            self.kafka.create(&topic(&connector, table), 1).await;
        }
        self.connectors.push(connector.clone());
        let config = self.config(mode, tables);
        Connector::new(&connector).register(&config).await;
    }

    /// The first `count` records of a table's topic.
    ///
    /// # Panics
    /// When the connector fails before it has written them.
    pub(super) async fn records(&self, mode: Mode, table: &str, count: usize) -> Vec<Record> {
        let name = self.connector(mode);
        let (connector, topic) = (Connector::new(&name), topic(&name, table));
        let enough = i64::try_from(count).unwrap();
        until(&format!("{topic} has {count} records"), async || {
            assert!(connector.is_running().await, "{name} stopped");
            (self.kafka.end(&topic, 0) >= enough).then_some(())
        })
        .await;
        let records = self.kafka.read(&topic, count);
        records.into_iter().map(record).collect()
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
            "poll.interval.ms": "50",
        })
    }

    async fn remove(connectors: &[String], name: &str) -> Result<()> {
        for connector in connectors {
            Connector::new(connector).remove().await?;
        }
        database::remove(name).await.context("the database")
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        let (connectors, name) = (&self.connectors, &self.name);
        if let Err(error) = clean_up(async || Self::remove(connectors, name).await) {
            eprintln!("capture {name} is not wholly removed: {error:#}");
        }
    }
}

fn topic(connector: &str, table: &str) -> String {
    format!("{connector}.public.{table}")
}

fn record(mut record: kafka::Record) -> Record {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Record {
        key: record.key.map(text),
        value: record.value.map(text),
        old_key: record.headers.remove(distributary::envelope::OLD_KEY),
    }
}
