//! JSON text to minijinja's values, without a detour that loses digits.

use std::borrow::Cow;
use std::collections::BTreeMap;

use minijinja::Value;
use serde_json::value::RawValue;

/// What a number that is no 128-bit integer becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fractions {
    /// Its text, so that a key shows every digit.
    Text,
    /// A floating number, so that it compares.
    Float,
}

/// Deeper values would let a row exhaust the stack; serde_json draws the same line.
const MAX_DEPTH: usize = 128;

/// The value of a column's JSON text.
///
/// # Errors
/// A reason, without the value, when it is nested too deeply or is no JSON.
pub(super) fn parse(json: &str, fractions: Fractions) -> Result<Value, &'static str> {
    nested(json, fractions, 0)
}

fn nested(json: &str, fractions: Fractions, depth: usize) -> Result<Value, &'static str> {
    const NOT_JSON: &str = "the value is not JSON";
    if depth > MAX_DEPTH {
        return Err("the value is nested more than 128 levels deep");
    }
    match json.as_bytes().first() {
        Some(b'n') => Ok(Value::from(())),
        Some(b't') => Ok(Value::from(true)),
        Some(b'f') => Ok(Value::from(false)),
        Some(b'"') => Ok(Value::from(text(json).ok_or(NOT_JSON)?)),
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(json).map_err(|_| NOT_JSON)?;
            items
                .into_iter()
                .map(|item| nested(item.get(), fractions, depth + 1))
                .collect::<Result<Vec<_>, _>>()
                .map(Value::from)
        }
        Some(b'{') => {
            let members: Members<'_> = serde_json::from_str(json).map_err(|_| NOT_JSON)?;
            members
                .into_iter()
                .map(|(name, item)| {
                    let value = nested(item.get(), fractions, depth + 1)?;
                    Ok((Value::from(name), value))
                })
                .collect::<Result<BTreeMap<_, _>, _>>()
                .map(Value::from)
        }
        Some(_) => number(json, fractions).ok_or(NOT_JSON),
        None => Err(NOT_JSON),
    }
}

type Members<'a> = BTreeMap<String, &'a RawValue>;

/// The text of a JSON string, borrowed where it has no escapes.
pub(super) fn text(json: &str) -> Option<Cow<'_, str>> {
    let inner = json.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        return serde_json::from_str(json).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(inner))
}

fn number(json: &str, fractions: Fractions) -> Option<Value> {
    // `-0` is a number of its own for whoever prints it.
    if let Ok(integer) = json.parse::<i128>()
        && json != "-0"
    {
        return Some(Value::from(integer));
    }
    let float: f64 = json.parse().ok()?;
    Some(match fractions {
        Fractions::Text => Value::from(json),
        Fractions::Float => Value::from(float),
    })
}
