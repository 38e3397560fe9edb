//! Neo4j: nodes and relationships, each guarded by the version of the row that makes it (D8).
//!
//! One batch is one transaction: a look for tombstones, locks of derived relationships, node
//! upserts, relationships, derived relationships, node deletes, another look, tombstones, sweep of
//! stubs. `docs/graph.md` says what is kept in the graph and why the order is this. The surprising
//! fact: the server's planner fetches properties before the locks that the text takes first; see
//! `client.rs`.

mod batch;
mod client;
mod derived;
mod error;
mod marker;
mod node;
mod older;
mod pattern;
mod properties;
mod relationship;
mod schema;
mod sockets;
mod stub;
mod targets;
mod tombstone;
mod transaction;
mod turn;
mod value;

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use futures_util::stream::Stream;
use neo4rs::BoltType;

use self::batch::Batch;
use self::client::{Client, Transaction};
use self::error::{Failure, Patience};
use self::targets::Targets;
use self::transaction::Opened;
use self::turn::{Company, Turn, Turns};
use super::{Found, Marker, OutageKind, Outcome, Sink, SinkError};
use crate::change::{ProjectionId, Version};
use crate::config::{self, ProjectionKind};
use crate::projector::graph::GraphMutation;

/// One projection of this sink, as its configuration has it.
#[derive(Debug, Clone)]
pub struct GraphProjection<'a> {
    /// Its id.
    pub id: ProjectionId,
    /// Its name: the beginning of the `_key` of its relationships and tombstones.
    pub name: &'a str,
    /// The table that feeds it, as SQL names it; `None` for derived relationships.
    pub table: Option<String>,
    /// What it makes: nodes, relationships or derived relationships.
    pub kind: &'a ProjectionKind,
    /// The columns of the table's key, in its order; empty where no table feeds it.
    pub key: &'a [String],
}

/// The sink for graphs: one database.
pub struct Neo4j {
    shared: Arc<Shared>,
}

/// What outlives the caller of a write, because a transaction is never left half way.
struct Shared {
    client: Client,
    targets: Targets,
    create_constraints: bool,
    patience: Patience,
    many: tombstone::Many,
    turns: Turns,
    /// When tombstones were last looked through.
    purged: Mutex<Option<Instant>>,
    /// Tables whose rows came without a column that nothing had.
    warned: Mutex<BTreeSet<String>>,
}

/// What becomes of a row, as a statement says it.
struct Fate;

impl Fate {
    /// It is written.
    const FRESH: i64 = 0;
    /// A newer version is there.
    const STALE: i64 = 1;
    /// There is no such relationship.
    const ABSENT: i64 = 2;
    /// The relationship is there and has to go, or to move.
    const LEAVING: i64 = 3;
    /// A rival deleted it while this transaction waited for its lock.
    const LOST: i64 = 4;
    /// It is written, and what was there has none of the values that were not sent.
    const INCOMPLETE: i64 = 5;
}

/// A place in a batch, as a statement carries it.
fn place(item: usize) -> BoltType {
    i64::try_from(item)
        .expect("a batch has fewer than 2^63 items")
        .into()
}

