//! JSON text to compact JSON text, and the two checks that the parser leaves open: nesting and
//! surrogates.
//!
//! Nothing is parsed into values, so digits, the order of keys and duplicate keys stay as they are.

use std::borrow::Cow;

/// As deep as `serde_json` itself goes by default; readers that recurse stop there.
const DEEPEST: usize = 127;

/// Nesting beyond [`DEEPEST`].
pub(super) struct TooDeep;

/// The same valid JSON without white space between its tokens.
pub(super) fn compact(json: &str) -> Result<Cow<'_, str>, TooDeep> {
    if !matches!(json.as_bytes(), [b'[' | b'{', ..]) {
        return Ok(Cow::Borrowed(json));
    }
    let mut kept: Option<String> = None;
    // The slice of `json` since the last white space.
    let mut start = 0;
    let mut depth = 0;
    let mut in_string = false;
    let mut escaped = false;
    for (at, byte) in json.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => {
                depth += 1;
                if depth > DEEPEST {
                    return Err(TooDeep);
                }
            }
            b']' | b'}' => depth -= 1,
            b' ' | b'\t' | b'\n' | b'\r' => {
                let kept = kept.get_or_insert_with(|| String::with_capacity(json.len()));
                kept.push_str(json.get(start..at).expect("white space is one byte"));
                start = at + 1;
            }
            _ => {}
        }
    }
    Ok(match kept {
        None => Cow::Borrowed(json),
        Some(mut kept) => {
            kept.push_str(json.get(start..).expect("white space is one byte"));
            Cow::Owned(kept)
        }
    })
}

/// Whether a JSON text escapes half of a surrogate pair in one of its strings.
pub(super) fn has_lone_surrogate(json: &str) -> bool {
    if !json.contains("\\u") {
        return false;
    }
    let mut rest = json.as_bytes();
    let mut high = false;
    while let Some((&byte, tail)) = rest.split_first() {
        let unit = match (byte, tail) {
            (b'\\', [b'u', a, b, c, d, ..]) => code_unit([*a, *b, *c, *d]),
            _ => None,
        };
        let width = match (unit, byte) {
            (Some(_), _) => 6,
            (None, b'\\') => 2,
            (None, _) => 1,
        };
        match unit {
            Some(0xD800..=0xDBFF) if !high => high = true,
            Some(0xDC00..=0xDFFF) if high => high = false,
            Some(0xD800..=0xDFFF) => return true,
            _ if high => return true,
            _ => {}
        }
        rest = rest.get(width..).unwrap_or_default();
    }
    high
}

fn code_unit(hex: [u8; 4]) -> Option<u16> {
    let digits = std::str::from_utf8(&hex).ok()?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compacted(json: &str) -> String {
        compact(json).ok().expect("not too deep").into_owned()
    }

    #[test]
    fn white_space_outside_strings_goes_and_inside_stays() {
        assert_eq!(
            compacted("{ \"a b\" :\n[ 1.00 ,\t\"x \\\" y\" ] }"),
            r#"{"a b":[1.00,"x \" y"]}"#
        );
        assert_eq!(compacted("\"a b\""), "\"a b\"");
    }

    #[test]
    fn duplicate_keys_and_long_numbers_stay_as_they_are() {
        let json = r#"{"b":1e400,"a":123456789012345678901234567890.10,"b":2}"#;
        assert_eq!(compacted(json), json);
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |depth| "[".repeat(depth) + &"]".repeat(depth);
        assert!(compact(&nested(127)).is_ok());
        assert!(compact(&nested(128)).is_err());
        assert!(compact(r#"["[[[[]"]"#).is_ok());
    }

    #[test]
    fn surrogates_must_come_in_pairs() {
        assert!(!has_lone_surrogate(r#""plain \" \\ \n text""#));
        assert!(!has_lone_surrogate(r#""\ud83d\ude00""#));
        assert!(!has_lone_surrogate(r#""an escaped backslash \\ud800""#));
        for lone in [
            r#""\ud83d""#,
            r#""\ude00""#,
            r#""\ud83dx""#,
            r#""\ud83d\ud83d\ude00""#,
        ] {
            assert!(has_lone_surrogate(lone), "{lone}");
        }
    }
}
