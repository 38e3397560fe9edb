//! The members of a JSON object, found in one pass over its text.
//!
//! Much of what a record costs is spent here (see `envelope`), so nothing is read that is only
//! passed over: strings go by eight bytes at a time, and an expected name is compared and not looked
//! for. Accepted is what `serde_json` accepts. What is wrong with a text that is not,
//! [`syntax_error`] asks it.

use std::borrow::Cow;
use std::ops::Range;

use serde_json::value::RawValue;
use smallvec::SmallVec;

use super::string::{SHORT_ESCAPE, escape_len, plain_until, unescaped};

/// The text is no JSON, or something else stands where an object was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Goes over a JSON text.
pub(crate) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    escapes_units: bool,
}

impl<'a> Scanner<'a> {
    /// Stands before the text.
    pub(crate) fn new(text: &'a str) -> Self {
        Self::of_part(text, text)
    }

    /// Stands before a part of the text, which is a slice of it, and goes no further.
    pub(crate) fn of_part(text: &'a str, part: &str) -> Self {
        let start = offset_in(text, part);
        Self {
            text: text.get(..start + part.len()).unwrap_or_default(),
            at: start,
            escapes_units: false,
        }
    }

    /// Whether a `\u` was passed, which may be half of a surrogate pair.
    pub(crate) fn escapes_units(&self) -> bool {
        self.escapes_units
    }

    /// What was not passed yet.
    pub(crate) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Passes so many bytes, which were found to be a value without a `\u`.
    pub(crate) fn skip(&mut self, len: usize) {
        self.at += len;
    }

    /// Enters an object; whether it has a member.
    #[inline]
    pub(crate) fn open(&mut self) -> Result<bool, Malformed> {
        self.enter(b'{')
    }

    /// Leaves a member; whether there is another, or else the object.
    #[inline]
    pub(crate) fn another(&mut self) -> Result<bool, Malformed> {
        if self.pass(b',').is_ok() {
            return Ok(true);
        }
        self.pass(b'}').map(|()| false)
    }

    /// Passes a member's name if it is the one of this label, which is the name in quotes and a
    /// colon.
    #[inline]
    pub(crate) fn label(&mut self, label: &str) -> bool {
        self.peek();
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let stands = begins(rest, label.as_bytes());
        if stands {
            self.at += label.len();
        }
        stands
    }

    /// Passes a member's name.
    pub(crate) fn name(&mut self) -> Result<Cow<'a, str>, Malformed> {
        let quoted = self.pass_name()?;
        let quoted = self.text.get(quoted).ok_or(Malformed)?;
        unescaped(quoted).ok_or(Malformed)
    }

    /// Passes a value.
    pub(crate) fn value(&mut self) -> Result<&'a str, Malformed> {
        let range = self.pass_value()?;
        self.text.get(range).ok_or(Malformed)
    }

    /// Passes a value; where it lies in the text.
    #[inline]
    fn pass_value(&mut self) -> Result<Range<usize>, Malformed> {
        let first = self.peek().ok_or(Malformed)?;
        let start = self.at;
        match first {
            b'[' | b'{' => self.nested()?,
            _ => self.scalar(first)?,
        }
        Ok(start..self.at)
    }

    /// Passes `null` if it stands here.
    pub(crate) fn null(&mut self) -> bool {
        self.peek() == Some(b'n') && self.word("null").is_ok()
    }

    /// There must be nothing more.
    pub(crate) fn end(&mut self) -> Result<(), Malformed> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(Malformed),
        }
    }

    /// The next byte that is no white space; stands before it.
    #[inline]
    fn peek(&mut self) -> Option<u8> {
        match *self.text.as_bytes().get(self.at)? {
            byte if byte > b' ' => Some(byte),
            _ => self.peek_after_space(),
        }
    }

    /// Debezium writes none between tokens.
    #[cold]
    fn peek_after_space(&mut self) -> Option<u8> {
        let rest = self.text.as_bytes().get(self.at..)?;
        let is_space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        let spaces = rest.iter().take_while(|byte| is_space(byte)).count();
        self.at += spaces;
        rest.get(spaces).copied()
    }

    #[inline]
    fn pass(&mut self, byte: u8) -> Result<(), Malformed> {
        if self.peek() != Some(byte) {
            return Err(Malformed);
        }
        self.at += 1;
        Ok(())
    }

    #[inline]
    fn scalar(&mut self, first: u8) -> Result<(), Malformed> {
        match first {
            b'"' => self.string(),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.word("true"),
            b'f' => self.word("false"),
            b'n' => self.word("null"),
            _ => Err(Malformed),
        }
    }

    fn word(&mut self, word: &str) -> Result<(), Malformed> {
        let end = self.at + word.len();
        if self.text.as_bytes().get(self.at..end) != Some(word.as_bytes()) {
            return Err(Malformed);
        }
        self.at = end;
        Ok(())
    }

    /// Passes a string, before whose quote it stands.
    #[inline]
    fn string(&mut self) -> Result<(), Malformed> {
        let bytes = self.text.as_bytes();
        let at = plain_until(bytes, self.at + 1);
        if bytes.get(at) == Some(&b'"') {
            self.at = at + 1;
            return Ok(());
        }
        self.escaped_string(at)
    }

    /// Passes the rest of a string from its first escape on.
    fn escaped_string(&mut self, mut at: usize) -> Result<(), Malformed> {
        let bytes = self.text.as_bytes();
        loop {
            match bytes.get(at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    let len = escape_len(bytes.get(at + 1..).unwrap_or_default())?;
                    self.escapes_units |= len > SHORT_ESCAPE;
                    at = plain_until(bytes, at + len);
                }
                _ => return Err(Malformed),
            }
        }
        self.at = at + 1;
        Ok(())
    }

    fn number(&mut self) -> Result<(), Malformed> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let mut len = usize::from(rest.first() == Some(&b'-'));
        len += match rest.get(len) {
            Some(b'0') => 1,
            _ => digits(rest, len)?,
        };
        if rest.get(len) == Some(&b'.') {
            len += 1;
            len += digits(rest, len)?;
        }
        if matches!(rest.get(len), Some(b'e' | b'E')) {
            len += 1;
            len += usize::from(matches!(rest.get(len), Some(b'+' | b'-')));
            len += digits(rest, len)?;
        }
        self.at += len;
        Ok(())
    }

    /// Passes an array or object, however deep it is: it does not recurse.
    fn nested(&mut self) -> Result<(), Malformed> {
        // What ends each value that was entered.
        let mut ends: SmallVec<[u8; 32]> = SmallVec::new();
        loop {
            let first = self.peek().ok_or(Malformed)?;
            let is_entered = match first {
                b'{' | b'[' => self.enter(first)?,
                _ => self.scalar(first).map(|()| false)?,
            };
            if is_entered {
                if first == b'{' {
                    self.pass_name()?;
                }
                ends.push(closing(first));
                continue;
            }
            while let Some(&end) = ends.last() {
                if self.pass(b',').is_ok() {
                    if end == b'}' {
                        self.pass_name()?;
                    }
                    break;
                }
                self.pass(end)?;
                ends.pop();
            }
            if ends.is_empty() {
                return Ok(());
            }
        }
    }

    /// Enters an object or array by its opening bracket; whether it has anything in it.
    #[inline]
    fn enter(&mut self, opening: u8) -> Result<bool, Malformed> {
        self.pass(opening)?;
        Ok(self.pass(closing(opening)).is_err())
    }

    /// Passes a member's name; where it lies in its quotes.
    fn pass_name(&mut self) -> Result<Range<usize>, Malformed> {
        if self.peek() != Some(b'"') {
            return Err(Malformed);
        }
        let start = self.at;
        self.string()?;
        let end = self.at;
        self.pass(b':')?;
        Ok(start..end)
    }
}

