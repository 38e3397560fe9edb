//! YAML to values and places, from the parser's events.
//!
//! Composed here, because a document that is already a map has lost duplicate keys and positions.
//! Anchors and tags are refused: a value means what it says where it stands.

use std::borrow::Cow;
use std::collections::HashMap;

use figment::value::{Dict, Empty, Tag, Value};
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span, StrInput};

use super::super::mistake::{Mistake, Place, Severity, masked, mentions_secret};
use super::interpolate::interpolate;
use super::{Path, Spot};

/// Deeper than any configuration; bounds the recursion on files that are none.
const MAX_DEPTH: usize = 32;

/// What a file says. It is all there unless `stopped`.
pub(super) struct Parsed {
    pub(super) values: Dict,
    pub(super) spots: HashMap<Path, Spot>,
    pub(super) mistakes: Vec<Mistake>,
    /// Whether the parser came to something that it could not get past.
    pub(super) stopped: bool,
}

/// Parses `text`, the content of the file `origin`.
pub(super) fn parse(origin: &str, text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Parsed {
    let mut composer = Composer {
        parser: Parser::new_from_str(text),
        origin,
        lines: text.lines().collect(),
        variable,
        spots: HashMap::new(),
        mistakes: Vec::new(),
    };
    let values = composer.document().ok();
    Parsed {
        stopped: values.is_none(),
        values: values.unwrap_or_default(),
        spots: composer.spots,
        mistakes: composer.mistakes,
    }
}

/// The parser cannot go on; the mistake that says why is recorded.
struct Stop;

struct Composer<'a> {
    parser: Parser<'a, StrInput<'a>>,
    origin: &'a str,
    lines: Vec<&'a str>,
    variable: &'a dyn Fn(&str) -> Option<String>,
    spots: HashMap<Path, Spot>,
    mistakes: Vec<Mistake>,
}

