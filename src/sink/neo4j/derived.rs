//! Derived relationships: there exactly as long as a path of others is.
//!
//! Under read committed two transactions that each add one half of a path do not see the other's
//! half, and neither would draw the conclusion. So a transaction that touches a relationship of a
//! path first write-locks one node for each derived relationship, and reads paths in later
//! statements only: whoever comes second sees what the first has done.

use std::collections::{BTreeSet, HashSet};
use std::fmt::Write as _;

use neo4rs::BoltType;

use super::client::{Transaction, column};
use super::error::Failure;
use super::pattern::{LOCK, quoted, seek};
use super::relationship::RelationshipTarget;
use super::value::list_of;
use crate::config;

/// A derived projection and its statements.
pub(super) struct DerivedTarget {
    /// The projection's name, and the `_key` of its lock.
    pub(super) name: String,
    path: Vec<config::Step>,
    /// For each step: the pairs joined by a path through relationships of these `_key`s.
    pairs: Vec<String>,
    /// For each step: makes the derived relationships of those pairs.
    draw: Vec<String>,
    /// Deletes the derived relationships of pairs that no path joins any more.
    erase: String,
}

/// Pairs of nodes (element ids) that a path joined before relationships were detached.
pub(super) type Pairs = HashSet<(String, String)>;

impl DerivedTarget {
    pub(super) fn new(name: &str, derived: &config::Derived) -> Self {
        let path = &derived.path;
        let last = path.len();
        let (start, end) = (quoted(&derived.start), quoted(&derived.end));
        let kind = quoted(&derived.kind);
        let through = |step: usize| {
            let (path, hint) = (pattern(path, Some(step)), seek("x", &path[step].kind));
            format!("UNWIND $given.rows AS r MATCH {path} {hint}")
        };
        Self {
            name: name.to_owned(),
            pairs: (0..last)
                .map(|step| {
                    let through = through(step);
                    format!("{through} RETURN DISTINCT elementId(n0) AS start, elementId(n{last}) AS end")
                })
                .collect(),
            draw: (0..last)
                .map(|step| {
                    let through = through(step);
                    format!("{through} WITH DISTINCT n0, n{last} MERGE (n0)-[:{kind}]->(n{last})")
                })
                .collect(),
            erase: format!(
                "UNWIND $given.rows AS r \
                 MATCH (n0:{start}) WHERE elementId(n0) = r[0] \
                 MATCH (n{last}:{end}) WHERE elementId(n{last}) = r[1] \
                 MATCH (n0)-[d:{kind}]->(n{last}) \
                 WHERE NOT EXISTS {{ {path} }} \
                 DELETE d",
                path = pattern(path, None),
            ),
            path: path.clone(),
        }
    }

    /// The steps of the path that relationships of a projection are.
    fn steps(&self, target: &RelationshipTarget) -> impl Iterator<Item = usize> {
        let is_step = |step: &config::Step| {
            step.from == target.start.label
                && step.kind == target.kind
                && step.to == target.end.label
        };
        let steps = self.path.iter().enumerate();
        steps
            .filter(move |(_, step)| is_step(step))
            .map(|(index, _)| index)
            .collect::<Vec<_>>()
            .into_iter()
    }

    /// Whether relationships of a projection are part of the path.
    pub(super) fn follows_from(&self, target: &RelationshipTarget) -> bool {
        self.steps(target).next().is_some()
    }

    /// Adds the pairs joined through relationships that are about to be detached.
    pub(super) async fn find(
        &self,
        tx: &mut Transaction,
        target: &RelationshipTarget,
        keys: &[BoltType],
        pairs: &mut Pairs,
    ) -> Result<(), Failure> {
        for step in self.steps(target) {
            let keys = list_of(keys.to_vec());
            for row in tx.rows(&self.pairs[step], vec![("rows", keys)]).await? {
                pairs.insert((column(&row, "start")?, column(&row, "end")?));
            }
        }
        Ok(())
    }

    /// Makes what follows from relationships that are there now.
    pub(super) async fn draw(
        &self,
        tx: &mut Transaction,
        target: &RelationshipTarget,
        keys: &[BoltType],
    ) -> Result<(), Failure> {
        for step in self.steps(target) {
            let keys = list_of(keys.to_vec());
            tx.run(&self.draw[step], vec![("rows", keys)]).await?;
        }
        Ok(())
    }

    /// Removes what no longer follows, of pairs that lost a path.
    pub(super) async fn erase(&self, tx: &mut Transaction, pairs: Pairs) -> Result<(), Failure> {
        if pairs.is_empty() {
            return Ok(());
        }
        let rows = pairs
            .into_iter()
            .map(|(start, end)| list_of(vec![start.into(), end.into()]));
        tx.run(&self.erase, vec![("rows", list_of(rows.collect()))])
            .await
    }
}

/// Write-locks the lock nodes of these names, in their order, made where they are missing.
pub(super) async fn lock(tx: &mut Transaction, names: BTreeSet<&str>) -> Result<(), Failure> {
    if names.is_empty() {
        return Ok(());
    }
    let statement =
        format!("UNWIND $given.rows AS r MERGE (l:{LOCK} {{_key: r}}) SET l._lock = true");
    let names = names.into_iter().map(BoltType::from).collect();
    tx.run(&statement, vec![("rows", list_of(names))]).await
}

/// The path as one pattern, so that no relationship is used twice; the relationship of one step
/// may be `x`, that with the `_key` `r`.
fn pattern(path: &[config::Step], through: Option<usize>) -> String {
    let mut text = String::new();
    for (index, step) in path.iter().enumerate() {
        let is_keyed = through == Some(index);
        let (variable, key) = if is_keyed {
            ("x", " {_key: r}")
        } else {
            ("", "")
        };
        let (from, kind) = (quoted(&step.from), quoted(&step.kind));
        write!(text, "(n{index}:{from})-[{variable}:{kind}{key}]->")
            .expect("a String takes all text");
    }
    let end = path.last().map(|step| quoted(&step.to)).unwrap_or_default();
    write!(text, "(n{}:{end})", path.len()).expect("a String takes all text");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_pattern_through_one_relationship() {
        let step = |from: &str, kind: &str, to: &str| config::Step {
            from: from.into(),
            kind: kind.into(),
            to: to.into(),
        };
        let path = [
            step("User", "PLACED", "Order"),
            step("Order", "CONTAINS", "Product"),
        ];
        assert_eq!(
            pattern(&path, Some(1)),
            "(n0:`User`)-[:`PLACED`]->(n1:`Order`)-[x:`CONTAINS` {_key: r}]->(n2:`Product`)"
        );
    }
}
