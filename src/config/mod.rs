//! The configuration tree, as the program uses it: loaded, validated, with every default filled in.
//!
//! The types here are plain data; [`load`] makes them from files, environment and command line.

mod fingerprint;
mod layer;
mod librdkafka;
mod load;
mod merged;
mod mistake;
mod pattern;
mod projection;
mod read;
mod secret;
mod sink;
mod source;
#[cfg(test)]
mod tests;
mod units;
mod values;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use crate::change::{ProjectionId, TableId};

pub use librdkafka::{RECONNECT_BACKOFF_MAX, SESSION_TIMEOUT};
pub use load::{Inputs, Loaded, load};
pub use mistake::{Mistake, Mistakes, Place, Severity};
pub use projection::{
    Cache, Derived, Document, Field, IndexSettings, Invalidation, Node, NodePattern, Projection,
    ProjectionKind, Property, Relationship, Step,
};
pub use secret::{Secret, SecretError};
pub use sink::{Batch, Credentials, Elasticsearch, Neo4j, Redis, Sink};
pub use source::{Groups, OnTruncate, Protocol, Security, Source, Table};

/// How long the commit after a drain may take (D14): a broker answers in milliseconds or has lost
/// its leader, which takes a few seconds to mend.
pub const COMMIT_DEADLINE: Duration = Duration::from_secs(5);

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

    /// The names of the sinks that a projection writes to. The others stay out of all that runs: of
    /// a store that nothing is written to it need not be asked whether it answers.
    pub fn used_sinks(&self) -> impl Iterator<Item = &String> {
        let is_used = |name: &&String| self.projections.iter().any(|it| it.sink == **name);
        self.sinks.keys().filter(is_used)
    }

    /// The consumer groups and the sinks behind each (D1).
    #[must_use]
    pub fn groups(&self) -> BTreeMap<String, Vec<String>> {
        let group = &self.source.group;
        let sinks = self.used_sinks().cloned();
        match self.source.groups {
            Groups::Shared => BTreeMap::from([(group.clone(), sinks.collect())]),
            Groups::PerSink => sinks
                .map(|sink| (format!("{group}.{sink}"), vec![sink]))
                .collect(),
        }
    }
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
