//! The columns of one change, as a template's scopes show them.

use std::collections::BTreeMap;

use minijinja::Value as Bound;

use super::names::{Name, Names, Scope};
use super::value::{self, Fractions};
use crate::change::{Change, Op, Row, Value};
use crate::projector::ProjectError;

/// Who reads, for the errors.
#[derive(Debug, Clone)]
pub(super) struct Reader {
    pub(super) table: String,
    /// "the key template `…`", "the condition `…`".
    pub(super) what: String,
}

impl Reader {
    fn unavailable(&self, column: &str) -> ProjectError {
        ProjectError::Unavailable {
            table: self.table.clone(),
            column: String::from(column),
            reader: self.what.clone(),
        }
    }

    fn missing(&self, column: &str) -> ProjectError {
        ProjectError::MissingColumn {
            table: self.table.clone(),
            column: String::from(column),
            reader: self.what.clone(),
        }
    }

    pub(super) fn unusable(&self, reason: impl Into<String>) -> ProjectError {
        ProjectError::Unusable {
            reader: self.what.clone(),
            reason: reason.into(),
        }
    }
}

/// Which row `either` shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Old,
    New,
}

/// One read column.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cell<'a> {
    Json(&'a str),
    Bool(bool),
}

const NULL: Cell<'static> = Cell::Json("null");

/// A change with one of its rows chosen for `either`.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) change: &'a Change<'a>,
    pub(super) side: Side,
    pub(super) reader: &'a Reader,
}

impl<'a> View<'a> {
    /// The value of a column; null where the change has no such row.
    pub(super) fn cell(self, name: &Name) -> Result<Cell<'a>, ProjectError> {
        let column = name.column.as_str();
        match (name.scope, self.side) {
            (Scope::Key, _) => match self.change.key.get(column) {
                Some(value) => self.json(value, column),
                None => Err(self.reader.missing(column)),
            },
            (Scope::Before, _) | (Scope::Either, Side::Old) => self.old_value(column),
            (Scope::After, _) | (Scope::Either, Side::New) => self.new_value(column),
            (Scope::Changed, _) => self.changed(column).map(Cell::Bool),
        }
    }

    fn json(self, value: Value<'a>, column: &str) -> Result<Cell<'a>, ProjectError> {
        let json = value.json().map(Cell::Json);
        json.ok_or_else(|| self.reader.unavailable(column))
    }

    fn old_value(self, column: &str) -> Result<Cell<'a>, ProjectError> {
        let Some(row) = &self.change.before else {
            return match (self.change.op, self.change.key.get(column)) {
                // The row that went had this key, whether or not Postgres told more of it.
                (Op::Delete, Some(value)) => self.json(value, column),
                _ => Ok(NULL),
            };
        };
        self.json(self.of(row, column)?, column)
    }

    fn new_value(self, column: &str) -> Result<Cell<'a>, ProjectError> {
        let Some(row) = &self.change.after else {
            return Ok(NULL);
        };
        let value = self.of(row, column)?;
        if value == Value::Unavailable
            && let Some(Value::Json(json)) = self.before(column)
        {
            // Unavailable means unchanged, and under full identity the old value is real.
            return Ok(Cell::Json(json));
        }
        self.json(value, column)
    }

    fn changed(self, column: &str) -> Result<bool, ProjectError> {
        let Some(row) = &self.change.after else {
            return Ok(true);
        };
        let new = self.of(row, column)?;
        // Unavailable is Postgres' word for "not changed" (an unchanged TOASTed value).
        Ok(new != Value::Unavailable && self.before(column) != Some(new))
    }

    fn before(self, column: &str) -> Option<Value<'a>> {
        self.change.before.as_ref()?.get(column)
    }

    fn of(self, row: &'a Row<'_>, column: &str) -> Result<Value<'a>, ProjectError> {
        row.get(column).ok_or_else(|| self.reader.missing(column))
    }

    /// All that `names` lists, as the context of a template.
    pub(super) fn context(
        self,
        names: &Names,
        fractions: Fractions,
    ) -> Result<Bound, ProjectError> {
        let mut root = BTreeMap::new();
        if names.op {
            root.insert(Bound::from("op"), Bound::from(op(self.change.op)));
        }
        for of_scope in names.columns.chunk_by(|a, b| a.scope == b.scope) {
            let mut columns = BTreeMap::new();
            for name in of_scope {
                let value = match self.cell(name)? {
                    Cell::Bool(changed) => Bound::from(changed),
                    Cell::Json(json) if names.with_members.contains(name) && is_json_text(json) => {
                        return Err(self.reader.unusable(format!(
                            "column `{0}` is text, and a member of it is read: write `{0}` in the \
                             `json` list of its table",
                            name.column
                        )));
                    }
                    Cell::Json(json) => value::parse(json, fractions).map_err(|reason| {
                        self.reader
                            .unusable(format!("column `{}`: {reason}", name.column))
                    })?,
                };
                columns.insert(Bound::from(name.column.as_str()), value);
            }
            let scope = of_scope.first().map_or("", |name| name.scope.as_str());
            root.insert(Bound::from(scope), Bound::from(columns));
        }
        Ok(Bound::from(root))
    }
}

/// Whether it is an object or a list in a string, as Debezium sends json and jsonb. Other texts have
/// no members either way.
fn is_json_text(json: &str) -> bool {
    let text = value::text(json).unwrap_or_default();
    text.trim_start().starts_with(['{', '['])
}

/// Which rows of a change `either` shows, the old one first.
pub(super) fn sides(change: &Change<'_>) -> impl Iterator<Item = Side> {
    let old = change.before.is_some() || change.op == Op::Delete;
    let old = old.then_some(Side::Old);
    let new = change.after.is_some().then_some(Side::New);
    old.into_iter().chain(new)
}

fn op(op: Op) -> &'static str {
    match op {
        Op::Create => "c",
        Op::Update => "u",
        Op::Read => "r",
        Op::Delete | Op::Leave => "d",
    }
}
