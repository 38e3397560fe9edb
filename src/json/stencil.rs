//! Texts that differ in digits only, as what Debezium says of the source of a change does from
//! record to record.
//!
//! Such a text is not read again: it is compared with the last one that was, piece by piece.

use std::ops::Range;

use super::scan::{begins, digits, offset_in};

/// Holes that a stencil has at most. Debezium's sources have eight.
const HOLES: usize = 16;

/// The longest text of a stencil, in bytes; that of Debezium's sources has some 400.
const LONGEST: usize = 4096;

/// The text of a JSON value with holes where the digits may be others, and the places of `N` parts
/// of it. Whatever it fits is JSON.
#[derive(Debug)]
pub(crate) struct Stencil<const N: usize> {
    text: String,
    /// Where the digits are, in order.
    holes: Vec<Range<usize>>,
    parts: [Option<Part>; N],
}

#[derive(Debug, Clone)]
struct Part {
    start: Place,
    end: Place,
}

/// A place in the text, and how many holes end before it or there.
#[derive(Debug, Clone, Copy)]
struct Place {
    at: usize,
    holes: usize,
}

impl<const N: usize> Stencil<N> {
    /// A stencil of a valid text, with holes for the digits of some slices of it, which are values
    /// and stand in order. `None` where an escape may be made of digits, and where text or holes are
    /// more than is worth it.
    pub(crate) fn cut(text: &str, values: &[&str], parts: [Option<&str>; N]) -> Option<Self> {
        if text.len() > LONGEST || text.contains("\\u") {
            return None;
        }
        let mut holes: Vec<Range<usize>> = Vec::new();
        for value in values {
            let start = offset_in(text, value);
            for (at, _) in value.match_indices(|it: char| it.is_ascii_digit()) {
                let at = start + at;
                let is_full = holes.len() == HOLES;
                match holes.last_mut() {
                    Some(hole) if hole.end == at => hole.end += 1,
                    _ if is_full => return None,
                    _ => holes.push(at..at + 1),
                }
            }
        }
        let place = |at| Place {
            at,
            holes: holes.iter().filter(|hole| hole.end <= at).count(),
        };
        let parts = parts.map(|part| {
            let start = offset_in(text, part?);
            Some(Part {
                start: place(start),
                end: place(start + part?.len()),
            })
        });
        Some(Self {
            text: text.to_owned(),
            holes,
            parts,
        })
    }

    /// The length of what stands at the beginning of `rest`, and its parts, if it fits.
    pub(crate) fn fit<'a>(&self, rest: &'a str) -> Option<(usize, [Option<&'a str>; N])> {
        let (text, bytes) = (self.text.as_bytes(), rest.as_bytes());
        let mut ends = [0; HOLES];
        let (mut at, mut from) = (0, 0);
        for (hole, end) in self.holes.iter().zip(&mut ends) {
            at = passed(bytes, at, text.get(from..hole.start)?)?;
            let count = digits(bytes, at).ok()?;
            // No number begins so.
            if count > 1 && bytes.get(at) == Some(&b'0') {
                return None;
            }
            at += count;
            *end = at;
            from = hole.end;
        }
        at = passed(bytes, at, text.get(from..)?)?;
        let place = |it: Place| match it.holes.checked_sub(1) {
            Some(last) => ends[last] + (it.at - self.holes[last].end),
            None => it.at,
        };
        let part = |part: &Option<Part>| {
            let part = part.as_ref()?;
            rest.get(place(part.start)..place(part.end))
        };
        Some((at, self.parts.each_ref().map(part)))
    }
}

/// Where these bytes end, if they stand at `at`.
fn passed(bytes: &[u8], at: usize, these: &[u8]) -> Option<usize> {
    begins(bytes.get(at..)?, these).then_some(at + these.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    static TEXT: &str = r#"{"a":12,"b":"x1","c":-3.5}"#;

    fn stencil() -> Stencil<2> {
        let slice = |range: Range<usize>| TEXT.get(range).unwrap();
        let (a, b, c) = (slice(5..7), slice(12..16), slice(21..25));
        assert_eq!((a, b, c), ("12", "\"x1\"", "-3.5"));
        Stencil::cut(TEXT, &[a, c], [Some(a), Some(b)]).unwrap()
    }

    #[test]
    fn a_text_fits_if_only_digits_of_its_values_differ() {
        let found = stencil().fit(r#"{"a":7,"b":"x1","c":-30.25},"#);
        assert_eq!(found, Some((27, [Some("7"), Some("\"x1\"")])));
        for other in [
            r#"{"a":7,"b":"x2","c":-30.25}"#,
            r#"{"a":7,"b":"x1","c":30.25}"#,
            r#"{"a":07,"b":"x1","c":-30.25}"#,
            r#"{"a":,"b":"x1","c":-30.25}"#,
            r#"{"a":7,"b":"x1","c":-30.25"#,
            r#"{"a":7"#,
        ] {
            assert_eq!(stencil().fit(other), None, "{other}");
        }
    }

    #[test]
    fn digits_of_an_escape_are_no_holes() {
        let text = r#""\u12341""#;
        assert!(Stencil::cut(text, &[text], []).is_none());
    }
}
