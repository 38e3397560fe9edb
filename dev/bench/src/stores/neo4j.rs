//! Neo4j: an empty graph, a bare client that merges rows by one statement, and the comparison.
//!
//! The bare client guards by `_v` as the program does, and knows neither tombstones nor stubs nor
//! relationships that move.

use std::fs;
use std::os::fd::{BorrowedFd, RawFd};

use anyhow::{Context, Result, ensure};
use futures_util::{StreamExt as _, stream};
use neo4rs::{BoltList, BoltType, ConfigBuilder, Graph, Query, query};
use socket2::SockRef;

use crate::load::{Last, Load};
use crate::rows::{SOLD, Table};

/// Rows of one transaction; the program's default.
pub(crate) const BATCH: usize = 2000;
/// Nodes that are deleted at once when the graph is emptied.
const WIPED: i64 = 10_000;

const CONSTRAINTS: [&str; 3] = [
    "CREATE CONSTRAINT IF NOT EXISTS FOR (n:Product) REQUIRE n.id IS UNIQUE",
    "CREATE CONSTRAINT IF NOT EXISTS FOR (n:Order) REQUIRE n.id IS UNIQUE",
    "CREATE CONSTRAINT IF NOT EXISTS FOR ()-[r:CONTAINS]-() REQUIRE r._key IS UNIQUE",
];

/// The server.
pub(crate) struct Database {
    graph: Graph,
}

impl Database {
    /// The server at this address.
    pub(crate) fn new(uri: &str, user: &str, password: &str) -> Result<Self> {
        let config = ConfigBuilder::default()
            .uri(uri)
            .user(user)
            .password(password)
            .fetch_size(4096)
            .build()?;
        Ok(Self {
            graph: Graph::connect(config)?,
        })
    }

    /// Empties the graph and makes what all rows of the load refer to.
    pub(crate) async fn prepare(&self, load: &Load) -> Result<()> {
        let text = format!("MATCH (n) WITH n LIMIT {WIPED} DETACH DELETE n RETURN count(*) AS n");
        while self.number(query(&text)).await? > 0 {}
        for constraint in CONSTRAINTS {
            self.run(query(constraint)).await?;
        }
        if load.shape.rows.table == Table::Items {
            let orders = i64::from(load.shape.events / 3 + 1);
            for (label, count) in [("Order", orders), ("Product", i64::from(SOLD))] {
                let text =
                    format!("UNWIND range(1, $count) AS id CREATE (:{label} {{id: id, _v: 0}})");
                self.run(query(&text).param("count", count)).await?;
            }
        }
        Ok(())
    }

    /// Sends transactions that [`in_order`] or [`deletes_last`] has made, so many at a time.
    pub(crate) async fn write(&self, transactions: Vec<Vec<Query>>, at_once: usize) -> Result<()> {
        let all = transactions.into_iter().map(|it| self.write_one(it));
        let mut written = stream::iter(all).buffer_unordered(at_once);
        while let Some(written) = written.next().await {
            written?;
        }
        Ok(())
    }

