//! Offsets that can be committed, and the note that goes with them.
//!
//! Kafka commits the *next* offset to read, one past the last record done. [`NextOffset`] is that
//! number and nothing else can be committed, so the +1 is written in one place.

use serde::{Deserialize, Serialize};

/// The offset to read next: everything below it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NextOffset(i64);

impl NextOffset {
    /// The position after the record at `offset`.
    #[must_use]
    pub fn after(offset: i64) -> Self {
        Self(offset + 1)
    }

    /// A position that Kafka itself gave as the next one to read: a committed offset, a watermark,
    /// the end of a partition.
    #[must_use]
    pub fn given(position: i64) -> Self {
        Self(position)
    }

    /// The number as Kafka keeps it.
    #[must_use]
    pub fn get(self) -> i64 {
        self.0
    }
}

/// What is kept beside a committed offset (Kafka's commit metadata), so that a commit can be held
/// against the topic as it is when somebody starts from it (D3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitNote {
    /// The table's epoch.
    pub epoch: u16,
    /// How many partitions the topic had.
    pub partitions: i32,
    /// Offset and timestamp (ms) of the last record below the commit, the topic's identity as far
    /// as a consumer can see it: a topic that was deleted and made again has another record there.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last: Option<(i64, i64)>,
    /// See [`Self::as_of`]; here where it is not the last record's timestamp that tells.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub as_of: Option<i64>,
    /// The offset at which one has to begin to look who goes on from here, where that is below: a
    /// transaction that moved keys is cut through (D4).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub since: Option<i64>,
}

impl CommitNote {
    /// [`Self::as_of`] of stores that are not empty while nothing tells as of when: before the first
    /// record that is read, any gap may have been a delete that they have missed.
    pub const NOBODY_KNOWS: i64 = 0;

    /// A time (ms since the Unix epoch) as of which the stores held what the log held, or nothing:
    /// how long a compacted topic was left is counted from there.
    #[must_use]
    pub fn as_of(&self) -> Option<i64> {
        self.as_of
            .max(self.last.map(|(_, timestamp_ms)| timestamp_ms))
    }

    /// The text kept by Kafka.
    #[must_use]
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).expect("numbers are always serialisable")
    }

    /// Reads what [`Self::to_text`] wrote; `None` for anything else, such as the empty text that
    /// other tools commit.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_one_past_the_last_record_done() {
        assert_eq!(NextOffset::after(5).get(), 6);
    }

    #[test]
    fn a_note_survives_the_way_through_kafka_and_foreign_metadata_is_no_note() {
        let note = CommitNote {
            epoch: 2,
            partitions: 3,
            last: Some((41, 1_700_000_000_123)),
            as_of: Some(1_700_000_000_456),
            since: Some(7),
        };
        assert_eq!(CommitNote::parse(&note.to_text()), Some(note));
        assert_eq!(CommitNote::parse(""), None);
        assert_eq!(CommitNote::parse("committed by hand"), None);
    }
}
