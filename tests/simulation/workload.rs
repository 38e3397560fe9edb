//! The workload: transactions, written to the topics as Debezium would.

use std::collections::BTreeMap;
use std::time::Duration;

use distributary::change::TableId;

use super::rows::{
    GRAPH, Headers, ITEMS, Log, Moment, Record, SEARCH, Truth, USERS, What, partition, partitions,
};

const PLACEHOLDER: &str = "\"__debezium_unavailable_value\"";

/// Column names and JSON texts.
type Columns = Vec<(&'static str, String)>;

struct Living {
    columns: Columns,
    /// The last record was poison, so the next one must be whole.
    whole_next: bool,
}

/// Writes transactions.
#[derive(Default)]
pub(super) struct Workload {
    rows: BTreeMap<(TableId, u64), Living>,
    transaction: u64,
    serial: u64,
    at: Duration,
    /// Whether there is any.
    poison: bool,
}

/// One record to be written.
struct Entry<'a> {
    op: &'a str,
    before: Option<&'a Columns>,
    after: Option<&'a Columns>,
    /// Columns of `after` that are not sent.
    unsent: Option<&'a str>,
    header: Option<(&'a str, u64)>,
    poison: [bool; 3],
    what: bool,
}

impl Default for Entry<'_> {
    fn default() -> Self {
        Self {
            op: "u",
            before: None,
            after: None,
            unsent: None,
            header: None,
            poison: [false; 3],
            what: true,
        }
    }
}

impl Workload {
    pub(super) fn new(poison: bool) -> Self {
        Self {
            poison,
            ..Self::default()
        }
    }

    /// One transaction.
    pub(super) fn step(&mut self, log: &mut Log, truth: &mut Truth, at: Duration) {
        self.transaction += 1;
        self.at = at;
        let out = &mut (log, truth);
        match fastrand::u32(..100) {
            0..2 if self.poison => self.spoilt(out),
            0..60 => self.item(out),
            60..70 => self.read_again(out),
            _ => self.user(out),
        }
        if fastrand::u32(..5) == 0 {
            // The markers of a transaction, which no consumer is given.
            let count = partitions().count();
            let partition = partitions().nth(fastrand::usize(..count)).unwrap();
            *out.0.high.entry(partition).or_default() += fastrand::i64(1..3);
        }
    }

    /// Some rows are changed more often than others.
    fn id() -> u64 {
        let wide = fastrand::bool();
        fastrand::u64(1..if wide { 16 } else { 4 })
    }

    fn item(&mut self, out: &mut (&mut Log, &mut Truth)) {
        let id = Self::id();
        let Some(living) = self.rows.get(&(ITEMS, id)) else {
            return self.create_item(id, out);
        };
        if fastrand::u32(..5) == 0 {
            self.delete(ITEMS, id, out);
            if fastrand::bool() {
                self.create_item(id, out);
            }
            return;
        }
        let (mut columns, whole) = (living.columns.clone(), living.whole_next);
        self.serial += 1;
        let poison = self.poison();
        columns[1].1 = name(self.serial, poison);
        columns[2].1 = fastrand::u32(..1000).to_string();
        let rewritten = whole || fastrand::u32(..3) == 0;
        if rewritten {
            columns[3].1 = format!("\"note {}\"", self.serial);
        }
        let entry = Entry {
            after: Some(&columns),
            unsent: (!rewritten).then_some("note"),
            poison,
            ..Entry::default()
        };
        self.write(ITEMS, id, &entry, out);
        self.set(ITEMS, id, columns, poison);
    }

    fn create_item(&mut self, id: u64, out: &mut (&mut Log, &mut Truth)) {
        self.serial += 1;
        let poison = self.poison();
        let columns = vec![
            ("id", id.to_string()),
            ("name", name(self.serial, poison)),
            ("price", fastrand::u32(..1000).to_string()),
            ("note", format!("\"note {}\"", self.serial)),
        ];
        let entry = Entry {
            op: "c",
            after: Some(&columns),
            poison,
            ..Entry::default()
        };
        self.write(ITEMS, id, &entry, out);
        self.set(ITEMS, id, columns, poison);
    }

