//! Two tables and their topics.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use distributary::change::TableId;
use distributary::config::{OnTruncate, Table};
use distributary::source::{self, Generation, Partition};

/// Default identity, poison.
pub(super) const ITEMS: TableId = TableId(0);
/// Declared to have full identity, and has it, but perhaps not from its first row on.
pub(super) const USERS: TableId = TableId(1);

/// Where the wide column stands, which default identity does not send when it did not change.
pub(super) const WIDE: usize = 3;

/// A table's columns, in order.
pub(super) fn columns(table: TableId) -> &'static [&'static str; 4] {
    if table == ITEMS {
        &["id", "name", "price", "note"]
    } else {
        &["id", "slug", "rank", "bio"]
    }
}

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
