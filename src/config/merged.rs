//! The layers put together, read one node at a time; every mistake is recorded where it stands.
//!
//! A read that fails records its mistake and gives nothing, so the reader goes on with the next
//! key: one run finds everything. What is absent is no mistake until somebody requires it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use figment::Figment;
use figment::value::{Dict, Value};

use super::layer::{Layer, Path};
use super::mistake::{Mistake, Place, Severity, did_you_mean};
use super::units;

/// All layers, and what was found wrong so far.
pub(super) struct Merged {
    layers: Vec<Layer>,
    values: Value,
    mistakes: RefCell<Vec<Mistake>>,
    secrets: RefCell<Vec<Place>>,
}

impl Merged {
    /// Puts the layers on top of each other, the last wins.
    pub(super) fn merge(layers: Vec<Layer>) -> Result<Self, figment::Error> {
        let figment = layers
            .iter()
            .fold(Figment::new(), |figment, layer| figment.merge(layer));
        let values: Dict = figment.extract()?;
        Ok(Self {
            layers,
            values: values.into(),
            mistakes: RefCell::default(),
            secrets: RefCell::default(),
        })
    }

    pub(super) fn root(&self) -> Node<'_> {
        Node {
            merged: self,
            path: Path::default(),
            value: Some(&self.values),
        }
    }

    /// Everything that was found, in the order in which it is written.
    pub(super) fn into_mistakes(self) -> Vec<Mistake> {
        let origins: Vec<_> = self
            .layers
            .iter()
            .map(|layer| layer.origin.clone())
            .collect();
        let mut mistakes = self.mistakes.into_inner();
        for mistake in &mut mistakes {
            self.secrets
                .borrow()
                .iter()
                .for_each(|secret| mistake.place.mask(secret));
        }
        let rank = |place: &Place| origins.iter().position(|it| *it == place.origin);
        mistakes.sort_by_key(|it| (rank(&it.place), it.place.line, it.place.column));
        mistakes
    }

    /// The last layer in which `path`, or what it is in, was written.
    fn written(&self, path: &Path) -> Option<(&Layer, &super::layer::Spot)> {
        let mut path = path.clone();
        loop {
            let found = self
                .layers
                .iter()
                .rev()
                .find_map(|it| Some((it, it.spot(&path)?)));
            if found.is_some() || path.0.is_empty() {
                return found;
            }
            path = path.parent();
        }
    }

    fn record(&self, severity: Severity, path: &Path, place: Place, say: Say) {
        self.mistakes.borrow_mut().push(Mistake {
            severity,
            message: say.message,
            help: say.help,
            path: path.to_string(),
            place,
        });
    }
}

/// What is wrong and, if there is more to say than that, what to do.
pub(super) struct Say {
    message: String,
    help: Option<String>,
}

impl Say {
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl<T: Into<String>> From<T> for Say {
    fn from(message: T) -> Self {
        Self {
            message: message.into(),
            help: None,
        }
    }
}

/// A place in the tree, with or without a value.
#[derive(Clone)]
pub(super) struct Node<'a> {
    merged: &'a Merged,
    path: Path,
    value: Option<&'a Value>,
}

impl<'a> Node<'a> {
    /// Below this mapping. Absent when this is none.
    pub(super) fn key(&self, name: &str) -> Self {
        let value = self
            .value
            .and_then(Value::as_dict)
            .and_then(|dict| dict.get(name));
        Self {
            merged: self.merged,
            path: self.path.key(name),
            value: value.filter(|value| !matches!(value, Value::Empty(..))),
        }
    }

    pub(super) fn is_present(&self) -> bool {
        self.value.is_some()
    }

    pub(super) fn is_mapping(&self) -> bool {
        matches!(self.value, Some(Value::Dict(..)))
    }

    /// Records an error at the value, or where it is missing.
    pub(super) fn refuse(&self, say: impl Into<Say>) {
        let place = self.place();
        self.merged
            .record(Severity::Error, &self.path, place, say.into());
    }

