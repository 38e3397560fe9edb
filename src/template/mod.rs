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
//! | any other number | in a condition a floating number, in a key its text, with every digit: reckon with `after.weight \| float` |
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
mod trial;
mod value;
mod words;

pub use condition::Condition;
pub use key::KeyTemplate;
pub use names::{Name, Scope};

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
