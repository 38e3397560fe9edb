//! The shapes a table's rows have had, so that rows of the same columns share one [`Shape`].
//!
//! The last one used stands first: snapshots and the stream may differ (generated columns), and a
//! table's columns change now and then, but neighbours are nearly always alike.

use std::collections::HashSet;
use std::sync::Arc;

use super::error::{DecodeError, Part};
use super::fields::Columns;
use crate::change::{Shape, label};

/// More different shapes than a table has at one time; what is forgotten is merely built again.
const KEPT: usize = 8;

/// A shape and what the configuration says about its columns.
#[derive(Debug)]
pub(super) struct Known {
    /// The column names.
    pub(super) shape: Arc<Shape>,
    /// For each column, whether its text becomes a JSON value.
    pub(super) json: Box<[bool]>,
    /// For each column its name as it stands before a value: in quotes and with a colon.
    pub(super) labels: Box<[Box<str>]>,
}

impl Known {
    /// The shape of these columns, of which some have JSON values in their texts.
    pub(super) fn new(names: &[String], is_json: impl Fn(&String) -> bool) -> Self {
        Self {
            shape: Arc::new(Shape::new(names.iter().map(String::as_str))),
            json: names.iter().map(is_json).collect(),
            labels: names.iter().map(|name| label(name).into()).collect(),
        }
    }
}

/// The shapes of one table.
pub(super) struct Shapes {
    json: Vec<String>,
    known: Vec<Arc<Known>>,
}

impl Shapes {
    /// No rows seen yet; `json` are the columns whose text becomes a JSON value.
    pub(super) fn new(json: Vec<String>) -> Self {
        let empty = Known::new(&[], |_| false);
        Self {
            json,
            known: vec![Arc::new(empty)],
        }
    }

    /// The shape of the last row: what the next one is expected to have.
    pub(super) fn expected(&self) -> &Arc<Known> {
        &self.known[0]
    }

    /// The shape of a row that was read expecting `expected`.
    pub(super) fn intern(
        &mut self,
        columns: &Columns<'_>,
        expected: &Arc<Known>,
    ) -> Result<Arc<Known>, DecodeError> {
        let Some(names) = &columns.names else {
            return Ok(Arc::clone(expected));
        };
        let same = |known: &Arc<Known>| known.shape.names().eq(names.iter().map(String::as_str));
        let known = match self.known.iter().position(same) {
            Some(index) => self.known.remove(index),
            None => Arc::new(self.learn(names)?),
        };
        self.known.insert(0, Arc::clone(&known));
        self.known.truncate(KEPT);
        Ok(known)
    }

    fn learn(&self, names: &[String]) -> Result<Known, DecodeError> {
        refuse_duplicates(names, Part::Value)?;
        Ok(Known::new(names, |name| self.json.contains(name)))
    }
}

/// No name may occur twice.
pub(super) fn refuse_duplicates(names: &[String], part: Part) -> Result<(), DecodeError> {
    let mut seen = HashSet::new();
    match names.iter().find(|name| !seen.insert(*name)) {
        None => Ok(()),
        Some(name) => Err(DecodeError::Duplicate {
            part,
            name: name.clone(),
        }),
    }
}