    /// Records an error at `length` characters from `offset` of this value's text.
    pub(super) fn refuse_part(&self, offset: usize, length: usize, say: impl Into<Say>) {
        let mut place = self.place();
        let quoted = place.excerpt.chars().nth(place.column.saturating_sub(1));
        let from = place.column + offset + usize::from(matches!(quoted, Some('"' | '\'')));
        let written: String = place.excerpt.chars().skip(from - 1).take(length).collect();
        let meant: Option<String> = self
            .raw_text()
            .map(|text| text.chars().skip(offset).take(length).collect());
        // Escapes, interpolation and folding move the text; then the whole value is shown.
        if meant.is_some_and(|meant| meant == written) {
            (place.column, place.length) = (from, length);
        }
        self.merged
            .record(Severity::Error, &self.path, place, say.into());
    }

    /// Records a warning at the value.
    pub(super) fn warn(&self, say: impl Into<Say>) {
        let place = self.place();
        self.merged
            .record(Severity::Warning, &self.path, place, say.into());
    }

    /// Keeps what is written here out of every excerpt.
    pub(super) fn conceal(&self) {
        if self.is_present() {
            self.merged.secrets.borrow_mut().push(self.place());
        }
    }

    /// Records an error if there is no value.
    pub(super) fn required(self) -> Self {
        if self.value.is_none() {
            self.refuse(format!("`{}` is missing", self.path));
        }
        self
    }

    /// Records an error for every key but the `known` ones.
    pub(super) fn known_keys(&self, known: &[&str]) {
        for (name, node) in self.entries() {
            if !known.contains(&name.as_str()) {
                node.refuse_key(
                    Say::from(format!(
                        "unknown key `{name}`{}",
                        did_you_mean(&name, known.iter().copied())
                    ))
                    .help(format!("known here: {}", known.join(", "))),
                );
            }
        }
    }

    /// Records an error at the key of this value.
    pub(super) fn refuse_key(&self, say: impl Into<Say>) {
        let place = match self.merged.written(&self.path) {
            Some((_, spot)) => spot.key.clone().unwrap_or_else(|| spot.value.clone()),
            None => self.place(),
        };
        self.merged
            .record(Severity::Error, &self.path, place, say.into());
    }

    /// The entries of a mapping by name; none, and a mistake, when it is something else.
    pub(super) fn entries(&self) -> Vec<(String, Self)> {
        match self.value {
            Some(Value::Dict(_, dict)) => dict
                .keys()
                .map(|name| (name.clone(), self.key(name)))
                .collect(),
            None => Vec::new(),
            Some(_) => {
                self.refuse("expected a mapping, `key: value`");
                Vec::new()
            }
        }
    }

    /// The items of a list; none, and a mistake, when it is something else.
    pub(super) fn items(&self) -> Vec<Self> {
        match self.value {
            Some(Value::Array(_, items)) => {
                let item = |(index, value): (usize, &'a Value)| Self {
                    merged: self.merged,
                    path: self.path.index(index),
                    value: Some(value).filter(|value| !matches!(value, Value::Empty(..))),
                };
                items.iter().enumerate().map(item).collect()
            }
            None => Vec::new(),
            Some(_) => {
                self.refuse("expected a list, `[a, b]`");
                Vec::new()
            }
        }
    }

    /// A list of texts, each with its node. One text may hold several, `a, b` or `[a, b]`, because
    /// a variable cannot say it otherwise.
    pub(super) fn texts(&self) -> Vec<(String, Self)> {
        let nodes = match self.raw_text() {
            Some(_) => vec![self.clone()],
            None => self.items(),
        };
        nodes.into_iter().flat_map(|node| node.split()).collect()
    }

