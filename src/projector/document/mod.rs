//! The document model: one document for each row.
//!
//! Owns what a document mutation is ([`Document`]) and how two of them become one; how a row
//! becomes a body is in `fields`, the projector itself in `project`. A body is JSON text on one
//! line, put together from slices of the record: no value is parsed on the way.
//!
//! The surprising case is [`Partial`]: a row with columns that Debezium did not send. What such a
//! row lacks may only be taken from a document of *the same life of the row*, hence its `since`. The
//! document of the key that a row had before is none: what it holds while the new one is written may
//! be older than the change of the key, or another row's by then, since keys of different partitions
//! are in no order.

mod fields;
mod fill;
mod path;
mod project;

use std::sync::Arc;

pub use fields::{Body, MissingField};
pub(crate) use fill::fill;
pub use project::DocumentProjector;

use super::Mutation;
use crate::change::{ProjectionId, Version};

/// Names a document within its store.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DocumentKey {
    /// The projection; an alias belongs to one only.
    pub projection: ProjectionId,
    /// The row's key: of one column its text, of several the JSON array of their values.
    pub id: Arc<str>,
}

/// A wanted effect on one document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Which document.
    pub key: DocumentKey,
    /// The version it gets, or is deleted at.
    pub version: Version,
    /// What becomes of it.
    pub action: Action,
}

/// What becomes of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// This is its body from now on.
    Index(Body),
    /// As `Index`, but some fields have to be taken from the document as it is.
    Partial(Partial),
    /// It goes.
    Delete,
}

/// A row of which some columns were not sent (D5: unchanged TOASTed values).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partial {
    /// The fields that are known.
    pub known: Body,
    /// The names of the others; never empty.
    pub missing: Vec<MissingField>,
    /// Documents below this version are of an earlier row with the same key: nothing may be taken
    /// from them. `None`: the row lived on, any document below the mutation's version will do.
    pub since: Option<Version>,
}

impl Mutation for Document {
    type Key = DocumentKey;

    fn key(&self) -> &DocumentKey {
        &self.key
    }

    fn version(&self) -> Version {
        self.version
    }

    fn projection(&self) -> ProjectionId {
        self.key.projection
    }

    fn merge(&mut self, newer: Self) {
        if newer.version < self.version {
            return;
        }
        let older = std::mem::replace(&mut self.action, Action::Delete);
        self.action = newer.action.after(older, self.version);
        self.version = newer.version;
    }

    fn bytes(&self) -> usize {
        /// The action line without index name, id and the digits of the version, and two newlines.
        const ACTION_LINE: usize = 96;
        let body = match &self.action {
            Action::Index(body) => body.len(),
            Action::Partial(partial) => partial.known.len(),
            Action::Delete => 0,
        };
        ACTION_LINE + self.key.id.len() + body
    }
}

impl Action {
    /// What this action comes to where `older`, of an earlier `version`, was still to be done.
    fn after(self, older: Self, version: Version) -> Self {
        match self {
            Self::Partial(partial) => partial.after(older, version),
            whole => whole,
        }
    }
}

impl Partial {
    fn after(mut self, older: Action, version: Version) -> Action {
        // With `since`, this is the first of a new row: what came before it is of no use.
        if self.since.is_some() {
            return Action::Partial(self);
        }
        match older {
            // Not across a pending delete: what the store holds is older than the delete.
            Action::Delete => {
                self.since = Some(version);
                Action::Partial(self)
            }
            // The older body is the whole row as it was; what it lacks nobody has.
            Action::Index(body) => {
                self.fill(&body);
                Action::Index(self.known)
            }
            Action::Partial(older) => {
                self.fill(&older.known);
                if self.missing.is_empty() {
                    return Action::Index(self.known);
                }
                self.since = older.since;
                Action::Partial(self)
            }
        }
    }

    /// Takes from `base`, a JSON object, what it has of the missing fields.
    fn fill(&mut self, base: &Body) {
        // A body was put together from valid JSON values; one that does not parse fills nothing.
        if let Ok((known, missing)) = fill(&self.known, &self.missing, base.as_str()) {
            self.known = known;
            self.missing = missing;
        }
    }
}

#[cfg(test)]
mod tests;