    fn user(&mut self, out: &mut (&mut Log, &mut Truth)) {
        let id = Self::id();
        self.serial += 1;
        let Some(living) = self.rows.get(&(USERS, id)) else {
            let columns = vec![
                ("id", id.to_string()),
                ("slug", format!("\"s{}\"", self.serial)),
                ("rank", fastrand::u32(..9).to_string()),
            ];
            let after = Some(&columns);
            let entry = Entry {
                op: "c",
                after,
                ..Entry::default()
            };
            self.write(USERS, id, &entry, out);
            return self.set(USERS, id, columns, [false; 3]);
        };
        let before = living.columns.clone();
        match fastrand::u32(..10) {
            0 => self.delete(USERS, id, out),
            1..4 => self.move_or_swap(id, Self::id(), out),
            _ => {
                let mut columns = before.clone();
                columns[2].1 = fastrand::u32(..9).to_string();
                if fastrand::bool() {
                    columns[1].1 = format!("\"s{}\"", self.serial);
                }
                let entry = Entry {
                    before: Some(&before),
                    after: Some(&columns),
                    ..Entry::default()
                };
                self.write(USERS, id, &entry, out);
                self.set(USERS, id, columns, [false; 3]);
            }
        }
    }

    /// The row takes another key; the one that has it takes this one.
    fn move_or_swap(&mut self, from: u64, to: u64, out: &mut (&mut Log, &mut Truth)) {
        if from == to {
            return;
        }
        let first = self.rows.remove(&(USERS, from)).unwrap().columns;
        let second = self.rows.remove(&(USERS, to)).map(|it| it.columns);
        self.leave((from, to), &first, true, out);
        self.arrive(from, to, first, out);
        if let Some(second) = second {
            // Its `d` is about a row whose key the first has taken already.
            self.leave((to, from), &second, false, out);
            self.arrive(to, from, second, out);
        }
    }

    fn leave(
        &mut self,
        (from, to): (u64, u64),
        row: &Columns,
        what: bool,
        out: &mut (&mut Log, &mut Truth),
    ) {
        let entry = Entry {
            op: "d",
            before: Some(row),
            header: Some(("__debezium.newkey", to)),
            what,
            ..Entry::default()
        };
        self.write(USERS, from, &entry, out);
        self.tombstone(USERS, from, out);
    }

    fn arrive(&mut self, from: u64, to: u64, row: Columns, out: &mut (&mut Log, &mut Truth)) {
        let mut row = row;
        row[0].1 = to.to_string();
        let entry = Entry {
            op: "c",
            after: Some(&row),
            header: Some(("__debezium.oldkey", from)),
            ..Entry::default()
        };
        self.write(USERS, to, &entry, out);
        self.set(USERS, to, row, [false; 3]);
    }

    fn delete(&mut self, table: TableId, id: u64, out: &mut (&mut Log, &mut Truth)) {
        let row = self.rows.remove(&(table, id)).unwrap().columns;
        let entry = Entry {
            op: "d",
            before: Some(&row),
            ..Entry::default()
        };
        self.write(table, id, &entry, out);
        self.tombstone(table, id, out);
    }

    /// An incremental snapshot comes by.
    fn read_again(&mut self, out: &mut (&mut Log, &mut Truth)) {
        let count = self.rows.len();
        let row = self.rows.iter().nth(fastrand::usize(..count.max(1)));
        let Some((&(table, id), living)) = row.filter(|(_, it)| !it.whole_next) else {
            return;
        };
        let columns = living.columns.clone();
        let entry = Entry {
            op: "r",
            after: Some(&columns),
            ..Entry::default()
        };
        self.write(table, id, &entry, out);
    }

    fn spoilt(&mut self, out: &mut (&mut Log, &mut Truth)) {
        let id = Self::id();
        let value = b"{\"op\":".to_vec();
        self.push(
            (ITEMS, id),
            (Some(value), Vec::new()),
            What::Undecodable,
            out,
        );
    }

