//! The same row gives the same JSON text, however its record was written: records captured from
//! real connectors, and connectors that run while the test does.

mod captured;
mod connector;
mod live;

use std::collections::BTreeMap;

use distributary::change::{Change, Op, Row, TableId};
use distributary::config::{OnTruncate, Table};
use distributary::envelope::{Decoded, Decoder, Input, KeyMoves};

/// One record of a topic.
#[derive(Clone, serde::Deserialize)]
struct Record {
    key: Option<String>,
    value: Option<String>,
    old_key: Option<String>,
}

fn table(name: &str, key: &[&str]) -> Table {
    Table {
        name: name.into(),
        schema: "public".into(),
        table: name.into(),
        topic: name.into(),
        key: key.iter().map(|column| (*column).to_owned()).collect(),
        full_identity: name == "swapped",
        json: vec![],
        epoch: 0,
        on_truncate: OnTruncate::Stop,
    }
}

/// The changes of a topic of one partition.
fn changes(table: Table, records: &[Record]) -> Vec<Change<'_>> {
    let mut decoder = Decoder::new(&[table]);
    let mut moves = KeyMoves::default();
    let inputs = (0..).zip(records).map(|(offset, record)| Input {
        key: record.key.as_deref().map(str::as_bytes),
        value: record.value.as_deref().map(str::as_bytes),
        offset,
        timestamp_ms: 0,
        old_key: record.old_key.as_deref().map(str::as_bytes),
    });
    inputs
        .filter_map(|input| {
            let decoded = decoder.decode(TableId(0), &mut moves, input);
            match decoded.expect("a record of a real connector") {
                Decoded::Change(change) => Some(change),
                Decoded::Ignored(_) | Decoded::Truncate(_) => None,
            }
        })
        .collect()
}

/// A row's columns; `None` where the value is unavailable.
type Columns = BTreeMap<String, Option<String>>;

fn columns(row: &Row<'_>) -> Columns {
    let owned = |json: &str| json.to_owned();
    row.columns()
        .map(|(name, value)| (name.to_owned(), value.json().map(owned)))
        .collect()
}

fn id(change: &Change<'_>) -> i64 {
    let id = change.key.get("id").and_then(|id| id.json());
    id.expect("a key").parse().expect("a number")
}

/// The rows of `every_type` and its like by id. The ids of one row's copies differ by hundreds.
fn rows(changes: &[Change<'_>]) -> BTreeMap<i64, Columns> {
    let rows = changes.iter().map(|change| {
        let row = change.after.as_ref().expect("no deletes here");
        let mut columns = columns(row);
        columns.remove("id");
        (id(change), columns)
    });
    rows.collect()
}

/// What is left when all changes are applied in order.
fn applied(changes: &[Change<'_>]) -> BTreeMap<i64, Columns> {
    let mut left = BTreeMap::new();
    for change in changes {
        match (change.op, &change.after) {
            (Op::Leave, _) => None,
            (Op::Delete, _) => left.remove(&id(change)),
            (_, after) => left.insert(id(change), columns(after.as_ref().expect("a row"))),
        };
    }
    left
}

/// Every column of `wrapped` is what it is in `plain`, except for those that the mode changes.
fn assert_same(plain: &BTreeMap<i64, Columns>, wrapped: &BTreeMap<i64, Columns>, lossy: &[&str]) {
    assert!(!wrapped.is_empty(), "there are rows");
    for (id, columns) in wrapped {
        let expected = plain.get(&(id % 100)).or_else(|| plain.get(id));
        let expected = expected.unwrap_or_else(|| panic!("row {id} of the plain form"));
        assert!(expected.keys().eq(columns.keys()), "columns of row {id}");
        for (column, text) in columns {
            if !lossy.contains(&&**column) {
                assert_eq!(text, &expected[column], "column {column} of row {id}");
            }
        }
    }
}
