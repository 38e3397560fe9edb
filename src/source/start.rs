//! Where processing of a partition begins, and whether what was committed still belongs to the
//! topic as it is (D3). Pure: the facts are gathered by the poll thread.

use rdkafka::topic_partition_list::{Offset, TopicPartitionListElem};

use super::compaction::Removed;
use super::{CommitNote, NextOffset};
use crate::config::Table;

/// How many records below the start are read again at least, only to be looked at: the last record's
/// timestamp tells a recreated topic, and the rows of a transaction that the commit cut through tell
/// which deletes are half of a key swap. Where its first moved key lies further back, the note says so.
const LOOK_BACK: i64 = 1000;

/// What the brokers say of a partition now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// The first offset still there.
    pub low: i64,
    /// One past the last offset.
    pub high: i64,
    /// How many partitions the topic has.
    pub partitions: i32,
}

/// A committed position and its note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// The position.
    pub next: NextOffset,
    /// What was kept beside it; `None` when another tool committed.
    pub note: Option<CommitNote>,
}

impl Commit {
    /// What a broker says is committed on a partition; `None` when nothing is.
    pub(super) fn of(element: &TopicPartitionListElem<'_>) -> Option<Self> {
        match element.offset() {
            Offset::Offset(next) => Some(Self {
                next: NextOffset::given(next),
                note: CommitNote::parse(element.metadata()),
            }),
            _ => None,
        }
    }
}

/// Where reading begins, so that what lies below `start` and matters to it is looked at.
pub(super) fn read_from(start: NextOffset, note: Option<&CommitNote>, low: i64) -> i64 {
    let back = start.get() - LOOK_BACK;
    let since = note.and_then(|it| it.since);
    since.map_or(back, |since| back.min(since)).max(low)
}

/// What the group has committed on all partitions of a topic.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Commits {
    /// Whether there is any.
    pub are_there: bool,
    /// The notes of those that have one.
    pub notes: Vec<CommitNote>,
    /// Whether commits of the topic were seen earlier in this process's life.
    pub were_seen: bool,
}

/// Decides where to begin.
///
/// # Errors
/// A sentence that says what was found and the way out, when going on would lose changes or
/// compare versions that cannot be compared.
pub fn decide(
    table: &Table,
    number: i32,
    commit: Option<&Commit>,
    (facts, of_topic): (Facts, &Commits),
) -> Result<NextOffset, String> {
    let place = format!("partition {number} of topic `{}`", table.topic);
    let Some(commit) = commit else {
        if let Some(found) = unexpected(table, facts, of_topic) {
            return Err(format!("{place}: {found}. {}", way_out(table)));
        }
        return Ok(NextOffset::given(facts.low));
    };
    let next = commit.next.get();
    if let Some(found) = commit
        .note
        .as_ref()
        .and_then(|note| note_mismatch(note, table, facts))
    {
        return Err(format!("{place}: {found}. {}", way_out(table)));
    }
    if next > facts.high {
        return Err(format!(
            "{place}: the group has committed offset {next}, but the topic ends at {}: it was \
             deleted and made again, or truncated. {}",
            facts.high,
            way_out(table)
        ));
    }
    if next < facts.low {
        return Err(format!(
            "{place}: the group has committed offset {next}, but the topic begins at {}: changes \
             in between have expired unread. {}",
            facts.low,
            way_out(table)
        ));
    }
    Ok(commit.next)
}

/// Why a partition without a commit is no new beginning.
fn unexpected(table: &Table, facts: Facts, of_topic: &Commits) -> Option<String> {
    // A partition that was added while the group runs: keys may have moved to it.
    let mut notes = of_topic.notes.iter();
    if let Some(found) = notes.find_map(|note| note_mismatch(note, table, facts)) {
        return Some(found);
    }
    // Brokers delete a group's commits with the topic (`OffsetManager` in Kafka).
    (of_topic.were_seen && !of_topic.are_there).then(|| {
        "the group's commits are gone while it runs: the topic was deleted and made again, or they \
         were deleted"
            .to_owned()
    })
}

fn note_mismatch(note: &CommitNote, table: &Table, facts: Facts) -> Option<String> {
    if note.epoch != table.epoch {
        return Some(format!(
            "the group's offsets belong to epoch {}, the configuration says `epoch: {}`",
            note.epoch, table.epoch
        ));
    }
    (note.partitions != facts.partitions).then(|| {
        format!(
            "the topic had {} partitions when the offsets were committed and has {} now, so keys \
             may have moved and versions cannot be compared",
            note.partitions, facts.partitions
        )
    })
}

/// What to do about a record that is not the one the commit was made behind.
#[must_use]
pub fn recreated(table: &Table, number: i32, offset: i64) -> String {
    format!(
        "partition {number} of topic `{}`: the record at offset {offset} is not the one that was \
         there when the group committed behind it: the topic was deleted and made again. {}",
        table.topic,
        way_out(table)
    )
}

