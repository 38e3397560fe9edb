//! What every layer below decoding speaks: [`Change`], [`Row`], [`Version`].
//!
//! Nothing here knows Kafka, Debezium or a store. The surprising fact: a column value is the JSON
//! *text* it had on the wire (in canonical form), never a parsed number, so no digit is lost. It
//! mostly is a slice of the record: a change is projected where it is decoded, and gone after that.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// Index of a table in the configuration's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableId(pub u16);

/// Index of a projection in the configuration's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProjectionId(pub u16);

/// Where a change stands in the order of its key: `epoch << 48 | offset`.
///
/// The Kafka offset is the exact order in which Debezium emitted the changes of a key; the epoch
/// is raised by the operator when a topic begins a new life. Comparable only between records of
/// the same key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Version(i64);

impl Version {
    /// The version of the record at `offset` (0 ≤ offset < 2^48) in the topic's life `epoch`.
    #[must_use]
    pub fn new(epoch: u16, offset: i64) -> Self {
        debug_assert!((0..1 << 48).contains(&offset) && epoch < 1 << 15);
        Self(i64::from(epoch) << 48 | offset)
    }

    /// The number that stores keep: positive, 63 bits.
    #[must_use]
    pub fn get(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What happened to the row. A truncate is not a change of a row and is no variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// `c`: inserted, or the new half of a primary-key change.
    Create,
    /// `u`: updated.
    Update,
    /// `r`: read by a snapshot.
    Read,
    /// `d`, or a tombstone whose `d` was compacted away.
    Delete,
    /// `d` of a row that leaves its key to another one, which took it in the same transaction: what
    /// is kept under the key is the other row's, and what was made of the old row's values goes.
    Leave,
}

/// One committed change of one row, which borrows from its record.
#[derive(Debug)]
pub struct Change<'a> {
    /// Which configured table.
    pub table: TableId,
    /// What happened.
    pub op: Op,
    /// The row's key: exactly the table's key columns, in the configured order, never unavailable.
    pub key: Row<'a>,
    /// The old row; present only where the table is declared `replica_identity: full` and the
    /// record carries one, because under any other identity its columns are made up.
    pub before: Option<Row<'a>>,
    /// The new row; `None` exactly when `op` is [`Op::Delete`] or [`Op::Leave`].
    pub after: Option<Row<'a>>,
    /// The key this row had before, when this is the `c` of a primary-key change. For people: what
    /// stands under it in a store proves nothing, see `projector::document`.
    pub moved_from: Option<Row<'a>>,
    /// The order of this change among those of its key.
    pub version: Version,
    /// When the transaction committed (`source.ts_ms`), in milliseconds since the Unix epoch; the
    /// record's own timestamp where the envelope has none (tombstones).
    pub committed_at_ms: i64,
}

impl Change<'_> {
    /// Whether this is an update without the old row that each one of a table with `full_identity`
    /// should have: what was made of old values, such as cache keys, is not known.
    #[must_use]
    pub fn lacks_old_row(&self, full_identity: bool) -> bool {
        full_identity && self.op == Op::Update && self.before.is_none()
    }
}

/// The value of one column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// JSON text in canonical form: no insignificant white space or newline, numbers with every
    /// digit. See `docs/types.md` for the form of each Postgres type.
    Json(&'a str),
    /// An unchanged TOASTed value that Debezium did not send. Must never reach a store.
    Unavailable,
}

impl<'a> Value<'a> {
    /// Whether the value is the JSON literal `null`.
    #[must_use]
    pub fn is_null(self) -> bool {
        self == Value::Json("null")
    }

    /// The JSON text, or `None` when the value is unavailable.
    #[must_use]
    pub fn json(self) -> Option<&'a str> {
        match self {
            Value::Json(text) => Some(text),
            Value::Unavailable => None,
        }
    }
}

