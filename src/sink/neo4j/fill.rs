//! Values that a row's first change came without (D5): a primary key was changed, and an unchanged
//! large column was not sent again.
//!
//! Taken from what the store has of the row already, which is a replay. Otherwise null, and counted.

use std::collections::HashMap;

use neo4rs::BoltType;

use super::client::{Transaction, column};
use super::error::Failure;
use super::pattern::{KeyPattern, keyed};
use super::value::list_of;

/// A row with missing values.
#[derive(Debug)]
pub(super) struct Hole {
    /// The place in the batch.
    pub(super) item: usize,
    /// What the store holds is of this row from this version on.
    pub(super) since: i64,
    /// What names the entity itself: a node's key values, a relationship's `_key`.
    pub(super) own: BoltType,
}

/// The statement that reads what nodes of a pattern have.
pub(super) fn of_nodes(pattern: &KeyPattern) -> String {
    format!(
        "UNWIND $given.rows AS r \
         OPTIONAL MATCH {own} WHERE n._v >= r[1] \
         RETURN r[0] AS item, properties(n) AS own",
        own = pattern.node("n", "r[2]", 0),
    )
}

/// The statement that reads what relationships of a type have.
pub(super) fn of_relationships(kind: &str) -> String {
    format!(
        "UNWIND $given.rows AS r \
         OPTIONAL MATCH {own} WHERE n._v >= r[1] \
         RETURN r[0] AS item, properties(n) AS own",
        own = keyed(("", "n", ""), kind, "r[2]"),
    )
}

/// The values found, by place in the batch and by name; for a hole there may be none.
pub(super) struct Found {
    pub(super) values: HashMap<usize, HashMap<String, BoltType>>,
    /// The places of the rows that stay without some value.
    pub(super) incomplete: Vec<usize>,
}

/// Reads what is missing.
pub(super) async fn read(
    tx: &mut Transaction,
    statement: &str,
    holes: &[Hole],
) -> Result<Found, Failure> {
    let rows = holes.iter().map(|hole| {
        list_of(vec![
            super::place(hole.item),
            hole.since.into(),
            hole.own.clone(),
        ])
    });
    let rows = tx
        .rows(statement, vec![("rows", list_of(rows.collect()))])
        .await?;
    let mut held = HashMap::new();
    for row in &rows {
        let own: Option<HashMap<String, BoltType>> = column(row, "own")?;
        held.insert(column::<usize>(row, "item")?, own);
    }
    let mut found = Found {
        values: HashMap::new(),
        incomplete: Vec::new(),
    };
    for hole in holes {
        let held = held.remove(&hole.item).flatten();
        if held.is_none() {
            found.incomplete.push(hole.item);
        }
        found.values.insert(hole.item, held.unwrap_or_default());
    }
    Ok(found)
}
