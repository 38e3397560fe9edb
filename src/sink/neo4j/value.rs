//! Canonical JSON texts to the values that a property can hold.
//!
//! Neo4j has no decimals, no integers beyond 64 bits, no maps and only lists of one scalar kind:
//! what does not fit keeps its text, so that no digit is lost. `docs/graph.md` has the table.

use neo4rs::{BoltList, BoltNull, BoltType};
use serde_json::value::RawValue;

/// The property value of a JSON text; `None` when the text is a string with a lone surrogate,
/// which is no Unicode text and which Bolt cannot carry.
pub(super) fn property(json: &str) -> Option<BoltType> {
    match json.as_bytes().first() {
        Some(b'[') => list(json),
        Some(b'{') => Some(json.into()),
        _ => scalar(json),
    }
}

/// A list of BoltTypes as one.
pub(super) fn list_of(value: Vec<BoltType>) -> BoltType {
    BoltType::List(BoltList { value })
}

fn scalar(json: &str) -> Option<BoltType> {
    match json {
        "null" => Some(BoltType::Null(BoltNull)),
        "true" => Some(true.into()),
        "false" => Some(false.into()),
        _ if json.starts_with('"') => serde_json::from_str::<String>(json).ok().map(Into::into),
        _ => Some(number(json)),
    }
}

/// An integer of 64 bits, a floating number that has every digit of the text, or the text.
fn number(json: &str) -> BoltType {
    if let Ok(integer) = json.parse::<i64>() {
        return integer.into();
    }
    if json.contains(['.', 'e', 'E'])
        && let Ok(float) = json.parse::<f64>()
        && float.is_finite()
        && digits(json) == digits(&format!("{float:e}"))
    {
        return float.into();
    }
    json.into()
}

/// The significant digits of a number and the power of ten of the first: equal for equal numbers.
fn digits(json: &str) -> Option<(String, i64)> {
    let (mantissa, exponent) = json.split_once(['e', 'E']).unwrap_or((json, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let whole = whole.trim_start_matches('-');
    let all = format!("{whole}{fraction}");
    let leading = all.len() - all.trim_start_matches('0').len();
    let significant = all.trim_matches('0').to_owned();
    let exponent: i64 = exponent.parse().ok()?;
    let power = exponent + i64::try_from(whole.len()).ok()? - i64::try_from(leading).ok()?;
    let power = if significant.is_empty() { 0 } else { power };
    Some((significant, power))
}

/// A list when all items are scalars of one kind, otherwise the text.
fn list(json: &str) -> Option<BoltType> {
    let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(json) else {
        return Some(json.into());
    };
    let mut values = Vec::with_capacity(items.len());
    for item in items {
        if item.get().starts_with(['[', '{', 'n']) {
            return Some(json.into());
        }
        values.push(scalar(item.get())?);
    }
    let kind = values.first().map(std::mem::discriminant);
    let is_uniform = values
        .iter()
        .all(|value| Some(std::mem::discriminant(value)) == kind);
    Some(if is_uniform {
        list_of(values)
    } else {
        json.into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(json: &str) -> BoltType {
        BoltType::from(json)
    }

    #[test]
    fn integers_keep_every_digit() {
        assert_eq!(
            property("9007199254740993"),
            Some(9_007_199_254_740_993_i64.into())
        );
        assert_eq!(property("-9223372036854775808"), Some(i64::MIN.into()));
        assert_eq!(
            property("9223372036854775808"),
            Some(text("9223372036854775808"))
        );
    }

    #[test]
    fn a_fraction_is_a_float_only_if_no_digit_is_lost() {
        for (json, float) in [
            ("0.1", 0.1),
            ("3.0", 3.0),
            ("-1.5E-7", -1.5e-7),
            ("1.0E10", 1e10),
            ("0.0", 0.0),
            ("100.0", 100.0),
        ] {
            assert_eq!(property(json), Some(float.into()), "{json}");
        }
        for json in ["0.30000000000000004441", "1E999", "12345678901234567890.5"] {
            assert_eq!(property(json), Some(text(json)));
        }
    }

    #[test]
    fn strings_are_unescaped_and_lone_surrogates_refused() {
        assert_eq!(property(r#""a\"é\u00e9\n""#), Some(text("a\"éé\n")));
        assert_eq!(property(r#""\ud800""#), None);
    }

    #[test]
    fn lists_of_one_kind_are_lists_and_all_else_is_json_text() {
        assert_eq!(property("[1,2]"), Some(list_of(vec![1.into(), 2.into()])));
        assert_eq!(property("[]"), Some(list_of(Vec::new())));
        assert_eq!(property(r#"["a"]"#), Some(list_of(vec![text("a")])));
        for json in [
            "[1,2.5]",
            "[1,null]",
            "[[1]]",
            r#"[{"a":1}]"#,
            r#"[1,"a"]"#,
            r#"{"a":1}"#,
        ] {
            assert_eq!(property(json), Some(text(json)));
        }
    }

    #[test]
    fn null_and_booleans_are_themselves() {
        assert_eq!(property("null"), Some(BoltType::Null(BoltNull)));
        assert_eq!(property("true"), Some(true.into()));
    }
}