/// What to do about offsets that compaction has removed when deletes among them may have been
/// removed, too.
#[must_use]
pub(super) fn compacted(table: &Table, number: i32, removed: &Removed) -> String {
    let Removed {
        gap,
        keeps_ms,
        as_of_ms,
    } = removed;
    let as_of = match (*as_of_ms, jiff::Timestamp::from_millisecond(*as_of_ms)) {
        (CommitNote::NOBODY_KNOWS, _) => "a time that nothing tells any more".to_owned(),
        (_, Ok(as_of)) => as_of.to_string(),
        (_, Err(_)) => as_of_ms.to_string(),
    };
    format!(
        "partition {number} of topic `{}`: the topic is compacted and keeps deletes for \
         {keeps_ms} ms (`delete.retention.ms`), but was read as of {as_of}, and offsets {} to {} \
         are no longer there: rows deleted in between may stay for ever. {}",
        table.topic,
        gap.start,
        gap.end - 1,
        way_out(table)
    )
}

fn way_out(table: &Table) -> String {
    format!(
        "Nothing was skipped. To begin the topic anew: set `epoch: {}` on table `{}`, remove \
         what its projections hold (or give them fresh targets), and send the stopped group back \
         with `distributary offsets reset --to-earliest --topic {} --execute` (and `--group` where \
         each sink has its own)",
        table.epoch + 1,
        table.name,
        table.topic
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        Table {
            epoch: 1,
            ..Table::named("users")
        }
    }

    fn commit(next: i64, epoch: u16, partitions: i32) -> Commit {
        let note = Some(CommitNote {
            epoch,
            partitions,
            last: None,
            as_of: None,
            since: None,
        });
        Commit {
            next: NextOffset::given(next),
            note,
        }
    }

    fn none() -> Commits {
        Commits::default()
    }

    /// Commits that were made when the topic had so many partitions.
    fn of_topic(partitions: &[i32]) -> Commits {
        let notes = partitions.iter().filter_map(|&it| commit(15, 1, it).note);
        Commits {
            are_there: true,
            notes: notes.collect(),
            were_seen: true,
        }
    }

    const FACTS: Facts = Facts {
        low: 10,
        high: 20,
        partitions: 3,
    };

    #[test]
    fn a_partition_never_committed_begins_at_the_logs_start() {
        // The last one as another tool commits.
        for of_topic in [none(), of_topic(&[3]), of_topic(&[])] {
            let begun = decide(&table(), 0, None, (FACTS, &of_topic));
            assert_eq!(begun, Ok(NextOffset::given(10)));
        }
    }

    #[test]
    fn a_partition_without_a_commit_in_a_topic_that_is_another_by_now_is_refused() {
        let deleted = Commits {
            are_there: false,
            notes: vec![],
            were_seen: true,
        };
        for (of_topic, says) in [
            (of_topic(&[2, 2]), "had 2 partitions"),
            (deleted, "commits are gone"),
        ] {
            let error = decide(&table(), 2, None, (FACTS, &of_topic)).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn reading_begins_some_way_before_the_start_and_where_a_transaction_moved_its_first_key() {
        let start = NextOffset::given(5000);
        let since = |since| CommitNote {
            since: Some(since),
            ..commit(5000, 1, 3).note.unwrap()
        };
        assert_eq!(read_from(start, None, 10), 4000);
        assert_eq!(read_from(start, Some(&since(4500)), 10), 4000);
        assert_eq!(read_from(start, Some(&since(70)), 10), 70);
        assert_eq!(read_from(start, Some(&since(70)), 100), 100);
    }

    #[test]
    fn a_commit_within_the_log_is_gone_on_from_at_either_end() {
        for next in [10, 15, 20] {
            let begun = decide(&table(), 0, Some(&commit(next, 1, 3)), (FACTS, &none()));
            assert_eq!(begun, Ok(NextOffset::given(next)));
        }
    }

    #[test]
    fn a_topic_that_does_not_fit_its_commit_stops_with_the_way_out() {
        let cases = [
            (commit(21, 1, 3), "deleted and made again"),
            (commit(9, 1, 3), "expired unread"),
            (commit(15, 0, 3), "belong to epoch 0"),
            (commit(15, 1, 2), "had 2 partitions"),
        ];
        for (commit, says) in cases {
            let error = decide(&table(), 0, Some(&commit), (FACTS, &none())).unwrap_err();
            assert!(error.contains(says), "{error}");
            assert!(
                error.contains("epoch: 2") && error.contains("--to-earliest"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_commit_by_another_tool_is_held_against_the_log_only() {
        let foreign = Commit {
            next: NextOffset::given(12),
            note: None,
        };
        assert_eq!(
            decide(&table(), 0, Some(&foreign), (FACTS, &none())),
            Ok(NextOffset::given(12))
        );
    }
}
