//! From located columns to a [`Row`] in canonical form.
//!
//! A row whose values are canonical already keeps the record's own buffer; one value that has to
//! be rewritten gives the row a buffer of its own.

use std::borrow::Cow;
use std::sync::Arc;

use super::error::DecodeError;
use super::json::{TooDeep, compact, has_lone_surrogate};
use super::placeholder::is_placeholder;
use super::shapes::Known;
use crate::change::{Cell, Row};

/// What is known about the columns of one image.
pub(super) struct Image<'a> {
    /// The record's text, in which the cells lie.
    pub(super) text: &'a Arc<String>,
    /// The shape.
    pub(super) known: &'a Known,
    /// Whether placeholders for unchanged TOASTed values can occur.
    pub(super) partial: bool,
}

impl Image<'_> {
    /// The row of these cells.
    pub(super) fn row(&self, mut cells: Vec<Cell>) -> Result<Row, DecodeError> {
        // Rewritten values; their cells count on from the end of the text.
        let mut extra = String::new();
        for (index, cell) in cells.iter_mut().enumerate() {
            let json = compact(slice(self.text, *cell)).map_err(|TooDeep| self.too_deep(index))?;
            if self.partial && is_placeholder(&json) {
                *cell = Cell::UNAVAILABLE;
                continue;
            }
            let json = if self.known.json[index] {
                self.spliced(index, json)?
            } else {
                json
            };
            if let Cow::Owned(json) = json {
                let start = self.text.len() + extra.len();
                extra.push_str(&json);
                *cell = Cell::new(start, start + json.len());
            }
        }
        let text = if extra.is_empty() {
            Arc::clone(self.text)
        } else {
            Arc::new(gather(self.text, &extra, &mut cells))
        };
        Ok(Row::new(
            text,
            Arc::clone(&self.known.shape),
            cells.into_boxed_slice(),
        ))
    }

    /// The JSON value whose text is in a JSON string, or in each string of an array (`jsonb[]`).
    /// What is neither is a JSON value already.
    fn spliced<'j>(&self, index: usize, json: Cow<'j, str>) -> Result<Cow<'j, str>, DecodeError> {
        if json.starts_with('[') {
            let elements: Vec<Cow<'_, serde_json::value::RawValue>> =
                serde_json::from_str(&json).map_err(|error| self.bad_json(index, &error))?;
            let mut array = String::from("[");
            for element in elements {
                if array.len() > 1 {
                    array.push(',');
                }
                array.push_str(&self.spliced_string(index, element.get())?);
            }
            array.push(']');
            return Ok(Cow::Owned(array));
        }
        if json.starts_with('"') {
            return Ok(Cow::Owned(self.spliced_string(index, &json)?));
        }
        Ok(json)
    }

    fn spliced_string(&self, index: usize, json: &str) -> Result<String, DecodeError> {
        if !json.starts_with('"') {
            return Ok(json.to_owned());
        }
        let bad_json = |error: serde_json::Error| self.bad_json(index, &error);
        let text: String = serde_json::from_str(json).map_err(bad_json)?;
        let value: &serde_json::value::RawValue = serde_json::from_str(&text).map_err(bad_json)?;
        if has_lone_surrogate(value.get()) {
            return Err(DecodeError::JsonColumn {
                column: self.name(index),
                detail: "it escapes half of a surrogate pair".into(),
            });
        }
        let value = compact(value.get()).map_err(|TooDeep| self.too_deep(index))?;
        Ok(value.into_owned())
    }

    fn name(&self, index: usize) -> String {
        let mut names = self.known.shape.names();
        names.nth(index).unwrap_or_default().to_owned()
    }

    fn too_deep(&self, index: usize) -> DecodeError {
        DecodeError::TooDeep {
            column: self.name(index),
        }
    }

    fn bad_json(&self, index: usize, error: &serde_json::Error) -> DecodeError {
        DecodeError::JsonColumn {
            column: self.name(index),
            detail: error.to_string(),
        }
    }
}

fn slice(text: &str, cell: Cell) -> &str {
    text.get(cell.range())
        .expect("cells lie on the boundaries of JSON values")
}

/// One buffer with only the values of the cells, which are moved to it.
fn gather(text: &str, extra: &str, cells: &mut [Cell]) -> String {
    let length = cells.iter().map(|cell| cell.range().len()).sum();
    let mut gathered = String::with_capacity(length);
    for cell in cells.iter_mut().filter(|cell| **cell != Cell::UNAVAILABLE) {
        let range = cell.range();
        let value = match range.start.checked_sub(text.len()) {
            None => slice(text, *cell),
            Some(start) => slice(extra, Cell::new(start, start + range.len())),
        };
        let start = gathered.len();
        gathered.push_str(value);
        *cell = Cell::new(start, gathered.len());
    }
    gathered
}