impl Neo4j {
    /// A sink for these projections; connects when it is first used.
    #[must_use]
    pub fn new(settings: &config::Neo4j, projections: &[GraphProjection<'_>]) -> Self {
        let mut targets = Targets::default();
        for projection in projections {
            targets.add(projection);
        }
        Self {
            shared: Arc::new(Shared {
                client: Client::new(settings),
                targets,
                create_constraints: settings.create_constraints,
                patience: Patience::default(),
                many: tombstone::Many::default(),
                turns: Turns::default(),
                purged: Mutex::default(),
                warned: Mutex::default(),
            }),
        }
    }

    /// Converts a batch, opens its transaction and waits for its turn. Nothing is left to be waited
    /// for then but the server's answers to what is written.
    async fn in_turn(&self, batch: &[GraphMutation]) -> Result<(Opened, Turn), SinkError> {
        let next = self.shared.turns.next().await;
        let batch = Batch::new(&self.shared.targets, batch);
        let company = match self.shared.is_purge_due() {
            true => Company::Alone,
            false => batch.company(),
        };
        let opened = self.to_the_end(|shared| async move { shared.open(batch).await });
        let opened = opened.await?;
        let turn = self.shared.turns.wait(next, company).await;
        let opened = self.to_the_end(|shared| async move { shared.renew(opened).await });
        Ok((opened.await?, turn))
    }

    async fn write_in_turn(&self, opened: Opened, turn: Turn) -> Result<Vec<Outcome>, SinkError> {
        self.to_the_end(|shared| async move { shared.write(opened, turn).await })
            .await
    }

    /// Runs to its end whatever becomes of the caller: the driver's futures must not be dropped,
    /// and a transaction that is not ended keeps its locks.
    async fn to_the_end<F, T, R>(&self, work: F) -> Result<T, SinkError>
    where
        F: FnOnce(Arc<Shared>) -> R,
        R: Future<Output = Result<T, SinkError>> + Send + 'static,
        T: Send + 'static,
    {
        let work = tokio::spawn(work(Arc::clone(&self.shared)));
        work.await.unwrap_or_else(|error| {
            Err(SinkError::Fatal(format!("the Neo4j sink failed: {error}")))
        })
    }
}

impl Shared {
    /// What a failure means. Lets go of the connections after all but answers of the server: the
    /// password may be another one by now, and a transaction that was not ended on a connection
    /// that is merely late would keep its locks until that connection is used again.
    fn explain(&self, failure: Failure, items: usize) -> SinkError {
        let is_answer = failure.is_answer();
        let error = failure.classify(items);
        let is_refused = matches!(
            &error,
            SinkError::Outage(outage) if outage.kind == OutageKind::Refused
        );
        if is_refused || !is_answer {
            self.client.forget();
        }
        error
    }

    async fn open(&self, batch: Batch) -> Result<Opened, SinkError> {
        let items = batch.items;
        let opened = Opened::new(&self.client, batch, &self.many).await;
        opened.map_err(|failure| self.explain(failure, items))
    }

    async fn renew(&self, opened: Opened) -> Result<Opened, SinkError> {
        let items = opened.batch.items;
        let renewed = opened.renewed(&self.client, &self.many).await;
        renewed.map_err(|failure| self.explain(failure, items))
    }

    async fn write(&self, opened: Opened, turn: Turn) -> Result<Vec<Outcome>, SinkError> {
        let (fingerprint, items) = (opened.batch.fingerprint, opened.batch.items);
        match self.attempt(opened).await {
            Ok(outcomes) => {
                self.patience.reset(fingerprint);
                if turn.is_alone() {
                    self.purge_now_and_then().await;
                }
                Ok(outcomes)
            }
            Err(failure)
                if failure.is_constraint() && self.patience.is_over(fingerprint, items) =>
            {
                Err(error::unfit())
            }
            Err(failure) => Err(self.explain(failure, items)),
        }
    }

    async fn attempt(&self, mut opened: Opened) -> Result<Vec<Outcome>, Failure> {
        let applied = transaction::apply(&self.targets, &mut opened, &self.many).await;
        let applied = opened.tx.end(applied).await?;
        self.warn_of_incomplete(&applied.incomplete);
        Ok(applied.outcomes)
    }

    /// Says once for each table that rows stay without some value, because the change came without
    /// the column and nothing had it (D5).
    fn warn_of_incomplete(&self, incomplete: &BTreeSet<ProjectionId>) {
        for id in incomplete {
            let table = self.targets.tables.get(id).cloned().unwrap_or_default();
            let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
            if warned.insert(table.clone()) {
                tracing::warn!(
                    table,
                    "a row came without a column whose value nothing else had; run ALTER TABLE \
                     {table} REPLICA IDENTITY FULL and snapshot the table again"
                );
            }
        }
    }

    fn is_purge_due(&self) -> bool {
        let purged = self.purged.lock().unwrap_or_else(PoisonError::into_inner);
        purged.is_none_or(|at| at.elapsed() >= tombstone::PURGED_EVERY)
    }

