//! What each projection makes: documents, cache keys, nodes, relationships.
//!
//! Plain data, checked by loading: tables exist, templates compile, labels agree with each other.

use std::path::PathBuf;

use crate::change::TableId;

/// What one table's changes become in one store.
#[derive(Debug, Clone)]
pub struct Projection {
    /// The projection's name.
    pub name: String,
    /// The sink's name.
    pub sink: String,
    /// What it makes.
    pub kind: ProjectionKind,
}

/// What a projection makes.
#[derive(Debug, Clone)]
pub enum ProjectionKind {
    /// One document for each row.
    Document(Document),
    /// Cache keys that a change makes stale.
    Cache(Cache),
    /// One node for each row.
    Node(Node),
    /// One relationship for each row.
    Relationship(Relationship),
    /// A relationship that follows from a path of others.
    Derived(Derived),
}

impl ProjectionKind {
    /// The table that feeds it; a derived relationship has none of its own.
    #[must_use]
    pub fn from(&self) -> Option<TableId> {
        match self {
            Self::Document(it) => Some(it.from),
            Self::Cache(it) => Some(it.from),
            Self::Node(it) => Some(it.from),
            Self::Relationship(it) => Some(it.from),
            Self::Derived(_) => None,
        }
    }
}

/// One document for each row; its id is the key.
#[derive(Debug, Clone)]
pub struct Document {
    /// The table.
    pub from: TableId,
    /// The alias that is written through.
    pub alias: String,
    /// The index's settings and mappings; the cluster's defaults when `None`.
    pub settings: Option<IndexSettings>,
    /// The fields; every column under its own name when `None`.
    pub fields: Option<Vec<Field>>,
    /// A condition on the row; false deletes the document.
    pub when: Option<String>,
}

/// The body an index is created with.
#[derive(Debug, Clone, PartialEq)]
pub struct IndexSettings {
    /// The file.
    pub path: PathBuf,
    /// Its content when the configuration was loaded, an object.
    pub content: serde_json::Value,
}

/// One field of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The field's name in the document.
    pub name: String,
    /// The column.
    pub column: String,
    /// The way into the column's JSON value; empty for the whole column.
    pub path: Vec<String>,
}

/// Cache keys that a change makes stale.
#[derive(Debug, Clone)]
pub struct Cache {
    /// The table.
    pub from: TableId,
    /// The keys.
    pub invalidate: Vec<Invalidation>,
}

/// One key, or one for the old and one for the new row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalidation {
    /// The key's template.
    pub key: String,
    /// Only where this holds, for the old or the new row.
    pub when: Option<String>,
}

/// One node for each row.
#[derive(Debug, Clone)]
pub struct Node {
    /// The table.
    pub from: TableId,
    /// The pattern `(:Label {!key, property, name: column})`.
    pub node: NodePattern,
    /// A condition on the row; false removes the node.
    pub when: Option<String>,
}

/// A label and its properties.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodePattern {
    /// The label.
    pub label: String,
    /// The properties marked `!`: the merge key.
    pub key: Vec<Property>,
    /// The others.
    pub properties: Vec<Property>,
}

/// A property and the column it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Property {
    /// The property's name.
    pub name: String,
    /// The column.
    pub column: String,
}

/// One relationship for each row, owned by that row.
#[derive(Debug, Clone)]
pub struct Relationship {
    /// The table.
    pub from: TableId,
    /// Where it starts; its properties are all merge keys.
    pub start: NodePattern,
    /// The relationship's type.
    pub kind: String,
    /// The relationship's own properties.
    pub properties: Vec<Property>,
    /// Where it ends.
    pub end: NodePattern,
    /// A condition on the row; false removes the relationship.
    pub when: Option<String>,
}

/// A relationship that exists while a path does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Derived {
    /// The label at the path's start.
    pub start: String,
    /// The derived relationship's type.
    pub kind: String,
    /// The label at the path's end.
    pub end: String,
    /// The path's steps, from start to end, all forward.
    pub path: Vec<Step>,
}

/// One step of a path: `(:from)-[:kind]->(:to)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The label it starts from.
    pub from: String,
    /// The relationship's type.
    pub kind: String,
    /// The label it leads to.
    pub to: String,
}
