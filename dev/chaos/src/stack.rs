//! Servers of a run's own: a stack beside the developer's, in a folder of its own.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tokio::process::Command;

/// A server of the stack. Faults are dealt to all but Postgres, which is the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Server {
    /// The system of record.
    Postgres,
    /// The broker.
    Kafka,
    /// The Connect worker with Debezium in it.
    Connect,
    /// The document store.
    Elasticsearch,
    /// The cache.
    Redis,
    /// The graph.
    Neo4j,
}

impl Server {
    /// As the stack calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Kafka => "kafka",
            Self::Connect => "connect",
            Self::Elasticsearch => "elasticsearch",
            Self::Redis => "redis",
            Self::Neo4j => "neo4j",
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The servers and their addresses.
#[derive(Debug)]
pub struct Stack {
    root: PathBuf,
    folder: PathBuf,
    environment: HashMap<String, String>,
}

impl Stack {
    /// The servers of `folder`, whether they run or not; their addresses are not known.
    ///
    /// # Errors
    /// Where there is no such repository.
    pub fn at(root: &Path, folder: PathBuf) -> Result<Self> {
        Ok(Self {
            root: root.canonicalize()?,
            folder: std::path::absolute(folder)?,
            environment: HashMap::new(),
        })
    }

    /// Starts the servers of `folder`, their data deleted first unless it is to be kept.
    ///
    /// # Errors
    /// Where they do not start; the stack's own message says which and why.
    pub async fn up(root: &Path, folder: PathBuf, keep: bool) -> Result<Self> {
        let mut stack = Self::at(root, folder)?;
        stack.command(&[if keep { "up" } else { "reset" }]).await?;
        let file = stack.folder.join("env");
        let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        let lines = text.lines().filter_map(|line| line.split_once('='));
        stack.environment = lines
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Ok(stack)
    }

    /// One of the addresses in the stack's env file.
    ///
    /// # Errors
    /// Where the file has none of that name.
    pub fn get(&self, name: &str) -> Result<&str> {
        let value = self.environment.get(name);
        Ok(value.with_context(|| format!("the stack says no {name}"))?)
    }

    /// Everything in the stack's env file.
    #[must_use]
    pub const fn environment(&self) -> &HashMap<String, String> {
        &self.environment
    }

    /// The folder with data and logs.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.folder.join("logs")
    }

    /// The repository.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `start`, `stop`, `kill`, `pause` or `resume` of one server.
    ///
    /// # Errors
    /// What the stack said.
    pub async fn control(&self, action: &str, server: Server) -> Result<()> {
        self.command(&[action, server.name()]).await
    }

    /// Registers the example's connector and waits until it runs.
    ///
    /// # Errors
    /// What the stack said.
    pub async fn register_connector(&self) -> Result<()> {
        self.command(&["connector", "register", "ecommerce"]).await
    }

    /// Stops all servers.
    ///
    /// # Errors
    /// What the stack said.
    pub async fn down(&self) -> Result<()> {
        self.command(&["down"]).await
    }

    async fn command(&self, arguments: &[&str]) -> Result<()> {
        let output = Command::new(self.root.join("dev/stack/stack"))
            .args(arguments)
            .env("STACK_DIR", &self.folder)
            .output()
            .await
            .context("starting dev/stack/stack")?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("stack {}: {said}", arguments.join(" "));
        }
        Ok(())
    }
}
