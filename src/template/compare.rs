//! Comparisons of a column with a number, found in the words of a condition.
//!
//! minijinja orders every text above every number, so `after.price > 100` would hold for each text
//! `"1.50"`; such a comparison is refused instead. What is not looked into: members of a column,
//! and `in`.

use super::bind::{Cell, View};
use super::names::{Name, Scope};
use super::words::Word;
use crate::projector::ProjectError;

/// A comparison that has a column on one side, and a column or a number on the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Comparison([Operand; 2]);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Operand {
    Column(Name),
    Number,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Other,
}

const OPERATORS: [&str; 6] = ["<=", ">=", "==", "!=", "<", ">"];

/// What an operand ends at.
const BOUNDS: [&str; 8] = ["and", "or", "not", "in", "is", "if", "else", ","];

/// `+` joins texts, too.
const ARITHMETIC: [&str; 6] = ["-", "*", "/", "//", "%", "**"];

const MAKE_NUMBERS: [&str; 7] = ["float", "int", "length", "count", "round", "abs", "sum"];

/// The comparisons in which a text may stand beside a number.
pub(super) fn find(words: &[Word<'_>]) -> Vec<Comparison> {
    let at_operator = |(at, word): (usize, &Word<'_>)| {
        if !OPERATORS.contains(&word.text) {
            return None;
        }
        let is_of_operand = |it: &&Word<'_>| {
            let ends = BOUNDS.contains(&it.text) || OPERATORS.contains(&it.text);
            it.depth > word.depth || it.depth == word.depth && !ends
        };
        let (left, right) = (words.get(..at)?, words.get(at + 1..)?);
        let left = left.get(at - left.iter().rev().take_while(is_of_operand).count()..)?;
        let right = right.get(..right.iter().take_while(is_of_operand).count())?;
        let sides = [Operand::of(left)?, Operand::of(right)?];
        (sides != [Operand::Number, Operand::Number]).then_some(Comparison(sides))
    };
    words.iter().enumerate().filter_map(at_operator).collect()
}

impl Operand {
    /// `None` for what may be a text and is no column.
    fn of(words: &[Word<'_>]) -> Option<Self> {
        match words {
            [open, inner @ .., close]
                if open.text == "("
                    && close.text == ")"
                    && inner.iter().all(|it| it.depth > open.depth) =>
            {
                Self::of(inner)
            }
            [scope, dot, column] if dot.text == "." && Scope::parse(scope.text).is_some() => {
                Some(Self::Column(Name {
                    scope: Scope::parse(scope.text)?,
                    column: String::from(column.text),
                }))
            }
            [first, .., _] | [first] => is_number(words, first.depth).then_some(Self::Number),
            [] => None,
        }
    }
}

fn is_number(words: &[Word<'_>], level: usize) -> bool {
    let outer = || words.iter().filter(|it| it.depth == level);
    if outer().any(|it| it.text == "~") {
        return false;
    }
    if outer().any(|it| ARITHMETIC.contains(&it.text)) {
        return true;
    }
    let is_digits = |it: &Word<'_>| it.text.starts_with(|c: char| c.is_ascii_digit());
    let mut last = outer().rev().take_while(|it| it.text != "|");
    match outer().any(|it| it.text == "|") {
        true => last.any(|it| MAKE_NUMBERS.contains(&it.text)),
        false => words.first().is_some_and(is_digits) || words.last().is_some_and(is_digits),
    }
}

impl Comparison {
    /// Refuses a text beside a number.
    pub(super) fn check(&self, view: View<'_>) -> Result<(), ProjectError> {
        let [left, right] = &self.0;
        let kinds = [left.kind(view)?, right.kind(view)?];
        let text = match kinds {
            [Kind::Text, Kind::Number] => left,
            [Kind::Number, Kind::Text] => right,
            _ => return Ok(()),
        };
        let Operand::Column(Name { scope, column }) = text else {
            return Ok(());
        };
        let scope = scope.as_str();
        Err(view.reader.unusable(format!(
            "column `{column}` is text and is compared with a number: write `{scope}.{column} | \
             float`"
        )))
    }
}

impl Operand {
    fn kind(&self, view: View<'_>) -> Result<Kind, ProjectError> {
        let Self::Column(name) = self else {
            return Ok(Kind::Number);
        };
        Ok(match view.cell(name)? {
            Cell::Json(json) if json.starts_with('"') => Kind::Text,
            Cell::Json(json) if json.starts_with(|c: char| c == '-' || c.is_ascii_digit()) => {
                Kind::Number
            }
            _ => Kind::Other,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::words::of_expression;
    use super::*;

    fn column(column: &str) -> Operand {
        Operand::Column(Name {
            scope: Scope::After,
            column: String::from(column),
        })
    }

    #[test]
    fn columns_beside_a_number_are_found() {
        let price = || column("price");
        let number = || Operand::Number;
        for (condition, sides) in [
            ("after.price > 100", [price(), number()]),
            ("after.price>=-1.5", [price(), number()]),
            ("100 < after.price and op == 'c'", [number(), price()]),
            ("(after.price == 0)", [price(), number()]),
            ("not ((after.price)) > 1000", [price(), number()]),
            (
                "after.a or after.price > (after.b | float)",
                [price(), number()],
            ),
            ("after.price > 2 * after.b", [price(), number()]),
            ("after.price > after.stock", [price(), column("stock")]),
            (
                "after.tags[0] and after.a.b | length < after.price",
                [number(), price()],
            ),
        ] {
            let found = find(&of_expression(condition));
            assert_eq!(found, [Comparison(sides)], "{condition}");
        }
    }

    #[test]
    fn what_may_rightly_be_a_text_is_not() {
        for condition in [
            "after.price | float > 100",
            "100 < after.price | float",
            "0 < (after.price | float) < 100",
            "after.price == '100'",
            "after.price.minor > 100",
            "after.price > 1 ~ '0'",
            "after.price > after.a + after.b",
            "after.price > (after.a | lower)",
            "after.price in [1, 2]",
        ] {
            assert_eq!(find(&of_expression(condition)), [], "{condition}");
        }
    }
}
