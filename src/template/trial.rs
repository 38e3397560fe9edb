//! Trial runs of a template, before any row is seen.
//!
//! Nobody says which kinds of values the columns have, nor which are declared NOT NULL. So a template
//! is sound if there are values that it never fails on, wherever nulls stand among them.

use std::collections::BTreeMap;

use minijinja::{Error, ErrorKind, Value};

use super::TemplateError;
use super::names::{Names, Scope};

/// The values of a trial.
pub(super) struct Sample {
    key: Value,
    column: Value,
}

/// Samples of the kinds that columns have; one is a key, which is no list and no object. A text that
/// is also a number gets through most filters.
pub(super) fn samples() -> impl Iterator<Item = Sample> {
    let keys = || [Value::from("1"), Value::from(1)];
    let columns = [
        Value::from("1"),
        Value::from(1),
        Value::from(true),
        Value::from(vec![true]),
        Value::from(BTreeMap::from([("a", true)])),
    ];
    columns.into_iter().flat_map(move |column| {
        keys().map(|key| Sample {
            key,
            column: column.clone(),
        })
    })
}

impl Sample {
    /// A context in which every name means something.
    pub(super) fn context(&self, names: &Names) -> Value {
        self.with_nulls(names, "u", |_| false)
    }

    fn with_nulls(&self, names: &Names, op: &str, is_null: impl Fn(Scope) -> bool) -> Value {
        names.trial(op, |scope| match scope {
            Scope::Key => self.key.clone(),
            scope if is_null(scope) => Value::from(()),
            _ => self.column.clone(),
        })
    }

    /// Every column may be null, and a change may have only one of the rows.
    fn nulls(&self, names: &Names) -> [Value; 3] {
        [
            self.with_nulls(names, "u", |_| true),
            self.with_nulls(names, "d", |scope| scope == Scope::After),
            self.with_nulls(names, "c", |scope| scope == Scope::Before),
        ]
    }
}

/// Refuses a template that there is no sample for, and one that names what minijinja does not know: it
/// looks for filters, tests and functions only when it comes to them.
pub(super) fn check<T>(
    text: &str,
    names: &Names,
    mut run: impl FnMut(Value) -> Result<T, Error>,
) -> Result<(), TemplateError> {
    let (mut is_sound, mut of_values, mut of_nulls) = (false, Vec::new(), None);
    for sample in samples() {
        let of_value = run(sample.context(names)).err();
        if let Some(error) = of_value.as_ref().filter(|it| is_unknown(it)) {
            return Err(TemplateError::of_minijinja(text, error));
        }
        let of_null = sample.nulls(names).into_iter().find_map(|it| run(it).err());
        is_sound |= of_null.is_none();
        match of_value {
            Some(error) => of_values.push(error),
            None => of_nulls = of_nulls.or(of_null),
        }
    }
    if is_sound {
        return Ok(());
    }
    let (error, why, what) = match (&of_nulls, of_values.first()) {
        (Some(error), _) => (error, NULL, USE_DEFAULT),
        (None, Some(error)) => (error, VALUE, USE_KIND),
        (None, None) => return Ok(()),
    };
    let mut error = TemplateError::of_minijinja(text, error);
    error.message = format!("{why} ({}): {what}", error.message);
    Err(error)
}

const NULL: &str =
    "it fails where a column is null, as `after.…` is on a delete and `before.…` on an insert";

const USE_DEFAULT: &str = "write `… | default('', true)`, `… | default(0, true)` or `… | \
                           default([], true)`; `key.…` is never null";

const VALUE: &str = "it fails whether columns are texts or numbers";

const USE_KIND: &str =
    "write `… | int`, `… | float`, `… | string` or `… | list` where it has to be one of these";

fn is_unknown(error: &Error) -> bool {
    use ErrorKind::{UnknownFilter, UnknownFunction, UnknownMethod, UnknownTest};
    matches!(
        error.kind(),
        UnknownFilter | UnknownFunction | UnknownMethod | UnknownTest
    )
}
