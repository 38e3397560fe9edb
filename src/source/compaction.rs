//! How long a compacted topic may be left (D3).
//!
//! Kafka's rule (`delete.retention.ms` in `TopicConfig`, KIP-534): the cleaner keeps a tombstone for
//! that long after it has first cleaned it, which is never before it was appended; then it is gone,
//! and a reader that had not come to it never hears of the delete.
//!
//! Ours: what a partition's stores hold is *as of* some time, when they held what the log held, or
//! nothing. A delete that matters to them was first cleaned after that, so what is read within
//! `delete.retention.ms` of it is whole. Later, a gap in the offsets may have been a delete. Where
//! there is no gap nothing was removed, however long the topic was left.
//!
//! A time is taken from each record read (what lies behind it was appended later), from a broker
//! that has nothing beyond the commit, and from a first start, which one on filled stores is not:
//! there nobody knows, and it counts as long ago. Whether a gap held a delete, or only
//! what a later record replaced, or the marker of a transaction, cannot be known: it stops the
//! pipeline all the same, and only where it is that old. The clocks of producers, brokers and this
//! process must agree as far as `delete.retention.ms` matters.

use std::ops::Range;
use std::time::Duration;

use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::statistics::Partition as Statistics;

use super::kafka::Poller;
use super::{CommitNote, NextOffset, Partition};
use crate::clock::now_ms;

/// How long the poll thread may wait for one watermark.
const ASK_TIMEOUT: Duration = Duration::from_millis(200);

/// The commit of a partition at rest is renewed so many times within `delete.retention.ms`, so that
/// a group that was always there is not taken for one that was away.
const RENEWALS: i64 = 10;

/// A partition whose topic is compacted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Compaction {
    /// `delete.retention.ms`.
    keeps_ms: i64,
    /// See the module; `None` where nothing tells.
    as_of: Option<i64>,
}

/// Offsets that were removed before they were read, deletes perhaps among them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Removed {
    pub(super) gap: Range<i64>,
    /// `delete.retention.ms`.
    pub(super) keeps_ms: i64,
    /// As of when everything before the gap was read, in ms since the Unix epoch.
    pub(super) as_of_ms: i64,
}

impl Compaction {
    pub(super) fn new(keeps_ms: i64, as_of: Option<i64>) -> Self {
        Self { keeps_ms, as_of }
    }

    /// A record was read, or nothing lay beyond what was.
    pub(super) fn saw(&mut self, time_ms: i64) {
        self.as_of = self.as_of.max(Some(time_ms));
    }

    pub(super) fn as_of(&self) -> Option<i64> {
        self.as_of
    }

    /// Everything before the gap was read, and nothing in it is there.
    ///
    /// # Errors
    /// When it is so late that deletes may have been in the gap.
    pub(super) fn pass(&self, gap: Range<i64>, now_ms: i64) -> Result<(), Removed> {
        let keeps_ms = self.keeps_ms;
        match self.as_of {
            Some(as_of_ms) if !gap.is_empty() && now_ms.saturating_sub(as_of_ms) > keeps_ms => {
                Err(Removed {
                    gap,
                    keeps_ms,
                    as_of_ms,
                })
            }
            _ => Ok(()),
        }
    }

    fn is_to_be_renewed(&self, now_ms: i64) -> bool {
        self.as_of
            .is_none_or(|as_of| now_ms.saturating_sub(as_of) > self.keeps_ms / RENEWALS)
    }
}

impl Poller {
    /// Whether a partition is at rest by the statistics, and its commit grows old.
    pub(super) fn is_to_be_renewed(&self, partition: Partition, statistics: &Statistics) -> bool {
        let owned = self.owned.get(&partition);
        owned.is_some_and(|it| {
            let compaction = it.compaction.as_ref();
            let committed = it.stored.as_ref().map(|(next, _)| next.get());
            committed.is_some_and(|next| next >= statistics.hi_offset)
                && compaction.is_some_and(|it| it.is_to_be_renewed(now_ms()))
        })
    }

    /// Commits the same offset once more with a later time, if nothing lies beyond it.
    pub(super) fn renew(&mut self, partition: Partition) {
        let topic = self.group.topic(partition).to_owned();
        let asked_at = now_ms();
        let marks = self
            .group
            .consumer
            .fetch_watermarks(&topic, partition.number, ASK_TIMEOUT);
        let Ok((_, high)) = marks else {
            return;
        };
        let Some(owned) = self.owned.get_mut(&partition) else {
            return;
        };
        let at_rest = |it: &&mut (NextOffset, CommitNote)| it.0.get() >= high;
        let (Some(compaction), Some((next, note))) =
            (&mut owned.compaction, owned.stored.as_mut().filter(at_rest))
        else {
            return;
        };
        compaction.saw(asked_at);
        note.as_of = compaction.as_of();
        let commit = [(partition, *next, note.clone())];
        // Not by way of the store: librdkafka commits from there only what is higher than before.
        let renewed = self
            .group
            .offsets(&commit)
            .and_then(|list| self.group.consumer.commit(&list, CommitMode::Async));
        if let Err(error) = renewed {
            tracing::debug!(%error, "the commit of a partition at rest was not renewed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_within_the_time_that_deletes_are_kept_lost_none() {
        let read = Compaction::new(1000, Some(5000));
        assert_eq!(read.pass(3..5, 6000), Ok(()));
        let lost = Removed {
            gap: 3..5,
            keeps_ms: 1000,
            as_of_ms: 5000,
        };
        assert_eq!(read.pass(3..5, 6001), Err(lost));
    }

    #[test]
    fn where_nothing_is_missing_nothing_was_lost_however_late_it_is() {
        assert_eq!(Compaction::new(1000, Some(0)).pass(3..3, i64::MAX), Ok(()));
    }

    #[test]
    fn what_is_read_on_the_way_and_a_log_without_more_bring_the_time_forward_never_back() {
        let mut read = Compaction::new(1000, Some(5000));
        read.saw(7000);
        read.saw(100);
        assert_eq!(read.as_of(), Some(7000));
    }

    #[test]
    fn where_nothing_tells_a_time_nothing_is_held_against_a_gap() {
        assert_eq!(Compaction::new(1000, None).pass(3..5, i64::MAX), Ok(()));
    }

    #[test]
    fn a_commit_at_rest_is_renewed_long_before_deletes_go() {
        let read = Compaction::new(1000, Some(5000));
        assert!(!read.is_to_be_renewed(5100));
        assert!(read.is_to_be_renewed(5101));
        assert!(Compaction::new(1000, None).is_to_be_renewed(0));
    }
}
