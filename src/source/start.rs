//! Where processing of a partition begins, and whether what was committed still belongs to the
//! topic as it is (D3). Pure: the facts are gathered by the poll thread.

use super::compaction::Removed;
use super::{CommitNote, NextOffset};
use crate::config::Table;

/// How many records below the start are read again, only to be looked at: the last record's
/// timestamp tells a recreated topic, and the moved keys of a transaction that the commit cut
/// through tell which deletes are half of a key swap.
pub(super) const LOOK_BACK: i64 = 1000;

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

/// Decides where to begin.
///
/// # Errors
/// A sentence that says what was found and the way out, when going on would lose changes or
/// compare versions that cannot be compared.
pub fn decide(
    table: &Table,
    number: i32,
    commit: Option<&Commit>,
    facts: Facts,
) -> Result<NextOffset, String> {
    let Some(commit) = commit else {
        return Ok(NextOffset::given(facts.low));
    };
    let place = format!("partition {number} of topic `{}`", table.topic);
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
    let as_of = jiff::Timestamp::from_millisecond(*as_of_ms);
    let as_of = as_of.map_or_else(|_| as_of_ms.to_string(), |it| it.to_string());
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
         with `distributary offsets reset --to-earliest --topic {} --execute`",
        table.epoch + 1,
        table.name,
        table.topic
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::OnTruncate;

    fn table() -> Table {
        Table {
            name: "users".into(),
            schema: "public".into(),
            table: "users".into(),
            topic: "users-events".into(),
            key: vec!["id".into()],
            full_identity: false,
            json: vec![],
            epoch: 1,
            on_truncate: OnTruncate::Stop,
        }
    }

    fn commit(next: i64, epoch: u16, partitions: i32) -> Commit {
        let note = Some(CommitNote {
            epoch,
            partitions,
            last: None,
            as_of: None,
        });
        Commit {
            next: NextOffset::given(next),
            note,
        }
    }

    const FACTS: Facts = Facts {
        low: 10,
        high: 20,
        partitions: 3,
    };

    #[test]
    fn a_partition_never_committed_begins_at_the_logs_start() {
        assert_eq!(decide(&table(), 0, None, FACTS), Ok(NextOffset::given(10)));
    }

    #[test]
    fn a_commit_within_the_log_is_gone_on_from_at_either_end() {
        for next in [10, 15, 20] {
            let begun = decide(&table(), 0, Some(&commit(next, 1, 3)), FACTS);
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
            let error = decide(&table(), 0, Some(&commit), FACTS).unwrap_err();
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
            decide(&table(), 0, Some(&foreign), FACTS),
            Ok(NextOffset::given(12))
        );
    }
}
