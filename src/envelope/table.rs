//! What the decoder knows about one table, and the decision what a record of its topic is.

use std::sync::Arc;

use super::blank::is_blank;
use super::error::{DecodeError, Part};
use super::fields::Columns;
use super::key::KeyReader;
use super::moves::{KeyMoves, Seen};
use super::parse::{Envelope, Field, LastSource, envelope};
use super::rows::Image;
use super::schema::{Schemas, Type};
use super::shapes::{Known, Shapes};
use super::{Decoded, Ignored, Input, TableName, text};
use crate::change::{Change, Op, TableId, Value, Version};
use crate::config;
use crate::json::{has_lone_surrogate, unescaped};

/// The decoder of one table's topic.
pub(super) struct Table {
    id: TableId,
    name: TableName,
    full_identity: bool,
    epoch: u16,
    keys: KeyReader,
    shapes: Shapes,
    schemas: Schemas,
    last_source: LastSource,
}

/// A row change whose images are as the record has them.
struct Located<'a> {
    op: Op,
    before: Option<Image<'a>>,
    after: Option<Image<'a>>,
    committed_at_ms: Option<i64>,
    tx_id: Option<u64>,
}

/// What a value says it is.
enum Content<'a> {
    Row(Located<'a>),
    Ignored(Ignored),
    Truncate,
}

impl Table {
    pub(super) fn new(id: TableId, table: &config::Table) -> Self {
        Self {
            id,
            name: TableName {
                schema: table.schema.clone(),
                table: table.table.clone(),
            },
            full_identity: table.full_identity,
            epoch: table.epoch,
            keys: KeyReader::new(&table.key),
            shapes: Shapes::new(table.json.clone()),
            schemas: Schemas::default(),
            last_source: None,
        }
    }

