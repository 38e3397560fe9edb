//! JSON strings: where they end, what their escapes are, and their text.

use std::borrow::Cow;

use super::scan::Malformed;

/// The bytes of an escape other than `\u`.
pub(super) const SHORT_ESCAPE: usize = 2;

/// How long an escape is whose backslash stands before these bytes.
pub(super) fn escape_len(bytes: &[u8]) -> Result<usize, Malformed> {
    match bytes {
        [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => Ok(SHORT_ESCAPE),
        [b'u', a, b, c, d, ..] if [a, b, c, d].iter().all(|it| it.is_ascii_hexdigit()) => Ok(6),
        _ => Err(Malformed),
    }
}

/// The text of a valid JSON string; `None` for anything else.
pub(crate) fn unescaped(quoted: &str) -> Option<Cow<'_, str>> {
    let inner = quoted.strip_prefix('"')?.strip_suffix('"')?;
    let mut escape = plain_until(inner.as_bytes(), 0);
    if escape == inner.len() {
        return Some(Cow::Borrowed(inner));
    }
    let mut text = String::with_capacity(inner.len());
    let mut start = 0;
    while escape < inner.len() {
        text.push_str(inner.get(start..escape)?);
        text.push(match inner.as_bytes().get(escape + 1)? {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return serde_json::from_str(quoted).ok().map(Cow::Owned),
            itself => char::from(*itself),
        });
        start = escape + SHORT_ESCAPE;
        escape = plain_until(inner.as_bytes(), start);
    }
    text.push_str(inner.get(start..)?);
    Some(Cow::Owned(text))
}

/// Where, from `at` on, the first quote, backslash or control character is, or the end.
#[inline]
pub(super) fn plain_until(bytes: &[u8], mut at: usize) -> usize {
    let mut eights = bytes.get(at..).unwrap_or_default().chunks_exact(8);
    for eight in &mut eights {
        let eight = eight.try_into().expect("eight bytes");
        let special = specials(u64::from_le_bytes(eight));
        if special != 0 {
            return at + special.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let rest = eights.remainder();
    let is_special = |&byte: &u8| byte < b' ' || byte == b'"' || byte == b'\\';
    at + rest.iter().position(is_special).unwrap_or(rest.len())
}

/// Eight bytes at once: the high bit of the lowest quote, backslash or control character is set, and
/// none below it. (Hacker's Delight, §6-1: a byte less one borrows from its high bit only if it was
/// zero, or one above it that was.)
#[inline]
fn specials(eight: u64) -> u64 {
    const ONES: u64 = u64::MAX / 0xFF;
    const HIGH: u64 = ONES << 7;
    let below = |bytes: u64, bound: u8| bytes.wrapping_sub(ONES * u64::from(bound)) & !bytes;
    let equal = |byte: u8| below(eight ^ (ONES * u64::from(byte)), 1);
    (below(eight, b' ') | equal(b'"') | equal(b'\\')) & HIGH
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn special_bytes_are_found_at_every_place() {
        for special in (0..b' ').chain([b'"', b'\\']) {
            for at in 0..20 {
                let mut bytes = [0xFF; 20];
                bytes[at] = special;
                assert_eq!(plain_until(&bytes, 0), at);
            }
        }
        let plain: Vec<u8> = (b' '..=0xFF).filter(|it| !b"\"\\".contains(it)).collect();
        assert_eq!(plain_until(&plain, 0), plain.len());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn a_string_is_unescaped_as_serde_json_does_it(
            parts in proptest::collection::vec(
                proptest::sample::select(vec![
                    "\\\"", "\\\\", "\\/", "\\b", "\\f", "\\n", "\\r", "\\t", "\\u00e9",
                    "\\ud83d\\ude00", "é", "a",
                ]),
                0..6,
            )
        ) {
            let quoted = format!("\"{}\"", parts.concat());
            let theirs: String = serde_json::from_str(&quoted).unwrap();
            let ours = unescaped(&quoted);
            prop_assert_eq!(ours.as_deref(), Some(theirs.as_str()));
        }
    }
}