    fn set(&mut self, table: TableId, id: u64, columns: Columns, poison: [bool; 3]) {
        let living = Living {
            columns,
            whole_next: poison != [false; 3],
        };
        self.rows.insert((table, id), living);
    }

    fn poison(&self) -> [bool; 3] {
        let mut poison = [false; 3];
        if self.poison && fastrand::u32(..12) == 0 {
            poison[SEARCH] = fastrand::bool();
            poison[GRAPH] = fastrand::bool();
        }
        poison
    }

    fn tombstone(&mut self, table: TableId, id: u64, out: &mut (&mut Log, &mut Truth)) {
        self.push((table, id), (None, Vec::new()), What::Nothing, out);
    }

    fn write(
        &mut self,
        table: TableId,
        id: u64,
        entry: &Entry<'_>,
        out: &mut (&mut Log, &mut Truth),
    ) {
        let headers = entry.header.map(|(name, id)| {
            let key = format!("{{\"id\":{id}}}").into_bytes();
            (name.to_owned(), Some(key))
        });
        let what = if entry.what {
            What::Change {
                id,
                cache_keys: cache_keys(table, id, entry),
                poison: entry.poison,
            }
        } else {
            What::Nothing
        };
        let value = self.envelope(table, id, entry).into_bytes();
        let headers = headers.into_iter().collect();
        let version = self.push((table, id), (Some(value), headers), what, out);
        if entry.what {
            let row = entry.after.map(|row| object(row, None));
            let row = row.map(|text| serde_json::from_str(&text).unwrap());
            let poison = entry.poison;
            let moment = Moment {
                version,
                row,
                poison,
            };
            out.1.push(table, id, moment);
        }
    }

    fn envelope(&self, table: TableId, id: u64, entry: &Entry<'_>) -> String {
        let before = match entry.before {
            // All that default identity knows of the old row is its key; the rest is made up.
            Some(_) if table == ITEMS => {
                format!("{{\"id\":{id},\"name\":\"\",\"price\":0,\"note\":\"\"}}")
            }
            Some(row) => object(row, None),
            None => "null".to_owned(),
        };
        let after = entry.after.map(|row| object(row, entry.unsent));
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

    fn push(
        &mut self,
        (table, id): (TableId, u64),
        (value, headers): (Option<Vec<u8>>, Headers),
        what: What,
        (log, _): &mut (&mut Log, &mut Truth),
    ) -> i64 {
        self.serial += 1;
        let partition = partition(table, id);
        let high = log.high.entry(partition).or_default();
        let offset = *high;
        *high += 1;
        log.records.entry(partition).or_default().push(Record {
            offset,
            timestamp_ms: 1_700_000_000_000 + i64::try_from(self.serial).unwrap(),
            key: format!("{{\"id\":{id}}}").into_bytes(),
            value,
            headers,
            at: self.at,
            what,
        });
        offset
    }
}

/// A name that tells a store which of them cannot take it.
fn name(serial: u64, poison: [bool; 3]) -> String {
    let search = if poison[SEARCH] { " poison-search" } else { "" };
    let graph = if poison[GRAPH] { " poison-graph" } else { "" };
    format!("\"name {serial}{search}{graph}\"")
}

fn object(columns: &Columns, unsent: Option<&str>) -> String {
    let member = |(name, value): &(&str, String)| {
        let sent = unsent != Some(*name);
        format!("\"{name}\":{}", if sent { value } else { PLACEHOLDER })
    };
    let members: Vec<String> = columns.iter().map(member).collect();
    format!("{{{}}}", members.join(","))
}

/// The cache keys that a change makes stale; the templates are in `instance`.
fn cache_keys(table: TableId, id: u64, entry: &Entry<'_>) -> Vec<String> {
    if table == ITEMS {
        return vec![format!("item:{id}")];
    }
    let slug = |row: &Columns| format!("slug:{}", row[1].1.trim_matches('"'));
    let rows = [entry.before, entry.after];
    let slugs = rows.into_iter().flatten().map(slug);
    std::iter::once(format!("user:{id}")).chain(slugs).collect()
}
