//! From located columns to a [`Row`] in canonical form.
//!
//! A row whose values are canonical already keeps the record's own buffer; one value that has to
//! be rewritten gives the row a buffer of its own.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::value::RawValue;

use super::error::DecodeError;
use super::json::{TooDeep, compact, has_lone_surrogate};
use super::placeholder::is_placeholder;
use super::schema::Type;
use super::shapes::Known;
use super::values::{Mismatch, canonical, elements};
use crate::change::{Cell, Row};

/// A row image that is located in a record's text but not yet built.
pub(super) struct Image {
    /// Where each column's value lies.
    pub(super) cells: Vec<Cell>,
    /// The columns.
    pub(super) known: Arc<Known>,
    /// The columns' types, where the record says them and one needs a conversion.
    pub(super) types: Option<Arc<[Type]>>,
}

/// Why a value is not canonical JSON; the column's name is added by the caller.
enum Problem {
    TooDeep,
    Mismatch,
    Json(String),
}

impl From<Mismatch> for Problem {
    fn from(Mismatch: Mismatch) -> Self {
        Self::Mismatch
    }
}

impl From<TooDeep> for Problem {
    fn from(TooDeep: TooDeep) -> Self {
        Self::TooDeep
    }
}

impl From<serde_json::Error> for Problem {
    fn from(error: serde_json::Error) -> Self {
        Self::Json(error.to_string())
    }
}

impl Image {
    /// How many columns, and the text from the first one's value to the end of the last one's.
    pub(super) fn extent<'t>(&self, text: &'t str) -> Option<(usize, &'t str)> {
        let (first, last) = (self.cells.first()?, self.cells.last()?);
        let text = text.get(first.range().start..last.range().end)?;
        Some((self.cells.len(), text))
    }

    /// The row. `partial`: placeholders for unchanged TOASTed values can occur (D5).
    pub(super) fn row(mut self, text: &Arc<String>, partial: bool) -> Result<Row, DecodeError> {
        // Rewritten values; their cells count on from the end of the text.
        let mut extra = String::new();
        for index in 0..self.cells.len() {
            let json = slice(text, self.cells[index]);
            let value = self
                .value(index, json, partial)
                .map_err(|problem| self.error(index, problem))?;
            match value {
                None => self.cells[index] = Cell::UNAVAILABLE,
                Some(Cow::Borrowed(same)) if std::ptr::eq(same, json) => {}
                Some(rewritten) => {
                    let start = text.len() + extra.len();
                    extra.push_str(&rewritten);
                    self.cells[index] = Cell::new(start, start + rewritten.len());
                }
            }
        }
        let text = if extra.is_empty() {
            Arc::clone(text)
        } else {
            Arc::new(gather(text, &extra, &mut self.cells))
        };
        let shape = Arc::clone(&self.known.shape);
        Ok(Row::new(text, shape, self.cells.into_boxed_slice()))
    }

    /// The canonical text of a column's value; `None` for a placeholder.
    fn value<'j>(
        &self,
        index: usize,
        json: &'j str,
        partial: bool,
    ) -> Result<Option<Cow<'j, str>>, Problem> {
        let mut value = compact(json)?;
        if partial && is_placeholder(&value) {
            return Ok(None);
        }
        let column = self
            .types
            .as_ref()
            .map_or(&Type::Verbatim, |types| &types[index]);
        value = rewrite(value, |json| Ok(canonical(json, column)?))?;
        if self.known.json[index] {
            value = rewrite(value, spliced)?;
        }
        Ok(Some(value))
    }

    fn error(&self, index: usize, problem: Problem) -> DecodeError {
        let column = self.known.shape.names().nth(index);
        let column = column.unwrap_or_default().to_owned();
        match problem {
            Problem::TooDeep => DecodeError::TooDeep { column },
            Problem::Mismatch => DecodeError::Mismatch { column },
            Problem::Json(detail) => DecodeError::JsonColumn { column, detail },
        }
    }
}

/// One more step of rewriting, which keeps borrowing where it can.
fn rewrite<'j>(
    value: Cow<'j, str>,
    step: impl for<'v> Fn(&'v str) -> Result<Cow<'v, str>, Problem>,
) -> Result<Cow<'j, str>, Problem> {
    match value {
        Cow::Borrowed(json) => step(json),
        Cow::Owned(json) => Ok(Cow::Owned(step(&json)?.into_owned())),
    }
}

/// The JSON value whose text is in a JSON string, or in each string of an array (`jsonb[]`). What
/// is neither is a JSON value already.
fn spliced(json: &str) -> Result<Cow<'_, str>, Problem> {
    if json.starts_with('[') {
        return elements(json, spliced_string);
    }
    spliced_string(json)
}

fn spliced_string(json: &str) -> Result<Cow<'_, str>, Problem> {
    if !json.starts_with('"') {
        return Ok(Cow::Borrowed(json));
    }
    let text: String = serde_json::from_str(json)?;
    let value: &RawValue = serde_json::from_str(&text)?;
    if has_lone_surrogate(value.get()) {
        return Err(Problem::Json("it escapes half of a surrogate pair".into()));
    }
    Ok(Cow::Owned(compact(value.get())?.into_owned()))
}

fn slice(text: &str, cell: Cell) -> &str {
    text.get(cell.range())
        .expect("cells lie on the boundaries of JSON values")
}

/// One buffer with only the values of the cells, which are moved to it.
fn gather(text: &str, extra: &str, cells: &mut [Cell]) -> String {
    let available = |cell: &&mut Cell| **cell != Cell::UNAVAILABLE;
    let length = cells.iter().map(|cell| cell.range().len()).sum();
    let mut gathered = String::with_capacity(length);
    for cell in cells.iter_mut().filter(available) {
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
