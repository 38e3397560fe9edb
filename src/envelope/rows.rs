//! From located columns to a [`Row`] in canonical form.
//!
//! Values that are canonical already stay where they are, in the record's own buffer; those that
//! have to be rewritten are appended to it.

use std::borrow::Cow;
use std::sync::Arc;

use super::error::DecodeError;
use super::placeholder::is_placeholder;
use super::schema::Type;
use super::shapes::Known;
use super::values::{Mismatch, canonical, elements};
use crate::change::{Cell, Row};
use crate::json::{
    Malformed, Scanner, compact, has_lone_surrogate, is_too_deep, syntax_error, unescaped,
};

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

impl Image {
    /// How many columns, and the text from the first one's value to the end of the last one's.
    pub(super) fn extent<'t>(&self, text: &'t str) -> Option<(usize, &'t str)> {
        let (first, last) = (self.cells.first()?, self.cells.last()?);
        let text = text.get(first.range().start..last.range().end)?;
        Some((self.cells.len(), text))
    }

    /// The columns' names and values, as they are in the text.
    pub(super) fn values<'t>(&self, text: &'t str) -> impl Iterator<Item = (&str, &'t str)> {
        let value = |cell: &Cell| {
            text.get(cell.range())
                .expect("cells lie on value boundaries")
        };
        let values = self.cells.iter().map(value);
        self.known.shape.names().zip(values)
    }

    /// Brings the values to their canonical form. Those that have to be rewritten are appended to
    /// `rewritten`, which is to follow the text. `partial`: placeholders for unchanged TOASTed
    /// values can occur (D5).
    ///
    /// # Errors
    /// The first value that cannot be brought to it; it is left as it is, and the others are not.
    pub(super) fn canonicalize(
        &mut self,
        text: &str,
        rewritten: &mut String,
        partial: bool,
    ) -> Result<(), DecodeError> {
        let mut wrong = Ok(());
        for index in 0..self.cells.len() {
            let range = self.cells[index].range();
            let json = text.get(range).expect("cells lie on value boundaries");
            if self.types.is_none() && !self.known.json[index] && is_canonical(json) {
                continue;
            }
            match self.value(index, json, partial) {
                Err(problem) => wrong = wrong.and(Err(self.error(index, problem))),
                Ok(None) => self.cells[index] = Cell::UNAVAILABLE,
                Ok(Some(Cow::Borrowed(same))) if std::ptr::eq(same, json) => {}
                Ok(Some(value)) => {
                    let start = text.len() + rewritten.len();
                    rewritten.push_str(&value);
                    self.cells[index] = Cell::new(start, start + value.len());
                }
            }
        }
        wrong
    }

    /// The row, whose values lie in this text: the record's, and then what was rewritten.
    pub(super) fn row(self, text: &Arc<String>) -> Row {
        let shape = Arc::clone(&self.known.shape);
        Row::new(Arc::clone(text), shape, self.cells.into_boxed_slice())
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

/// Whether a value of a column without a type begins like nothing that has to be rewritten, nor like
/// a placeholder. Nearly all values do.
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
