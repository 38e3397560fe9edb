//! Where documents go: a projection's alias, and the ids that Elasticsearch takes.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::change::ProjectionId;
use crate::config::{self, IndexSettings};
use crate::projector::document::{Action, Document};
use crate::sink::{Outage, OutageKind, Outcome, Rejection};

/// An id may not be longer, in bytes of UTF-8 (Elasticsearch). Checked here, because Elasticsearch
/// refuses the whole request for one such id.
const MAX_ID_BYTES: usize = 512;

/// One projection of this sink, as its configuration has it.
#[derive(Debug, Clone)]
pub struct DocumentProjection<'a> {
    /// Its id.
    pub id: ProjectionId,
    /// Its name.
    pub name: &'a str,
    /// The table that feeds it, as SQL names it.
    pub table: String,
    /// What it makes.
    pub document: &'a config::Document,
}

/// Where the documents of one projection go.
pub(super) struct Target {
    pub(super) projection: ProjectionId,
    pub(super) name: String,
    table: String,
    pub(super) alias: String,
    /// The alias as a JSON string.
    pub(super) quoted_alias: String,
    pub(super) settings: Option<IndexSettings>,
    /// The index that the alias led to when its marker was looked at.
    index: OnceLock<String>,
    warned: AtomicBool,
}

impl Target {
    /// Where this projection's documents go.
    pub(super) fn new(projection: &DocumentProjection<'_>) -> Self {
        let document = projection.document;
        Self {
            projection: projection.id,
            name: projection.name.to_owned(),
            table: projection.table.clone(),
            alias: document.alias.clone(),
            quoted_alias: Value::from(document.alias.as_str()).to_string(),
            settings: document.settings.clone(),
            index: OnceLock::new(),
            warned: AtomicBool::new(false),
        }
    }

    /// Remembers which index the alias leads to.
    ///
    /// # Errors
    /// As for [`Self::check`].
    pub(super) fn settle(&self, index: &str) -> Result<(), Outage> {
        self.index.get_or_init(|| index.to_owned());
        self.check(index)
    }

    /// Whether an operation that came to this index came to the right one. Another one may hold
    /// anything: its marker was not looked at, and older documents stay in the first.
    ///
    /// # Errors
    /// An outage that says where the alias led.
    pub(super) fn check(&self, index: &str) -> Result<(), Outage> {
        let Some(first) = self.index.get().filter(|first| *first != index) else {
            return Ok(());
        };
        let alias = &self.alias;
        let reason = format!(
            "the alias `{alias}` led to index `{first}` at the start, and what was written last came \
             to index `{index}`; have the alias lead to the first one alone again, or start again"
        );
        Err(Outage::new(OutageKind::Blocked, reason))
    }

    /// Says once that documents lack fields, because the change came without the column and no
    /// document had it (D5).
    pub(super) fn warn_of_incomplete(&self) {
        if !self.warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                projection = self.name,
                table = self.table,
                "wrote documents without large columns that Debezium did not send and no document \
                 had; run ALTER TABLE {} REPLICA IDENTITY FULL",
                self.table,
            );
        }
    }

    #[cfg(test)]
    pub(super) fn for_tests(alias: &str) -> Self {
        let document = config::Document {
            from: crate::change::TableId(0),
            alias: alias.to_owned(),
            settings: None,
            fields: None,
            when: None,
        };
        let projection = DocumentProjection {
            id: ProjectionId(0),
            name: alias,
            table: alias.to_owned(),
            document: &document,
        };
        Self::new(&projection)
    }
}

/// What can be said of a document before any request: Elasticsearch takes no such id, so there is
/// nothing to delete either.
pub(super) fn without_asking(document: &Document) -> Option<Outcome> {
    let id = &document.key.id;
    let kind = match id.len() {
        0 => "id_empty",
        1..=MAX_ID_BYTES => return None,
        _ => "id_too_long",
    };
    Some(match document.action {
        Action::Delete => Outcome::Written,
        _ => Outcome::Rejected(Rejection::new(
            kind,
            format!(
                "the id has {} bytes; 1 to {MAX_ID_BYTES} are allowed",
                id.len()
            ),
        )),
    })
}
