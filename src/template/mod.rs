//! Key templates and conditions: the little language of the configuration (minijinja).
//!
//! A template reads columns of one change through scopes: `key.id`, `before.slug`, `after.slug`,
//! `either.slug` (the old and the new row, one after the other), `changed.slug` (a boolean), and
//! `op` (`c`, `u`, `d`, `r`). Compiled once at start; nothing here logs or keeps a row's values.
//!
//! What a column's value is in a template:
//!
//! | JSON on the wire | in a template |
//! |---|---|
//! | string | its text. A `numeric` column is one when the connector says `decimal.handling.mode=string`: compare it as `after.price \| float > 100`; beside a number it is refused |
//! | integer of up to 128 bits | a number |
//! | any other number | in a condition a floating number, in a key its text, with every digit |
//! | `true`, `false` | a boolean; `true` and `false` in a key |
//! | `null` | none |
//! | array, object | a list, a map; a member that is not there reads as null |
//!
//! Columns of a row that a change does not have (`before` of an insert, `after` of a delete) are
//! null; on a delete without an old row the columns of the record key are still known. **A key that
//! prints a null, or comes out empty, is no key**, and a null goes through filters as null. The
//! surprising fact: minijinja orders values of different kinds (null below numbers below text)
//! instead of failing, so `after.stock < 5` holds for a null stock.

mod bind;
mod compare;
mod condition;
mod key;
mod names;
mod nulls;
mod quick;
mod value;
mod words;

pub use condition::Condition;
pub use key::KeyTemplate;
pub use names::{Name, Scope};

use names::Names;

/// A mistake in the text of a template or condition, for the person who wrote it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TemplateError {
    /// What is wrong and what to write instead.
    pub message: String,
    /// The line within the text, from 1.
    pub line: usize,
    /// The column within the line, from 1, in characters.
    pub column: usize,
}

impl TemplateError {
    /// A mistake at a byte offset of `text`.
    fn at(text: &str, offset: usize, message: String) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            message,
            line: before.matches('\n').count() + 1,
            column: before
                .get(line_start..)
                .map_or(0, |line| line.chars().count())
                + 1,
        }
    }

    /// A mistake that minijinja found in `text`.
    fn of_minijinja(text: &str, error: &minijinja::Error) -> Self {
        let detail = error
            .detail()
            .map_or_else(|| error.kind().to_string(), String::from);
        Self::at(text, error.range().map_or(0, |range| range.start), detail)
    }
}

/// The mistake that a trial run brought to light, if it is one of the text: minijinja looks for
/// filters, tests and functions only when it comes to them.
fn check_trial<T>(text: &str, trial: Result<T, minijinja::Error>) -> Result<(), TemplateError> {
    use minijinja::ErrorKind::{UnknownFilter, UnknownFunction, UnknownMethod, UnknownTest};
    match trial {
        Err(error)
            if matches!(
                error.kind(),
                UnknownFilter | UnknownFunction | UnknownMethod | UnknownTest
            ) =>
        {
            Err(TemplateError::of_minijinja(text, &error))
        }
        _ => Ok(()),
    }
}

/// Tries what a template makes where columns are null, and refuses what fails then. Every column may
/// be: nobody says which are declared NOT NULL, and a change may have only one of the rows.
fn check_nulls<T>(
    text: &str,
    names: &Names,
    mut trial: impl FnMut(minijinja::Value) -> Result<T, minijinja::Error>,
) -> Result<(), TemplateError> {
    let value = |is_null: bool| minijinja::Value::from((!is_null).then_some("1"));
    let all = names.trial("u", |scope| value(scope != Scope::Key));
    let of_a_delete = names.trial("d", |scope| value(scope == Scope::After));
    let of_an_insert = names.trial("c", |scope| value(scope == Scope::Before));
    for context in [all, of_a_delete, of_an_insert] {
        if let Err(error) = trial(context) {
            let mut error = TemplateError::of_minijinja(text, &error);
            error.message = format!(
                "it fails where a column is null, as `after.…` is on a delete and `before.…` on an \
                 insert ({}): write `… | default('', true)`, `… | default(0, true)` or `… | \
                 default([], true)`; `key.…` is never null",
                error.message
            );
            return Err(error);
        }
    }
    Ok(())
}

/// An environment in which an unknown name is a mistake and nothing is escaped.
///
/// Names are checked when a template is compiled and columns when they are bound, so the only
/// thing that can be undefined at run time is a member of a JSON value: that one reads as null.
fn environment() -> minijinja::Environment<'static> {
    let mut environment = minijinja::Environment::new();
    // Errors carry their place in the text.
    environment.set_debug(true);
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::Chainable);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    nulls::pass(&mut environment);
    environment
}

#[cfg(test)]
mod tests;
