//! The properties of a row, as the statements take them.
//!
//! A row that has a value for each goes as a flat list, whose places the statement's text names: a
//! map that each row brings along costs the server a fifth more for a node. Where some row came
//! without some column (D5) all rows of the statement bring a map, or each choice of columns would
//! be a statement with a plan of its own.

use std::collections::HashMap;

use neo4rs::{BoltMap, BoltNull, BoltType};

use super::pattern::quoted;
use super::value::property;
use crate::projector::graph::Json;

/// A statement that sets properties, in two forms.
pub(super) struct Setting {
    /// For rows each of which has a value for each.
    pub(super) whole: String,
    /// For rows that bring a map each, because some have not.
    pub(super) by_name: String,
}

impl Setting {
    /// The statement that `text` makes of what it sets. `variable` gets the values that stand in a
    /// row's list from `first` on, or the map that stands there instead, and the `other` things.
    pub(super) fn new(
        variable: &str,
        (names, first): (&[String], usize),
        other: &[&str],
        text: impl Fn(&str) -> String,
    ) -> Self {
        let one =
            |(name, place): (&String, usize)| format!("{variable}.{} = r[{place}]", quoted(name));
        let set = |properties: Vec<String>| {
            let other = other.iter().map(|it| format!("{variable}.{it}"));
            let all: Vec<_> = properties.into_iter().chain(other).collect();
            text(&format!("SET {}", all.join(", ")))
        };
        Self {
            whole: set(names.iter().zip(first..).map(one).collect()),
            by_name: set(vec![format!("{variable} += r[{first}]")]),
        }
    }

    /// The form for rows all of which are whole, or not.
    pub(super) fn text(&self, are_whole: bool) -> &str {
        match are_whole {
            true => &self.whole,
            false => &self.by_name,
        }
    }
}

/// The values of a row's properties, in the order of its projection's names; on a delete none.
#[derive(Debug, Clone, Default)]
pub(super) struct Properties(Vec<Option<BoltType>>);

impl Properties {
    /// Those that were sent; `None` when a text is no Unicode text. Null removes a property.
    pub(super) fn new(values: &[Option<Json>]) -> Option<Self> {
        let value = |json: &Option<Json>| match json {
            Some(json) => property(json).map(Some),
            None => Some(None),
        };
        values.iter().map(value).collect::<Option<_>>().map(Self)
    }

    /// Whether there is a value for each.
    pub(super) fn are_whole(&self) -> bool {
        self.0.iter().all(Option::is_some)
    }

    /// Gives those that were not sent what is held of them, or null.
    pub(super) fn fill(&mut self, names: &[String], mut held: HashMap<String, BoltType>) {
        for (value, name) in self.0.iter_mut().zip(names) {
            value.get_or_insert_with(|| held.remove(name).unwrap_or(BoltType::Null(BoltNull)));
        }
    }

    /// The values that there are.
    pub(super) fn values(self) -> impl Iterator<Item = BoltType> {
        self.0.into_iter().flatten()
    }

    /// The values that there are, by name.
    pub(super) fn by_name(self, names: &[String]) -> BoltMap {
        let mut map = BoltMap::with_capacity(names.len());
        for (name, value) in names.iter().zip(self.0) {
            if let Some(value) = value {
                map.put(name.as_str().into(), value);
            }
        }
        map
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_are_set_by_place_or_by_name_and_cannot_break_out_of_their_quotes() {
        let names = ["a".to_owned(), "b` = 1 //".to_owned()];
        let setting = Setting::new("n", (&names, 3), &["_v = r[1]"], |set| format!("({set})"));
        assert_eq!(
            setting.text(true),
            "(SET n.`a` = r[3], n.`b`` = 1 //` = r[4], n._v = r[1])"
        );
        assert_eq!(setting.text(false), "(SET n += r[3], n._v = r[1])");
    }
}
