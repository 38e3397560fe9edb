//! The truth: every state that every row ever had, and what a store may have of it.
//!
//! Where every column was sent, that is the row. A wide column that was not is what it was before, or
//! nothing where the row came with a change of its key: no store knows it then, until it changes.

use std::collections::BTreeMap;

use distributary::change::TableId;
use serde_json::Value;

use super::rows::{WIDE, columns};

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
}

/// What a store may have of a row.
#[derive(Debug)]
pub(super) struct Permitted<'a> {
    table: TableId,
    row: &'a [Value],
    wide: Option<&'a Value>,
}

impl Permitted<'_> {
    /// Whether this is it, found by the names of columns; `others` is how many others there are.
    pub(super) fn is<'v>(&self, found: impl Fn(&str) -> Option<&'v Value>) -> bool {
        let names = columns(self.table);
        let sent = names[..WIDE].iter().zip(self.row);
        let mut sent = sent.map(|(name, value)| found(name) == Some(value));
        sent.all(|it| it) && found(names[WIDE]) == self.wide
    }
}

/// Every state that every row ever had.
#[derive(Default)]
pub(super) struct Truth(BTreeMap<(TableId, u64), Vec<Moment>>);

impl Truth {
    /// The row as a sink must have it at a version: the last state that it can take.
    pub(super) fn at(
        &self,
        sink: usize,
        table: TableId,
        id: u64,
        version: i64,
    ) -> Option<Permitted<'_>> {
        let moments = self.0.get(&(table, id))?;
        let until = moments.partition_point(|it| it.version <= version);
        let last = moments[..until].iter().rposition(|it| !it.poison[sink])?;
        Some(Permitted {
            table,
            row: moments[last].row.as_ref()?,
            wide: wide(&moments[..=last]),
        })
    }

    /// The row is in another state from now on.
    pub(super) fn push(&mut self, table: TableId, id: u64, moment: Moment) {
        self.0.entry((table, id)).or_default().push(moment);
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

/// What the last of these leaves in the wide column.
fn wide(moments: &[Moment]) -> Option<&Value> {
    let (last, before) = moments.split_last()?;
    match last.wide {
        Wide::Sent => last.row.as_ref().map(|it| &it[WIDE]),
        Wide::Kept => wide(before),
        Wide::Left => None,
    }
}
