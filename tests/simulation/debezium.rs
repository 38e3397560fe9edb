//! Writes what becomes of rows to the topics, as Debezium does: all it knows of an old row is what
//! the table's replica identity has Postgres say.

use std::time::Duration;

use distributary::change::TableId;
use serde_json::Value;

use super::rows::{Headers, ITEMS, Log, Record, WIDE, What, columns, partition};
use super::truth::{Moment, Truth, Wide};

const PLACEHOLDER: &str = "\"__debezium_unavailable_value\"";

/// JSON texts in the order of the columns.
pub(super) type Row = [String; 4];

/// Where it all is written to.
pub(super) type Out<'a> = (&'a mut Log, &'a mut Truth);

/// See the module.
#[derive(Default)]
pub(super) struct Debezium {
    pub(super) transaction: u64,
    pub(super) now: Duration,
    /// Whether users have full identity by now.
    pub(super) users_are_full: bool,
    records: i64,
}

/// One record to be written.
struct Entry<'a> {
    op: &'a str,
    before: Option<&'a Row>,
    after: Option<&'a Row>,
    wide: Wide,
    header: Option<(&'a str, u64)>,
    poison: [bool; 3],
    /// Whether the stores have anything to do about it.
    counts: bool,
}

const NOTHING: Entry<'_> = Entry {
    op: "c",
    before: None,
    after: None,
    wide: Wide::Sent,
    header: None,
    poison: [false; 3],
    counts: true,
};

impl Debezium {
    pub(super) fn is_full(&self, table: TableId) -> bool {
        table != ITEMS && self.users_are_full
    }

    pub(super) fn insert(&mut self, table: TableId, row: &Row, poison: [bool; 3], out: &mut Out) {
        let entry = Entry {
            after: Some(row),
            poison,
            ..NOTHING
        };
        self.write(table, id(row), &entry, out);
    }

    /// An incremental snapshot comes by.
    pub(super) fn read(&mut self, table: TableId, row: &Row, poison: [bool; 3], out: &mut Out) {
        let entry = Entry {
            op: "r",
            after: Some(row),
            poison,
            ..NOTHING
        };
        self.write(table, id(row), &entry, out);
    }

    pub(super) fn update(
        &mut self,
        table: TableId,
        (before, after): (&Row, &Row),
        poison: [bool; 3],
        out: &mut Out,
    ) {
        // Default identity sends no old row where the key stays, and an index the columns it has.
        let sends_old = self.is_full(table) || (table == ITEMS && fastrand::u32(..4) == 0);
        let is_sent = self.is_full(table) || before[WIDE] != after[WIDE];
        let entry = Entry {
            op: "u",
            before: sends_old.then_some(before),
            after: Some(after),
            wide: if is_sent { Wide::Sent } else { Wide::Kept },
            poison,
            ..NOTHING
        };
        self.write(table, id(after), &entry, out);
    }

    /// A row whose key another one has taken already changes before it leaves.
    pub(super) fn update_taken(
        &mut self,
        table: TableId,
        (before, after): (&Row, &Row),
        out: &mut Out,
    ) {
        let entry = Entry {
            op: "u",
            before: Some(before),
            after: Some(after),
            counts: false,
            ..NOTHING
        };
        self.write(table, id(after), &entry, out);
    }

    pub(super) fn delete(&mut self, table: TableId, row: &Row, out: &mut Out) {
        let entry = Entry {
            op: "d",
            before: Some(row),
            ..NOTHING
        };
        self.write(table, id(row), &entry, out);
        self.tombstone(table, id(row), out);
    }

    /// A row leaves its key; `taken`: to another one that has taken it already.
    pub(super) fn leave(
        &mut self,
        table: TableId,
        (row, to): (&Row, u64),
        taken: bool,
        out: &mut Out,
    ) {
        let entry = Entry {
            op: "d",
            before: Some(row),
            header: Some(("__debezium.newkey", to)),
            counts: !taken,
            ..NOTHING
        };
        self.write(table, id(row), &entry, out);
        self.tombstone(table, id(row), out);
    }

    /// A row comes to its new key.
    pub(super) fn arrive(
        &mut self,
        table: TableId,
        (before, after): (&Row, &Row),
        poison: [bool; 3],
        out: &mut Out,
    ) {
        let is_sent = self.is_full(table) || before[WIDE] != after[WIDE];
        let entry = Entry {
            after: Some(after),
            header: Some(("__debezium.oldkey", id(before))),
            wide: if is_sent { Wide::Sent } else { Wide::Left },
            poison,
            ..NOTHING
        };
        self.write(table, id(after), &entry, out);
    }

