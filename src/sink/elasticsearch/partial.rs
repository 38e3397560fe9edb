//! Completes partial documents from those in the index (D5), a bounded number at a time.
//!
//! `_update` cannot carry an external version, so the missing fields are read (`_mget`, which sees
//! writes before a refresh), merged here and indexed with the version like any other document.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Target;
use super::bulk::push_string;
use super::response::{ItemError, unintelligible};
use crate::change::Version;
use crate::projector::document::{Body, Partial, fill};
use crate::sink::{Outage, OutageKind, Outcome, Rejection};

/// How many bytes of documents one read may bring, unless a single document is larger.
pub(super) const RESERVE: usize = 4 << 20;
/// How many documents are completed at once, at most and at the start.
const MOST: usize = 1000;
pub(super) const FIRST: usize = 32;

/// The body of a `_mget`.
pub(super) struct Reads(Vec<u8>);

impl Default for Reads {
    fn default() -> Self {
        Self(b"{\"docs\":[".to_vec())
    }
}

impl Reads {
    /// Asks for one document more.
    pub(super) fn push(&mut self, target: &Target, id: &str) {
        if !self.0.ends_with(b"[") {
            self.0.push(b',');
        }
        self.0.extend_from_slice(b"{\"_index\":");
        self.0.extend_from_slice(target.quoted_alias.as_bytes());
        self.0.extend_from_slice(b",\"_id\":");
        push_string(&mut self.0, id);
        self.0.push(b'}');
    }

    /// The body.
    pub(super) fn finish(mut self) -> Bytes {
        self.0.extend_from_slice(b"]}");
        self.0.into()
    }
}

#[derive(Deserialize)]
struct MgetReply<'a> {
    #[serde(borrow)]
    docs: Vec<Got<'a>>,
}

/// One document of a `_mget`, as it is in the index.
#[derive(Deserialize)]
pub(super) struct Got<'a> {
    #[serde(default)]
    found: bool,
    #[serde(rename = "_version", default)]
    version: i64,
    #[serde(borrow, rename = "_source")]
    source: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<ItemError<'a>>,
}

/// The documents of a `_mget` of `expected`, in order.
///
/// # Errors
/// When the answer is not one for each.
pub(super) fn read(body: &[u8], expected: usize) -> Result<Vec<Got<'_>>, Outage> {
    let reply: MgetReply<'_> = serde_json::from_slice(body).map_err(|_| unintelligible("_mget"))?;
    if reply.docs.len() != expected {
        return Err(Outage::new(
            OutageKind::Unreachable,
            format!("{} answers to {expected} reads", reply.docs.len()),
        ));
    }
    Ok(reply.docs)
}

/// What a partial document came to.
pub(super) enum Completed {
    /// This is to be indexed; `false` when fields are still missing, because nobody has them.
    Index(Body, bool),
    /// Nothing is to be written.
    Settled(Outcome),
}

/// Completes `partial`, which is to have `version`, from what the index holds of it.
pub(super) fn complete(partial: &Partial, version: Version, found: &Got<'_>) -> Completed {
    if let Some(error) = &found.error {
        return Completed::Settled(Outcome::Failed(error.of_read()));
    }
    if found.found && found.version > version.get() {
        return Completed::Settled(Outcome::Stale);
    }
    let is_of_this_row = partial.since.is_none_or(|it| found.version >= it.get());
    if !found.found || !is_of_this_row {
        return Completed::Index(partial.known.clone(), false);
    }
    let Some(source) = found.source else {
        return Completed::Settled(Outcome::Rejected(no_source()));
    };
    match fill(&partial.known, &partial.missing, source.get()) {
        Ok((known, missing)) => Completed::Index(known, missing.is_empty()),
        Err(_) => Completed::Settled(Outcome::Failed(unintelligible("_mget"))),
    }
}

fn no_source() -> Rejection {
    Rejection::new(
        "no_source",
        "the row came without its unchanged large columns, and the index keeps no _source to take \
         them from; enable _source or set REPLICA IDENTITY FULL on the table",
    )
}

/// How many documents to read at once after `limit`, when the last `count` came to `bytes`.
pub(super) fn next_chunk(limit: usize, count: usize, bytes: usize) -> usize {
    let each = (bytes / count.max(1)).max(1);
    // Grows in steps: the next documents may be larger than the last.
    (RESERVE / each).clamp(1, MOST.min(limit.saturating_mul(4)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_documents_are_read_few_at_a_time_and_small_ones_ever_more() {
        assert_eq!(next_chunk(FIRST, FIRST, FIRST * 500), FIRST * 4);
        assert_eq!(next_chunk(MOST, 1, 500), MOST);
        assert_eq!(next_chunk(FIRST, FIRST, FIRST << 20), 4);
        assert_eq!(next_chunk(4, 1, RESERVE * 3), 1);
        assert_eq!(next_chunk(1, 0, 0), 4);
    }
}
