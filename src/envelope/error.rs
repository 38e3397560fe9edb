//! Why a record could not be decoded.
//!
//! Each variant is one metric label and one sentence with a hint. None ever carries a row's value:
//! the sentences end up in logs and in the headers of dead letters.

use std::fmt;

/// Which half of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The record key.
    Key,
    /// The record value.
    Value,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key => "key",
            Self::Value => "value",
        })
    }
}

/// A record that is no change of its table: poison (D9).
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DecodeError {
    /// Bytes that are no text.
    #[error("the record {part} is not UTF-8 from byte {at} on; is it from another producer?")]
    NotUtf8 {
        /// Key or value.
        part: Part,
        /// Index of the first bad byte.
        at: usize,
    },
    /// Text that is no JSON, with the parser's position.
    #[error("the record {part} is not valid JSON: {detail}")]
    Json {
        /// Key or value.
        part: Part,
        /// What the parser says; it quotes nothing of the text.
        detail: String,
    },
    /// A schema registry's framing.
    #[error(
        "the record {0} begins with a schema registry's magic byte (Avro, Protobuf); only JSON is \
         read: set the connector's converters to org.apache.kafka.connect.json.JsonConverter"
    )]
    Registry(Part),
    /// A CloudEvents wrapper.
    #[error(
        "the record is wrapped as a CloudEvent; set the connector's value.converter to \
         org.apache.kafka.connect.json.JsonConverter"
    )]
    CloudEvent,
    /// JSON, but no Debezium envelope.
    #[error(
        "the record value is JSON but no Debezium envelope ({0}); if ExtractNewRecordState or \
         another flattening transform is configured, remove it from the connector"
    )]
    NotAnEnvelope(&'static str),
    /// An `op` nobody knows.
    #[error("the envelope's op is none of c, r, u, d, t, m; is the connector newer than this?")]
    UnknownOp,
    /// A row of another table than the one the topic is configured for.
    #[error(
        "the record is of table {found}, but its topic is configured for {expected}; correct \
         `schema`, `table` or `topic` of the table, or route the tables to topics of their own"
    )]
    WrongTable {
        /// `schema.table` of the configuration.
        expected: String,
        /// `schema.table` of the envelope.
        found: String,
    },
    /// A change without a key.
    #[error(
        "the record of {table} has no key; give the table a primary key, or name its columns in \
         the connector's message.key.columns"
    )]
    NoKey {
        /// `schema.table`.
        table: String,
    },
    /// A key that is not an object of columns.
    #[error(
        "the record key of {table} is not a JSON object of columns; set the connector's \
         key.converter to org.apache.kafka.connect.json.JsonConverter"
    )]
    KeyForm {
        /// `schema.table`.
        table: String,
    },
    /// The record key lacks a column of the configured key.
    #[error(
        "the record key of {table} has no column {column}; correct the table's `key`, or set the \
         connector's message.key.columns to it"
    )]
    KeyColumn {
        /// `schema.table`.
        table: String,
        /// The configured column.
        column: String,
    },
    /// The record key has a column that the configured key lacks: rows would share an identity.
    #[error(
        "the record key of {table} has the further column {column}; add it to the table's `key`, \
         or set the connector's message.key.columns to the configured ones"
    )]
    KeyExtra {
        /// `schema.table`.
        table: String,
        /// The further column.
        column: String,
    },
    /// A null in the key.
    #[error(
        "the key column {column} of {table} is null; declare it NOT NULL or choose another key in \
         the connector's message.key.columns"
    )]
    KeyNull {
        /// `schema.table`.
        table: String,
        /// The column.
        column: String,
    },
    /// The same field twice in one object.
    #[error("the field {name} occurs twice in the record {part}")]
    Duplicate {
        /// Key or value.
        part: Part,
        /// The field.
        name: String,
    },
    /// Nesting that a recursive reader could not survive.
    #[error("the column {column} is nested deeper than 127 levels; stores refuse such values")]
    TooDeep {
        /// The column.
        column: String,
    },
    /// A wrapper whose schema is no Connect schema.
    #[error(
        "the schema of the record {0} is no Connect schema that says its columns' types; was the \
         record written by org.apache.kafka.connect.json.JsonConverter?"
    )]
    Schema(Part),
    /// A value that contradicts its schema.
    #[error("the value of column {column} is not of the type that the record's schema gives it")]
    Mismatch {
        /// The column.
        column: String,
    },
    /// Half of a surrogate pair, which no UTF-8 text can hold.
    #[error("the record {0} escapes half of a surrogate pair, which no UTF-8 text can hold")]
    LoneSurrogate(Part),
    /// An insert, update or snapshot read without its row.
    #[error("the envelope's op needs a row in `after`, but it has none")]
    NoRow,
    /// A column of the table's `json` list whose text is no JSON.
    #[error(
        "the column {column} is in the table's `json` list but its text is not valid JSON: \
         {detail}; remove it from the list, or mend the row"
    )]
    JsonColumn {
        /// The column.
        column: String,
        /// What the parser says; it quotes nothing of the text.
        detail: String,
    },
}

impl DecodeError {
    /// A fixed word for the metric label `kind`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NotUtf8 { .. } => "not_utf8",
            Self::Json { .. } => "invalid_json",
            Self::Registry(_) => "registry_framing",
            Self::CloudEvent => "cloud_event",
            Self::NotAnEnvelope(_) => "not_an_envelope",
            Self::UnknownOp => "unknown_op",
            Self::WrongTable { .. } => "wrong_table",
            Self::NoKey { .. } => "no_key",
            Self::KeyForm { .. }
            | Self::KeyColumn { .. }
            | Self::KeyExtra { .. }
            | Self::KeyNull { .. } => "wrong_key",
            Self::Duplicate { .. } => "duplicate_field",
            Self::TooDeep { .. } => "too_deep",
            Self::Schema(_) => "invalid_schema",
            Self::Mismatch { .. } => "type_mismatch",
            Self::LoneSurrogate(_) => "lone_surrogate",
            Self::NoRow => "no_row",
            Self::JsonColumn { .. } => "invalid_json_column",
        }
    }
}
