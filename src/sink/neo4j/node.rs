//! Nodes: one for each row of a projection's table.
//!
//! An upsert merges the node, write-locks it, and takes the row only if the node has no higher
//! `_v`. A delete does the same, turns the node into a stub, and leaves it to the sweep
//! ([`super::stub`]), which knows whether something holds it. Rows that a tombstone overrules do
//! not come here. The surprising fact: `SET` on a node that a rival deletes meanwhile does nothing
//! and raises nothing, so the statement looks for nodes it lost: they have not even a key.

use neo4rs::{BoltMap, BoltNull, BoltType};

use super::Fate;
use super::client::{Transaction, column};
use super::error::Failure;
use super::pattern::{KeyPattern, names};
use super::value::list_of;
use crate::config;

/// A node projection: its pattern and its statements.
pub(super) struct NodeTarget {
    pub(super) pattern: KeyPattern,
    pub(super) properties: Vec<String>,
    /// For each column of the table's key, in its order, its place in the merge key.
    pub(super) row: Vec<usize>,
    upsert: String,
    delete: String,
}

/// A row's node as a statement takes it.
#[derive(Debug)]
pub(super) struct NodeRow {
    /// The place in the batch.
    pub(super) item: usize,
    /// `_key` of its tombstone.
    pub(super) tombstone: String,
    pub(super) version: i64,
    /// Its merge key.
    pub(super) key: Vec<BoltType>,
    /// What is set; on a delete nothing.
    pub(super) properties: BoltMap,
}

impl NodeTarget {
    pub(super) fn new(node: &config::NodePattern, key: &[String]) -> Self {
        let pattern = KeyPattern::new(node);
        let merged = pattern.node("n", "r[2]");
        // The lock is a write of nothing: it leaves no trace, and needs the property's name to be
        // known to the database, which `prepare` sees to.
        let guarded = format!(
            "UNWIND $rows AS r \
             MERGE {merged} \
             SET n._lock = null \
             WITH n, r, n[$version] AS version \
             WITH n, r, CASE \
               WHEN version IS NULL AND keys(n) = [] THEN {lost} \
               WHEN version > r[1] THEN {stale} \
               ELSE {fresh} END AS fate",
            lost = Fate::LOST,
            stale = Fate::STALE,
            fresh = Fate::FRESH,
        );
        let answer = format!(
            "WITH r, fate WHERE fate <> {fresh} RETURN fate, collect(r[0]) AS items",
            fresh = Fate::FRESH
        );
        Self {
            upsert: format!(
                "{guarded} SET n += CASE fate WHEN {fresh} THEN r[3] ELSE {{}} END {answer}",
                fresh = Fate::FRESH
            ),
            delete: format!(
                "{guarded} FOREACH (_ IN CASE fate WHEN {fresh} THEN [1] ELSE [] END | SET n = r[3]) \
                 {answer}",
                fresh = Fate::FRESH
            ),
            properties: names(&node.properties),
            row: key
                .iter()
                .filter_map(|column| node.key.iter().position(|it| it.column == *column))
                .collect(),
            pattern,
        }
    }

    /// Writes the rows' nodes; answers the places of those that are stale.
    pub(super) async fn upsert(
        &self,
        tx: &mut Transaction,
        rows: Vec<NodeRow>,
    ) -> Result<Vec<usize>, Failure> {
        let parameters = rows.into_iter().map(|row| {
            let mut properties = row.properties;
            properties.put("_v".into(), row.version.into());
            properties.put("_stub".into(), BoltType::Null(BoltNull));
            parameter(row.item, row.version, row.key, properties)
        });
        let parameters = list_of(parameters.collect());
        stale(&tx.rows(&self.upsert, vec![("rows", parameters)]).await?)
    }

    /// Turns the rows' nodes into stubs, made for the lock where they are missing; answers the
    /// places of those that are stale.
    pub(super) async fn delete(
        &self,
        tx: &mut Transaction,
        rows: &[NodeRow],
    ) -> Result<Vec<usize>, Failure> {
        let parameters = rows.iter().map(|row| {
            let mut bare = BoltMap::default();
            for (name, value) in self.pattern.key.iter().zip(&row.key) {
                bare.put(name.as_str().into(), value.clone());
            }
            bare.put("_stub".into(), true.into());
            parameter(row.item, row.version, row.key.clone(), bare)
        });
        let parameters = list_of(parameters.collect());
        stale(&tx.rows(&self.delete, vec![("rows", parameters)]).await?)
    }
}

fn parameter(item: usize, version: i64, key: Vec<BoltType>, properties: BoltMap) -> BoltType {
    list_of(vec![
        super::place(item),
        version.into(),
        list_of(key),
        BoltType::Map(properties),
    ])
}

fn stale(answer: &[neo4rs::Row]) -> Result<Vec<usize>, Failure> {
    let mut stale = Vec::new();
    for row in answer {
        if column::<i64>(row, "fate")? == Fate::LOST {
            return Err(Failure::Rival("a node was deleted by a rival"));
        }
        stale.append(&mut column(row, "items")?);
    }
    Ok(stale)
}
