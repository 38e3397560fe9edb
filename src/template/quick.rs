//! The two commonest forms of a condition, which need no minijinja.

use super::bind::Cell;
use super::names::{Name, Scope};

/// `scope.column`, or `scope.column == 'text'`, or the same with `!=`. An order of magnitude
/// faster than evaluating the expression, and of the same outcome.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Quick {
    pub(super) name: Name,
    comparison: Option<Comparison>,
}

#[derive(Debug, PartialEq, Eq)]
struct Comparison {
    equal: bool,
    text: String,
}

impl Quick {
    /// The quick form of a condition, if it has one.
    pub(super) fn parse(condition: &str) -> Option<Self> {
        let condition = condition.trim();
        let end = condition.find(|c| !is_name(c)).unwrap_or(condition.len());
        let (name, rest) = condition.split_at(end);
        let (scope, column) = name.split_once('.')?;
        if column.is_empty() || column.contains('.') {
            return None;
        }
        let comparison = match rest.trim_start() {
            "" => None,
            rest => Some(Comparison::parse(rest)?),
        };
        let name = Name {
            scope: Scope::parse(scope)?,
            column: String::from(column),
        };
        Some(Self { name, comparison })
    }

    /// Whether the condition holds for the column's value; `None` when minijinja must say.
    pub(super) fn holds(&self, cell: Cell<'_>) -> Option<bool> {
        let Some(comparison) = &self.comparison else {
            return match cell {
                Cell::Bool(changed) => Some(changed),
                Cell::Json("true") => Some(true),
                Cell::Json("false" | "null") => Some(false),
                Cell::Json(_) => None,
            };
        };
        let Cell::Json(json) = cell else {
            return None;
        };
        let text = json.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
        match text {
            Some(text) if text.contains('\\') => None,
            Some(text) => Some((text == comparison.text) == comparison.equal),
            // Nothing but a text equals a text.
            None => Some(!comparison.equal),
        }
    }
}

impl Comparison {
    fn parse(text: &str) -> Option<Self> {
        let (equal, literal) = match text.strip_prefix("==") {
            Some(literal) => (true, literal),
            None => (false, text.strip_prefix("!=")?),
        };
        let literal = literal.trim_start();
        let quote = literal.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
        let text = literal.strip_prefix(quote)?.strip_suffix(quote)?;
        let plain = !text.contains([quote, '\\']);
        plain.then(|| Self {
            equal,
            text: String::from(text),
        })
    }
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_common_forms_are_quick() {
        for condition in [
            "after.a",
            " either.a_1 ",
            "after.a=='x'",
            "after.a != \"it's\"",
        ] {
            assert!(Quick::parse(condition).is_some(), "{condition}");
        }
        for condition in [
            "op",
            "after",
            "after.a.b",
            "aftr.a",
            "after.a > 1",
            "after.a == 1",
            "after.a == 'x' or after.b == 'y'",
            "after.a == 'x' ~ 'y'",
            r"after.a == '\n'",
            "not after.a",
            "after.a | lower",
            "after.a == '",
        ] {
            assert_eq!(Quick::parse(condition), None, "{condition}");
        }
    }
}
