//! Stubs: nodes without a row, there because a relationship of some row needs them.
//!
//! Knows how they go: once nothing holds them. Never detaches: what still has a relationship
//! stays. Each is write-locked before its relationships are counted, so that of two transactions
//! that each remove one of the last two, the later one sees that nothing is left.

use std::collections::BTreeMap;

use neo4rs::BoltType;

use super::client::Transaction;
use super::error::Failure;
use super::pattern::KeyPattern;
use super::value::list_of;

/// Nodes that may have been left without row and relationship, by label.
#[derive(Default)]
pub(super) struct Candidates<'a>(BTreeMap<&'a KeyPattern, Vec<BoltType>>);

impl<'a> Candidates<'a> {
    /// Adds a node by the list of its key values.
    pub(super) fn add(&mut self, pattern: &'a KeyPattern, key: BoltType) {
        self.0.entry(pattern).or_default().push(key);
    }

    /// Adds a node by its key values.
    pub(super) fn add_values(&mut self, pattern: &'a KeyPattern, key: &[BoltType]) {
        self.add(pattern, list_of(key.to_vec()));
    }

    /// Deletes those that are stubs and have no relationship.
    pub(super) async fn sweep(self, tx: &mut Transaction) -> Result<(), Failure> {
        for (pattern, keys) in self.0 {
            let statement = statement(pattern);
            tx.run(&statement, vec![("rows", list_of(keys))]).await?;
        }
        Ok(())
    }
}

/// Distinct and in order: rivals that lock the same nodes then wait for each other in turn.
fn statement(pattern: &KeyPattern) -> String {
    format!(
        "UNWIND $given.rows AS r \
         WITH DISTINCT r ORDER BY r \
         MATCH {node} \
         SET n._lock = null \
         WITH n WHERE n[$version] IS NULL AND n[$stub] = true AND COUNT {{ (n)--() }} = 0 \
         DELETE n",
        node = pattern.node("n", "r", 0),
    )
}
