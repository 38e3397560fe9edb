//! Decoding: the bytes of a Kafka record to a [`Change`] of a configured table.
//!
//! Knows Debezium's wire format and nothing of Kafka's client or of stores. A value is parsed once
//! and its columns stay slices of the record. The surprising fact: a change is decided
//! by what the record says of itself (`op`, `source`), only a bare tombstone by its topic.
//!
//! The budget: half of the 4 µs of CPU that an event may cost. Where it goes for an event of 1 KB
//! with a json column (a sampling profile of `cargo bench --bench hot`): 45 % to find the members of
//! the value (an eighth of that for its `source`, which is only compared), 25 % to bring the row to
//! its form (half of that for the json column), 8 % for the key, 3 % to see that the text is UTF-8.

mod blank;
mod decimal;
mod error;
mod fields;
mod key;
mod moves;
mod parse;
mod placeholder;
mod rows;
mod schema;
mod shapes;
mod table;
mod temporal;
#[cfg(test)]
mod tests;
mod values;

use std::fmt;

pub use error::{DecodeError, Part};
pub use moves::KeyMoves;
pub use placeholder::is_placeholder;

use crate::change::{Change, TableId};
use crate::config;

/// One record, as Kafka delivered it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Input<'a> {
    /// The record key.
    pub key: Option<&'a [u8]>,
    /// The record value; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// The record's offset: the lower part of the version.
    pub offset: i64,
    /// The record's own timestamp, in milliseconds since the Unix epoch.
    pub timestamp_ms: i64,
    /// The header [`OLD_KEY`]: this is the `c` of a changed primary key.
    pub old_key: Option<&'a [u8]>,
}

/// The header that Debezium puts on the `c` of a changed primary key.
pub const OLD_KEY: &str = "__debezium.oldkey";

/// What a record is.
#[derive(Debug)]
pub enum Decoded<'a> {
    /// A change of a row.
    Change(Change<'a>),
    /// Nothing that concerns a store.
    Ignored(Ignored),
    /// The table was emptied (D11).
    Truncate(TableId),
}

/// Why a record concerns no store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ignored {
    /// The connector's sign of life.
    Heartbeat,
    /// Begin or end of a transaction (`provide.transaction.metadata`).
    Transaction,
    /// `op: m`, a message written with `pg_logical_emit_message`.
    Message,
    /// News of a snapshot.
    Notification,
    /// The tombstone that follows a `d`.
    Tombstone,
    /// A record with neither key nor value: the tombstone of a row without a key.
    Empty,
}

impl Ignored {
    /// A fixed word for metric labels.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Heartbeat => "heartbeat",
            Self::Transaction => "transaction",
            Self::Message => "message",
            Self::Notification => "notification",
            Self::Tombstone => "tombstone",
            Self::Empty => "empty",
        }
    }
}

/// Decodes the records of all configured tables. One for each pipeline task: it remembers shapes
/// and schemas.
pub struct Decoder {
    tables: Vec<table::Table>,
}

impl Decoder {
    /// A decoder of these tables, whose [`TableId`] is the index.
    #[must_use]
    pub fn new(tables: &[config::Table]) -> Self {
        let ids = (0..).map(TableId);
        Self {
            tables: ids
                .zip(tables)
                .map(|(id, table)| table::Table::new(id, table))
                .collect(),
        }
    }

    /// What `record` is, which comes from the topic of `table` and from the partition whose memory
    /// is `moves`. Records of a partition must be given in order.
    ///
    /// # Errors
    /// When the record is no change of the topic's table; it will never become one.
    ///
    /// # Panics
    /// When `table` is none of the decoder's tables.
    pub fn decode<'a>(
        &mut self,
        table: TableId,
        moves: &mut KeyMoves,
        record: Input<'a>,
    ) -> Result<Decoded<'a>, DecodeError> {
        self.tables[usize::from(table.0)].decode(moves, record)
    }
}

/// `schema.table`, as Postgres writes it.
#[derive(Debug)]
struct TableName {
    schema: String,
    table: String,
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.table)
    }
}

/// The bytes as text.
fn text(part: Part, bytes: &[u8]) -> Result<&str, DecodeError> {
    // No JSON text begins with a zero byte; every registry's framing does.
    if bytes.first() == Some(&0) {
        return Err(DecodeError::Registry(part));
    }
    std::str::from_utf8(bytes).map_err(|error| DecodeError::NotUtf8 {
        part,
        at: error.valid_up_to(),
    })
}