/// Whether `bytes` begin with these. Labels are short, and calling `memcmp` costs more than comparing
/// two words, which may overlap.
#[inline]
pub(super) fn begins(bytes: &[u8], with: &[u8]) -> bool {
    let Some(bytes) = bytes.get(..with.len()) else {
        return false;
    };
    match (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        (Some(first), Some(last)) if with.len() <= 16 => {
            Some(first) == with.first_chunk() && Some(last) == with.last_chunk()
        }
        (Some(_), _) => bytes == with,
        _ => bytes.iter().eq(with),
    }
}

/// In ASCII a closing bracket stands two after its opening one.
fn closing(opening: u8) -> u8 {
    opening + 2
}

/// How many digits stand at `at`; at least one must.
pub(super) fn digits(bytes: &[u8], at: usize) -> Result<usize, Malformed> {
    let rest = bytes.get(at..).unwrap_or_default();
    let no_digit = rest.iter().position(|byte| !byte.is_ascii_digit());
    match no_digit.unwrap_or(rest.len()) {
        0 => Err(Malformed),
        count => Ok(count),
    }
}

/// Where `part` begins in `whole`, of which it is a slice.
pub(crate) fn offset_in(whole: &str, part: &str) -> usize {
    part.as_ptr() as usize - whole.as_ptr() as usize
}

/// What is wrong with the text if it is no JSON. Quotes nothing of it.
pub(crate) fn syntax_error(text: &str) -> Option<String> {
    let read: Result<&RawValue, _> = serde_json::from_str(text);
    read.err().map(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_passed_by_its_label_only_where_it_stands() {
        let mut scanner = Scanner::new(" {\"ab\":1, \"b\":2}");
        assert_eq!(scanner.open(), Ok(true));
        assert!(!scanner.label("\"a\":"));
        assert!(scanner.label("\"ab\":"));
        assert_eq!(scanner.value(), Ok("1"));
        assert_eq!(scanner.another(), Ok(true));
        assert!(scanner.label("\"b\":"));
    }

    #[test]
    fn no_nesting_is_too_deep_for_the_stack() {
        let depth = 1 << 20;
        let (opened, closed) = ("[".repeat(depth), "]".repeat(depth));
        let nested = format!("{opened}{closed}");
        assert_eq!(Scanner::new(&nested).value(), Ok(nested.as_str()));
        assert_eq!(Scanner::new(&opened).value(), Err(Malformed));
    }

    #[test]
    fn what_may_be_half_of_a_surrogate_pair_is_noticed_wherever_it_is() {
        for (text, is_noticed) in [
            (r#"{"a\n":["\\u00e9","é"]}"#, false),
            (r#"{"a":[{"b":"\ud83d"}]}"#, true),
            (r#"{"\ud83d":1}"#, true),
        ] {
            let mut scanner = Scanner::new(text);
            assert_eq!(scanner.value(), Ok(text));
            assert_eq!(scanner.escapes_units(), is_noticed, "{text}");
        }
    }

    #[test]
    fn an_error_says_where_and_quotes_nothing() {
        assert_eq!(syntax_error("{\"a\":1}"), None);
        let error = syntax_error("{\"a\":secret}").unwrap();
        assert_eq!(error, "expected value at line 1 column 6");
    }
}
