//! A partition that is ours, as the poll thread sees it.

use super::compaction::Compaction;
use super::{Assigned, CommitNote, Generation, NextOffset};

/// See the module.
pub(super) struct Owned {
    pub(super) generation: Generation,
    /// Where the assignment began.
    pub(super) start: NextOffset,
    /// One past the last record delivered to the pipeline.
    pub(super) delivered: i64,
    /// What was told to be committed last.
    pub(super) stored: Option<(NextOffset, CommitNote)>,
    /// Where the topic is compacted.
    pub(super) compaction: Option<Compaction>,
}

impl Owned {
    /// A partition from which nothing was read yet; `keeps_ms` is `delete.retention.ms` where its
    /// topic is compacted.
    pub(super) fn new(assigned: &Assigned, keeps_ms: Option<i64>) -> Self {
        let start = assigned.start;
        Self {
            generation: assigned.generation,
            start,
            delivered: start.get(),
            stored: assigned.note.clone().map(|note| (start, note)),
            compaction: keeps_ms.map(|it| Compaction::new(it, assigned.as_of)),
        }
    }
}
