//! The example's shop for one test alone: a database, the connector, the example's configuration and
//! every store, all under names of its own; all of it goes when the test ends.
//!
//! One shop is open at a time: a connector and three stores are enough for the machine.

use std::path::Path;

use anyhow::{Context as _, Result};
use checker::{Stores, Targets};
use neo4rs::query;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::{Mutex, MutexGuard};

use super::connector::Connector;
use super::kafka::Kafka;
use super::program::{Call, Program};
use super::redis_server::Server;
use super::{DEADLINE, clean_up, database, stack, unique, until};

static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

const SCHEMA: &str = include_str!("../../examples/ecommerce/schema.sql");
const TABLES: [&str; 6] = [
    "users",
    "categories",
    "products",
    "orders",
    "order_items",
    "outbox",
];

/// See the module.
pub(crate) struct Shop {
    /// What every name begins with.
    pub(crate) name: String,
    pub(crate) stores: Stores,
    pub(crate) kafka: Kafka,
    pub(crate) call: Call,
    folder: TempDir,
    _redis: Server,
    /// Released last.
    _turn: MutexGuard<'static, ()>,
}

impl Shop {
    /// An empty shop whose connector runs.
    pub(crate) async fn open() -> Self {
        let turn = ONE_AT_A_TIME.lock().await;
        let name = unique();
        let redis = Server::start(&["--save", ""]).await.unwrap();
        database::create(&name, SCHEMA).await.unwrap();
        let targets = targets(&name, redis.url());
        let mut kafka = Kafka::new(&stack("KAFKA_BROKERS"), &name);
        for table in TABLES {
            kafka.create(&topic(&name, table), 3).await;
        }
        kafka.create(&format!("{name}-dead-letter"), 1).await;
        kafka.owns(&format!("__debezium-heartbeat.{name}"));
        let folder = tempfile::tempdir().unwrap();
        let variables = vec![
            ("KAFKA_BROKERS", stack("KAFKA_BROKERS")),
            ("ES_URL", stack("ES_URL")),
            ("REDIS_URL", redis.url()),
            ("NEO4J_URI", stack("NEO4J_URI")),
            ("NEO4J_PASSWORD", stack("NEO4J_PASSWORD")),
        ];
        let call = Call {
            configs: configure(folder.path(), &name),
            variables,
        };
        let shop = Self {
            stores: targets.connect().await.unwrap(),
            name,
            kafka,
            call,
            folder,
            _redis: redis,
            _turn: turn,
        };
        shop.connect().await;
        shop
    }

    /// Starts the program.
    pub(crate) fn run(&self) -> Program {
        self.call.run(self.folder.path(), &[])
    }

    /// Adds a configuration file, which overrides the example's key by key.
    pub(crate) fn configure(&mut self, text: &str) {
        let path = self.folder.path().join("more.yaml");
        std::fs::write(&path, text).unwrap();
        self.call.configs.push(path);
    }

    /// A connection for a workload.
    pub(crate) async fn postgres(&self) -> tokio_postgres::Client {
        self.stores.targets.postgres().await.unwrap()
    }

    /// How many records of the table the group has committed.
    pub(crate) fn committed(&self, table: &str) -> i64 {
        let topic = topic(&self.name, table);
        (0..3)
            .filter_map(|number| self.kafka.committed(&topic, number))
            .sum()
    }

    /// Waits until so many more records of the table are committed.
    pub(crate) async fn until_committed_more(&self, table: &str, more: i64) {
        let enough = self.committed(table) + more;
        until("more is committed", async || {
            (self.committed(table) >= enough).then_some(())
        })
        .await;
    }

    /// Waits until every store equals Postgres and everything is committed.
    pub(crate) async fn until_equal(&self) {
        let report = checker::until_equal(&self.stores, DEADLINE).await.unwrap();
        assert!(report.is_equal(), "{report}");
        let topics = TABLES.map(|table| topic(&self.name, table));
        self.kafka.until_committed(&topics[..5]).await;
        let report = checker::compare(&self.stores).await.unwrap();
        assert!(report.is_equal(), "{report}");
    }

