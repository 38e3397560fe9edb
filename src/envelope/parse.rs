//! One pass over an envelope's text: which fields it has and where its rows' columns lie.
//!
//! Decides nothing. Fields are taken by name, never by position. The surprising fact: `op` and
//! `source` come *after* the row images, so the images are located before it is known what they
//! are.

use super::error::{DecodeError, Part};
use super::fields::Columns;
use super::shapes::Known;
use crate::json::{Malformed, Members, Scanner, has_lone_surrogate, names, syntax_error};

/// The fields of a value that tell what it is. Raw JSON texts, unread.
#[derive(Default)]
pub(super) struct Envelope<'a> {
    pub(super) before: Option<Columns>,
    pub(super) after: Option<Columns>,
    pub(super) op: Option<&'a str>,
    pub(super) source: Source<'a>,
    schema: Option<&'a str>,
    payload: Option<&'a str>,
    /// Bits of [`FIELDS`].
    seen: u16,
    /// Whether there are fields outside of [`FIELDS`].
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

/// The fields of a change as Debezium orders them, and the others that take part in recognising a
/// value.
const FIELDS: [(&str, &str); 15] = names![
    "before",
    "after",
    "source",
    "transaction",
    "op",
    "ts_ms",
    "ts_us",
    "ts_ns",
    "schema",
    "payload",
    "status",
    "data_collections",
    "aggregate_type",
    "additional_data",
    "specversion",
];

/// The fields of `source` as the Postgres connector orders them.
const SOURCE: [(&str, &str); 15] = names![
    "version",
    "connector",
    "name",
    "ts_ms",
    "snapshot",
    "db",
    "sequence",
    "ts_us",
    "ts_ns",
    "schema",
    "table",
    "txId",
    "lsn",
    "xmin",
    "origin",
];

impl<'a> Envelope<'a> {
    fn read(
        scanner: &mut Scanner<'a>,
        columns: &Known,
        trust_before: bool,
    ) -> Result<Self, Problem> {
        let mut envelope = Self::default();
        let mut members = Members::new(&FIELDS);
        let mut more = scanner.open()?;
        while more {
            let field = members.name(scanner)?;
            let name = field.map_or("", |field| FIELDS[field].0);
            match field {
                Some(field) if envelope.seen & 1 << field != 0 => {
                    return Err(Problem::Duplicate(name));
                }
                Some(field) => envelope.seen |= 1 << field,
                None => envelope.others = true,
            }
            match name {
                "before" if trust_before => envelope.before = Columns::read(scanner, columns)?,
                "after" => envelope.after = Columns::read(scanner, columns)?,
                "source" => envelope.source = Source::read(scanner)?,
                "op" => envelope.op = Some(scanner.value()?),
                "schema" => envelope.schema = Some(scanner.value()?),
                "payload" => envelope.payload = Some(scanner.value()?),
                _ => {
                    scanner.pass_value()?;
                }
            }
            more = scanner.another()?;
        }
        envelope.escapes_units = scanner.escapes_units();
        Ok(envelope)
    }

    /// Whether the value has all of these, which are of [`FIELDS`].
    pub(super) fn has(&self, names: &[&str]) -> bool {
        let bit = |name: &&str| FIELDS.iter().position(|(field, _)| field == name);
        names
            .iter()
            .all(|name| bit(name).is_some_and(|bit| self.seen & 1 << bit != 0))
    }

    /// `schema` and `payload` of the wrapped form.
    pub(super) fn wrapper(&self) -> Option<(&'a str, &'a str)> {
        self.schema.zip(self.payload)
    }

    /// A heartbeat has no field but its time.
    pub(super) fn is_heartbeat(&self) -> bool {
        !self.others && self.seen.count_ones() == 1 && self.has(&["ts_ms"])
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
        Problem::Duplicate(name) => DecodeError::Duplicate {
            part: Part::Value,
            name: name.to_owned(),
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
    /// Two fields of a name of [`FIELDS`].
    Duplicate(&'static str),
}

impl From<Malformed> for Problem {
    fn from(Malformed: Malformed) -> Self {
        Self::Malformed
    }
}

impl<'a> Source<'a> {
    fn read(scanner: &mut Scanner<'a>) -> Result<Self, Malformed> {
        let mut source = Self::default();
        let mut members = Members::new(&SOURCE);
        let mut more = scanner.open()?;
        while more {
            let field = members.name(scanner)?;
            match field.map_or("", |field| SOURCE[field].0) {
                "schema" => source.schema = Some(scanner.value()?),
                "table" => source.table = Some(scanner.value()?),
                "ts_ms" => source.ts_ms = Some(scanner.value()?),
                "txId" => source.tx_id = Some(scanner.value()?),
                _ => {
                    scanner.pass_value()?;
                }
            }
            more = scanner.another()?;
        }
        Ok(source)
    }
}