    fn split(self) -> Vec<(String, Self)> {
        let Some(text) = self.clone().required().text() else {
            return Vec::new();
        };
        let text = text.trim();
        let list = text
            .strip_prefix('[')
            .and_then(|it| it.strip_suffix(']'))
            .unwrap_or(text);
        let items = list
            .split(',')
            .map(|it| it.trim().trim_matches(['"', '\'']));
        let items = items.filter(|it| !it.is_empty());
        items.map(|it| (it.to_owned(), self.clone())).collect()
    }

    /// The text of a scalar.
    pub(super) fn text(&self) -> Option<String> {
        let text = self.raw_text();
        match (text, self.value) {
            (None, Some(Value::Dict(..))) => self.refuse("expected one value, found a mapping"),
            (None, Some(_)) => self.refuse("expected one value, found a list"),
            (Some(""), _) => {
                self.refuse("expected a value, found an empty text");
                return None;
            }
            _ => {}
        }
        text.map(str::to_owned)
    }

    /// The text, made into something by `parse`, whose error completes "expected …".
    pub(super) fn parse<T>(&self, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        match parse(&self.text()?) {
            Ok(value) => Some(value),
            Err(message) => {
                self.refuse(message);
                None
            }
        }
    }

    /// One of the given words.
    pub(super) fn choice<T: Clone>(&self, choices: &[(&str, T)]) -> Option<T> {
        self.parse(
            |text| match choices.iter().find(|(word, _)| *word == text) {
                Some((_, value)) => Ok(value.clone()),
                None => {
                    let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
                    let hint = did_you_mean(text, words.iter().copied());
                    Err(format!(
                        "expected one of {}, found `{text}`{hint}",
                        words.join(", ")
                    ))
                }
            },
        )
    }

    /// `true` or `false`.
    pub(super) fn flag(&self) -> Option<bool> {
        self.choice(&[("true", true), ("false", false)])
    }

    /// A whole number within bounds.
    pub(super) fn number(&self, bounds: RangeInclusive<u64>) -> Option<u64> {
        let (low, high) = (bounds.start(), bounds.end());
        self.parse(|text| match text.parse() {
            Ok(number) if bounds.contains(&number) => Ok(number),
            _ => Err(format!(
                "expected a whole number from {low} to {high}, found `{text}`"
            )),
        })
    }

    /// A duration such as `25s`.
    pub(super) fn duration(&self) -> Option<Duration> {
        self.parse(units::duration)
    }

    /// A size such as `64MiB`, in bytes.
    pub(super) fn size(&self) -> Option<u64> {
        self.parse(units::size)
    }

    /// A path, relative to the file that names it.
    pub(super) fn file(&self) -> Option<PathBuf> {
        let text = self.text()?;
        let layer = self.merged.written(&self.path).map(|(layer, _)| layer);
        Some(
            layer
                .map(|it| it.directory.join(&text))
                .unwrap_or_else(|| text.into()),
        )
    }

    /// The entries of a mapping of texts.
    pub(super) fn text_map(&self) -> BTreeMap<String, (String, Self)> {
        let text =
            |(name, node): (String, Self)| Some((name, (node.clone().required().text()?, node)));
        self.entries().into_iter().filter_map(text).collect()
    }

    /// The tree that this node is part of.
    pub(super) fn root(&self) -> Self {
        self.merged.root()
    }

    /// The text of a scalar; whatever else there may be is somebody else's mistake to record.
    pub(super) fn quiet_text(&self) -> Option<&'a str> {
        self.raw_text()
    }

    fn raw_text(&self) -> Option<&'a str> {
        self.value.and_then(Value::as_str)
    }

    /// Where the value stands; what is missing is missing where it should be.
    fn place(&self) -> Place {
        let (path, missing) = match self.value {
            Some(_) => (self.path.clone(), false),
            None => (self.path.parent(), true),
        };
        let Some((_, spot)) = self.merged.written(&path) else {
            return Place::whole(
                self.merged
                    .layers
                    .first()
                    .map_or("configuration", |it| &it.origin),
            );
        };
        match &spot.key {
            Some(key) if missing => key.clone(),
            _ => spot.value.clone(),
        }
    }
}
