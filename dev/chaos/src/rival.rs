//! Another writer of the graph, which locks nodes in an order that collides with the program's.
//!
//! It changes nothing that the comparison looks at: it sets a property and takes it away again.

use std::time::Duration;

use anyhow::Result;
use checker::Targets;
use neo4rs::{Graph, Txn, query};
use rand::Rng;
use tokio::time::Instant;

use crate::fault::{Random, span};

/// Nodes locked in one transaction, one statement each, in random order.
const LOCKS: usize = 12;
const LABELS: [&str; 4] = ["User", "Product", "Order", "Category"];

/// The rival.
pub(crate) struct Rival {
    graph: Graph,
}

impl Rival {
    /// Connects when it first writes.
    ///
    /// # Errors
    /// Where the address is malformed.
    pub(crate) fn connect(targets: &Targets) -> Result<Self> {
        let graph = targets.graph()?;
        Ok(Self { graph })
    }

    /// Writes for so long; deadlocks are what it is for, so its own failures are nothing.
    ///
    /// # Errors
    /// Where Neo4j cannot be asked for nodes at all.
    pub(crate) async fn run(&self, length: Duration, random: &mut Random) -> Result<()> {
        let end = Instant::now() + length;
        while Instant::now() < end {
            let mut nodes = self.nodes(random).await?;
            if nodes.is_empty() {
                return Ok(());
            }
            for last in (1..nodes.len()).rev() {
                nodes.swap(last, random.random_range(0..=last));
            }
            let pause = span(random, 0.0, 0.02);
            let transaction = self.graph.start_txn().await?;
            lock(transaction, &nodes, pause).await.ok();
        }
        Ok(())
    }

    /// Ids of some nodes that are there, in the order in which Neo4j keeps them.
    async fn nodes(&self, random: &mut Random) -> Result<Vec<String>> {
        let label = LABELS[random.random_range(0..LABELS.len())];
        let skip = random.random_range(0..200_i64);
        let text = format!("MATCH (n:{label}) RETURN elementId(n) AS id SKIP $skip LIMIT {LOCKS}");
        let mut rows = self.graph.execute(query(&text).param("skip", skip)).await?;
        let mut nodes = Vec::new();
        while let Some(row) = rows.next().await? {
            nodes.push(row.get("id")?);
        }
        Ok(nodes)
    }
}

async fn lock(mut transaction: Txn, nodes: &[String], pause: Duration) -> Result<()> {
    let text = "MATCH (n) WHERE elementId(n) = $id SET n._rival = 1 REMOVE n._rival";
    for id in nodes {
        let statement = query(text).param("id", id.as_str());
        transaction.run(statement).await?;
        tokio::time::sleep(pause).await;
    }
    transaction.rollback().await?;
    Ok(())
}
