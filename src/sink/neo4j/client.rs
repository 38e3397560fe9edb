//! The connection: a pool that is made when it is first needed, and one open transaction.
//!
//! Never cancels a future of the driver, never calls its retrying `Graph::run`, and rolls back by
//! hand: a transaction that is dropped keeps its locks until its pooled connection is used again.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use neo4rs::{BoltMap, BoltType, ConfigBuilder, Graph, Query, Row, Txn};
use secrecy::ExposeSecret;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::error::Failure;
use super::sockets;
use crate::config;

/// How long a connection attempt, and the answer to one statement, may take. Above the server's
/// own time-out for transactions, so that the server gives up first.
const ANSWER_WITHIN: Duration = Duration::from_secs(75);
/// How long to wait for a connection of the pool. The driver calls this `max_lifetime`.
const CONNECTION_WITHIN: Duration = Duration::from_secs(30);
/// Two batches in flight, a ping, and some for single rows that are applied by themselves.
const CONNECTIONS: usize = 6;
/// Records for each round trip; no statement of ours answers more than a few.
const FETCH: usize = 4096;

/// The pool of one database.
pub(super) struct Client {
    settings: config::Neo4j,
    graph: Mutex<Option<Graph>>,
}

impl Client {
    pub(super) fn new(settings: &config::Neo4j) -> Self {
        Self {
            settings: settings.clone(),
            graph: Mutex::default(),
        }
    }

    /// Begins a transaction.
    pub(super) async fn begin(&self) -> Result<Transaction, Failure> {
        let graph = self.graph()?;
        // The driver waits for ever for a server that takes the connection and says nothing.
        let mut begun = tokio::spawn(async move { graph.start_txn().await });
        let Ok(txn) = timeout(ANSWER_WITHIN, &mut begun).await else {
            tokio::spawn(end(begun));
            return Err(Failure::Driver(neo4rs::Error::ConnectionTimedOut));
        };
        let txn = txn.map_err(|error| Failure::Fatal(format!("the driver failed: {error}")))??;
        // The pool may have made a connection for it, and does not tell.
        sockets::set_up_all(ANSWER_WITHIN);
        Ok(Transaction { txn })
    }

    /// Gives up the pool, so that the next transaction reads the password again (D12).
    pub(super) fn forget(&self) {
        *self.graph.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn graph(&self) -> Result<Graph, Failure> {
        let mut graph = self.graph.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(graph) = &*graph {
            return Ok(graph.clone());
        }
        let password = self
            .settings
            .password
            .read()
            .map_err(Failure::Credentials)?;
        let config = ConfigBuilder::default()
            .uri(&self.settings.uri)
            .user(&self.settings.username)
            .password(password.expose_secret())
            .db(self.settings.database.as_str())
            .max_connections(CONNECTIONS)
            .fetch_size(FETCH)
            .connection_timeout(ANSWER_WITHIN)
            .max_lifetime(CONNECTION_WITHIN)
            .build()?;
        Ok(graph.insert(Graph::connect(config)?).clone())
    }
}

/// One open transaction. End it with [`Transaction::end`] or [`Transaction::roll_back`].
pub(super) struct Transaction {
    txn: Txn,
}

impl Transaction {
    /// Runs a statement and returns what it answers.
    pub(super) async fn rows(
        &mut self,
        statement: &str,
        parameters: Vec<(&str, BoltType)>,
    ) -> Result<Vec<Row>, Failure> {
        let mut stream = self
            .txn
            .execute(query(statement, parameters))
            .await
            .map_err(late)?;
        let mut rows = Vec::new();
        while let Some(row) = stream.next(self.txn.handle()).await.map_err(late)? {
            rows.push(row);
        }
        Ok(rows)
    }

    /// Runs a statement that answers nothing.
    pub(super) async fn run(
        &mut self,
        statement: &str,
        parameters: Vec<(&str, BoltType)>,
    ) -> Result<(), Failure> {
        self.txn
            .run(query(statement, parameters))
            .await
            .map_err(late)
    }

    /// Commits what has worked, and rolls back what has not.
    pub(super) async fn end<T>(self, worked: Result<T, Failure>) -> Result<T, Failure> {
        match worked {
            Ok(answer) => {
                self.txn.commit().await?;
                Ok(answer)
            }
            Err(failure) => {
                self.roll_back().await;
                Err(failure)
            }
        }
    }

    /// Ends the transaction without effect. After a failed statement the server has done so by
    /// itself and answers that it ignores this, so the outcome says nothing.
    pub(super) async fn roll_back(self) {
        if let Err(error) = self.txn.rollback().await {
            tracing::debug!(%error, "rolling back");
        }
    }
}

/// Every statement gets the names of two properties as parameters. The planner fetches a property
/// that it knows by name as early as it can, before the lock that the statement takes; a property
/// whose name is a parameter can only be read where the text does.
///
/// What the caller gives is in the parameter `given`, a map. The planner looks at how long a
/// parameter is that is a list or a text, plans a statement for each power of ten of it, and plans
/// it again when the next one is of another: for batches as they come that took twice the time of
/// running them (Neo4j 5.26, seen in `db.stats.retrieve('QUERIES')`). Into a map it does not look.
fn query(statement: &str, parameters: Vec<(&str, BoltType)>) -> Query {
    let given: BoltMap = parameters
        .into_iter()
        .map(|(name, value)| (name.into(), value))
        .collect();
    Query::new(statement.to_owned())
        .param("version", "_v")
        .param("stub", "_stub")
        .param("given", BoltType::Map(given))
}

/// Ends a transaction that nobody waits for any more, should it begin after all.
async fn end(mut begun: JoinHandle<neo4rs::Result<Txn>>) {
    match timeout(ANSWER_WITHIN, &mut begun).await {
        Ok(Ok(Ok(txn))) => Transaction { txn }.roll_back().await,
        Ok(_) => {}
        // It has not got as far as a transaction: only its socket is closed.
        Err(_) => begun.abort(),
    }
}

fn late(error: neo4rs::Error) -> Failure {
    match error {
        neo4rs::Error::ConnectionTimedOut => Failure::Slow,
        other => Failure::Driver(other),
    }
}

/// The value of one column of a row.
pub(super) fn column<T: serde::de::DeserializeOwned>(row: &Row, name: &str) -> Result<T, Failure> {
    row.get(name)
        .map_err(|error| Failure::Driver(neo4rs::Error::DeserializationError(error)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Batch, Secret};

    #[tokio::test(start_paused = true)]
    async fn a_server_that_takes_connections_and_says_nothing_is_not_waited_for_without_end() {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let client = Client::new(&config::Neo4j {
            uri: format!("bolt://{}", silent.local_addr().unwrap()),
            database: "neo4j".to_owned(),
            username: "neo4j".to_owned(),
            password: Secret::Env("PATH".to_owned()),
            create_constraints: true,
            batch: Batch {
                max_items: 1,
                max_bytes: 1,
            },
        });
        let begun = timeout(2 * ANSWER_WITHIN, client.begin()).await;
        let failure = begun.expect("it gives up").err().expect("nobody answered");
        assert!(!failure.is_answer(), "{failure:?}");
    }
}
