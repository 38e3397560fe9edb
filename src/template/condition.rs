//! Conditions: does this row count?

use std::fmt;
use std::sync::LazyLock;

use minijinja::value::ValueKind;
use minijinja::{Environment, Expression, Value};

use super::bind::{Reader, Side, View, sides};
use super::compare::{self, Comparison};
use super::names::{Name, Names, Scope};
use super::quick::Quick;
use super::value::Fractions;
use super::{TemplateError, environment, trial, words};
use crate::change::Change;
use crate::projector::ProjectError;

/// A compiled condition such as `after.status != 'draft'`.
///
/// It must yield a boolean; null counts as false, so that a nullable boolean column is a condition.
pub struct Condition {
    expression: Expression<'static, 'static>,
    quick: Option<Quick>,
    comparisons: Vec<Comparison>,
    names: Names,
    reader: Reader,
}

impl Condition {
    /// Compiles the text of a condition on changes of `table` (the configured name, for errors).
    ///
    /// # Errors
    /// The first mistake, with its place in the text.
    pub fn compile(text: &str, table: &str) -> Result<Self, TemplateError> {
        static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(environment);
        let expression = ENVIRONMENT
            .compile_expression_owned(String::from(text))
            .map_err(|error| TemplateError::of_minijinja(text, &error))?;
        let words = words::of_expression(text);
        let names = Names::check(text, expression.undeclared_variables(true), &words)?;
        trial::check(text, &names, |context| expression.eval(context))?;
        check_yield(text, &expression, &names)?;
        Ok(Self {
            quick: Quick::parse(text),
            comparisons: compare::find(&words),
            names,
            expression,
            reader: Reader {
                table: String::from(table),
                what: format!("the condition `{text}`"),
            },
        })
    }

    /// The columns that it reads, each once.
    #[must_use]
    pub fn names(&self) -> &[Name] {
        &self.names.columns
    }

    /// Whether it reads `op`.
    #[must_use]
    pub fn reads_op(&self) -> bool {
        self.names.op
    }

    /// Whether it holds for the change; `either` shows the new row.
    ///
    /// # Errors
    /// When a column is missing or unavailable, or the expression fails or yields no boolean.
    pub fn holds(&self, change: &Change<'_>) -> Result<bool, ProjectError> {
        self.on(change, Side::New)
    }

    /// Whether it holds with `either` showing the old row, or the new one.
    ///
    /// # Errors
    /// As for [`Condition::holds`].
    pub fn holds_for_either(&self, change: &Change<'_>) -> Result<bool, ProjectError> {
        if !self.names.uses(Scope::Either) {
            return self.holds(change);
        }
        for side in sides(change) {
            if self.on(change, side)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn on(&self, change: &Change<'_>, side: Side) -> Result<bool, ProjectError> {
        let view = View {
            change,
            side,
            reader: &self.reader,
        };
        if let Some(quick) = &self.quick
            && let Some(holds) = quick.holds(view.cell(&quick.name)?)
        {
            return Ok(holds);
        }
        for comparison in &self.comparisons {
            comparison.check(view)?;
        }
        let context = view.context(&self.names, Fractions::Float)?;
        let result = self.expression.eval(context);
        // minijinja's detail may quote values, its kind does not.
        let result = result.map_err(|error| self.reader.unusable(error.kind().to_string()))?;
        match result.kind() {
            ValueKind::Bool => Ok(result.is_true()),
            ValueKind::None | ValueKind::Undefined => Ok(false),
            other => Err(self.reader.unusable(format!(
                "it yields a {other}, not true or false: write a comparison"
            ))),
        }
    }
}

/// Refuses what is no condition whatever the columns are.
fn check_yield(
    text: &str,
    expression: &Expression<'_, '_>,
    names: &Names,
) -> Result<(), TemplateError> {
    let yields: Vec<_> = trial::samples()
        .map(|it| expression.eval(it.context(names)))
        .collect();
    let kinds = || yields.iter().flatten().map(Value::kind);
    let is_answer = |it| matches!(it, ValueKind::Bool | ValueKind::None | ValueKind::Undefined);
    match kinds().next() {
        Some(other) if !kinds().any(is_answer) => {
            let message = format!("it yields a {other}, not true or false: write a comparison");
            Err(TemplateError::at(text, 0, message))
        }
        _ => Ok(()),
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Condition").field(&self.reader.what).finish()
    }
}
