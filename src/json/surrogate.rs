//! Surrogates: a JSON text may escape half of a pair, which is no text of any store.

/// Whether a JSON text escapes half of a surrogate pair in one of its strings.
pub(crate) fn has_lone_surrogate(json: &str) -> bool {
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
