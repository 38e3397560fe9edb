//! A small shop in a database, indices, labels and a Redis database of its own, and a loader that
//! writes what is right from Postgres straight into the stores.
//!
//! The loader is written apart from the checker's SQL, so that one mistake is not made twice.

use anyhow::{Context, Result, ensure};
use checker::cache::Reader;
use checker::{Fault, Report, Stores, Targets, compare};
use neo4rs::{BoltType, query};
use serde_json::{Value, json};
use tokio_postgres::Client;
use workload::{Workload, connect};

const PREFIX: &str = "CheckerTest";
const INDEX_PREFIX: &str = "checker-test-";
const DATABASE: &str = "checker_test";
/// Any number: who holds this lock in Postgres uses the names above.
const LOCK: i64 = 4_071_776;

/// The shop, in the state in which nothing differs. Dropping it lets the next test go on.
pub(crate) struct Shop {
    pub(crate) stores: Stores,
    _lock: Client,
}

impl Shop {
    /// Makes a shop of all kinds of rows and loads the stores with what is right.
    pub(crate) async fn open() -> Result<Self> {
        let mut targets = Targets::from_env();
        // Tests run in threads and in processes of their own; a lock in Postgres holds both apart.
        let lock = connect(&targets.pg_url)
            .await
            .context("the stack is needed: make stack-up")?;
        lock.execute("SELECT pg_advisory_lock($1)", &[&LOCK])
            .await?;
        lock.batch_execute(&format!("DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)"))
            .await?;
        lock.batch_execute(&format!("CREATE DATABASE {DATABASE}"))
            .await?;
        let (server, _) = targets
            .pg_url
            .rsplit_once('/')
            .context("no database in PG_URL")?;
        targets.pg_url = format!("{server}/{DATABASE}");
        targets.redis_url = format!("{}/15", targets.redis_url);
        (targets.index_prefix, targets.label_prefix) = (INDEX_PREFIX.into(), PREFIX.into());
        let shop = Self {
            stores: targets.connect().await?,
            _lock: lock,
        };
        let schema = include_str!("../../../../examples/ecommerce/schema.sql");
        shop.stores.postgres.batch_execute(schema).await?;
        let workload = Workload::new(11).rows(300).changes(200);
        workload
            .open(connect(&targets.pg_url).await?)
            .await?
            .run()
            .await?;
        shop.load().await?;
        Ok(shop)
    }

    /// The comparison, which must find exactly this many differences of this fault.
    pub(crate) async fn finds(&self, fault: Fault, count: usize) -> Result<Report> {
        let report = compare(&self.stores).await?;
        let all: u64 = report
            .sections
            .iter()
            .map(|section| section.different)
            .sum();
        ensure!(
            report.count(fault) == count && all == count as u64,
            "expected {count} {fault:?}, found:\n{report}"
        );
        Ok(report)
    }

    /// One value of Postgres, as text.
    pub(crate) async fn one(&self, sql: &str) -> Result<String> {
        Ok(self.stores.postgres.query_one(sql, &[]).await?.get(0))
    }

    /// Runs Cypher in which `~` stands for the prefix of labels and types.
    pub(crate) async fn cypher(&self, cypher: &str) -> Result<()> {
        self.with_rows(cypher, Value::Null).await
    }

    /// Changes or adds a document: JSON text, so that digits can be chosen.
    pub(crate) async fn put_document(&self, index: &str, id: &str, json: String) -> Result<()> {
        let url = format!(
            "{}/{INDEX_PREFIX}{index}/_doc/{id}",
            self.stores.targets.es_url
        );
        let request = self
            .stores
            .http
            .put(url)
            .header("content-type", "application/json");
        request.body(json).send().await?.error_for_status()?;
        Ok(())
    }

    /// Removes a document.
    pub(crate) async fn delete_document(&self, index: &str, id: &str) -> Result<()> {
        let url = format!(
            "{}/{INDEX_PREFIX}{index}/_doc/{id}",
            self.stores.targets.es_url
        );
        self.stores
            .http
            .delete(url)
            .send()
            .await?
            .error_for_status()?;
        Ok(())
    }

    /// The right document of one row, as JSON text.
    pub(crate) async fn document(&self, index: &str, id: &str) -> Result<String> {
        self.one(&format!(
            "SELECT document::text FROM ({}) d WHERE id = {id}",
            documents(index)
        ))
        .await
    }

    /// Writes all that is right into stores that it empties first.
    pub(crate) async fn load(&self) -> Result<()> {
        self.load_index(
            "products",
            include_str!("../../../../examples/ecommerce/indices/products.json"),
        )
        .await?;
        self.load_index(
            "orders",
            include_str!("../../../../examples/ecommerce/indices/orders.json"),
        )
        .await?;
        self.load_graph().await?;
        let mut redis = self.stores.redis.clone();
        redis::cmd("FLUSHDB").query_async::<()>(&mut redis).await?;
        Reader::connect(&self.stores.targets).await?.round(20).await
    }

