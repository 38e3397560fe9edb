//! The building blocks of the one-pass parse: borrowed field names, raw values, and the columns of
//! an object as positions in the record's text.
//!
//! Nothing is copied. The surprising fact: a column is found by comparing names in the order of
//! the last row, which almost always matches, so no map is ever built.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::change::{Cell, Shape};

/// A field name, borrowed unless it has escapes.
pub(super) struct Name<'de>(pub(super) Cow<'de, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;
        impl<'de> Visitor<'de> for NameVisitor {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(NameVisitor)
    }
}

/// The text of a JSON string without escapes; `None` for anything else.
pub(super) fn plain_str(raw: &str) -> Option<&str> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    (!inner.contains('\\')).then_some(inner)
}

/// Where `part` begins in `whole`, of which it is a slice.
pub(super) fn offset_in(whole: &str, part: &str) -> usize {
    part.as_ptr() as usize - whole.as_ptr() as usize
}

/// The columns of one object: where each value lies in the text.
pub(super) struct Columns {
    /// One per column, in the object's order.
    pub(super) cells: Vec<Cell>,
    /// The column names where they differ from those expected.
    pub(super) names: Option<Vec<String>>,
}

/// Reads an object (or null) into [`Columns`].
pub(super) struct ColumnsSeed<'a> {
    /// The text that is parsed.
    pub(super) text: &'a str,
    /// The names of the last such object.
    pub(super) expected: &'a Shape,
}

impl<'de> DeserializeSeed<'de> for ColumnsSeed<'_> {
    type Value = Option<Columns>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for ColumnsSeed<'_> {
    type Value = Option<Columns>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of columns")
    }

    fn visit_none<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut expected = self.expected.names();
        let mut columns = Columns {
            cells: Vec::with_capacity(self.expected.len()),
            names: None,
        };
        while let Some(Name(name)) = map.next_key()? {
            match &mut columns.names {
                Some(names) => names.push(name.into_owned()),
                None if expected.next() == Some(&*name) => {}
                None => {
                    let seen = self.expected.names().take(columns.cells.len());
                    let mut names: Vec<String> = seen.map(str::to_owned).collect();
                    names.push(name.into_owned());
                    columns.names = Some(names);
                }
            }
            let value = map.next_value::<&RawValue>()?.get();
            let start = offset_in(self.text, value);
            columns.cells.push(Cell::new(start, start + value.len()));
        }
        if columns.names.is_none() && expected.len() > 0 {
            let seen = self.expected.names().take(columns.cells.len());
            columns.names = Some(seen.map(str::to_owned).collect());
        }
        Ok(Some(columns))
    }
}