/// The column names of a row, in order. Shared by all rows of a table until its columns change, so
/// a projector may resolve names once per shape and compare shapes with [`Arc::ptr_eq`].
#[derive(Debug, PartialEq, Eq)]
pub struct Shape {
    names: Box<[Box<str>]>,
}

impl Shape {
    /// A shape of these column names, in this order.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            names: names.into_iter().map(Box::from).collect(),
        }
    }

    /// The names in order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.names.iter().map(AsRef::as_ref)
    }

    /// Where the column stands.
    #[must_use]
    pub fn position(&self, column: &str) -> Option<usize> {
        self.names.iter().position(|name| **name == *column)
    }

    /// How many columns.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there is no column.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

/// A name as it stands before its value in a JSON object: escaped, in quotes, with its colon.
pub(crate) fn label(name: &str) -> String {
    // A `Value` of a string always has a JSON text.
    format!("{}:", serde_json::Value::from(name))
}

/// What a row has of one column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cell<'a> {
    /// JSON text: the record's own, or another where the record has none of canonical form.
    Json(Cow<'a, str>),
    /// See [`Value::Unavailable`].
    Unavailable,
}

impl<'a> Cell<'a> {
    /// The cell of this JSON text.
    pub(crate) fn of(json: &'a str) -> Self {
        Self::Json(Cow::Borrowed(json))
    }

    /// What readers get of it.
    pub(crate) fn value(&self) -> Value<'_> {
        match self {
            Self::Json(text) => Value::Json(text),
            Self::Unavailable => Value::Unavailable,
        }
    }
}

/// A row image: column names and, for each, its JSON text.
#[derive(Clone, Debug)]
pub struct Row<'a> {
    shape: Arc<Shape>,
    cells: Vec<Cell<'a>>,
}

impl<'a> Row<'a> {
    /// A row with a cell for each column of the shape.
    ///
    /// # Panics
    /// When shape and cells differ in length: a decoder's bug.
    pub(crate) fn new(shape: Arc<Shape>, cells: Vec<Cell<'a>>) -> Self {
        assert_eq!(shape.len(), cells.len(), "one cell for each column");
        Self { shape, cells }
    }
}

impl Row<'static> {
    /// A row of these names and JSON texts, `None` for an unavailable value; for tests and for rows
    /// that are made, not decoded.
    #[must_use]
    pub fn of(columns: &[(&str, Option<&str>)]) -> Self {
        let cell = |json: &Option<&str>| match json {
            Some(json) => Cell::Json(Cow::Owned(String::from(*json))),
            None => Cell::Unavailable,
        };
        let names = columns.iter().map(|(name, _)| *name);
        Self {
            shape: Arc::new(Shape::new(names)),
            cells: columns.iter().map(|(_, json)| cell(json)).collect(),
        }
    }

    /// The same where every value is available.
    #[must_use]
    pub fn from_pairs(pairs: &[(&str, &str)]) -> Self {
        let available = pairs.iter().map(|&(name, json)| (name, Some(json)));
        Self::of(&available.collect::<Vec<_>>())
    }
}

impl Row<'_> {
    /// The names, to be compared with [`Arc::ptr_eq`] when a resolution is cached.
    #[must_use]
    pub fn shape(&self) -> &Arc<Shape> {
        &self.shape
    }

    /// The value of a column by name; `None` when the row has no such column.
    #[must_use]
    pub fn get(&self, column: &str) -> Option<Value<'_>> {
        self.shape.position(column).map(|index| self.at(index))
    }

    /// The value at a position of the shape.
    ///
    /// # Panics
    /// When the index is not below the shape's length.
    #[must_use]
    pub fn at(&self, index: usize) -> Value<'_> {
        self.cells[index].value()
    }

    /// Names and values in order.
    pub fn columns(&self) -> impl Iterator<Item = (&str, Value<'_>)> {
        self.shape
            .names()
            .enumerate()
            .map(|(index, name)| (name, self.at(index)))
    }

    /// Whether any column is unavailable.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.cells.contains(&Cell::Unavailable)
    }
}
