//! Two tables, their topics, and the truth: every state that every row ever had.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use distributary::change::TableId;
use distributary::config::{OnTruncate, Table};
use distributary::source::{self, Generation, Partition};
use serde_json::Value;

/// Default identity, a column `note` that is not sent when it did not change, poison.
pub(super) const ITEMS: TableId = TableId(0);
/// Full identity, primary keys that change and are swapped.
pub(super) const USERS: TableId = TableId(1);

/// The sinks, by index.
pub(super) const SEARCH: usize = 0;
pub(super) const CACHE: usize = 1;
pub(super) const GRAPH: usize = 2;

pub(super) fn tables() -> Arc<[Table]> {
    let table = |name: &str, full_identity| Table {
        name: name.to_owned(),
        schema: "public".to_owned(),
        table: name.to_owned(),
        topic: format!("{name}-events"),
        key: vec!["id".to_owned()],
        full_identity,
        json: Vec::new(),
        epoch: 0,
        on_truncate: OnTruncate::Stop,
    };
    Arc::new([table("items", false), table("users", true)])
}

/// How many partitions a table's topic has.
pub(super) fn partition_count(table: TableId) -> i32 {
    if table == ITEMS { 3 } else { 2 }
}

pub(super) fn partitions() -> impl Iterator<Item = Partition> {
    let of = |table| (0..partition_count(table)).map(move |number| Partition { table, number });
    of(ITEMS).chain(of(USERS))
}

/// Where the records of a row lie.
pub(super) fn partition(table: TableId, id: u64) -> Partition {
    let count = u64::try_from(partition_count(table)).unwrap();
    Partition {
        table,
        number: i32::try_from(id % count).unwrap(),
    }
}

pub(super) type Headers = Vec<(String, Option<Vec<u8>>)>;

/// A record as it lies in its partition.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) offset: i64,
    pub(super) timestamp_ms: i64,
    pub(super) key: Vec<u8>,
    pub(super) value: Option<Vec<u8>>,
    pub(super) headers: Headers,
    /// When it was written.
    pub(super) at: Duration,
    pub(super) what: What,
}

impl Record {
    /// As the poll thread gives it to the pipeline.
    pub(super) fn delivered(
        &self,
        partition: Partition,
        generation: Generation,
    ) -> source::Record<'_> {
        let header = |name: &str| self.headers.iter().find(|(it, _)| it == name);
        source::Record {
            partition,
            generation,
            offset: self.offset,
            timestamp_ms: self.timestamp_ms,
            key: Some(&self.key),
            value: self.value.as_deref(),
            old_key: header("__debezium.oldkey").and_then(|(_, value)| value.as_deref()),
        }
    }
}

/// What the program has to do about a record.
#[derive(Debug)]
pub(super) enum What {
    /// Bring every store to the row's state.
    Change {
        id: u64,
        cache_keys: Vec<String>,
        /// For each sink whether it can never take it.
        poison: [bool; 3],
    },
    /// Nothing.
    Nothing,
    /// Bury it.
    Undecodable,
}

/// The topics.
#[derive(Default)]
pub(super) struct Log {
    pub(super) records: BTreeMap<Partition, Vec<Record>>,
    /// One past the last offset, transaction markers included.
    pub(super) high: BTreeMap<Partition, i64>,
}

impl Log {
    pub(super) fn high(&self, partition: Partition) -> i64 {
        self.high.get(&partition).copied().unwrap_or(0)
    }

    /// The records from an offset on.
    pub(super) fn from(&self, partition: Partition, offset: i64) -> &[Record] {
        let records = self.records.get(&partition).map_or(&[][..], Vec::as_slice);
        &records[records.partition_point(|it| it.offset < offset)..]
    }

    pub(super) fn at(&self, partition: Partition, offset: i64) -> Option<&Record> {
        let found = self.from(partition, offset).first();
        found.filter(|it| it.offset == offset)
    }
}

/// A row at one version.
pub(super) struct Moment {
    pub(super) version: i64,
    pub(super) row: Option<Value>,
    pub(super) poison: [bool; 3],
}

/// Every state that every row ever had.
#[derive(Default)]
pub(super) struct Truth(BTreeMap<(TableId, u64), Vec<Moment>>);

impl Truth {
    /// The row as a sink must have it at a version: the last state that it can take.
    pub(super) fn at(&self, sink: usize, table: TableId, id: u64, version: i64) -> Option<&Value> {
        let moments = self.0.get(&(table, id))?;
        let until = moments.partition_point(|it| it.version <= version);
        let mut takeable = moments[..until].iter().rev().filter(|it| !it.poison[sink]);
        takeable.next()?.row.as_ref()
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
