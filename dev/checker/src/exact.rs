//! JSON whose numbers keep their digits.
//!
//! `serde_json::Value` turns `0.30000000000000000000000000000000000004` into `0.3`; a comparison
//! through it would call a rounded price right.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::value::RawValue;

/// Characters of a text that a report shows.
const SHOWN: usize = 60;

/// A JSON value. Two are equal when they mean the same: `1.10` and `1.1` are one number, `"1.10"`
/// and `"1.1"` are two strings.
#[derive(Debug, Clone)]
pub(crate) enum Exact {
    Null,
    Bool(bool),
    /// A number as it is written.
    Number(String),
    Text(String),
    List(Vec<Self>),
    Object(BTreeMap<String, Self>),
}

impl Exact {
    /// Reads JSON text.
    pub(crate) fn parse(json: &str) -> serde_json::Result<Self> {
        Ok(match json.trim_start().as_bytes().first() {
            Some(b'{') => {
                let mut object = BTreeMap::new();
                for (name, value) in serde_json::from_str::<BTreeMap<String, &RawValue>>(json)? {
                    object.insert(name, Self::parse(value.get())?);
                }
                Self::Object(object)
            }
            Some(b'[') => {
                let items: Vec<&RawValue> = serde_json::from_str(json)?;
                Self::List(
                    items
                        .iter()
                        .map(|item| Self::parse(item.get()))
                        .collect::<Result<_, _>>()?,
                )
            }
            Some(b'"') => Self::Text(serde_json::from_str(json)?),
            Some(b't' | b'f') => Self::Bool(serde_json::from_str(json)?),
            Some(b'n') => Self::Null,
            _ => Self::Number(serde_json::from_str::<&RawValue>(json)?.get().to_owned()),
        })
    }

    /// A field of an object; null where it is absent.
    pub(crate) fn field(&self, name: &str) -> &Self {
        match self {
            Self::Object(fields) => fields.get(name).unwrap_or(&Self::Null),
            _ => &Self::Null,
        }
    }

    /// An object of fewer fields.
    pub(crate) fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        if let Self::Object(fields) = self {
            fields.retain(|name, _| keep(name));
        }
    }

    /// Writes a moment without the trailing zeros of its fraction: `12:00:00.100Z` is `12:00:00.1Z`.
    pub(crate) fn trim_fraction(&mut self, field: &str) {
        let Self::Object(fields) = self else { return };
        let Some(Self::Text(moment)) = fields.get_mut(field) else {
            return;
        };
        if let Some((seconds, fraction)) = moment.strip_suffix('Z').and_then(|m| m.split_once('.'))
        {
            let fraction = fraction.trim_end_matches('0');
            let point = if fraction.is_empty() { "" } else { "." };
            *moment = format!("{seconds}{point}{fraction}Z");
        }
    }

    /// What differs between two objects, a line per field. An absent field is a null one: Neo4j keeps
    /// no null properties, and a search finds neither.
    pub(crate) fn differences(&self, found: &Self) -> Vec<String> {
        let fields = |side: &Self| match side {
            Self::Object(fields) => fields.keys().cloned().collect(),
            _ => Vec::new(),
        };
        let names: BTreeSet<String> = fields(self).into_iter().chain(fields(found)).collect();
        let differ = names
            .into_iter()
            .filter(|name| self.field(name) != found.field(name));
        let line = |name: String| {
            let (expected, found) = (self.field(&name), found.field(&name));
            format!("{name}: expected {expected}, found {found}")
        };
        differ.map(line).collect()
    }
}

impl PartialEq for Exact {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Number(a), Self::Number(b)) => digits(a) == digits(b),
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::List(a), Self::List(b)) => a == b,
            (Self::Object(a), Self::Object(b)) => a == b,
            _ => false,
        }
    }
}

