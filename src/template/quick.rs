//! What can be told of a condition from its text: whether it is one of the two commonest forms,
//! which need no minijinja, and which columns it compares with a number.

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

/// Those of `names` that stand in a comparison beside a literal number.
///
/// minijinja orders every text above every number, so `after.price > 100` would hold for each text
/// `"1.50"`; whoever evaluates the condition refuses texts in these columns instead.
pub(super) fn compared_with_numbers(condition: &str, names: &[Name]) -> Vec<Name> {
    let beside_a_number = |name: &&Name| {
        let wanted = format!("{}.{}", name.scope.as_str(), name.column);
        condition.match_indices(&wanted).any(|(start, _)| {
            let (before, rest) = condition.split_at(start);
            let after = rest.get(wanted.len()..).unwrap_or_default();
            !before.ends_with(is_name)
                && !after.starts_with(is_name)
                && (number_follows(after) || number_precedes(before))
        })
    };
    names.iter().filter(beside_a_number).cloned().collect()
}

const OPERATORS: [&str; 6] = ["<=", ">=", "==", "!=", "<", ">"];

fn number_follows(text: &str) -> bool {
    let text = text.trim_start();
    let mut operands = OPERATORS.iter().filter_map(|it| text.strip_prefix(it));
    operands.any(|operand| {
        let operand = operand.trim_start().trim_start_matches(['-', '+']);
        let end = operand.find(|c| !is_name(c)).unwrap_or(operand.len());
        is_number(operand.split_at(end).0)
    })
}

fn number_precedes(text: &str) -> bool {
    let text = text.trim_end();
    let mut operands = OPERATORS.iter().filter_map(|it| text.strip_suffix(it));
    operands.any(|operand| {
        let operand = operand.trim_end();
        let start = operand.rfind(|c| !is_name(c)).map_or(0, |at| at + 1);
        operand.get(start..).is_some_and(is_number)
    })
}

fn is_number(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit())
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

    #[test]
    fn columns_beside_a_number_are_found() {
        let name = Name {
            scope: Scope::After,
            column: String::from("price"),
        };
        let found =
            |condition| !compared_with_numbers(condition, std::slice::from_ref(&name)).is_empty();
        for condition in [
            "after.price > 100",
            "after.price>=-1.5",
            "100 < after.price and op == 'c'",
            "(after.price == 0)",
        ] {
            assert!(found(condition), "{condition}");
        }
        for condition in [
            "after.price | float > 100",
            "after.price == '100'",
            "after.price2 > 100",
            "after.price.minor > 100",
            "after.a1 < after.price",
            "after.price > after.cost",
        ] {
            assert!(!found(condition), "{condition}");
        }
    }
}
