//! Values that stand where there is none: in the old row of a table without full identity Debezium
//! makes up every column but those of the key.

/// Whether a value is what Debezium writes for a column it was not told of: null, or the zero of its
/// type where the column is `NOT NULL` and has no default of its own.
pub(super) fn is_blank(json: &str) -> bool {
    let text = json.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
    match text {
        None => matches!(json, "null" | "false" | "[]" | "{}") || is_zero(json),
        // The zero of `decimal.handling.mode=precise` is a byte of zero, in Base64.
        Some("" | "AA==") => true,
        Some(text) => is_zero(text) || is_epoch(text),
    }
}

fn is_zero(text: &str) -> bool {
    text.contains('0') && text.chars().all(|it| matches!(it, '0' | '.' | '-'))
}

/// A day, a moment or a time of day of value zero.
fn is_epoch(text: &str) -> bool {
    text.starts_with("1970-01-01") || text.starts_with("00:00:00")
}

#[cfg(test)]
mod tests {
    use super::is_blank;

    #[test]
    fn zeros_of_all_types_are_blank_and_nothing_else_is() {
        for blank in [
            "null",
            "false",
            "0",
            "0.0",
            "\"\"",
            "\"0.00\"",
            "\"AA==\"",
            "\"1970-01-01T00:00:00Z\"",
            "\"00:00:00\"",
            "[]",
        ] {
            assert!(is_blank(blank), "{blank}");
        }
        for value in ["1", "true", "\"a\"", "\"-\"", "10", "[0]", "{\"a\":0}"] {
            assert!(!is_blank(value), "{value}");
        }
    }
}
