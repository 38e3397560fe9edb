//! Where Postgres and the stores are, and the connections to them.

use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, Parser};
use neo4rs::{ConfigBuilder, Graph};
use redis::aio::MultiplexedConnection;
use tokio_postgres::{Client, NoTls};

/// A server that does not answer for so long is down; the caller decides what that means.
const PATIENCE: Duration = Duration::from_secs(30);

/// Addresses and names. The defaults are those of the example on the usual ports.
#[derive(Debug, Clone, Args)]
pub struct Targets {
    /// Postgres, as a URL.
    #[arg(
        long,
        env = "PG_URL",
        hide_env_values = true,
        default_value = "postgresql://postgres@127.0.0.1:5432/ecommerce"
    )]
    pub pg_url: String,
    /// Elasticsearch, as a URL.
    #[arg(
        long,
        env = "ES_URL",
        hide_env_values = true,
        default_value = "http://127.0.0.1:9200"
    )]
    pub es_url: String,
    /// Redis, as a URL with the database's number.
    #[arg(
        long,
        env = "REDIS_URL",
        hide_env_values = true,
        default_value = "redis://127.0.0.1:6379"
    )]
    pub redis_url: String,
    /// Neo4j's Bolt address.
    #[arg(long, env = "NEO4J_URI", default_value = "bolt://127.0.0.1:7687")]
    pub neo4j_uri: String,
    /// Neo4j's user.
    #[arg(long, env = "NEO4J_USER", default_value = "neo4j")]
    pub neo4j_user: String,
    /// Neo4j's password.
    #[arg(
        long,
        env = "NEO4J_PASSWORD",
        hide_env_values = true,
        default_value = ""
    )]
    pub neo4j_password: String,
    /// What the aliases `products` and `orders` have before their names.
    #[arg(long, default_value = "")]
    pub index_prefix: String,
    /// What labels and relationship types have before their names; what has it not is not looked at.
    #[arg(long, default_value = "")]
    pub label_prefix: String,
}

/// A connection to each of the four.
pub struct Stores {
    /// Names that the queries use.
    pub targets: Targets,
    /// Postgres, the truth.
    pub postgres: Client,
    /// Elasticsearch's HTTP client; the address is in `targets`.
    pub http: reqwest::Client,
    /// Redis.
    pub redis: MultiplexedConnection,
    /// Neo4j.
    pub graph: Graph,
}

#[derive(Debug, Parser)]
struct FromEnvironment {
    #[command(flatten)]
    targets: Targets,
}

impl Targets {
    /// Addresses from the environment, the local stack's `.stack/env` for example.
    #[must_use]
    pub fn from_env() -> Self {
        FromEnvironment::parse_from(["checker"]).targets
    }

    /// Connects to all four; Elasticsearch and Neo4j are reached only when first asked.
    ///
    /// # Errors
    /// Says which server cannot be reached.
    pub async fn connect(&self) -> Result<Stores> {
        let http = reqwest::Client::builder().timeout(PATIENCE).build()?;
        let redis = redis::Client::open(self.redis_url.as_str()).context("the Redis URL")?;
        let redis = redis
            .get_multiplexed_async_connection()
            .await
            .context("connecting to Redis")?;
        let postgres = self.postgres().await?;
        Ok(Stores {
            targets: self.clone(),
            postgres,
            http,
            redis,
            graph: self.graph()?,
        })
    }

    /// A connection to Postgres, driven by a task of its own.
    ///
    /// # Errors
    /// Where Postgres cannot be reached.
    pub async fn postgres(&self) -> Result<Client> {
        let connecting = tokio_postgres::connect(&self.pg_url, NoTls);
        let (client, connection) = connecting.await.context("connecting to Postgres")?;
        tokio::spawn(async move {
            // The client's next call fails with the reason; there is nobody else to tell.
            connection.await.ok();
        });
        Ok(client)
    }

    /// A client for Neo4j. It connects when it is first used.
    ///
    /// # Errors
    /// Where the address is malformed.
    pub fn graph(&self) -> Result<Graph> {
        let config = ConfigBuilder::default()
            .uri(&self.neo4j_uri)
            .user(&self.neo4j_user)
            .password(&self.neo4j_password)
            .fetch_size(1000)
            .max_connections(4)
            .connection_timeout(PATIENCE)
            .build()?;
        Graph::connect(config).context("the address of Neo4j")
    }
}
