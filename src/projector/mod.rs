//! The first seam that people extend: a projector is a model (document, cache, graph).
//!
//! A projector turns one change into mutations of its model. It is synchronous and pure: no clock,
//! no network, no state but caches, so that what is explained or tested is what runs.

pub mod cache;
pub mod document;
pub mod graph;
#[cfg(test)]
mod tests;

use std::hash::Hash;

use crate::change::{Change, ProjectionId, Version};

/// Turns changes of one table into mutations of one model, as one configured projection says.
///
/// Called by the pipeline task, in the order of each partition; and, one record at a time, where a
/// store's rejection is looked into.
pub trait Projector: Send + Sync + 'static {
    /// What the model's stores can apply.
    type Mutation: Mutation;

    /// Appends what `change` means for the model; may append nothing.
    ///
    /// # Errors
    /// [`ProjectError`] when the change can never be projected (poison): the record goes to the
    /// dead letters, whatever this call appended is discarded.
    fn project(
        &self,
        change: &Change<'_>,
        out: &mut Vec<Self::Mutation>,
    ) -> Result<(), ProjectError>;
}

/// A wanted effect on one target: a document, a cache key, a node, a relationship.
pub trait Mutation: Send + Sync + 'static {
    /// Names the target within the sink. Two mutations of equal keys are coalesced while they wait.
    type Key: Eq + Hash + Clone + Send + Sync;

    /// The target.
    fn key(&self) -> &Self::Key;

    /// The change's version; the store refuses it where a higher one is there already.
    fn version(&self) -> Version;

    /// The projection that asked for it.
    fn projection(&self) -> ProjectionId;

    /// Makes this waiting mutation stand for itself and the `newer` one of the same key. A partial
    /// mutation is merged column by column, anything else is replaced.
    fn merge(&mut self, newer: Self);

    /// Roughly what the mutation takes on the wire, in bytes: what batches are bounded by.
    fn bytes(&self) -> usize;
}

/// Why a change can never be projected.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ProjectError {
    /// A column that a key, a condition or a relationship end reads was not sent.
    #[error(
        "column `{column}` of table `{table}` is an unchanged TOASTed value that Debezium did not \
         send, and {reader} needs it; run ALTER TABLE {table} REPLICA IDENTITY FULL"
    )]
    Unavailable {
        /// The table, as SQL names it.
        table: String,
        /// The column.
        column: String,
        /// What reads it: "the key template `product:{{ … }}`", "the condition", …
        reader: String,
    },
    /// A column that the projection names is not in the row.
    #[error("table `{table}` sent no column `{column}`, which {reader} needs")]
    MissingColumn {
        /// The table, as SQL names it.
        table: String,
        /// The column.
        column: String,
        /// What reads it.
        reader: String,
    },
    /// A value that the model cannot hold, or an expression that fails on this row.
    #[error("{reader} cannot use this row: {reason}")]
    Unusable {
        /// What reads it.
        reader: String,
        /// Why, without the row's values.
        reason: String,
    },
}

impl ProjectError {
    /// A name with few distinct values, for metrics and dead letters.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unavailable { .. } => "unavailable_column",
            Self::MissingColumn { .. } => "missing_column",
            Self::Unusable { .. } => "unusable_row",
        }
    }
}
