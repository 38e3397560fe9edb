//! The stores that are written to. Plain data; secrets are named here, never held.

use std::path::PathBuf;
use std::time::Duration;

use super::Secret;

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