    pub(super) fn decode<'a>(
        &mut self,
        moves: &mut KeyMoves,
        record: Input<'a>,
    ) -> Result<Decoded<'a>, DecodeError> {
        let deleted = moves.begin(record.offset);
        let Some(value) = record.value else {
            return self.tombstone(deleted.as_deref(), record);
        };
        let decoded = self.value(moves, record, value);
        if let (Err(_), Some(Ok(key))) = (&decoded, record.key.map(str::from_utf8)) {
            moves.forget(key);
        }
        decoded
    }

    fn value<'a>(
        &mut self,
        moves: &mut KeyMoves,
        record: Input<'a>,
        value: &'a [u8],
    ) -> Result<Decoded<'a>, DecodeError> {
        let value = text(Part::Value, value)?;
        match self.content(value)? {
            Content::Row(located) => self.row(moves, record, (value, located)),
            Content::Ignored(reason) => Ok(Decoded::Ignored(reason)),
            Content::Truncate => Ok(Decoded::Truncate(self.id)),
        }
    }

    /// A tombstone deletes by itself when compaction has removed the `d` before it (D4).
    fn tombstone<'a>(
        &mut self,
        deleted: Option<&str>,
        record: Input<'a>,
    ) -> Result<Decoded<'a>, DecodeError> {
        let Some(key) = record.key else {
            return Ok(Decoded::Ignored(Ignored::Empty));
        };
        if deleted.is_some_and(|deleted| deleted.as_bytes() == key) {
            return Ok(Decoded::Ignored(Ignored::Tombstone));
        }
        let key = self.keys.read(&self.name, text(Part::Key, key)?)?;
        Ok(Decoded::Change(Change {
            table: self.id,
            op: Op::Delete,
            key,
            before: None,
            after: None,
            moved_from: None,
            version: Version::new(self.epoch, record.offset),
            committed_at_ms: record.timestamp_ms,
        }))
    }

    fn row<'a>(
        &mut self,
        moves: &mut KeyMoves,
        record: Input<'a>,
        (value, located): (&'a str, Located<'a>),
    ) -> Result<Decoded<'a>, DecodeError> {
        let no_key = || DecodeError::NoKey {
            table: self.name.to_string(),
        };
        let key_text = text(Part::Key, record.key.ok_or_else(no_key)?)?;
        let key = self.keys.read(&self.name, key_text)?;
        let trusted = |image: &Option<Image<'_>>| match image {
            Some(image) if self.full_identity => image.extent(value),
            _ => None,
        };
        let seen = Seen {
            offset: record.offset,
            op: located.op,
            key: key_text,
            tx_id: located.tx_id,
            moved: record.old_key.is_some(),
            before: trusted(&located.before),
            before_is_blank: self.is_blank(&located),
            after: trusted(&located.after),
        };
        let op = match moves.row_has_left(&seen) {
            true => Op::Leave,
            false => located.op,
        };
        // Only here can Postgres have left a value out (D5).
        let partial = located.op == Op::Update || record.old_key.is_some();
        let header = record.old_key;
        let before = located.before.map(|mut image| {
            // What is wrong with the old row is what this record may mend.
            drop(image.canonicalize(false));
            image.row()
        });
        let after = located.after.filter(|_| op != Op::Leave);
        let after = after.map(|mut image| image.canonicalize(partial).map(|()| image.row()));
        Ok(Decoded::Change(Change {
            table: self.id,
            op,
            key,
            before,
            after: after.transpose()?,
            moved_from: header.and_then(|key| self.keys.read_header(&self.name, key)),
            version: Version::new(self.epoch, record.offset),
            committed_at_ms: located.committed_at_ms.unwrap_or(record.timestamp_ms),
        }))
    }

    /// Whether the old row of a delete has nothing but its key.
    fn is_blank(&self, located: &Located<'_>) -> bool {
        match &located.before {
            Some(image) if located.op == Op::Delete => {
                let is_blank = |value: Value<'_>| value.json().is_some_and(is_blank);
                let mut values = image.values();
                values.all(|(column, value)| self.keys.has(column) || is_blank(value))
            }
            _ => false,
        }
    }

    fn content<'a>(&mut self, text: &'a str) -> Result<Content<'a>, DecodeError> {
        let expected = Arc::clone(self.shapes.expected());
        let (last_source, full_identity) = (&mut self.last_source, self.full_identity);
        let mut parse = |part| envelope((text, part), &expected, full_identity, last_source);
        let recognised = self.schemas.recognise(text);
        let mut envelope = parse(recognised.unwrap_or(text))?;
        let mut wrapped = recognised.is_some();
        if let (None, Some(wrapper)) = (envelope.op, envelope.wrapper()) {
            self.schemas.learn(text, wrapper, Part::Value)?;
            envelope = parse(wrapper.1)?;
            wrapped = true;
        }
        if envelope.escapes_units && has_lone_surrogate(text) {
            return Err(DecodeError::LoneSurrogate(Part::Value));
        }
        let Some(op) = envelope.op.and_then(unescaped) else {
            return without_op(&envelope).map(Content::Ignored);
        };
        let op = match &*op {
            "m" => return Ok(Content::Ignored(Ignored::Message)),
            "t" => {
                self.refuse_other_tables(&envelope)?;
                return Ok(Content::Truncate);
            }
            "c" => Op::Create,
            "r" => Op::Read,
            "u" => Op::Update,
            "d" => Op::Delete,
            _ => return Err(DecodeError::UnknownOp),
        };
        self.refuse_other_tables(&envelope)?;
        self.located(op, envelope, (&expected, wrapped))
            .map(Content::Row)
    }

    fn located<'a>(
        &mut self,
        op: Op,
        envelope: Envelope<'a>,
        (expected, wrapped): (&Arc<Known>, bool),
    ) -> Result<Located<'a>, DecodeError> {
        let source = &envelope.source;
        let committed_at_ms = source.ts_ms.and_then(|raw| raw.parse().ok());
        let tx_id = source.tx_id.and_then(|raw| raw.parse().ok());
        if op != Op::Delete && envelope.after.is_none() {
            return Err(DecodeError::NoRow);
        }
        let mut image = |columns: Columns<'a>| {
            let known = self.shapes.intern(&columns, expected)?;
            let types = match wrapped {
                true => self.schemas.types(&known),
                false => None,
            };
            Ok(Image {
                cells: columns.cells,
                known,
                types,
                // It may be one: what infinity is written as differs between snapshot and stream.
                untyped: Type::Moment,
            })
        };
        Ok(Located {
            op,
            before: envelope.before.map(&mut image).transpose()?,
            after: match op {
                Op::Delete => None,
                _ => envelope.after.map(&mut image).transpose()?,
            },
            committed_at_ms,
            tx_id,
        })
    }

    fn refuse_other_tables(&self, envelope: &Envelope<'_>) -> Result<(), DecodeError> {
        let source = &envelope.source;
        let (Some(schema), Some(table)) = (
            source.schema.and_then(unescaped),
            source.table.and_then(unescaped),
        ) else {
            return Err(DecodeError::NotAnEnvelope(
                "`source` has no schema and table",
            ));
        };
        if schema == self.name.schema && table == self.name.table {
            return Ok(());
        }
        Err(DecodeError::WrongTable {
            expected: self.name.to_string(),
            found: format!("{schema}.{table}"),
        })
    }
}

/// What a value without `op` is, if it is anything of Debezium's.
fn without_op(envelope: &Envelope<'_>) -> Result<Ignored, DecodeError> {
    if envelope.has(&[Field::Status, Field::DataCollections]) {
        return Ok(Ignored::Transaction);
    }
    if envelope.has(&[Field::AggregateType, Field::AdditionalData]) {
        return Ok(Ignored::Notification);
    }
    if envelope.has(&[Field::Specversion]) {
        return Err(DecodeError::CloudEvent);
    }
    if envelope.is_heartbeat() {
        return Ok(Ignored::Heartbeat);
    }
    Err(DecodeError::NotAnEnvelope("it has no `op`"))
}
