//! The typed reads of a node. Each gives nothing, and records why, when the text is no such value.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::merged::Node;
use super::mistake::did_you_mean;
use super::units;

impl Node<'_> {
    /// A list of texts, each with its node. One text may hold several, `a, b` or `[a, b]`, because
    /// a variable cannot say it otherwise.
    pub(super) fn texts(&self) -> Vec<(String, Self)> {
        let nodes = match self.quiet_text() {
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
        match self.quiet_text() {
            Some("") => self.refuse("expected a value, found an empty text"),
            Some(text) => return Some(text.to_owned()),
            None if self.is_mapping() => self.refuse("expected one value, found a mapping"),
            None if self.is_list() => self.refuse("expected one value, found a list"),
            None => {}
        }
        None
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

    /// A duration within bounds.
    pub(super) fn duration_within(&self, bounds: RangeInclusive<Duration>) -> Option<Duration> {
        let [low, high] = [bounds.start(), bounds.end()].map(|it| humantime::format_duration(*it));
        self.parse(|text| match units::duration(text)? {
            duration if bounds.contains(&duration) => Ok(duration),
            _ => Err(format!(
                "expected a duration from {low} to {high}, found `{text}`"
            )),
        })
    }

    /// A size such as `64MiB`, in bytes.
    pub(super) fn size(&self) -> Option<u64> {
        self.parse(units::size)
    }

    /// A path, relative to the file that names it.
    pub(super) fn file(&self) -> Option<PathBuf> {
        Some(self.directory().join(self.text()?))
    }

    /// The entries of a mapping of texts.
    pub(super) fn text_map(&self) -> BTreeMap<String, (String, Self)> {
        let text =
            |(name, node): (String, Self)| Some((name, (node.clone().required().text()?, node)));
        self.entries().into_iter().filter_map(text).collect()
    }
}
