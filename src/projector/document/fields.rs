//! Which fields a document has, and the putting together of its [`Body`].
//!
//! Field names are resolved once for each shape of row; after that a body is made by copying
//! slices. Nothing here looks into a value, except for fields with a path.

use std::ops::Deref;
use std::sync::Arc;

use super::path;
use crate::change::{Row, Shape, Value, label};
use crate::config::Field;

/// The name of a field whose value is not known; shared with the projection.
pub type MissingField = Arc<str>;

/// A JSON object on one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body(String);

impl Body {
    /// The JSON text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Deref for Body {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// Puts a [`Body`] together: its text without the closing brace.
pub(super) struct BodyBuilder(String);

impl BodyBuilder {
    /// No field yet, and room for so many bytes.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        let mut text = String::with_capacity(bytes + 2);
        text.push('{');
        Self(text)
    }

    /// The fields of a body, and room for so many bytes more.
    pub(super) fn with_fields_of(body: &Body, bytes: usize) -> Self {
        let mut text = String::with_capacity(body.len() + bytes);
        text.push_str(body.strip_suffix('}').unwrap_or_default());
        Self(text)
    }

    /// Appends a field whose `label` (the escaped name with its colon) is ready made.
    pub(super) fn push(&mut self, label: &str, value: impl FnOnce(&mut String)) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push_str(label);
        value(&mut self.0);
    }

    /// The body.
    pub(super) fn finish(mut self) -> Body {
        self.0.push('}');
        Body(self.0)
    }
}

/// The fields of a projection, resolved for one shape of row.
pub(super) struct Fields {
    shape: Arc<Shape>,
    fields: Box<[Resolved]>,
    labels_len: usize,
}

struct Resolved {
    name: MissingField,
    label: Box<str>,
    column: usize,
    path: Box<[String]>,
}

impl Fields {
    /// Finds the columns of `fields` (every column when `None`) in a shape.
    ///
    /// # Errors
    /// The first column that the shape has not.
    pub(super) fn resolve(fields: Option<&[Field]>, shape: &Arc<Shape>) -> Result<Self, String> {
        let fields: Box<[Resolved]> = match fields {
            None => shape.names().enumerate().map(Resolved::column).collect(),
            Some(fields) => {
                let resolved = fields.iter().map(|field| Resolved::field(field, shape));
                resolved.collect::<Result<_, _>>()?
            }
        };
        Ok(Self {
            shape: Arc::clone(shape),
            labels_len: fields.iter().map(|field| field.label.len() + 1).sum(),
            fields,
        })
    }

    /// Whether they were resolved for the shape of this row.
    pub(super) fn fit(&self, row: &Row<'_>) -> bool {
        Arc::ptr_eq(&self.shape, row.shape())
    }

    /// The body of a row, and the fields whose columns are unavailable.
    pub(super) fn body(&self, row: &Row<'_>) -> (Body, Vec<MissingField>) {
        let mut body = BodyBuilder::with_capacity(self.len(row));
        let mut missing = Vec::new();
        for field in &self.fields {
            match row.at(field.column) {
                Value::Unavailable => missing.push(Arc::clone(&field.name)),
                Value::Json(json) if field.path.is_empty() => {
                    body.push(&field.label, |text| text.push_str(json));
                }
                Value::Json(json) => {
                    body.push(&field.label, |text| path::push(text, json, &field.path));
                }
            }
        }
        (body.finish(), missing)
    }

    /// How long the body will be, where what paths lead to is short.
    fn len(&self, row: &Row<'_>) -> usize {
        const SHORT: usize = 32;
        let lengths = self.fields.iter().map(|field| {
            let len = row.at(field.column).json().map_or(0, str::len);
            match field.path.is_empty() {
                true => len,
                false => len.min(SHORT),
            }
        });
        self.labels_len + lengths.sum::<usize>()
    }
}

impl Resolved {
    fn column((column, name): (usize, &str)) -> Self {
        Self {
            name: name.into(),
            label: label(name).into(),
            column,
            path: Box::default(),
        }
    }

    fn field(field: &Field, shape: &Shape) -> Result<Self, String> {
        let column = shape.position(&field.column);
        Ok(Self {
            name: field.name.as_str().into(),
            label: label(&field.name).into(),
            column: column.ok_or_else(|| field.column.clone())?,
            path: field.path.clone().into(),
        })
    }
}
