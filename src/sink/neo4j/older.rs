//! Finds what a truncate deletes: the nodes of a label, or the relationships of a projection,
//! below a version.
//!
//! What is found is deleted by the ordinary way of a row's delete, so stubs, tombstones and derived
//! relationships come out as if every row had been deleted by itself. A page that was deleted is
//! not found again, so the first page is asked for until it is empty.

use futures_util::stream::{self, Stream};
use neo4rs::BoltType;
use serde_json::Value;

use super::client::{Transaction, column};
use super::error::Failure;
use super::pattern::quoted;
use super::targets::Targets;
use super::{Neo4j, Shared, SinkError};
use crate::change::{ProjectionId, Version};
use crate::projector::graph::{Action, GraphKey, GraphMutation, Json};

/// How many are deleted in one transaction.
const PAGE: usize = 1000;

/// The statement that finds a page, and how its answer is read.
enum Search<'a> {
    Nodes {
        statement: String,
        /// For each column of the table's key its place in the merge key.
        places: Vec<usize>,
    },
    Relationships {
        statement: String,
        /// What their `_key` begins with.
        name: &'a str,
    },
}

impl<'a> Search<'a> {
    /// `None` for a derived projection, which has no rows.
    fn new(targets: &'a Targets, projection: ProjectionId) -> Option<Self> {
        if let Some(node) = targets.nodes.get(&projection) {
            let statement = format!(
                "MATCH (n:{label}) WHERE n._v < $given.below RETURN {key} AS key LIMIT {PAGE}",
                label = quoted(&node.pattern.label),
                key = node.pattern.values("n"),
            );
            let places = node.row.clone();
            return Some(Self::Nodes { statement, places });
        }
        let relationship = targets.relationships.get(&projection)?;
        let statement = format!(
            "MATCH ()-[x:{kind}]->() WHERE x._key STARTS WITH $given.name AND x._v < $given.below \
             RETURN x._key AS key LIMIT {PAGE}",
            kind = quoted(&relationship.kind),
        );
        let name = targets.name(projection);
        Some(Self::Relationships { statement, name })
    }

    async fn run(
        &self,
        tx: &mut Transaction,
        below: Version,
    ) -> Result<Vec<(String, Action)>, Failure> {
        let limit = ("below", BoltType::from(below.get()));
        match self {
            Self::Nodes { statement, places } => {
                let rows = tx.rows(statement, vec![limit]).await?;
                let keys = rows.iter().map(|row| {
                    let key: Vec<Value> = column(row, "key")?;
                    let key: Vec<Json> = key.iter().map(|it| it.to_string().into()).collect();
                    let row: Vec<_> = places.iter().map(|place| &*key[*place]).collect();
                    let row = format!("[{}]", row.join(","));
                    Ok((row, Action::DeleteNode { key: key.into() }))
                });
                keys.collect()
            }
            Self::Relationships { statement, name } => {
                let prefix = ("name", BoltType::from(format!("{name}[")));
                let rows = tx.rows(statement, vec![limit, prefix]).await?;
                let keys = rows.iter().map(|row| {
                    let key: String = column(row, "key")?;
                    let row = key.strip_prefix(name).expect("the statement asks for it");
                    Ok((row.to_owned(), Action::DeleteRelationship))
                });
                keys.collect()
            }
        }
    }
}

impl Neo4j {
    /// What [`super::Sink::older`] answers.
    pub(super) fn pages(
        &self,
        projection: ProjectionId,
        below: Version,
    ) -> impl Stream<Item = Result<Vec<GraphMutation>, SinkError>> + Send {
        stream::try_unfold((), move |()| async move {
            let page = self.to_the_end(move |shared| async move {
                let page = shared.older(projection, below).await;
                page.map_err(|failure| shared.explain(failure, 1))
            });
            let page = Some(page.await?).filter(|page| !page.is_empty());
            Ok(page.map(|page| (page, ())))
        })
    }
}

impl Shared {
    /// Deletes of some of what a projection has below a version; none when nothing is left.
    pub(super) async fn older(
        &self,
        projection: ProjectionId,
        below: Version,
    ) -> Result<Vec<GraphMutation>, Failure> {
        let Some(search) = Search::new(&self.targets, projection) else {
            return Ok(Vec::new());
        };
        let mut tx = self.client.begin().await?;
        let found = search.run(&mut tx, below).await;
        tx.roll_back().await;
        let deletes = found?.into_iter().map(|(row, action)| GraphMutation {
            key: GraphKey {
                projection,
                row: row.into(),
            },
            version: below,
            action,
        });
        Ok(deletes.collect())
    }
}
