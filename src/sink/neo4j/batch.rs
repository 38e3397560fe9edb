//! A batch as the statements take it: rows by projection, in the order of their keys, all values
//! converted, so that a transaction owns what it needs and outlives its caller.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hash, Hasher};

use neo4rs::BoltType;

use super::node::NodeRow;
use super::properties::Properties;
use super::relationship::RelationshipRow;
use super::targets::Targets;
use super::turn::Company;
use super::value::property;
use crate::change::ProjectionId;
use crate::projector::graph::{Action, GraphMutation, Json};
use crate::projector::{Mutation, graph};
use crate::sink::{Outcome, Rejection};

/// The rows of one batch.
pub(super) struct Batch {
    /// How many mutations there were.
    pub(super) items: usize,
    /// The same for the same mutations.
    pub(super) fingerprint: u64,
    pub(super) nodes: BTreeMap<ProjectionId, Nodes>,
    /// Upserts and deletes.
    pub(super) relationships: BTreeMap<ProjectionId, Vec<RelationshipRow>>,
    /// What no property can hold, by place.
    pub(super) rejected: Vec<(usize, Outcome)>,
}

/// The rows of one node projection.
#[derive(Default)]
pub(super) struct Nodes {
    pub(super) upserts: Vec<NodeRow>,
    pub(super) deletes: Vec<NodeRow>,
}

/// A text that is no Unicode text.
struct Unusable;

impl Batch {
    pub(super) fn new(targets: &Targets, mutations: &[GraphMutation]) -> Self {
        let mut hasher = foldhash::fast::FixedState::default().build_hasher();
        let mut batch = Self {
            items: mutations.len(),
            fingerprint: 0,
            nodes: BTreeMap::new(),
            relationships: BTreeMap::new(),
            rejected: Vec::new(),
        };
        let mut order: Vec<_> = mutations.iter().enumerate().collect();
        // Rivals that lock in the same order wait for each other instead of deadlocking.
        order.sort_unstable_by(|(_, a), (_, b)| a.key.row.cmp(&b.key.row));
        for (item, mutation) in order {
            (mutation.key(), mutation.version).hash(&mut hasher);
            if batch.add(targets, item, mutation).is_err() {
                batch.rejected.push((item, unusable()));
            }
        }
        batch.fingerprint = hasher.finish();
        batch
    }

    /// How its transaction stands to others of ours.
    pub(super) fn company(&self) -> Company {
        match self.relationships.is_empty() {
            true => Company::Borne,
            false => Company::Alone,
        }
    }

    /// The rows that a tombstone can overrule, each with its place, its `_key` and its version. No
    /// delete is among them: what is there of a deleted row all the same, because somebody has
    /// restored it, goes, or a truncate would find it for ever.
    pub(super) fn upserts(&self) -> impl Iterator<Item = (usize, &str, i64)> {
        let nodes = self.nodes.values().flat_map(|it| &it.upserts);
        let relationships = self.relationships.values().flatten();
        let relationships = relationships.filter(|row| row.ends.is_some());
        nodes
            .map(|row| (row.item, row.tombstone.as_str(), row.version))
            .chain(relationships.map(|row| (row.item, row.key.as_str(), row.version)))
    }

    /// Leaves out the upserts that are not wanted, by place.
    pub(super) fn retain_upserts(&mut self, wanted: impl Fn(usize) -> bool) {
        for rows in self.nodes.values_mut() {
            rows.upserts.retain(|row| wanted(row.item));
        }
        for rows in self.relationships.values_mut() {
            rows.retain(|row| wanted(row.item));
        }
    }

    fn add(
        &mut self,
        targets: &Targets,
        item: usize,
        mutation: &GraphMutation,
    ) -> Result<(), Unusable> {
        let id = mutation.key.projection;
        let place = Place {
            item,
            name: targets.name(id),
            row: &mutation.key.row,
            version: mutation.version.get(),
        };
        match &mutation.action {
            Action::UpsertNode { key, properties } => {
                let row = place.node(key, sent(properties)?)?;
                self.nodes.entry(id).or_default().upserts.push(row);
            }
            Action::DeleteNode { key } => {
                let row = place.node(key, Properties::default())?;
                self.nodes.entry(id).or_default().deletes.push(row);
            }
            Action::UpsertRelationship {
                start,
                end,
                properties,
            } => {
                let ends = (convert(start)?, convert(end)?);
                let row = place.relationship(Some(ends), sent(properties)?);
                self.relationships.entry(id).or_default().push(row);
            }
            Action::DeleteRelationship => {
                let row = place.relationship(None, Properties::default());
                self.relationships.entry(id).or_default().push(row);
            }
        }
        Ok(())
    }
}

/// Where a row stands: in the batch, and among the rows of its projection.
struct Place<'a> {
    item: usize,
    name: &'a str,
    row: &'a str,
    version: i64,
}

impl Place<'_> {
    /// The `_key` of the row's relationship, and of its tombstone. Unambiguous, because the row's
    /// text is a whole JSON array.
    fn entity(&self) -> String {
        format!("{}{}", self.name, self.row)
    }

    fn node(&self, key: &graph::Values, properties: Properties) -> Result<NodeRow, Unusable> {
        Ok(NodeRow {
            item: self.item,
            tombstone: self.entity(),
            version: self.version,
            key: convert(key)?,
            properties,
        })
    }

    fn relationship(
        &self,
        ends: Option<(Vec<BoltType>, Vec<BoltType>)>,
        properties: Properties,
    ) -> RelationshipRow {
        RelationshipRow {
            item: self.item,
            key: self.entity(),
            version: self.version,
            ends,
            properties,
        }
    }
}

fn convert(values: &graph::Values) -> Result<Vec<BoltType>, Unusable> {
    let value = |json: &Json| property(json).ok_or(Unusable);
    values.iter().map(value).collect()
}

fn sent(properties: &graph::Properties) -> Result<Properties, Unusable> {
    Properties::new(properties).ok_or(Unusable)
}

fn unusable() -> Outcome {
    Outcome::Rejected(Rejection::new(
        "lone_surrogate",
        "a text holds half of a surrogate pair, which is no Unicode text",
    ))
}