    async fn write_one(&self, statements: Vec<Query>) -> Result<()> {
        let mut transaction = self.graph.start_txn().await?;
        turn_off_nagle();
        for statement in statements {
            transaction.run(statement).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// Compares every node or relationship of the load's table with what the load leaves.
    pub(crate) async fn compare(&self, load: &Load) -> Result<()> {
        let text = match load.shape.rows.table {
            Table::Products => {
                "MATCH (n:Product) RETURN toString(n.id) AS key, n.name + ' ' + n.price AS value, \
                 n._v AS version"
            }
            Table::Items => {
                "MATCH (a:Order)-[r:CONTAINS]->(b:Product) RETURN a.id + ' ' + b.id AS key, \
                 toString(r.quantity) AS value, r._v AS version"
            }
        };
        let mut found: Vec<(String, String, i64)> = self.rows(text).await?;
        let expected = load.last().into_iter().filter(|it| !it.deleted);
        let mut expected: Vec<_> = expected.map(|it| entity(load, &it)).collect();
        found.sort();
        expected.sort();
        let differs = found
            .iter()
            .zip(&expected)
            .find(|(found, expected)| found != expected);
        ensure!(differs.is_none(), "found and expected differ: {differs:?}");
        ensure!(
            found.len() == expected.len(),
            "{} were found and {} expected",
            found.len(),
            expected.len()
        );
        Ok(())
    }

    async fn rows(&self, text: &str) -> Result<Vec<(String, String, i64)>> {
        let mut transaction = self.graph.start_txn().await?;
        let mut rows = transaction.execute(query(text)).await?;
        let mut all = Vec::new();
        while let Some(row) = rows.next(transaction.handle()).await? {
            all.push((row.get("key")?, row.get("value")?, row.get("version")?));
        }
        transaction.commit().await?;
        Ok(all)
    }

    async fn number(&self, query: Query) -> Result<i64> {
        let mut transaction = self.graph.start_txn().await?;
        let mut rows = transaction.execute(query).await?;
        let row = rows.next(transaction.handle()).await?.context("a row")?;
        let number = row.get("n")?;
        transaction.commit().await?;
        Ok(number)
    }

    async fn run(&self, query: Query) -> Result<()> {
        let mut transaction = self.graph.start_txn().await?;
        transaction.run(query).await?;
        Ok(transaction.commit().await?)
    }
}

/// As the program does it: the driver cannot, and would wait 40 ms for most of its statements.
fn turn_off_nagle() {
    let open = fs::read_dir("/proc/self/fd")
        .into_iter()
        .flatten()
        .flatten();
    for number in open.filter_map(|it| it.file_name().to_str()?.parse::<RawFd>().ok()) {
        // SAFETY: what was closed since is no socket any more, or another one that this does no harm.
        let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
        SockRef::from(&descriptor).set_tcp_nodelay(true).ok();
    }
}

/// How a table's rows are written and deleted.
const fn statements(table: Table) -> [&'static str; 2] {
    match table {
        Table::Products => [
            "UNWIND $rows AS r MERGE (n:Product {id: r[1]}) \
             WITH n, r WHERE coalesce(n._v, -1) <= r[0] \
             SET n.name = r[2], n.price = r[3], n._v = r[0]",
            "UNWIND $rows AS r MATCH (n:Product {id: r[1]}) WHERE n._v <= r[0] DETACH DELETE n",
        ],
        Table::Items => [
            "UNWIND $rows AS r MERGE (a:Order {id: r[2]}) MERGE (b:Product {id: r[3]}) \
             MERGE (a)-[x:CONTAINS {_key: r[1]}]->(b) \
             WITH x, r WHERE coalesce(x._v, -1) <= r[0] SET x.quantity = r[4], x._v = r[0]",
            "UNWIND $rows AS r MATCH ()-[x:CONTAINS {_key: r[1]}]->() WHERE x._v <= r[0] DELETE x",
        ],
    }
}

/// Transactions that write each request's rows, to be sent one after the other.
pub(crate) fn in_order(load: &Load, requests: &[Vec<Last>]) -> Vec<Vec<Query>> {
    requests.iter().map(|it| transaction(load, it)).collect()
}

/// The same with all deletes behind all others, to be sent two at a time: the later one of two may
/// be done first, and without tombstones a row that was deleted would come back.
pub(crate) fn deletes_last(load: &Load, requests: &[Vec<Last>]) -> [Vec<Vec<Query>>; 2] {
    let (gone, there): (Vec<Last>, Vec<_>) = requests.concat().iter().partition(|it| it.deleted);
    [there, gone].map(|rows| rows.chunks(BATCH).map(|it| transaction(load, it)).collect())
}

/// The statements that write these rows in one transaction.
fn transaction(load: &Load, rows: &[Last]) -> Vec<Query> {
    let [upsert, delete] = statements(load.shape.rows.table);
    let (gone, there): (Vec<&Last>, Vec<_>) = rows.iter().partition(|it| it.deleted);
    let both = [(upsert, there), (delete, gone)].into_iter();
    both.filter(|(_, rows)| !rows.is_empty())
        .map(|(text, rows)| {
            let value = rows.into_iter().map(|it| parameter(load, it)).collect();
            query(text).param("rows", BoltType::List(BoltList { value }))
        })
        .collect()
}

/// A row as the statements take it: a list, which costs the server less than a map.
fn parameter(load: &Load, last: &Last) -> BoltType {
    let rows = load.shape.rows;
    let value = match rows.table {
        Table::Products => {
            let product = rows.product(last.key, last.revision);
            vec![
                last.version.into(),
                i64::from(last.key).into(),
                product.name().into(),
                product.price().into(),
            ]
        }
        Table::Items => {
            let item = rows.item(last.key, last.revision);
            let (order, product) = (item.order_id, item.product_id);
            vec![
                last.version.into(),
                format!("contains[{order},{product}]").into(),
                i64::from(order).into(),
                i64::from(product).into(),
                i64::from(item.quantity).into(),
            ]
        }
    };
    BoltType::List(BoltList { value })
}

/// Key, value and version of a row's node or relationship, as the comparison asks for them.
fn entity(load: &Load, last: &Last) -> (String, String, i64) {
    let rows = load.shape.rows;
    let (key, value) = match rows.table {
        Table::Products => {
            let product = rows.product(last.key, last.revision);
            (
                last.key.to_string(),
                format!("{} {}", product.name(), product.price()),
            )
        }
        Table::Items => {
            let item = rows.item(last.key, last.revision);
            (
                format!("{} {}", item.order_id, item.product_id),
                item.quantity.to_string(),
            )
        }
    };
    (key, value, last.version)
}
