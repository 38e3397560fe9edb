//! What all scenarios share: the servers, the binaries, the topics made so far.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};
use chaos::{Server, Stack};
use tokio::sync::Mutex;

use crate::config::Pipeline;
use crate::load::{Load, Shape};
use crate::program::Launch;
use crate::stores::elasticsearch::Search;
use crate::stores::neo4j::Database;
use crate::stores::redis::Cache;
use crate::topics::Topics;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    /// Everything is divided by this.
    pub(crate) shrink: u32,
    /// Runs of each contestant of a comparison.
    pub(crate) rounds: usize,
    /// Seed of rows and orders.
    pub(crate) seed: u64,
}

impl Sizes {
    /// A number of events, as far as it is to be measured.
    pub(crate) fn events(&self, full: u32) -> u32 {
        (full / self.shrink).max(2000)
    }
}

/// See the module.
pub(crate) struct Bench {
    /// The servers.
    pub(crate) stack: Stack,
    /// How much is measured.
    pub(crate) sizes: Sizes,
    /// Topics are made and filled through this.
    pub(crate) topics: Topics,
    /// Elasticsearch.
    pub(crate) search: Search,
    /// Redis.
    pub(crate) cache: Cache,
    /// Neo4j.
    pub(crate) database: Database,
    /// `distributary`.
    pub(crate) program: PathBuf,
    /// The program without stores.
    pub(crate) null: PathBuf,
    /// The example's settings of an index.
    settings: PathBuf,
    loads: Mutex<HashMap<&'static str, Arc<Load>>>,
    groups: AtomicU32,
}

impl Bench {
    /// Starts the servers with empty data, and stops those that would only disturb.
    pub(crate) async fn new(
        root: &Path,
        folder: PathBuf,
        keep: bool,
        sizes: Sizes,
    ) -> Result<Self> {
        let stack = Stack::up(root, folder, keep).await?;
        for server in [Server::Connect, Server::Postgres] {
            stack.control("stop", server).await?;
        }
        let settings = stack
            .root()
            .join("examples/ecommerce/indices/products.json");
        let text =
            std::fs::read_to_string(&settings).with_context(|| settings.display().to_string())?;
        let built = std::env::current_exe()?;
        Ok(Self {
            topics: Topics::new(stack.get("KAFKA_BROKERS")?)?,
            search: Search::new(stack.get("ES_URL")?, &text)?,
            cache: Cache::new(stack.get("REDIS_URL")?)?,
            database: Database::new(
                stack.get("NEO4J_URI")?,
                stack.get("NEO4J_USER")?,
                stack.get("NEO4J_PASSWORD")?,
            )?,
            program: built.with_file_name("distributary"),
            null: built.with_file_name("examples").join("null"),
            settings,
            loads: Mutex::default(),
            groups: AtomicU32::new(0),
            stack,
            sizes,
        })
    }

    /// The topic of this shape, made and filled when it is first asked for.
    pub(crate) async fn load(&self, shape: Shape) -> Result<Arc<Load>> {
        let mut loads = self.loads.lock().await;
        if let Some(load) = loads.get(shape.topic) {
            return Ok(Arc::clone(load));
        }
        let load = Arc::new(Load::new(shape));
        println!("  filling topic {} with {} events", shape.topic, load.len());
        self.topics.preload(&load, shape.topic).await?;
        loads.insert(shape.topic, Arc::clone(&load));
        Ok(load)
    }

    /// The pipeline for a topic of this shape, without a sink yet.
    pub(crate) fn pipeline<'a>(&'a self, shape: Shape) -> Pipeline<'a> {
        Pipeline {
            table: shape.rows.table,
            topic: shape.topic,
            groups: "shared",
            sinks: &[],
            settings: &self.settings,
            second_unlink_after: "1s",
        }
    }

    /// The program with this configuration, on so many partitions of all topics together.
    pub(crate) fn launch(&self, config: String, partitions: usize) -> Launch<'_> {
        Launch {
            program: self.program.clone(),
            config,
            partitions,
            stack: &self.stack,
            environment: self.stack.environment().clone(),
        }
    }

    /// A consumer group that has never been.
    pub(crate) fn group(&self) -> String {
        format!("bench-{}", self.groups.fetch_add(1, Ordering::Relaxed))
    }
}
