//! One pass over an envelope's text: which fields it has and where its rows' columns lie.
//!
//! Decides nothing. Fields are taken by name, never by position. The surprising fact: `op` and
//! `source` come *after* the row images, so the images are located before it is known what they
//! are.

use super::error::{DecodeError, Part};
use super::fields::Columns;
use super::shapes::Known;
use crate::json::{
    Malformed, Member, Members, Scanner, Stencil, has_lone_surrogate, members, syntax_error,
};

/// The fields of a value that tell what it is. Raw JSON texts, unread.
#[derive(Default)]
pub(super) struct Envelope<'a> {
    pub(super) before: Option<Columns<'a>>,
    pub(super) after: Option<Columns<'a>>,
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
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Source<'a> {
    pub(super) schema: Option<&'a str>,
    pub(super) table: Option<&'a str>,
    pub(super) ts_ms: Option<&'a str>,
    pub(super) tx_id: Option<&'a str>,
}

/// The `source` of a table's last record, if the next one may be held against it.
pub(super) type LastSource = Option<Stencil<4>>;

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
        last_source: &mut LastSource,
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
                // A CloudEvent's is a path; what it lacks then is told by whoever needs it.
                Some(Field::Source) if scanner.rest().starts_with('"') => {
                    scanner.value()?;
                }
                Some(Field::Source) => {
                    envelope.source = Source::read(scanner, last_source)?;
                }
                Some(Field::Op) => envelope.op = Some(scanner.value()?),
                Some(Field::Schema) => envelope.schema = Some(scanner.value()?),
                Some(Field::Payload) => envelope.payload = Some(scanner.value()?),
                _ => {
                    scanner.value()?;
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
/// these columns. `before` is read only where it can be trusted (D4). `last_source` is that of the
/// table's last record.
pub(super) fn envelope<'a>(
    (text, part): (&'a str, &str),
    columns: &Known,
    trust_before: bool,
    last_source: &mut LastSource,
) -> Result<Envelope<'a>, DecodeError> {
    let mut scanner = Scanner::of_part(text, part);
    let read = Envelope::read(&mut scanner, columns, trust_before, last_source);
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
    /// Mostly it is the last one with other digits, and needs no reading.
    fn read(scanner: &mut Scanner<'a>, last: &mut LastSource) -> Result<Self, Malformed> {
        let rest = scanner.rest();
        if let Some((len, parts)) = last.as_ref().and_then(|last| last.fit(rest)) {
            scanner.skip(len);
            let [schema, table, ts_ms, tx_id] = parts;
            return Ok(Self {
                schema,
                table,
                ts_ms,
                tx_id,
            });
        }
        let mut varying = Vec::new();
        let source = Self::scan(scanner, &mut varying)?;
        let passed = rest.len() - scanner.rest().len();
        let text = rest.get(..passed).unwrap_or_default();
        let parts = [source.schema, source.table, source.ts_ms, source.tx_id];
        *last = Stencil::cut(text, &varying, parts);
        Ok(source)
    }

    /// Reads it, and lists the values whose digits are others in each record.
    fn scan(scanner: &mut Scanner<'a>, varying: &mut Vec<&'a str>) -> Result<Self, Malformed> {
        let mut source = Self::default();
        let mut members = Members::<SourceField>::new();
        let mut more = scanner.open()?;
        while more {
            let field = members.name(scanner)?;
            let value = scanner.value()?;
            let is_number = value.starts_with(|it: char| it == '-' || it.is_ascii_digit());
            if is_number || field == Some(SourceField::Sequence) {
                varying.push(value);
            }
            match field {
                Some(SourceField::Schema) => source.schema = Some(value),
                Some(SourceField::Table) => source.table = Some(value),
                Some(SourceField::TsMs) => source.ts_ms = Some(value),
                Some(SourceField::TxId) => source.tx_id = Some(value),
                _ => {}
            }
            more = scanner.another()?;
        }
        Ok(source)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// An object of members that a source may have, and of some that it may not.
    fn object() -> impl Strategy<Value = String> {
        let name = proptest::sample::select(vec![
            "ts_ms", "schema", "table", "txId", "sequence", "lsn", "a1", "é1",
        ]);
        let value = proptest::sample::select(vec![
            "1",
            "120",
            "0",
            "-1",
            "1.05",
            "1e5",
            "1e05",
            " 7 ",
            "[8,{\"a9\":10}]",
            "\"é 3\"",
            "null",
            "\"a1\"",
            "\"a2\"",
            "\"\\u00312\"",
            "\"[\\\"1\\\",\\\"22\\\"]\"",
            "\"[null,\\\"3\\\"]\"",
            "{\"a\":1}",
            "01",
            "\"x",
            "",
        ]);
        let member = (name, value).prop_map(|(name, value)| format!("\"{name}\":{value}"));
        let members = proptest::collection::vec(member, 0..12);
        members.prop_map(|members| format!("{{{}}}", members.join(",")))
    }

    /// The text with other digits, or without some, or with more.
    fn with_digits(text: &str, digits: &[String]) -> String {
        let mut digits = digits.iter();
        let other = |it: char| match it.is_ascii_digit() {
            true => digits.next().cloned().unwrap_or_else(|| it.to_string()),
            false => it.to_string(),
        };
        text.chars().map(other).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(8192))]

        #[test]
        fn a_source_says_the_same_whatever_the_last_one_was(
            first in object(),
            digits in proptest::collection::vec("[0-9]{1,2}|", 0..8),
            third in object(),
        ) {
            let second = with_digits(&first, &digits);
            let mut last = None;
            for text in [&first, &second, &third, &second] {
                // The text goes on where the part with the source ends.
                let whole = format!("{text}7");
                let part = whole.strip_suffix('7').unwrap_or_default();
                let scanner = || Scanner::of_part(&whole, part);
                let (mut fresh, mut quick) = (scanner(), scanner());
                let expected = Source::read(&mut fresh, &mut None);
                let found = Source::read(&mut quick, &mut last);
                prop_assert_eq!(&found, &expected);
                if found.is_ok() {
                    prop_assert_eq!(quick.rest(), fresh.rest());
                    prop_assert_eq!(quick.escapes_units(), fresh.escapes_units());
                }
            }
        }
    }

    #[test]
    fn the_next_record_s_source_is_not_read_again() {
        let source = |number: u32| {
            format!(
                r#"{{"version":"3.7.0.Final","ts_ms":17{number},"sequence":"[\"2{number}\",\"3{number}\"]","schema":"public","table":"items2","txId":{number}}}"#
            )
        };
        let mut last = None;
        let (first, second) = (source(95), source(1234));
        Source::read(&mut Scanner::new(&first), &mut last).unwrap();
        let found = last.as_ref().and_then(|last| last.fit(&second));
        let parts = ["\"public\"", "\"items2\"", "171234", "1234"].map(Some);
        assert_eq!(found, Some((second.len(), parts)));
        let other = second.replace("items2", "items3");
        assert_eq!(last.as_ref().and_then(|last| last.fit(&other)), None);
    }
}
