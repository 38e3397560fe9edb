//! The configuration tree, as the program uses it: loaded, validated, with every default filled in.
//!
//! The types here are plain data.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::change::{ProjectionId, TableId};

/// One pipeline: one consumer group and all it feeds.
#[derive(Debug, Clone)]
pub struct Config {
    /// The pipeline's name, a label of its metrics and markers.
    pub pipeline: String,
    /// Where records come from.
    pub source: Source,
    /// The tables, [`TableId`] is the index.
    pub tables: Vec<Table>,
    /// The stores by name.
    pub sinks: BTreeMap<String, Sink>,
    /// The projections, [`ProjectionId`] is the index.
    pub projections: Vec<Projection>,
    /// What becomes of a record that can never be applied.
    pub on_poison: OnPoison,
    /// Bytes that one group may hold from poll to acknowledgement.
    pub budget: u64,
    /// Where `/metrics`, `/livez` and `/readyz` are served.
    pub listen: SocketAddr,
    /// How long a revoke or a stop waits for what is in flight.
    pub drain_timeout: Duration,
}

impl Config {
    /// The table of an id.
    #[must_use]
    pub fn table(&self, id: TableId) -> &Table {
        &self.tables[usize::from(id.0)]
    }

    /// The projection of an id.
    #[must_use]
    pub fn projection(&self, id: ProjectionId) -> &Projection {
        &self.projections[usize::from(id.0)]
    }
}

/// The Kafka side.
#[derive(Debug, Clone)]
pub struct Source {
    /// `host:port` of some brokers.
    pub brokers: Vec<String>,
    /// The consumer group; with [`Groups::PerSink`] the prefix of one group for each sink.
    pub group: String,
    /// How progress is divided.
    pub groups: Groups,
    /// Which rebalance protocol the group speaks.
    pub protocol: Protocol,
    /// TLS and SASL; plain text when absent.
    pub security: Option<Security>,
    /// Further librdkafka settings, already checked against those that would break a guarantee.
    pub properties: BTreeMap<String, String>,
}

/// One group for all sinks, or one for each (D1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Groups {
    /// All sinks behind one group: the slowest decides the commit.
    Shared,
    /// A group for each sink, `<group>.<sink>`.
    PerSink,
}

/// The group's rebalance protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// The classic protocol; cooperative-sticky unless `properties` names another assignor.
    Classic,
    /// KIP-848, Kafka 4 and later.
    Consumer,
}

/// How the connection to Kafka is protected.
#[derive(Debug, Clone)]
pub struct Security {
    /// `ssl`, `sasl_ssl` or `sasl_plaintext`.
    pub protocol: String,
    /// The SASL mechanism, `plain`, `scram-sha-256` or `scram-sha-512`.
    pub mechanism: Option<String>,
    /// The SASL user.
    pub username: Option<String>,
    /// The SASL password.
    pub password: Option<Secret>,
    /// A PEM file of the certificate authority.
    pub ca: Option<PathBuf>,
}

/// Where a secret is kept (D12). It is read when it is needed, never by validation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Secret {
    /// A file; one trailing newline is no part of the secret.
    File(PathBuf),
    /// An environment variable.
    Env(String),
}

/// One table of Postgres, known by the name that the configuration gives it.
#[derive(Debug, Clone)]
pub struct Table {
    /// The configuration's name.
    pub name: String,
    /// Postgres' schema, `source.schema` of the envelope.
    pub schema: String,
    /// Postgres' table, `source.table` of the envelope.
    pub table: String,
    /// The topic.
    pub topic: String,
    /// The columns of the record key.
    pub key: Vec<String>,
    /// Whether `before` images can be trusted.
    pub full_identity: bool,
    /// Columns whose JSON text becomes a JSON value.
    pub json: Vec<String>,
    /// The life of the topic: the upper bits of versions.
    pub epoch: u16,
    /// What a truncate does.
    pub on_truncate: OnTruncate,
}

/// What a truncate does (D11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnTruncate {
    /// Stop with exit code 65 and say the ways past it.
    Stop,
    /// Count it and go on.
    Ignore,
    /// Delete everything of an older version; only on topics of one partition.
    Apply,
}

/// A store.
#[derive(Debug, Clone)]
pub enum Sink {
    /// Documents.
    Elasticsearch(Elasticsearch),
    /// Cache keys.
    Redis(Redis),
    /// Nodes and relationships.
    Neo4j(Neo4j),
}

/// An Elasticsearch cluster.
#[derive(Debug, Clone)]
pub struct Elasticsearch {
    /// The base URL.
    pub url: String,
    /// How to authenticate.
    pub credentials: Option<Credentials>,
    /// A PEM file of the certificate authority.
    pub ca: Option<PathBuf>,
    /// How long the index remembers the versions of deleted documents (`index.gc_deletes`).
    pub gc_deletes: Duration,
    /// Bounds of one bulk request.
    pub batch: Batch,
    /// How many bulk requests may be under way.
    pub in_flight: usize,
}

/// Who we are to a store.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// A base64 API key (Elasticsearch).
    ApiKey(Secret),
    /// User name and password.
    Basic {
        /// The user.
        username: String,
        /// The password.
        password: Secret,
    },
}

/// A Redis server.
#[derive(Debug, Clone)]
pub struct Redis {
    /// `redis://host:port/db` or `rediss://…`.
    pub url: String,
    /// User and password.
    pub credentials: Option<Credentials>,
    /// A PEM file of the certificate authority.
    pub ca: Option<PathBuf>,
    /// When the keys are unlinked a second time; zero turns it off.
    pub second_unlink_after: Duration,
    /// Bounds of one pipeline.
    pub batch: Batch,
}

/// A Neo4j database.
#[derive(Debug, Clone)]
pub struct Neo4j {
    /// `bolt://host:port` or `bolt+s://…`.
    pub uri: String,
    /// The database.
    pub database: String,
    /// The user.
    pub username: String,
    /// The password.
    pub password: Secret,
    /// Whether missing uniqueness constraints are created, or refused with the statement to run.
    pub create_constraints: bool,
    /// Bounds of one transaction.
    pub batch: Batch,
}

/// Bounds of one write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    /// Mutations.
    pub max_items: usize,
    /// Bytes, as [`Mutation::bytes`](crate::projector::Mutation::bytes) counts them.
    pub max_bytes: usize,
}

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
    /// A file with the index's settings and mappings.
    pub settings: Option<PathBuf>,
    /// The fields; every column under its own name when `None`.
    pub fields: Option<Vec<Field>>,
    /// A condition on the row; false deletes the document.
    pub when: Option<String>,
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

/// What becomes of a record that can never be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OnPoison {
    /// It is written to this topic, and acknowledged after that.
    DeadLetter {
        /// The topic.
        topic: String,
    },
    /// The process stops with exit code 65.
    Stop,
}
