//! One pass over an envelope's text: which fields it has and where its rows' columns lie.
//!
//! Decides nothing. Fields are taken by name, never by position. The surprising fact: `op` and
//! `source` come *after* the row images, so the images are located before it is known what they
//! are.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::error::{DecodeError, Part};
use super::fields::{Columns, ColumnsSeed, Name, plain_str};
use crate::change::Shape;

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
}

/// `source`: where a change comes from. Raw JSON texts, unread.
#[derive(Default)]
pub(super) struct Source<'a> {
    pub(super) schema: Option<&'a str>,
    pub(super) table: Option<&'a str>,
    pub(super) ts_ms: Option<&'a str>,
    pub(super) tx_id: Option<&'a str>,
}

/// Every top-level field that takes part in recognising a value.
const FIELDS: [&str; 12] = [
    "before",
    "after",
    "source",
    "op",
    "schema",
    "payload",
    "ts_ms",
    "status",
    "data_collections",
    "aggregate_type",
    "additional_data",
    "specversion",
];

impl<'a> Envelope<'a> {
    /// Whether the value has all of these, which are of [`FIELDS`].
    pub(super) fn has(&self, names: &[&str]) -> bool {
        let bit = |name: &&str| FIELDS.iter().position(|field| field == name);
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

/// Reads an envelope, which is `part` of the record's text `whole`. `before` is read only where it
/// can be trusted (D4).
pub(super) fn envelope<'a>(
    (whole, part): (&'a str, &'a str),
    expected: &Shape,
    trust_before: bool,
) -> Result<Envelope<'a>, DecodeError> {
    if part.trim_ascii() == "null" {
        return Err(DecodeError::NotAnEnvelope(
            "but null, which is what a flattened delete looks like",
        ));
    }
    let mut problem = None;
    let seed = EnvelopeSeed {
        text: whole,
        expected,
        trust_before,
        problem: &mut problem,
    };
    let mut deserializer = serde_json::Deserializer::from_str(part);
    let parsed = seed
        .deserialize(&mut deserializer)
        .and_then(|envelope| deserializer.end().map(|()| envelope));
    parsed.map_err(|error| problem.unwrap_or_else(|| json_error(Part::Value, &error)))
}

/// The parser's complaint without a word of what it read: its messages about a value's *type*
/// quote the value, those about syntax do not.
pub(super) fn json_error(part: Part, error: &serde_json::Error) -> DecodeError {
    if error.is_data() {
        return DecodeError::NotAnEnvelope("a field has another type than Debezium gives it");
    }
    DecodeError::Json {
        part,
        detail: error.to_string(),
    }
}

/// The text of a JSON string; `None` for anything else.
pub(super) fn string(raw: &str) -> Option<Cow<'_, str>> {
    match plain_str(raw) {
        Some(plain) => Some(Cow::Borrowed(plain)),
        None => serde_json::from_str(raw).ok().map(Cow::Owned),
    }
}

struct EnvelopeSeed<'a, 'p> {
    text: &'a str,
    expected: &'p Shape,
    trust_before: bool,
    problem: &'p mut Option<DecodeError>,
}

impl<'de> DeserializeSeed<'de> for EnvelopeSeed<'de, '_> {
    type Value = Envelope<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for EnvelopeSeed<'de, '_> {
    type Value = Envelope<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an envelope")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut envelope = Envelope::default();
        while let Some(Name(name)) = map.next_key()? {
            let Some(field) = FIELDS.iter().position(|field| *field == name) else {
                map.next_value::<IgnoredAny>()?;
                envelope.others = true;
                continue;
            };
            if envelope.seen & 1 << field != 0 {
                *self.problem = Some(DecodeError::Duplicate {
                    part: Part::Value,
                    name: name.into_owned(),
                });
                return Err(de::Error::custom("duplicate field"));
            }
            envelope.seen |= 1 << field;
            let columns = ColumnsSeed {
                text: self.text,
                expected: self.expected,
            };
            match FIELDS[field] {
                "before" if self.trust_before => envelope.before = map.next_value_seed(columns)?,
                "after" => envelope.after = map.next_value_seed(columns)?,
                "source" => envelope.source = map.next_value_seed(SourceSeed)?,
                "op" => envelope.op = Some(raw(&mut map)?),
                "schema" => envelope.schema = Some(raw(&mut map)?),
                "payload" => envelope.payload = Some(raw(&mut map)?),
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(envelope)
    }
}

struct SourceSeed;

impl<'de> DeserializeSeed<'de> for SourceSeed {
    type Value = Source<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for SourceSeed {
    type Value = Source<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a source block")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut source = Source::default();
        while let Some(Name(name)) = map.next_key()? {
            match &*name {
                "schema" => source.schema = Some(raw(&mut map)?),
                "table" => source.table = Some(raw(&mut map)?),
                "ts_ms" => source.ts_ms = Some(raw(&mut map)?),
                "txId" => source.tx_id = Some(raw(&mut map)?),
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(source)
    }
}

fn raw<'de, A: MapAccess<'de>>(map: &mut A) -> Result<&'de str, A::Error> {
    Ok(map.next_value::<&RawValue>()?.get())
}
