//! What the projections of a sink make, by projection.

use std::collections::{BTreeMap, BTreeSet};

use super::GraphProjection;
use super::derived::DerivedTarget;
use super::node::NodeTarget;
use super::pattern::KeyPattern;
use super::relationship::RelationshipTarget;
use super::schema::Rule;
use crate::change::ProjectionId;
use crate::config::ProjectionKind;

/// What the projections make.
#[derive(Default)]
pub(super) struct Targets {
    pub(super) names: BTreeMap<ProjectionId, String>,
    pub(super) tables: BTreeMap<ProjectionId, String>,
    pub(super) nodes: BTreeMap<ProjectionId, NodeTarget>,
    pub(super) relationships: BTreeMap<ProjectionId, RelationshipTarget>,
    pub(super) derived: Vec<DerivedTarget>,
}

/// Why a projection of a mutation is among the targets.
const OWN: &str = "a sink is only given mutations of its own projections";

impl Targets {
    pub(super) fn add(&mut self, projection: &GraphProjection<'_>) {
        let id = projection.id;
        match projection.kind {
            ProjectionKind::Node(node) => {
                let target = NodeTarget::new(&node.node, projection.key);
                self.nodes.insert(id, target);
            }
            ProjectionKind::Relationship(relationship) => {
                self.relationships
                    .insert(id, RelationshipTarget::new(relationship));
            }
            ProjectionKind::Derived(derived) => {
                self.derived
                    .push(DerivedTarget::new(projection.name, derived));
            }
            ProjectionKind::Document(_) | ProjectionKind::Cache(_) => return,
        }
        self.names.insert(id, projection.name.to_owned());
        if let Some(table) = &projection.table {
            self.tables.insert(id, table.clone());
        }
    }

    pub(super) fn name(&self, id: ProjectionId) -> &str {
        self.names.get(&id).expect(OWN)
    }

    pub(super) fn node(&self, id: ProjectionId) -> &NodeTarget {
        self.nodes.get(&id).expect(OWN)
    }

    pub(super) fn relationship(&self, id: ProjectionId) -> &RelationshipTarget {
        self.relationships.get(&id).expect(OWN)
    }

    pub(super) fn rules(&self) -> BTreeSet<Rule> {
        let ends = self
            .relationships
            .values()
            .flat_map(|it| [&it.start, &it.end]);
        let patterns: BTreeSet<&KeyPattern> = self
            .nodes
            .values()
            .map(|it| &it.pattern)
            .chain(ends)
            .collect();
        let kinds = self.relationships.values().map(|it| Rule::Relationship {
            kind: it.kind.clone(),
        });
        let nodes = patterns.into_iter().map(Rule::node);
        nodes.chain(kinds).chain(Rule::own()).collect()
    }
}
