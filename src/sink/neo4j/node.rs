//! Nodes: one for each row of a projection's table.
//!
//! An upsert merges the node, write-locks it if it was there already, and takes the row only if the
//! node has no higher `_v`. A delete does the same, turns the node into a stub, and leaves it to the
//! sweep ([`super::stub`]), which knows whether something holds it. Upserts that a tombstone
//! overrules do not come here. The surprising fact: `SET` on a node that a rival deletes meanwhile
//! does nothing and raises nothing, so the statement looks for nodes it lost: they have not even a
//! key.

use neo4rs::{BoltMap, BoltType};

use super::Fate;
use super::client::{Transaction, column};
use super::error::Failure;
use super::pattern::{KeyPattern, names};
use super::properties::{Pieces, Properties, Setting};
use super::value::list_of;
use crate::config;

/// A node projection: its pattern and its statements.
pub(super) struct NodeTarget {
    pub(super) pattern: KeyPattern,
    pub(super) properties: Vec<String>,
    /// For each column of the table's key, in its order, its place in the merge key.
    pub(super) row: Vec<usize>,
    upsert: Setting,
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
    pub(super) properties: Properties,
}

/// The places of the rows that were not written, or not in full.
#[derive(Debug, Default)]
pub(super) struct Upserted {
    /// A newer version is there.
    pub(super) stale: Vec<usize>,
    /// There was nothing that could have the values that were not sent.
    pub(super) incomplete: Vec<usize>,
}

impl NodeTarget {
    pub(super) fn new(node: &config::NodePattern, key: &[String]) -> Self {
        let pattern = KeyPattern::new(node);
        let properties = names(&node.properties);
        let merged = pattern.node("n", "r", 2);
        // A new node is locked by being new. The lock of another is a write of nothing: it leaves no
        // trace, and needs the property's name to be known to the database, which `prepare` sees to.
        let write = |pieces: &Pieces| {
            format!(
                "UNWIND $given.rows AS r \
                 MERGE {merged} \
                 ON MATCH SET n._lock = null \
                 WITH n, r, n[$version] AS version \
                 WITH n, r, CASE \
                   WHEN version IS NULL AND keys(n) = [] THEN {lost} \
                   WHEN version > r[1] THEN {stale} \
                   ELSE {taken} END AS fate \
                 {write}",
                lost = Fate::LOST,
                stale = Fate::STALE,
                taken = pieces.fate,
                write = pieces.write(),
            )
        };
        let rest = 2 + pattern.key.len();
        let own = ["_v = r[1]", "_stub = null"];
        Self {
            upsert: Setting::new("n", (&properties, rest), &own, write),
            delete: write(&Pieces::whole(format!("SET n = r[{rest}]"))),
            properties,
            row: key
                .iter()
                .filter_map(|column| node.key.iter().position(|it| it.column == *column))
                .collect(),
            pattern,
        }
    }

    /// Writes the rows' nodes.
    pub(super) async fn upsert(
        &self,
        tx: &mut Transaction,
        rows: Vec<NodeRow>,
    ) -> Result<Upserted, Failure> {
        let rows = rows.into_iter().map(|row| {
            let list = parameter(row.item, row.version, row.key);
            (list, row.properties)
        });
        let (statement, parameters) = self.upsert.of_rows(&self.properties, rows.collect());
        Upserted::read(&tx.rows(statement, vec![("rows", parameters)]).await?)
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
            let mut all = parameter(row.item, row.version, row.key.clone());
            all.push(BoltType::Map(bare));
            list_of(all)
        });
        let parameters = list_of(parameters.collect());
        let answer = tx.rows(&self.delete, vec![("rows", parameters)]).await?;
        Ok(Upserted::read(&answer)?.stale)
    }
}

/// What a row's list begins with.
fn parameter(item: usize, version: i64, key: Vec<BoltType>) -> Vec<BoltType> {
    let mut all = vec![super::place(item), version.into()];
    all.extend(key);
    all
}

impl Upserted {
    fn read(answer: &[neo4rs::Row]) -> Result<Self, Failure> {
        let mut upserted = Self::default();
        for row in answer {
            let items: Vec<usize> = column(row, "items")?;
            match column::<i64>(row, "fate")? {
                Fate::STALE => upserted.stale.extend(items),
                Fate::INCOMPLETE => upserted.incomplete.extend(items),
                _ => return Err(Failure::Rival("a node was deleted by a rival")),
            }
        }
        Ok(upserted)
    }
}
