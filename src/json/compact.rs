//! JSON text to JSON text on one line, and how deep it is nested.
//!
//! Nothing is parsed into values, so digits, the order of keys and duplicate keys stay as they are.

use std::borrow::Cow;

use super::string::plain_until;

/// Whether valid JSON is nested deeper than `serde_json` reads by default: readers that recurse stop
/// there.
pub(crate) fn is_too_deep(json: &str) -> bool {
    const DEEPEST: usize = 127;
    if !is_nested(json) {
        return false;
    }
    let bytes = json.as_bytes();
    let (mut depth, mut at) = (0, 0);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at = string_end(bytes, at),
            b'[' | b'{' if depth == DEEPEST => return true,
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth -= 1,
            _ => {}
        }
        at += 1;
    }
    false
}

/// The same valid JSON without white space between its tokens.
pub(crate) fn compact(json: &str) -> Cow<'_, str> {
    if !is_nested(json) {
        return Cow::Borrowed(json);
    }
    let bytes = json.as_bytes();
    let mut kept: Option<String> = None;
    // The slice of `json` since the last white space.
    let mut start = 0;
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at = string_end(bytes, at),
            b' ' | b'\t' | b'\n' | b'\r' => {
                let kept = kept.get_or_insert_with(|| String::with_capacity(json.len()));
                kept.push_str(json.get(start..at).expect("white space is one byte"));
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    match kept {
        None => Cow::Borrowed(json),
        Some(mut kept) => {
            kept.push_str(json.get(start..).expect("white space is one byte"));
            Cow::Owned(kept)
        }
    }
}

/// Whether the text of a JSON value is an array or an object.
fn is_nested(json: &str) -> bool {
    matches!(json.as_bytes(), [b'[' | b'{', ..])
}

/// Where the string ends that begins at `start`: at its closing quote.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = plain_until(bytes, start + 1);
    while bytes.get(at) == Some(&b'\\') {
        at = plain_until(bytes, at + 2);
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_outside_strings_goes_and_inside_stays() {
        assert_eq!(
            compact("{ \"a b\" :\n[ 1.00 ,\t\"x \\\" y\" ] }"),
            r#"{"a b":[1.00,"x \" y"]}"#
        );
        assert_eq!(compact("\"a b\""), "\"a b\"");
    }

    #[test]
    fn duplicate_keys_and_long_numbers_stay_as_they_are() {
        let json = r#"{"b":1e400,"a":123456789012345678901234567890.10,"b":2}"#;
        assert_eq!(compact(json), json);
    }

    #[test]
    fn nesting_counts_outside_strings() {
        let nested = |depth| "[".repeat(depth) + &"]".repeat(depth);
        assert!(!is_too_deep(&nested(127)));
        assert!(is_too_deep(&nested(128)));
        let in_string = format!(r#"["{}"]"#, "[".repeat(200));
        assert!(!is_too_deep(&in_string));
    }
}