    pub(super) fn spoilt(&mut self, id: u64, out: &mut Out) {
        let value = b"{\"op\":".to_vec();
        let what = What::Undecodable;
        self.push((ITEMS, id), (Some(value), Vec::new()), what, out);
    }

    fn tombstone(&mut self, table: TableId, id: u64, out: &mut Out) {
        self.push((table, id), (None, Vec::new()), What::Nothing, out);
    }

    fn write(&mut self, table: TableId, id: u64, entry: &Entry<'_>, out: &mut Out) {
        let headers = entry.header.map(|(name, id)| {
            let key = format!("{{\"id\":{id}}}").into_bytes();
            (name.to_owned(), Some(key))
        });
        let what = if entry.counts {
            What::Change {
                id,
                cache_keys: self.cache_keys(table, id, entry),
                poison: entry.poison,
            }
        } else {
            What::Nothing
        };
        let value = self.envelope(table, id, entry).into_bytes();
        let headers = headers.into_iter().collect();
        let version = self.push((table, id), (Some(value), headers), what, out);
        if entry.counts {
            let json = |text: &String| serde_json::from_str::<Value>(text).unwrap();
            let moment = Moment {
                version,
                row: entry.after.map(|row| row.iter().map(json).collect()),
                wide: entry.wide,
                poison: entry.poison,
                is_removed: false,
            };
            out.1.push(table, id, moment);
        }
    }

    fn envelope(&self, table: TableId, id: u64, entry: &Entry<'_>) -> String {
        let before = match entry.before {
            Some(row) if self.is_full(table) => object(table, row, true),
            Some(_) => object(table, &made_up(table, id), true),
            None => "null".to_owned(),
        };
        let is_sent = entry.wide == Wide::Sent;
        let after = entry.after.map(|row| object(table, row, is_sent));
        let after = after.as_deref().unwrap_or("null");
        let name = if table == ITEMS { "items" } else { "users" };
        let transaction = match entry.op {
            "r" => "null".to_owned(),
            _ => self.transaction.to_string(),
        };
        let op = entry.op;
        format!(
            r#"{{"before":{before},"after":{after},"source":{{"schema":"public","table":"{name}","ts_ms":1700000000000,"txId":{transaction}}},"op":"{op}"}}"#
        )
    }

    /// The cache keys that a change makes stale, as far as it says so; the templates are in
    /// `instance`.
    fn cache_keys(&self, table: TableId, id: u64, entry: &Entry<'_>) -> Vec<String> {
        if table == ITEMS {
            return vec![format!("item:{id}")];
        }
        let old = entry.before.filter(|_| self.is_full(table));
        let rows = [old, entry.after].into_iter().flatten();
        let slugs = rows.map(|row| format!("slug:{}", row[1].trim_matches('"')));
        std::iter::once(format!("user:{id}")).chain(slugs).collect()
    }

    fn push(
        &mut self,
        (table, id): (TableId, u64),
        (value, headers): (Option<Vec<u8>>, Headers),
        what: What,
        (log, _): &mut Out,
    ) -> i64 {
        self.records += 1;
        let partition = partition(table, id);
        let high = log.high.entry(partition).or_default();
        let offset = *high;
        *high += 1;
        log.records.entry(partition).or_default().push(Record {
            offset,
            timestamp_ms: 1_700_000_000_000 + self.records,
            key: format!("{{\"id\":{id}}}").into_bytes(),
            value,
            headers,
            at: self.now,
            what,
        });
        offset
    }
}

pub(super) fn id(row: &Row) -> u64 {
    row[0].parse().unwrap()
}

/// An old row of which only the key was sent: null where that can be, the type's zero elsewhere.
fn made_up(table: TableId, id: u64) -> Row {
    let rank = if table == ITEMS { "0" } else { "null" };
    [&id.to_string(), "\"\"", rank, "null"].map(str::to_owned)
}

fn object(table: TableId, row: &Row, wide_is_sent: bool) -> String {
    let [id, name, number, mut wide] = row.each_ref().map(String::as_str);
    if !wide_is_sent {
        wide = PLACEHOLDER;
    }
    let [a, b, c, d] = columns(table);
    format!(r#"{{"{a}":{id},"{b}":{name},"{c}":{number},"{d}":{wide}}}"#)
}
