//! The projector: one change of a row in, one document mutation out.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

use super::fields::Fields;
use super::{Action, Document, DocumentKey, Partial};
use crate::change::{Change, Op, ProjectionId, Row, Value};
use crate::config;
use crate::json::unescaped;
use crate::projector::{ProjectError, Projector};
use crate::template::{Condition, TemplateError};

/// Makes one document for each row of a table, as one projection says.
pub struct DocumentProjector {
    projection: ProjectionId,
    table: String,
    fields: Option<Vec<config::Field>>,
    when: Option<Condition>,
    /// The fields as they lie in the rows seen last. A table's rows share their shape until its
    /// columns change, and the pipeline task is nearly always the only caller: the lock is hardly
    /// ever waited for.
    resolved: Mutex<Option<Fields>>,
}

impl DocumentProjector {
    /// Compiles a projection of `table`, as SQL names it.
    ///
    /// # Errors
    /// The first mistake in `when`.
    pub fn new(
        projection: ProjectionId,
        table: &str,
        document: &config::Document,
    ) -> Result<Self, TemplateError> {
        let when = document.when.as_deref();
        Ok(Self {
            projection,
            table: table.to_owned(),
            fields: document.fields.clone(),
            when: when
                .map(|text| Condition::compile(text, table))
                .transpose()?,
            resolved: Mutex::default(),
        })
    }

    fn action(&self, change: &Change<'_>) -> Result<Action, ProjectError> {
        // `when` is not asked on a delete: its image has no columns but the key's (D4).
        let Some(after) = &change.after else {
            return Ok(Action::Delete);
        };
        if let Some(when) = &self.when
            && !when.holds(change)?
        {
            return Ok(Action::Delete);
        }
        self.index(change, after)
    }

    fn index(&self, change: &Change<'_>, after: &Row<'_>) -> Result<Action, ProjectError> {
        let resolved = self.resolved.lock();
        let mut resolved = resolved.unwrap_or_else(PoisonError::into_inner);
        let fields = match &mut *resolved {
            Some(fields) if fields.fit(after) => fields,
            other => other.insert(self.resolve(after)?),
        };
        let (known, missing) = fields.body(after);
        drop(resolved);
        if missing.is_empty() {
            return Ok(Action::Index(known));
        }
        Ok(Action::Partial(Partial {
            known,
            missing,
            // An update goes on with its document; anything else begins a row's life.
            since: (change.op != Op::Update).then_some(change.version),
        }))
    }

    fn resolve(&self, row: &Row<'_>) -> Result<Fields, ProjectError> {
        Fields::resolve(self.fields.as_deref(), row.shape()).map_err(|column| {
            ProjectError::MissingColumn {
                table: self.table.clone(),
                column,
                reader: "a field of the document".to_owned(),
            }
        })
    }

    /// The document's id: the text of the only key column, or the JSON array of several. Two keys
    /// never come to one id, since all keys of a table have the same columns.
    fn id(&self, key: &Row<'_>) -> Result<Arc<str>, ProjectError> {
        if key.shape().len() == 1 {
            return Ok(match self.key_column(key, 0)? {
                text if text.starts_with('"') => {
                    unescaped(text).unwrap_or(Cow::Borrowed(text)).into()
                }
                text => text.into(),
            });
        }
        let mut id = String::from("[");
        for column in 0..key.shape().len() {
            if column > 0 {
                id.push(',');
            }
            id.push_str(self.key_column(key, column)?);
        }
        id.push(']');
        Ok(id.into())
    }

    fn key_column<'a>(&self, key: &'a Row, index: usize) -> Result<&'a str, ProjectError> {
        let column = || {
            key.shape()
                .names()
                .nth(index)
                .unwrap_or_default()
                .to_owned()
        };
        match key.at(index) {
            Value::Unavailable => Err(ProjectError::Unavailable {
                table: self.table.clone(),
                column: column(),
                reader: "the document's id".to_owned(),
            }),
            // A null beside the text `null` would be one id for two rows.
            Value::Json("null") if key.shape().len() == 1 => Err(ProjectError::Unusable {
                reader: "the document's id".to_owned(),
                reason: format!("the key column `{}` is null", column()),
            }),
            Value::Json(json) => Ok(json),
        }
    }
}

impl Projector for DocumentProjector {
    type Mutation = Document;

    fn project(&self, change: &Change<'_>, out: &mut Vec<Document>) -> Result<(), ProjectError> {
        // What is kept under the key is another row's by now.
        if change.op == Op::Leave {
            return Ok(());
        }
        out.push(Document {
            key: DocumentKey {
                projection: self.projection,
                id: self.id(&change.key)?,
            },
            version: change.version,
            action: self.action(change)?,
        });
        Ok(())
    }
}