impl<'a> Composer<'a> {
    fn document(&mut self) -> Result<Dict, Stop> {
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(Dict::new()),
                (Event::StreamStart | Event::DocumentStart(_), _) => {}
                (event, span) => return self.root(event, span),
            }
        }
    }

    fn root(&mut self, event: Event<'a>, span: Span) -> Result<Dict, Stop> {
        let path = Path::default();
        let dict = match self.value(event, span, &path)? {
            Value::Dict(_, dict) => dict,
            Value::Empty(..) => Dict::new(),
            _ => return Err(self.stop(span, &path, "the file must be a mapping, `key: value`")),
        };
        loop {
            match self.next()? {
                (Event::DocumentEnd, _) => {}
                (Event::StreamEnd, _) => return Ok(dict),
                (_, span) => {
                    return Err(self.stop(span, &path, "a second YAML document in one file"));
                }
            }
        }
    }

    /// The value that `event` begins, with its spot recorded.
    fn value(&mut self, event: Event<'a>, span: Span, path: &Path) -> Result<Value, Stop> {
        self.refuse_annotations(&event, span, path)?;
        let value = self.place(span);
        self.spots.insert(path.clone(), Spot { key: None, value });
        if path.0.len() > MAX_DEPTH {
            return Err(self.stop(span, path, "nested too deeply"));
        }
        match event {
            Event::Scalar(text, style, ..) => Ok(self.scalar(&text, style, span, path)),
            Event::SequenceStart(..) => self.list(span, path),
            Event::MappingStart(..) => self.mapping(span, path),
            _ => Err(self.stop(span, path, "not understood here")),
        }
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, span: Span, path: &Path) -> Value {
        if style == ScalarStyle::Plain && matches!(text, "" | "~" | "null" | "Null" | "NULL") {
            return Value::Empty(Tag::Default, Empty::None);
        }
        match interpolate(text, self.variable) {
            Ok(text) => Value::from(text),
            Err(message) => {
                self.record(span, path, message);
                Value::Empty(Tag::Default, Empty::None)
            }
        }
    }

    fn list(&mut self, start: Span, path: &Path) -> Result<Value, Stop> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, end) => {
                    self.close(start, end, path);
                    return Ok(Value::from(items));
                }
                (event, span) => {
                    items.push(self.value(event, span, &path.index(items.len()))?);
                }
            }
        }
    }

    fn mapping(&mut self, start: Span, path: &Path) -> Result<Value, Stop> {
        let mut entries = Dict::new();
        loop {
            let (key, key_span) = match self.next()? {
                (Event::MappingEnd, end) => {
                    self.close(start, end, path);
                    return Ok(Value::from(entries));
                }
                (Event::Scalar(key, ..), span) => (key, span),
                (_, span) => return Err(self.stop(span, path, "a key must be plain text")),
            };
            self.entry(&mut entries, key, key_span, path)?;
        }
    }

    fn entry(
        &mut self,
        entries: &mut Dict,
        key: Cow<'a, str>,
        key_span: Span,
        path: &Path,
    ) -> Result<(), Stop> {
        let path = path.key(&key);
        let first = self
            .spots
            .get(&path)
            .and_then(|spot| spot.key.as_ref())
            .map(|it| it.line);
        let (event, span) = self.next()?;
        let value = self.value(event, span, &path)?;
        if let Some(line) = first {
            self.record(
                key_span,
                &path,
                format!("`{key}` is already set in line {line}"),
            );
        }
        let key_place = self.place(key_span);
        if let Some(spot) = self.spots.get_mut(&path) {
            spot.key = Some(key_place);
        }
        entries.insert(key.into_owned(), value);
        Ok(())
    }

    /// Lets the place of a list or mapping in brackets reach to the closing one.
    fn close(&mut self, start: Span, end: Span, path: &Path) {
        if end.end.index() > end.start.index() {
            let value = self.place(Span::new(start.start, end.end));
            self.spots.insert(path.clone(), Spot { key: None, value });
        }
    }

    fn refuse_annotations(
        &mut self,
        event: &Event<'a>,
        span: Span,
        path: &Path,
    ) -> Result<(), Stop> {
        let (anchor, tag) = match event {
            Event::Alias(_) => (1, None),
            Event::Scalar(_, _, anchor, tag)
            | Event::SequenceStart(anchor, tag)
            | Event::MappingStart(anchor, tag) => (*anchor, tag.as_ref()),
            _ => return Ok(()),
        };
        if anchor != 0 {
            let message = "YAML anchors and aliases are not supported; write the value out";
            return Err(self.stop(span, path, message));
        }
        if tag.is_some() {
            let message = "YAML tags are not supported; quote a value that begins with `!`";
            return Err(self.stop(span, path, message));
        }
        Ok(())
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), Stop> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(self.syntax(&error)),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn syntax(&mut self, error: &ScanError) -> Stop {
        let span = Span::empty(*error.marker());
        let stop = self.stop(
            span,
            &Path::default(),
            format!("not valid YAML: {}", error.info()),
        );
        if let Some(mistake) = self.mistakes.last_mut()
            && mistake.place.excerpt.contains("${")
        {
            mistake.help =
                Some("within `{…}` and `[…]` quote what has braces, `\"${NAME}\"`".into());
        }
        stop
    }

    fn stop(&mut self, span: Span, path: &Path, message: impl Into<String>) -> Stop {
        self.record(span, path, message);
        Stop
    }

    fn record(&mut self, span: Span, path: &Path, message: impl Into<String>) {
        let mut place = self.place(span);
        if self.may_show_secret(place.line) {
            place.excerpt = masked(&place.excerpt);
        }
        self.mistakes.push(Mistake {
            severity: Severity::Error,
            message: message.into(),
            help: None,
            path: path.to_string(),
            place,
        });
    }

    /// What is a secret is known only when the whole is read, and this form cannot be; a secret may
    /// stand in the line below its key.
    fn may_show_secret(&self, line: usize) -> bool {
        let near = [line.checked_sub(2), line.checked_sub(1)];
        let mut lines = near
            .into_iter()
            .flatten()
            .filter_map(|it| self.lines.get(it));
        lines.any(|line| mentions_secret(line))
    }

    /// Where `span` is, cut to its first line.
    fn place(&self, span: Span) -> Place {
        let (start, end): (Marker, Marker) = (span.start, span.end);
        let excerpt = self
            .lines
            .get(start.line().wrapping_sub(1))
            .copied()
            .unwrap_or_default();
        let to = if end.line() > start.line() {
            excerpt.trim_end().chars().count()
        } else {
            end.col()
        };
        Place {
            origin: self.origin.to_owned(),
            line: start.line(),
            column: start.col() + 1,
            length: to.saturating_sub(start.col()),
            excerpt: excerpt.to_owned(),
        }
    }
}
