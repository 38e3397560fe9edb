//! The layers put together, read one node at a time; every mistake is recorded where it stands.
//!
//! A read that fails records its mistake and gives nothing, so the reader goes on with the next
//! key: one run finds everything. What is absent is no mistake until somebody requires it.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path as FilePath;

use figment::Figment;
use figment::value::{Dict, Value};

use super::layer::{Layer, Path, Spot};
use super::mistake::{Mistake, Place, Severity, did_you_mean};

/// All layers, and what was found wrong so far.
pub(super) struct Merged {
    layers: Vec<Layer>,
    values: Value,
    /// The paths of values whose form is wrong already, which are not judged further.
    malformed: BTreeSet<String>,
    mistakes: RefCell<Vec<Mistake>>,
    secrets: RefCell<Vec<Place>>,
}

impl Merged {
    /// Puts the layers on top of each other, the last wins.
    pub(super) fn merge(mut layers: Vec<Layer>) -> Result<Self, String> {
        let figment = layers
            .iter()
            .fold(Figment::new(), |figment, layer| figment.merge(layer));
        let values: Dict = figment.extract().map_err(|error| error.to_string())?;
        let of_form = layers
            .iter_mut()
            .flat_map(|layer| std::mem::take(&mut layer.mistakes));
        let mistakes: Vec<_> = of_form.collect();
        Ok(Self {
            layers,
            values: values.into(),
            malformed: mistakes.iter().map(|it| it.path.clone()).collect(),
            mistakes: RefCell::new(mistakes),
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

    /// Whether no error was found so far.
    pub(super) fn is_sound(&self) -> bool {
        let mistakes = self.mistakes.borrow();
        mistakes.iter().all(|it| it.severity == Severity::Warning)
    }

    /// The last layer in which `path`, or something in it, or what it is in, was written.
    fn written(&self, path: &Path) -> Option<(&Layer, &Spot)> {
        let mut path = path.clone();
        loop {
            let layers = || self.layers.iter().rev();
            let found = layers().find_map(|it| Some((it, it.spot(&path)?)));
            let found = found.or_else(|| layers().find_map(|it| Some((it, it.spot_below(&path)?))));
            if found.is_some() || path.0.is_empty() {
                return found;
            }
            path = path.parent();
        }
    }

    fn record(&self, severity: Severity, path: &Path, place: Place, say: Say) {
        let (path, Say { message, help }) = (path.to_string(), say);
        if !self.malformed.contains(&path) {
            let mistake = Mistake {
                severity,
                message,
                help,
                path,
                place,
            };
            self.mistakes.borrow_mut().push(mistake);
        }
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
            .quiet_text()
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

    /// The same for a text, and for nothing else: what lies below other values is looked at itself.
    fn conceal_text(&self) {
        if self.quiet_text().is_some() {
            self.conceal();
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
                // It may be meant to be a secret's, whose value no log is to show.
                node.conceal_text();
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
        self.merged
            .record(Severity::Error, &self.path, self.key_place(), say.into());
    }

    /// Records a warning at the key of this value.
    pub(super) fn warn_key(&self, say: impl Into<Say>) {
        self.merged
            .record(Severity::Warning, &self.path, self.key_place(), say.into());
    }

    fn key_place(&self) -> Place {
        let key = self
            .merged
            .written(&self.path)
            .and_then(|(_, spot)| spot.key.clone());
        key.unwrap_or_else(|| self.place())
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

    /// What relative paths written here are relative to.
    pub(super) fn directory(&self) -> &'a FilePath {
        let written = self.merged.written(&self.path);
        written.map_or(FilePath::new(""), |(layer, _)| &layer.directory)
    }

    pub(super) fn is_list(&self) -> bool {
        matches!(self.value, Some(Value::Array(..)))
    }

    /// All that this node is part of.
    pub(super) fn whole(&self) -> &'a Merged {
        self.merged
    }

    /// The text of a scalar; whatever else there may be is somebody else's mistake to record.
    pub(super) fn quiet_text(&self) -> Option<&'a str> {
        self.value.and_then(Value::as_str)
    }

    /// The layer that the value is from: its rank, the last wins, and its name.
    pub(super) fn layer(&self) -> (usize, String) {
        let origin = self.place().origin;
        let layers = &self.merged.layers;
        let rank = layers.iter().position(|it| it.origin == origin);
        (rank.unwrap_or_default(), origin)
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
