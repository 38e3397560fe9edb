//! The graph model: nodes made of rows, relationships owned by the row that makes them.
//!
//! [`GraphMutation`] is what a graph store applies; [`GraphProjector`] makes it of a change. Both
//! know nothing of a store: values stay JSON texts. Derived relationships have no projector of
//! their own, because they follow from the relationships that are in the store.

mod project;
#[cfg(test)]
mod tests;

use std::mem;
use std::sync::Arc;

pub use project::GraphProjector;

use super::Mutation;
use crate::change::{ProjectionId, Version};

/// Names a node or a relationship: the projection and the row that makes it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GraphKey {
    /// The projection.
    pub projection: ProjectionId,
    /// The row's key: the JSON array of its values, in the order of the table's key.
    pub row: Arc<str>,
}

/// A column's canonical JSON text.
pub type Json = Box<str>;

/// Values in the order of a pattern's properties.
pub type Values = Box<[Json]>;

/// A wanted effect on one node or relationship.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphMutation {
    /// Which one.
    pub key: GraphKey,
    /// The version it gets, or is deleted at.
    pub version: Version,
    /// What becomes of it.
    pub action: Action,
}

/// What becomes of a node or relationship.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// The row's node has these properties.
    UpsertNode {
        /// The merge key.
        key: Values,
        /// The other properties.
        properties: Properties,
    },
    /// The row has no node.
    DeleteNode {
        /// The merge key.
        key: Values,
    },
    /// The row's relationship leads from one node to the other.
    UpsertRelationship {
        /// The merge key of the node it starts from.
        start: Values,
        /// The merge key of the node it leads to.
        end: Values,
        /// Its own properties.
        properties: Properties,
    },
    /// The row has no relationship.
    DeleteRelationship,
}

/// Property values in the order of the projection's pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Properties {
    /// `None` where the column was not sent (D5): what the store has stays.
    pub values: Box<[Option<Json>]>,
    /// From which version on what the store has under this key is of this row, when the row begins
    /// with a change that came without a value: what is older is an earlier row's.
    pub since: Option<Version>,
}

impl Properties {
    /// Whether a column was not sent.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.values.contains(&None)
    }

    /// Lays these, newer ones, over the older.
    fn over(&mut self, older: Self) {
        for (new, old) in self.values.iter_mut().zip(older.values) {
            if new.is_none() {
                *new = old;
            }
        }
        self.since = older.since.filter(|_| self.is_partial());
    }

    fn bytes(&self) -> usize {
        let known = self.values.iter().flatten();
        known.map(|json| json.len() + PER_VALUE).sum()
    }
}

/// What a value, and what a mutation takes beside its text: markers, lengths, key, version.
const PER_VALUE: usize = 8;
const PER_MUTATION: usize = 64;

impl Action {
    fn properties_mut(&mut self) -> Option<&mut Properties> {
        match self {
            Self::UpsertNode { properties, .. } | Self::UpsertRelationship { properties, .. } => {
                Some(properties)
            }
            Self::DeleteNode { .. } | Self::DeleteRelationship => None,
        }
    }

    fn into_properties(self) -> Option<Properties> {
        match self {
            Self::UpsertNode { properties, .. } | Self::UpsertRelationship { properties, .. } => {
                Some(properties)
            }
            Self::DeleteNode { .. } | Self::DeleteRelationship => None,
        }
    }

    fn bytes(&self) -> usize {
        let text =
            |values: &Values| -> usize { values.iter().map(|json| json.len() + PER_VALUE).sum() };
        match self {
            Self::UpsertNode { key, properties } => text(key) + properties.bytes(),
            Self::DeleteNode { key } => text(key),
            Self::UpsertRelationship {
                start,
                end,
                properties,
            } => text(start) + text(end) + properties.bytes(),
            Self::DeleteRelationship => 0,
        }
    }
}

impl Mutation for GraphMutation {
    type Key = GraphKey;

    fn key(&self) -> &GraphKey {
        &self.key
    }

    fn version(&self) -> Version {
        self.version
    }

    fn projection(&self) -> ProjectionId {
        self.key.projection
    }

    fn merge(&mut self, newer: Self) {
        let since = newer.version;
        let older = mem::replace(self, newer);
        let Some(properties) = self.action.properties_mut() else {
            return;
        };
        // A row that begins owes nothing to what was under its key before.
        if !properties.is_partial() || properties.since.is_some() {
            return;
        }
        match older.action.into_properties() {
            Some(older) => properties.over(older),
            // The delete that this stands for would have left nothing to keep.
            None => properties.since = Some(since),
        }
    }

    fn bytes(&self) -> usize {
        PER_MUTATION + self.key.row.len() + self.action.bytes()
    }
}
