//! The truth: every state that every row ever had, and what a store may have of it.
//!
//! Where every column was sent, that is the row. A wide column that was not is what it was before, or
//! nothing where the row came with a change of its key: no store knows it then, until it changes. And
//! where what came before became a dead letter, it may be as it was before that one; or as the dead
//! letter had it, for an update may be read together with the poison that it mends. Likewise where
//! compaction has removed what came before.

use std::collections::BTreeMap;

use distributary::change::TableId;
use serde_json::Value;

use super::letters::Letters;
use super::rows::{WIDE, columns, partition};

/// What a record says of the wide column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wide {
    Sent,
    /// It is as before.
    Kept,
    /// It is as it was under the row's key before.
    Left,
}

/// A row at one version.
pub(super) struct Moment {
    pub(super) version: i64,
    /// Its values in the order of the columns.
    pub(super) row: Option<Vec<Value>>,
    pub(super) wide: Wide,
    pub(super) poison: [bool; 3],
    /// Whether its record is no longer there, perhaps unread.
    pub(super) is_removed: bool,
}

/// What a store may have of a row.
#[derive(Debug)]
pub(super) struct Permitted<'a> {
    table: TableId,
    row: &'a [Value],
    /// Any of these.
    wide: Vec<Option<&'a Value>>,
}

impl Permitted<'_> {
    /// Whether this is it, found by the names of columns.
    pub(super) fn is<'v>(&self, found: impl Fn(&str) -> Option<&'v Value>) -> bool {
        let names = columns(self.table);
        let sent = names[..WIDE].iter().zip(self.row);
        let mut sent = sent.map(|(name, value)| found(name) == Some(value));
        sent.all(|it| it) && self.wide.contains(&found(names[WIDE]))
    }
}

/// Every state that every row ever had.
#[derive(Default)]
pub(super) struct Truth(BTreeMap<(TableId, u64), Vec<Moment>>);

impl Truth {
    /// The row as a sink must have it at a version: the last state that it can take. What it cannot
    /// take may be among the dead letters by then, or not yet.
    pub(super) fn at(
        &self,
        sink: usize,
        row: (TableId, u64),
        version: i64,
    ) -> Option<Permitted<'_>> {
        self.permitted(row, version, &|it| it.poison[sink], &|_| true)
    }

    /// The row as a sink must have it in the end.
    pub(super) fn at_rest(
        &self,
        sink: usize,
        (table, id): (TableId, u64),
        letters: &Letters,
    ) -> Option<Permitted<'_>> {
        let partition = partition(table, id);
        let letter = |it: &Moment| (partition, it.version, Some(sink));
        let is_buried = |it: &Moment| letters.0.contains_key(&letter(it));
        self.permitted((table, id), i64::MAX, &|it| it.poison[sink], &is_buried)
    }

    fn permitted(
        &self,
        (table, id): (TableId, u64),
        version: i64,
        is_poison: Is<'_>,
        is_buried: Is<'_>,
    ) -> Option<Permitted<'_>> {
        let moments = self.0.get(&(table, id))?;
        let until = moments.partition_point(|it| it.version <= version);
        let last = moments[..until].iter().rposition(|it| !is_poison(it))?;
        Some(Permitted {
            table,
            row: moments[last].row.as_ref()?,
            wide: wide(&moments[..=last], is_poison, is_buried),
        })
    }

    /// The row is in another state from now on.
    pub(super) fn push(&mut self, table: TableId, id: u64, moment: Moment) {
        self.0.entry((table, id)).or_default().push(moment);
    }

    /// Compaction has removed the record, which the group may not have read.
    pub(super) fn remove(&mut self, row: (TableId, u64), version: i64) {
        let moments = self.0.entry(row).or_default().iter_mut();
        moments
            .filter(|it| it.version == version)
            .for_each(|it| it.is_removed = true);
    }

    /// Every row that ever was.
    pub(super) fn rows(&self) -> impl Iterator<Item = (TableId, u64)> {
        self.0.keys().copied()
    }

    /// The version of the row's last change.
    pub(super) fn last(&self, table: TableId, id: u64) -> i64 {
        let moments = self.0.get(&(table, id));
        moments.and_then(|it| it.last()).map_or(-1, |it| it.version)
    }
}

type Is<'a> = &'a dyn Fn(&Moment) -> bool;

/// What the last of these may leave in the wide column.
fn wide<'a>(moments: &'a [Moment], is_poison: Is<'_>, is_buried: Is<'_>) -> Vec<Option<&'a Value>> {
    let mut found = Vec::new();
    let mut ends = vec![moments.len()];
    let mut next = 0;
    while let Some(&end) = ends.get(next) {
        next += 1;
        let Some((last, before)) = moments[..end].split_last() else {
            found.push(None);
            continue;
        };
        match last.wide {
            Wide::Sent => found.push(last.row.as_ref().map(|it| &it[WIDE])),
            Wide::Left => found.push(None),
            Wide::Kept => {
                let others = bases(before, is_poison, is_buried);
                let new: Vec<_> = others.filter(|it| !ends.contains(it)).collect();
                ends.extend(new);
            }
        }
    }
    found
}

/// How many of these a store may have seen that goes on from the last one it has seen.
fn bases(moments: &[Moment], is_poison: Is<'_>, is_buried: Is<'_>) -> impl Iterator<Item = usize> {
    let is_missed = move |it: &Moment| it.is_removed || (is_poison(it) && is_buried(it));
    let seen = moments.iter().rposition(|it| !is_missed(it));
    let least = seen.map_or(0, |it| it + 1);
    // Poison is passed over together with what was poison before it.
    let is_base = |&end: &usize| end == moments.len() || end == 0 || !is_poison(&moments[end - 1]);
    (least..=moments.len()).filter(is_base)
}