    /// Registers the example's connector under the shop's names and waits until it runs.
    async fn connect(&self) {
        let name = &self.name;
        let file = include_str!("../../connectors/ecommerce.json");
        let mut config: Value = serde_json::from_str(file).unwrap();
        for (key, value) in [
            ("database.dbname", name.clone()),
            ("slot.name", name.clone()),
            ("publication.name", name.clone()),
            ("topic.prefix", name.clone()),
            ("transforms.route.regex", format!(r"{name}\.public\.(.*)")),
            ("transforms.route.replacement", topic(name, "$1")),
        ] {
            config[key] = json!(value);
        }
        Connector::new(name).register(&config).await;
    }

    async fn remove(name: &str) -> Result<()> {
        Connector::new(name).remove().await?;
        database::remove(name).await.context("the database")?;
        let http = reqwest::Client::new();
        let found = format!("{}/_cat/indices/{name}_*?h=index", stack("ES_URL"));
        let found = http.get(found).send().await?.text().await?;
        for index in found.split_whitespace() {
            let index = format!("{}/{index}", stack("ES_URL"));
            http.delete(index).send().await?;
        }
        empty_graph(name).await.context("the graph")
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        if let Err(error) = clean_up(async || Self::remove(&self.name).await) {
            eprintln!("shop {} is not wholly removed: {error:#}", self.name);
        }
    }
}

fn topic(name: &str, table: &str) -> String {
    format!("{name}-{table}-events")
}

fn targets(name: &str, redis_url: String) -> Targets {
    Targets {
        pg_url: database::url(name),
        es_url: stack("ES_URL"),
        redis_url,
        neo4j_uri: stack("NEO4J_URI"),
        neo4j_user: stack("NEO4J_USER"),
        neo4j_password: stack("NEO4J_PASSWORD"),
        index_prefix: format!("{name}_"),
        label_prefix: format!("{name}_"),
    }
}

/// The example's configuration with aliases, labels and projections of the shop's own (a graph
/// knows a projection by its name), and a file over it with its other names. Sessions are short, so that the group notices a killed member soon.
fn configure(folder: &Path, name: &str) -> Vec<std::path::PathBuf> {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ecommerce");
    let text = std::fs::read_to_string(example.join("distributary.yaml")).unwrap();
    let text = text
        .replace("{name: ", &format!("{{name: {name}-"))
        .replace("- name: ", &format!("- name: {name}-"))
        .replace("alias: ", &format!("alias: {name}_"))
        .replace("(:", &format!("(:{name}_"))
        .replace("[:", &format!("[:{name}_"))
        .replace("indices/", &format!("{}/indices/", example.display()));
    let over = format!(
        r#"
pipeline: {name}
source:
  group: {name}
  topic: "{name}-{{table}}-events"
  properties: {{session.timeout.ms: "10000", heartbeat.interval.ms: "500"}}
dead_letter: {{topic: {name}-dead-letter}}
drain_timeout: 4s
"#
    );
    let files = [("example.yaml", text), ("own.yaml", over)];
    files
        .map(|(file, text)| {
            let path = folder.join(file);
            std::fs::write(&path, text).unwrap();
            path
        })
        .to_vec()
}

async fn empty_graph(name: &str) -> Result<()> {
    let graph = targets(name, String::new()).graph()?;
    for (statement, prefix) in [
        (
            "MATCH (n) WHERE any(l IN labels(n) WHERE l STARTS WITH $p) DETACH DELETE n",
            name,
        ),
        // What the program keeps beside the graph names labels and types, or the pipeline.
        (
            "MATCH (n) WHERE n._key CONTAINS $p AND any(l IN labels(n) WHERE l STARTS WITH '_Distributary') DELETE n",
            name,
        ),
        (
            "MATCH (n:_DistributaryMarker) WHERE n.pipeline = $p DELETE n",
            name,
        ),
    ] {
        let mut deleted = graph.execute(query(statement).param("p", prefix)).await?;
        while deleted.next().await?.is_some() {}
    }
    let constraints = "SHOW CONSTRAINTS YIELD name, labelsOrTypes \
                       WHERE any(l IN labelsOrTypes WHERE l STARTS WITH $p) RETURN name";
    let mut rows = graph.execute(query(constraints).param("p", name)).await?;
    let mut names = vec![];
    while let Some(row) = rows.next().await? {
        names.push(row.get::<String>("name")?);
    }
    for name in names {
        let drop = format!("DROP CONSTRAINT `{name}`");
        let mut dropped = graph.execute(query(&drop)).await?;
        while dropped.next().await?.is_some() {}
    }
    Ok(())
}
