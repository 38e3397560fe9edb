//! From the columns of an object to a [`Row`] in canonical form.
//!
//! Values that are canonical already, nearly all of them, stay slices of the record.

use std::borrow::Cow;
use std::sync::Arc;

use super::error::DecodeError;
use super::placeholder::is_placeholder;
use super::schema::Type;
use super::shapes::Known;
use super::values::{Mismatch, canonical, elements};
use crate::change::{Cell, Row, Value};
use crate::json::{
    Malformed, Scanner, compact, has_lone_surrogate, is_too_deep, offset_in, syntax_error,
    unescaped,
};

/// A row image whose values are as the record has them.
pub(super) struct Image<'a> {
    /// One per column.
    pub(super) cells: Vec<Cell<'a>>,
    /// The columns.
    pub(super) known: Arc<Known>,
    /// The columns' types, where the record says them.
    pub(super) types: Option<Arc<[Type]>>,
    /// The type of each where it does not.
    pub(super) untyped: Type,
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

impl<'a> Image<'a> {
    /// How many columns, and the text from the first one's value to the end of the last one's.
    pub(super) fn extent<'t>(&self, text: &'t str) -> Option<(usize, &'t str)> {
        let (first, last) = (self.cells.first()?, self.cells.last()?);
        let (first, last) = (first.value().json()?, last.value().json()?);
        let end = offset_in(text, last) + last.len();
        let text = text.get(offset_in(text, first)..end)?;
        Some((self.cells.len(), text))
    }

    /// The columns' names and values.
    pub(super) fn values(&self) -> impl Iterator<Item = (&str, Value<'_>)> {
        let values = self.cells.iter().map(Cell::value);
        self.known.shape.names().zip(values)
    }

    /// Brings the values to their canonical form. `partial`: placeholders for unchanged TOASTed
    /// values can occur (D5).
    ///
    /// # Errors
    /// The first value that cannot be brought to it; it is left as it is.
    pub(super) fn canonicalize(&mut self, partial: bool) -> Result<(), DecodeError> {
        let mut wrong = Ok(());
        for index in 0..self.cells.len() {
            let Cell::Json(Cow::Borrowed(json)) = self.cells[index] else {
                continue;
            };
            if self.column(index).is_text() && !self.known.json[index] && is_canonical(json) {
                continue;
            }
            match self.value(index, json, partial) {
                Err(problem) => wrong = wrong.and(Err(self.error(index, problem))),
                Ok(None) => self.cells[index] = Cell::Unavailable,
                Ok(Some(value)) => self.cells[index] = Cell::Json(value),
            }
        }
        wrong
    }

    fn column(&self, index: usize) -> &Type {
        let types = self.types.as_ref();
        types.map_or(&self.untyped, |types| &types[index])
    }

    /// The row.
    pub(super) fn row(self) -> Row<'a> {
        Row::new(Arc::clone(&self.known.shape), self.cells)
    }

    /// The canonical text of a column's value; `None` for a placeholder.
    fn value<'j>(
        &self,
        index: usize,
        json: &'j str,
        partial: bool,
    ) -> Result<Option<Cow<'j, str>>, Problem> {
        let mut value = on_one_line(json)?;
        if partial && is_placeholder(&value) {
            return Ok(None);
        }
        value = rewrite(value, |json| Ok(canonical(json, self.column(index))?))?;
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

/// Whether a value of a column of text begins like nothing that has to be rewritten, nor like a
/// placeholder. Nearly all values do.
fn is_canonical(json: &str) -> bool {
    match json.as_bytes() {
        // A text that may be an infinity, or a placeholder, as it is, in Base64 or as an object.
        [b'"', b'+' | b'-' | b'_' | b'X' | b'{', ..] => false,
        // White space, and each element as above.
        [b'[' | b'{', ..] => false,
        _ => true,
    }
}

/// The value without white space between its tokens, if readers can read it.
fn on_one_line(json: &str) -> Result<Cow<'_, str>, Problem> {
    if is_too_deep(json) {
        return Err(Problem::TooDeep);
    }
    Ok(compact(json))
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
    let refused = |reason: &str| Problem::Json(reason.to_owned());
    let text = unescaped(json).ok_or_else(|| refused("it is no text"))?;
    let mut scanner = Scanner::new(&text);
    let value = scanner.value();
    let value = value.and_then(|value| scanner.end().map(|()| value));
    let value = value.map_err(|Malformed| {
        Problem::Json(syntax_error(&text).unwrap_or_else(|| "it is no JSON".to_owned()))
    })?;
    if scanner.escapes_units() && has_lone_surrogate(value) {
        return Err(refused("it escapes half of a surrogate pair"));
    }
    Ok(Cow::Owned(on_one_line(value)?.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::placeholder::FORMS;

    #[test]
    fn what_has_another_form_is_not_taken_for_canonical() {
        let infinities = [r#""+292278994-08-17T07:12:55Z""#, r#""-290308-12-31""#];
        for json in FORMS.iter().chain(&infinities).chain(&["[ 1]", "{ }"]) {
            assert!(!is_canonical(json), "{json}");
        }
        for json in ["1", "-1.5", "null", r#""text""#, r#""""#] {
            assert!(is_canonical(json), "{json}");
        }
    }
}
