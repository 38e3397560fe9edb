//! One value to its canonical JSON text: the text that the connector's settings in
//! `connectors/ecommerce.json` give without schemas. `docs/types.md` lists them all.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::schema::Type;
use super::{decimal, temporal};
use crate::json::unescaped;

/// A value that its schema does not allow.
pub(super) struct Mismatch;

/// The canonical text of a compact JSON value of this type.
pub(super) fn canonical<'j>(json: &'j str, column: &Type) -> Result<Cow<'j, str>, Mismatch> {
    let text = match column {
        Type::Verbatim => return Ok(Cow::Borrowed(json)),
        Type::Moment => return Ok(named_infinity(json)),
        _ if json == "null" => return Ok(Cow::Borrowed(json)),
        Type::Array(items) => return elements(json, |element| canonical(element, items)),
        Type::Decimal(scale) => quoted(decimal(json, *scale)?),
        Type::VariableScaleDecimal => quoted(variable_scale_decimal(json)?),
        Type::Date => temporal::date(integer(json)?),
        Type::Time(unit) => temporal::time(integer(json)?, *unit).ok_or(Mismatch)?,
        Type::Timestamp(unit) => temporal::timestamp(integer(json)?, *unit),
        Type::Duration => temporal::duration(integer(json)?),
        Type::Map if json.starts_with('{') => encode(json)?,
        Type::Map => return Ok(Cow::Borrowed(json)),
    };
    Ok(Cow::Owned(text))
}

/// Each element of a compact JSON array through a function.
pub(super) fn elements<'j, E: From<Mismatch>>(
    json: &'j str,
    mut convert: impl FnMut(&str) -> Result<Cow<'_, str>, E>,
) -> Result<Cow<'j, str>, E> {
    let elements: Vec<&RawValue> = serde_json::from_str(json).map_err(|_| Mismatch)?;
    let mut array = String::with_capacity(json.len());
    array.push('[');
    for (index, element) in elements.into_iter().enumerate() {
        if index > 0 {
            array.push(',');
        }
        array.push_str(&convert(element.get())?);
    }
    array.push(']');
    Ok(Cow::Owned(array))
}

/// Infinity in mode `isostring` is a moment of a far year, which only its text shows.
fn named_infinity(json: &str) -> Cow<'_, str> {
    match json.as_bytes() {
        [b'"', b'+' | b'-', ..] => {
            temporal::infinity(json).map_or(Cow::Borrowed(json), Cow::Borrowed)
        }
        [b'[', b'"', ..] if has_signed_string(json) => {
            let named = elements(json, |element| Ok::<_, Mismatch>(named_infinity(element)));
            named.unwrap_or(Cow::Borrowed(json))
        }
        _ => Cow::Borrowed(json),
    }
}

/// Whether an element of an array may be a text that begins with a sign.
fn has_signed_string(array: &str) -> bool {
    let mut pairs = array.as_bytes().windows(2);
    pairs.any(|pair| matches!(pair, [b'"', b'+' | b'-']))
}

fn integer(json: &str) -> Result<i64, Mismatch> {
    json.parse().map_err(|_| Mismatch)
}

fn decimal(json: &str, scale: i64) -> Result<String, Mismatch> {
    match unescaped(json) {
        Some(base64) => decimal::from_base64(&base64, scale),
        None => decimal::from_number(json, scale),
    }
    .ok_or(Mismatch)
}

#[derive(Deserialize)]
struct VariableScaleDecimal<'a> {
    scale: i64,
    value: Cow<'a, str>,
}

fn variable_scale_decimal(json: &str) -> Result<String, Mismatch> {
    let parsed: VariableScaleDecimal<'_> = serde_json::from_str(json).map_err(|_| Mismatch)?;
    decimal::from_base64(&parsed.value, parsed.scale).ok_or(Mismatch)
}

fn quoted(digits: String) -> String {
    format!("\"{digits}\"")
}

/// The text as a JSON string.
fn encode(text: &str) -> Result<String, Mismatch> {
    serde_json::to_string(text).map_err(|_| Mismatch)
}