    async fn load_index(&self, index: &str, settings: &str) -> Result<()> {
        let url = format!("{}/{INDEX_PREFIX}{index}", self.stores.targets.es_url);
        self.stores.http.delete(&url).send().await?;
        let create = self
            .stores
            .http
            .put(&url)
            .header("content-type", "application/json");
        create
            .body(settings.to_owned())
            .send()
            .await?
            .error_for_status()?;
        let mut body = String::new();
        for row in self.stores.postgres.query(documents(index), &[]).await? {
            let (id, document): (i64, String) = (row.get(0), row.get(1));
            body += &format!("{{\"index\":{{\"_id\":\"{id}\"}}}}\n{document}\n");
        }
        let bulk = self.stores.http.post(format!("{url}/_bulk"));
        let bulk = bulk
            .header("content-type", "application/x-ndjson")
            .body(body);
        let answer: Value = bulk.send().await?.error_for_status()?.json().await?;
        ensure!(answer["errors"] == json!(false), "bulk: {answer}");
        Ok(())
    }

    async fn load_graph(&self) -> Result<()> {
        self.cypher("MATCH (n) WHERE any(l IN labels(n) WHERE l STARTS WITH '~') DETACH DELETE n")
            .await?;
        for (rows, cypher) in GRAPH {
            let sql = format!("SELECT coalesce(json_agg(r), '[]')::text FROM ({rows}) r");
            self.with_rows(cypher, serde_json::from_str(&self.one(&sql).await?)?)
                .await?;
        }
        Ok(())
    }

    async fn with_rows(&self, cypher: &str, rows: Value) -> Result<()> {
        let rows = BoltType::try_from(rows).map_err(|error| anyhow::anyhow!("{error:?}"))?;
        let cypher = query(&cypher.replace('~', PREFIX)).param("rows", rows);
        self.stores.graph.execute(cypher).await?.finish().await?;
        Ok(())
    }
}

/// Rows of Postgres and what the graph makes of them.
const GRAPH: [(&str, &str); 9] = [
    (
        "SELECT id, name FROM users",
        "UNWIND $rows AS r CREATE (n:`~User`) SET n = r, n._v = 1",
    ),
    (
        "SELECT id, name FROM categories",
        "UNWIND $rows AS r CREATE (n:`~Category`) SET n = r, n._v = 1",
    ),
    (
        "SELECT id, name, price::text AS price FROM products",
        "UNWIND $rows AS r CREATE (n:`~Product`) SET n = r, n._v = 1",
    ),
    (
        "SELECT id, status FROM orders",
        "UNWIND $rows AS r CREATE (n:`~Order`) SET n = r, n._v = 1",
    ),
    (
        "SELECT id AS a, category_id AS b FROM products",
        "UNWIND $rows AS r MATCH (a:`~Product` {id: r.a}), (b:`~Category` {id: r.b})
         CREATE (a)-[:`~IN_CATEGORY` {_key: toString(r.a), _v: 1}]->(b)",
    ),
    (
        "SELECT id AS a, parent_id AS b FROM categories",
        "UNWIND $rows AS r MATCH (a:`~Category` {id: r.a}), (b:`~Category` {id: r.b})
         CREATE (a)-[:`~CHILD_OF`]->(b)",
    ),
    (
        "SELECT user_id AS a, id AS b FROM orders",
        "UNWIND $rows AS r MATCH (a:`~User` {id: r.a}), (b:`~Order` {id: r.b})
         CREATE (a)-[:`~PLACED`]->(b)",
    ),
    (
        "SELECT order_id AS a, product_id AS b, quantity FROM order_items",
        "UNWIND $rows AS r MATCH (a:`~Order` {id: r.a}), (b:`~Product` {id: r.b})
         CREATE (a)-[:`~CONTAINS` {quantity: r.quantity}]->(b)",
    ),
    (
        "SELECT 1",
        "MATCH (u:`~User`)-[:`~PLACED`]->()-[:`~CONTAINS`]->(p:`~Product`)
         MERGE (u)-[:`~PURCHASED`]->(p)",
    ),
];

fn documents(index: &str) -> &'static str {
    if index == "orders" {
        return "SELECT id, (to_jsonb(o) || jsonb_build_object('total', total::text,
            'placed_at', to_json(placed_at AT TIME ZONE 'UTC')#>>'{}' || 'Z'))::text AS document
            FROM orders o";
    }
    "SELECT id, (to_jsonb(p) - 'status' || jsonb_build_object('price', price::text,
        'weight', attributes->'weight',
        'updated_at', to_json(updated_at AT TIME ZONE 'UTC')#>>'{}' || 'Z'))::text AS document
        FROM products p WHERE status != 'draft'"
}