    /// Forgets old tombstones, while no other transaction of ours is open that writes. That this
    /// fails is no reason for a write to fail.
    async fn purge_now_and_then(&self) {
        if !self.is_purge_due() {
            return;
        }
        *self.purged.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        if let Err(failure) = tombstone::purge(&self.client).await {
            let error = self.explain(failure, 1);
            tracing::debug!(%error, "purging tombstones; tried again later");
        }
    }

    async fn prepare(&self) -> Result<Vec<Found>, Failure> {
        schema::ensure(&self.client, &self.targets.rules(), self.create_constraints).await?;
        let names: Vec<&str> = self.targets.names.values().map(String::as_str).collect();
        let mut tx = self.client.begin().await?;
        let found = async {
            let locks = self.targets.derived.iter().map(|it| it.name.as_str());
            // The first lock also makes the name `_lock` known to the database: writing nothing
            // to a property locks its node only if the name is.
            derived::lock(&mut tx, locks.chain([""]).collect()).await?;
            marker::find(&mut tx, &names).await
        };
        let found = found.await;
        let found = tx.end(found).await?;
        // Who may not see the server's settings may write all the same.
        let mut tx = self.client.begin().await?;
        if let Err(failure) = warn_without_timeout(&mut tx).await {
            tracing::debug!(?failure, "asking for db.transaction.timeout");
        }
        tx.roll_back().await;
        Ok(found)
    }

    async fn ping(&self) -> Result<(), Failure> {
        let mut tx = self.client.begin().await?;
        let answer = tx.run("RETURN 1", Vec::new()).await;
        tx.roll_back().await;
        answer
    }

    async fn mark(&self, marker: &Marker) -> Result<(), Failure> {
        let mut tx = self.client.begin().await?;
        let written = marker::write(&mut tx, marker).await;
        tx.end(written).await
    }
}

/// The driver cannot give a transaction a time-out, so the server's own has to be there.
async fn warn_without_timeout(tx: &mut Transaction) -> Result<(), Failure> {
    let statement = "SHOW SETTINGS 'db.transaction.timeout' YIELD value";
    for row in tx.rows(statement, Vec::new()).await? {
        let value: String = client::column(&row, "value")?;
        if value.trim_end_matches(char::is_alphabetic) == "0" {
            tracing::warn!(
                "db.transaction.timeout of Neo4j is 0: an instance that freezes keeps its locks, \
                 and the others wait for it; set it to 60s"
            );
        }
    }
    Ok(())
}

impl Sink for Neo4j {
    type Mutation = GraphMutation;

    async fn write(&self, batch: &[GraphMutation]) -> Result<Vec<Outcome>, SinkError> {
        let (opened, turn) = self.in_turn(batch).await?;
        self.write_in_turn(opened, turn).await
    }

    async fn write_if(
        &self,
        batch: &[GraphMutation],
        admits: impl Fn() -> bool + Send + Sync,
    ) -> Result<Option<Vec<Outcome>>, SinkError> {
        let (opened, turn) = self.in_turn(batch).await?;
        if admits() {
            return self.write_in_turn(opened, turn).await.map(Some);
        }
        drop(turn);
        let ended = self.to_the_end(|_| async move {
            opened.tx.roll_back().await;
            Ok(None)
        });
        ended.await
    }

    async fn ping(&self) -> Result<(), SinkError> {
        self.to_the_end(|shared| async move {
            let answer = shared.ping().await;
            answer.map_err(|failure| shared.explain(failure, 1))
        })
        .await
    }

    fn older(
        &self,
        projection: ProjectionId,
        below: Version,
    ) -> impl Stream<Item = Result<Vec<GraphMutation>, SinkError>> + Send {
        self.pages(projection, below)
    }

    async fn prepare(&self) -> Result<Vec<Found>, SinkError> {
        self.to_the_end(|shared| async move {
            let found = shared.prepare().await;
            found.map_err(|failure| shared.explain(failure, 1))
        })
        .await
    }

    async fn mark(&self, marker: &Marker) -> Result<(), SinkError> {
        let marker = marker.clone();
        self.to_the_end(|shared| async move {
            let written = shared.mark(&marker).await;
            written.map_err(|failure| shared.explain(failure, 1))
        })
        .await
    }
}
