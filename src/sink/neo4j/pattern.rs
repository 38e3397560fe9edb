//! Pieces of Cypher: quoted names, and the pattern of a node by its merge key.
//!
//! Labels, types and property names cannot be parameters, so they are quoted into the text once,
//! at start; from then on the text of every statement is fixed and its plan is cached.

use crate::config::{NodePattern, Property};

/// The label of tombstones.
pub(super) const TOMBSTONE: &str = "_DistributaryTombstone";
/// The label of the nodes that are locked for derived relationships.
pub(super) const LOCK: &str = "_DistributaryLock";
/// The label of markers.
pub(super) const MARKER: &str = "_DistributaryMarker";

/// A label and the names of its merge key, in the order in which values are given.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct KeyPattern {
    pub(super) label: String,
    pub(super) key: Vec<String>,
}

impl KeyPattern {
    pub(super) fn new(pattern: &NodePattern) -> Self {
        Self {
            label: pattern.label.clone(),
            key: names(&pattern.key),
        }
    }

    /// The node whose key values stand in the list `list` from `first` on, such as
    /// ``(n:`User` {`id`: r[2]})``.
    pub(super) fn node(&self, variable: &str, list: &str, first: usize) -> String {
        let mut key = Vec::new();
        for (name, place) in self.key.iter().zip(first..) {
            key.push(format!("{}: {list}[{place}]", quoted(name)));
        }
        format!(
            "({variable}:{} {{{}}})",
            quoted(&self.label),
            key.join(", ")
        )
    }

    /// The list of the node's key values, such as ``[n.`id`]``.
    pub(super) fn values(&self, variable: &str) -> String {
        let values: Vec<_> = self
            .key
            .iter()
            .map(|name| format!("{variable}.{}", quoted(name)))
            .collect();
        format!("[{}]", values.join(", "))
    }
}

/// The pattern of the relationship `x` from `a` to `b` of a type, to be matched by its `_key`, which
/// is what `key` is, with the hint of [`seek`]. The ends need no names.
pub(super) fn keyed((a, x, b): (&str, &str, &str), kind: &str, key: &str) -> String {
    let (kind, hint) = (quoted(kind), seek(x, kind));
    format!("({a})-[{x}:{kind} {{_key: {key}}}]->({b}) {hint}")
}

/// What follows the pattern of a relationship that is matched by its `_key`. While a type has few
/// relationships, the planner (5.26) likes to read all of them for each row, and keeps that plan for
/// ten seconds and more in which they become many. Nodes and `MERGE` it always seeks.
pub(super) fn seek(variable: &str, kind: &str) -> String {
    format!("USING INDEX SEEK {variable}:{}(_key)", quoted(kind))
}

/// The property names of a pattern.
pub(super) fn names(properties: &[Property]) -> Vec<String> {
    properties.iter().map(|it| it.name.clone()).collect()
}

/// A name as Cypher takes any name.
pub(super) fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_break_out_of_their_quotes() {
        let pattern = KeyPattern {
            label: "A`) DELETE (x".into(),
            key: vec!["a".into(), "b`".into()],
        };
        assert_eq!(
            pattern.node("n", "k", 2),
            "(n:`A``) DELETE (x` {`a`: k[2], `b```: k[3]})"
        );
        assert_eq!(pattern.values("n"), "[n.`a`, n.`b```]");
    }
}