impl From<serde_json::Value> for Exact {
    fn from(value: serde_json::Value) -> Self {
        use serde_json::Value;
        match value {
            Value::Null => Self::Null,
            Value::Bool(bool) => Self::Bool(bool),
            Value::Number(number) => Self::Number(number.to_string()),
            Value::String(text) => Self::Text(text),
            Value::Array(items) => Self::List(items.into_iter().map(Self::from).collect()),
            Value::Object(fields) => Self::Object(
                fields
                    .into_iter()
                    .map(|(name, value)| (name, value.into()))
                    .collect(),
            ),
        }
    }
}

impl fmt::Display for Exact {
    /// JSON, with long texts cut: a report is read by people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(bool) => write!(f, "{bool}"),
            Self::Number(number) => f.write_str(number),
            Self::Text(text) if text.chars().count() > SHOWN => {
                let start: String = text.chars().take(SHOWN).collect();
                write!(f, "{start:?}… ({} bytes)", text.len())
            }
            Self::Text(text) => write!(f, "{text:?}"),
            Self::List(items) => {
                let items: Vec<_> = items.iter().map(ToString::to_string).collect();
                write!(f, "[{}]", items.join(", "))
            }
            Self::Object(fields) => {
                let field = |(name, value): (&String, &Self)| format!("{name:?}: {value}");
                let fields: Vec<_> = fields.iter().map(field).collect();
                write!(f, "{{{}}}", fields.join(", "))
            }
        }
    }
}

/// A number's sign, significant digits and exponent: equal exactly when the numbers are.
fn digits(number: &str) -> (bool, String, i64) {
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (negative, mantissa) = mantissa
        .strip_prefix('-')
        .map_or((false, mantissa), |rest| (true, rest));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let significant = all.trim_start_matches('0').trim_end_matches('0');
    if significant.is_empty() {
        return (false, String::new(), 0);
    }
    let dropped = all.len() - all.trim_end_matches('0').len();
    // An exponent too long for its type is written by no store; it then differs from every other.
    let exponent = exponent.parse::<i64>().unwrap_or(i64::MIN / 2);
    (
        negative,
        significant.to_owned(),
        exponent + dropped as i64 - fraction.len() as i64,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Exact {
        Exact::parse(json).unwrap()
    }

    #[test]
    fn a_number_that_a_double_would_round_differs_in_its_last_digit() {
        assert_ne!(
            parse("0.30000000000000000000000000000000000004"),
            parse("0.3")
        );
        assert_ne!(parse("9007199254740993"), parse("9007199254740992"));
    }

    #[test]
    fn numbers_are_equal_however_they_are_written() {
        for (a, b) in [
            ("1.10", "1.1"),
            ("100", "1e2"),
            ("0.0000001", "1E-7"),
            ("-0", "0.000"),
        ] {
            assert_eq!(parse(a), parse(b), "{a} and {b}");
        }
    }

    #[test]
    fn a_decimal_in_a_string_must_keep_its_zeros() {
        assert_ne!(parse(r#"{"price": "0.30"}"#), parse(r#"{"price": "0.3"}"#));
        assert_ne!(parse(r#""0.30""#), parse("0.30"));
    }

    #[test]
    fn differences_name_the_field_and_both_values() {
        let differences = parse(r#"{"a": 1, "b": null}"#).differences(&parse(r#"{"a": 2}"#));
        assert_eq!(differences, ["a: expected 1, found 2"]);
    }

    #[test]
    fn a_moment_is_the_same_with_and_without_trailing_zeros() {
        let trimmed = |json| {
            let mut value = parse(json);
            value.trim_fraction("at");
            value
        };
        let (short, long) = (
            r#"{"at": "2026-01-01T00:00:00.1Z"}"#,
            r#"{"at": "2026-01-01T00:00:00.100Z"}"#,
        );
        assert_eq!(trimmed(short), trimmed(long));
        assert_ne!(
            trimmed(short),
            trimmed(r#"{"at": "2026-01-01T00:00:00.01Z"}"#)
        );
    }
}
