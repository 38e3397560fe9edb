//! One pass over an envelope's text: which fields it has and where its rows' columns lie.
//!
//! Decides nothing. Fields are taken by name, never by position. The surprising fact: `op` and
//! `source` come *after* the row images, so the images are located before it is known what they
//! are.

use super::error::{DecodeError, Part};
use super::fields::Columns;
use super::shapes::Known;
use crate::json::{Malformed, Member, Members, Scanner, has_lone_surrogate, members, syntax_error};

/// The fields of a value that tell what it is. Raw JSON texts, unread.
#[derive(Default)]
pub(super) struct Envelope<'a> {
    pub(super) before: Option<Columns>,
    pub(super) after: Option<Columns>,
    pub(super) op: Option<&'a str>,
    pub(super) source: Source<'a>,
    schema: Option<&'a str>,
    payload: Option<&'a str>,
    /// Bits of [`Field`].
    seen: u16,
    /// Whether there are fields outside of [`Field`].
    others: bool,
    /// Whether a string has a `\u`, which may be half of a surrogate pair.
    pub(super) escapes_units: bool,
}

/// `source`: where a change comes from. Raw JSON texts, unread.
#[derive(Default)]
pub(super) struct Source<'a> {
    pub(super) schema: Option<&'a str>,
    pub(super) table: Option<&'a str>,
    pub(super) ts_ms: Option<&'a str>,
    pub(super) tx_id: Option<&'a str>,
}

members! {
    /// The fields of a change as Debezium orders them, and the others that take part in recognising a
    /// value.
    enum Field {
        Before = "before",
        After = "after",
        Source = "source",
        Transaction = "transaction",
        Op = "op",
        TsMs = "ts_ms",
        TsUs = "ts_us",
        TsNs = "ts_ns",
        Schema = "schema",
        Payload = "payload",
        Status = "status",
        DataCollections = "data_collections",
        AggregateType = "aggregate_type",
        AdditionalData = "additional_data",
        Specversion = "specversion",
    }
}

members! {
    /// The fields of `source` as the Postgres connector orders them.
    enum SourceField {
        Version = "version",
        Connector = "connector",
        Name = "name",
        TsMs = "ts_ms",
        Snapshot = "snapshot",
        Db = "db",
        Sequence = "sequence",
        TsUs = "ts_us",
        TsNs = "ts_ns",
        Schema = "schema",
        Table = "table",
        TxId = "txId",
        Lsn = "lsn",
        Xmin = "xmin",
        Origin = "origin",
    }
}

impl Field {
    fn bit(self) -> u16 {
        1 << self as u16
    }

    fn name(self) -> &'static str {
        Self::ALL[self as usize].name
    }
}

impl<'a> Envelope<'a> {
    fn read(
        scanner: &mut Scanner<'a>,
        columns: &Known,
        trust_before: bool,
    ) -> Result<Self, Problem> {
        let mut envelope = Self::default();
        let mut members = Members::<Field>::new();
        let mut more = scanner.open()?;
        while more {
            let field = members.name(scanner)?;
            match field {
                Some(field) if envelope.has(&[field]) => return Err(Problem::Duplicate(field)),
                Some(field) => envelope.seen |= field.bit(),
                None => envelope.others = true,
            }
            match field {
                Some(Field::Before) if trust_before => {
                    envelope.before = Columns::read(scanner, columns)?;
                }
                Some(Field::After) => envelope.after = Columns::read(scanner, columns)?,
                Some(Field::Source) => envelope.source = Source::read(scanner)?,
                Some(Field::Op) => envelope.op = Some(scanner.value()?),
                Some(Field::Schema) => envelope.schema = Some(scanner.value()?),
                Some(Field::Payload) => envelope.payload = Some(scanner.value()?),
                _ => {
                    scanner.pass_value()?;
                }
            }
            more = scanner.another()?;
        }
        envelope.escapes_units = scanner.escapes_units();
        Ok(envelope)
    }

    /// Whether the value has all of these.
    pub(super) fn has(&self, fields: &[Field]) -> bool {
        fields.iter().all(|field| self.seen & field.bit() != 0)
    }

    /// `schema` and `payload` of the wrapped form.
    pub(super) fn wrapper(&self) -> Option<(&'a str, &'a str)> {
        self.schema.zip(self.payload)
    }

    /// A heartbeat has no field but its time.
    pub(super) fn is_heartbeat(&self) -> bool {
        !self.others && self.seen.count_ones() == 1 && self.has(&[Field::TsMs])
    }
}

/// Reads an envelope, which is `part` of the record's text, and whose rows are expected to have
/// these columns. `before` is read only where it can be trusted (D4).
pub(super) fn envelope<'a>(
    (text, part): (&'a str, &str),
    columns: &Known,
    trust_before: bool,
) -> Result<Envelope<'a>, DecodeError> {
    let mut scanner = Scanner::of_part(text, part);
    let read = Envelope::read(&mut scanner, columns, trust_before);
    let read = read.and_then(|envelope| Ok(scanner.end().map(|()| envelope)?));
    read.map_err(|problem| match problem {
        Problem::Duplicate(field) => DecodeError::Duplicate {
            part: Part::Value,
            name: field.name().to_owned(),
        },
        Problem::Malformed if part.trim_ascii() == "null" => {
            DecodeError::NotAnEnvelope("but null, which is what a flattened delete looks like")
        }
        Problem::Malformed => match syntax_error(part) {
            Some(detail) => DecodeError::Json {
                part: Part::Value,
                detail,
            },
            None if has_lone_surrogate(part) => DecodeError::LoneSurrogate(Part::Value),
            None => DecodeError::NotAnEnvelope("a field has another type than Debezium gives it"),
        },
    })
}

/// Why a text is no envelope.
enum Problem {
    Malformed,
    /// Two fields of a name of [`Field`].
    Duplicate(Field),
}

impl From<Malformed> for Problem {
    fn from(Malformed: Malformed) -> Self {
        Self::Malformed
    }
}

impl<'a> Source<'a> {
    fn read(scanner: &mut Scanner<'a>) -> Result<Self, Malformed> {
        let mut source = Self::default();
        let mut members = Members::<SourceField>::new();
        let mut more = scanner.open()?;
        while more {
            match members.name(scanner)? {
                Some(SourceField::Schema) => source.schema = Some(scanner.value()?),
                Some(SourceField::Table) => source.table = Some(scanner.value()?),
                Some(SourceField::TsMs) => source.ts_ms = Some(scanner.value()?),
                Some(SourceField::TxId) => source.tx_id = Some(scanner.value()?),
                _ => {
                    scanner.pass_value()?;
                }
            }
            more = scanner.another()?;
        }
        Ok(source)
    }
}
