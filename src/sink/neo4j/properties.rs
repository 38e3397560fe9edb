//! The properties of a row, as the statements take them.
//!
//! A row that has a value for each goes as a flat list, whose places the statement's text names: a
//! map that each row brings along costs the server a fifth more for a node. Where some row came
//! without some column (D5) all rows of the statement bring a map, or each choice of columns would
//! be a statement with a plan of its own; and such a row says since when what is there is of it.

use std::collections::HashMap;

use neo4rs::{BoltMap, BoltNull, BoltType};

use super::Fate;
use super::pattern::quoted;
use super::value::{list_of, property};
use crate::change::Version;
use crate::projector::graph;

/// A statement that sets properties, in two forms.
pub(super) struct Setting {
    /// For rows each of which has a value for each.
    pub(super) whole: String,
    /// For rows that bring a map each, because some have not.
    pub(super) by_name: String,
}

/// What the text of a statement that sets properties is made of.
pub(super) struct Pieces {
    /// The fate of a row that is taken, where `version` is that of what is there.
    pub(super) fate: String,
    /// Takes away what an earlier row has left.
    clear: Option<String>,
    /// Sets the values.
    pub(super) set: String,
}

impl Pieces {
    /// Those of a statement whose rows all are complete.
    pub(super) fn whole(set: String) -> Self {
        Self {
            fate: Fate::FRESH.to_string(),
            clear: None,
            set,
        }
    }

    /// Writes the rows whose `fate` it is, and answers the places of the others, and of those that
    /// are incomplete, by their fate.
    pub(super) fn write(&self) -> String {
        let (fresh, incomplete) = (Fate::FRESH, Fate::INCOMPLETE);
        let wherever = |fate: &str, set: &str| {
            format!("FOREACH (_ IN CASE WHEN fate {fate} THEN [1] ELSE [] END | {set}) ")
        };
        let written = match &self.clear {
            None => wherever(&format!("= {fresh}"), &self.set),
            Some(clear) => {
                wherever(&format!("= {incomplete}"), clear)
                    + &wherever(&format!("IN [{fresh}, {incomplete}]"), &self.set)
            }
        };
        format!("{written}WITH r, fate WHERE fate <> {fresh} RETURN fate, collect(r[0]) AS items")
    }
}

impl Setting {
    /// The statement that `text` makes of what it sets. `variable` gets the values that stand in a
    /// row's list from `first` on, or the map that stands there instead, and the `other` things.
    pub(super) fn new(
        variable: &str,
        (names, first): (&[String], usize),
        other: &[&str],
        text: impl Fn(&Pieces) -> String,
    ) -> Self {
        let set = |properties: Vec<String>| {
            let other = other.iter().map(|it| format!("{variable}.{it}"));
            let all: Vec<_> = properties.into_iter().chain(other).collect();
            format!("SET {}", all.join(", "))
        };
        let one =
            |(name, place): (&String, usize)| format!("{variable}.{} = r[{place}]", quoted(name));
        let none = names.iter().map(|it| format!("{}: null", quoted(it)));
        let none: Vec<_> = none.collect();
        Self {
            whole: text(&Pieces::whole(set(names
                .iter()
                .zip(first..)
                .map(one)
                .collect()))),
            by_name: text(&Pieces {
                // A row that is complete brings null, which nothing is below.
                fate: format!(
                    "CASE WHEN coalesce(version, -1) < r[{since}] THEN {incomplete} \
                     ELSE {fresh} END",
                    since = first + 1,
                    incomplete = Fate::INCOMPLETE,
                    fresh = Fate::FRESH,
                ),
                clear: Some(format!("SET {variable} += {{{}}}", none.join(", "))),
                set: set(vec![format!("{variable} += r[{first}]")]),
            }),
        }
    }

    /// The form that suits these rows, and the rows as its parameter: each is what its list begins
    /// with, and its properties, which have these names.
    pub(super) fn of_rows(
        &self,
        names: &[String],
        rows: Vec<(Vec<BoltType>, Properties)>,
    ) -> (&str, BoltType) {
        // One form for all, which keeps them in order.
        let are_whole = rows.iter().all(|(_, properties)| properties.are_whole());
        let lists = rows.into_iter().map(|(mut list, properties)| {
            if are_whole {
                list.extend(properties.values.into_iter().flatten());
            } else {
                let since = properties.since();
                list.extend([BoltType::Map(properties.by_name(names)), since]);
            }
            list_of(list)
        });
        let lists = list_of(lists.collect());
        match are_whole {
            true => (&self.whole, lists),
            false => (&self.by_name, lists),
        }
    }
}

/// The properties of a row; on a delete none.
#[derive(Debug, Clone, Default)]
pub(super) struct Properties {
    /// Values in the order of the projection's names.
    values: Vec<Option<BoltType>>,
    /// From which version on what is there is of this row, and may have what was not sent.
    since: i64,
    /// What others have set on a relationship that moves.
    foreign: HashMap<String, BoltType>,
}

impl Properties {
    /// Those that were sent; `None` when a text is no Unicode text. Null removes a property.
    pub(super) fn new(properties: &graph::Properties) -> Option<Self> {
        let value = |json: &Option<graph::Json>| match json {
            Some(json) => property(json).map(Some),
            None => Some(None),
        };
        Some(Self {
            values: properties.values.iter().map(value).collect::<Option<_>>()?,
            since: properties.since.map_or(0, Version::get),
            foreign: HashMap::new(),
        })
    }

    /// Whether there is a value for each.
    pub(super) fn are_complete(&self) -> bool {
        self.values.iter().all(Option::is_some)
    }

    /// Whether there is a value for each, and nothing else.
    fn are_whole(&self) -> bool {
        self.foreign.is_empty() && self.are_complete()
    }

    /// Null where nothing is missing.
    fn since(&self) -> BoltType {
        match self.are_complete() {
            true => BoltType::Null(BoltNull),
            false => self.since.into(),
        }
    }

    /// Adds what a relationship had at this version, before it moved, where nothing was sent.
    pub(super) fn carry_over(
        &mut self,
        names: &[String],
        (version, mut held): (i64, HashMap<String, BoltType>),
    ) {
        for (value, name) in self.values.iter_mut().zip(names) {
            let before = held.remove(name).filter(|_| version >= self.since);
            if value.is_none() {
                *value = before;
            }
        }
        self.foreign = held;
    }

    /// The values that there are, by name.
    fn by_name(self, names: &[String]) -> BoltMap {
        let mut map = BoltMap::with_capacity(names.len());
        for (name, value) in names.iter().zip(self.values) {
            if let Some(value) = value {
                map.put(name.as_str().into(), value);
            }
        }
        for (name, value) in self.foreign {
            map.put(name.into(), value);
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
        let setting = Setting::new("n", (&names, 3), &["_v = r[1]"], |it| {
            format!("{:?} {}", it.clear, it.set)
        });
        assert_eq!(
            setting.whole,
            "None SET n.`a` = r[3], n.`b`` = 1 //` = r[4], n._v = r[1]"
        );
        assert_eq!(
            setting.by_name,
            "Some(\"SET n += {`a`: null, `b`` = 1 //`: null}\") SET n += r[3], n._v = r[1]"
        );
    }
}
