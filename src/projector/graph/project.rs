//! The projector: one change of a row in, one mutation of its node or relationship out.
//!
//! A node's key is taken from the record key, which is there on every change and is never a
//! placeholder; the ends of a relationship are taken from the new row.

use std::sync::Arc;

use super::{Action, GraphKey, GraphMutation, Json, Properties, Values};
use crate::change::{Change, Op, ProjectionId, Row, Value};
use crate::config::{self, Property};
use crate::projector::{ProjectError, Projector};
use crate::template::{Condition, TemplateError};

/// Makes a node or a relationship of each row of a table, as one projection says.
pub struct GraphProjector {
    projection: ProjectionId,
    table: String,
    when: Option<Condition>,
    properties: Vec<Property>,
    shape: Shape,
}

/// What is made of a row.
enum Shape {
    Node {
        label: String,
        key: Vec<Property>,
    },
    Relationship {
        kind: String,
        start: Vec<Property>,
        end: Vec<Property>,
    },
}

impl GraphProjector {
    /// Compiles a node projection of `table`, as SQL names it.
    ///
    /// # Errors
    /// The first mistake in `when`.
    pub fn node(
        projection: ProjectionId,
        table: &str,
        node: &config::Node,
    ) -> Result<Self, TemplateError> {
        Ok(Self {
            projection,
            table: table.to_owned(),
            when: compile(node.when.as_deref(), table)?,
            properties: node.node.properties.clone(),
            shape: Shape::Node {
                label: node.node.label.clone(),
                key: node.node.key.clone(),
            },
        })
    }

    /// Compiles a relationship projection of `table`, as SQL names it.
    ///
    /// # Errors
    /// The first mistake in `when`.
    pub fn relationship(
        projection: ProjectionId,
        table: &str,
        relationship: &config::Relationship,
    ) -> Result<Self, TemplateError> {
        Ok(Self {
            projection,
            table: table.to_owned(),
            when: compile(relationship.when.as_deref(), table)?,
            properties: relationship.properties.clone(),
            shape: Shape::Relationship {
                kind: relationship.kind.clone(),
                start: relationship.start.key.clone(),
                end: relationship.end.key.clone(),
            },
        })
    }

    fn action(&self, change: &Change<'_>) -> Result<Action, ProjectError> {
        // `when` is not asked on a delete: its image has no columns but the key's (D4).
        let Some(after) = &change.after else {
            return self.delete(change);
        };
        if let Some(when) = &self.when
            && !when.holds(change)?
        {
            return self.delete(change);
        }
        let properties = self.properties(change, after)?;
        match &self.shape {
            Shape::Node { key, .. } => Ok(Action::UpsertNode {
                key: self.node_key(key, &change.key)?,
                properties,
            }),
            Shape::Relationship { start, end, .. } => {
                let ends = (self.end(start, after)?, self.end(end, after)?);
                Ok(match ends {
                    (Some(start), Some(end)) => Action::UpsertRelationship {
                        start,
                        end,
                        properties,
                    },
                    // A null part of a key means that there is nothing to lead to (D8).
                    _ => Action::DeleteRelationship,
                })
            }
        }
    }

    fn delete(&self, change: &Change<'_>) -> Result<Action, ProjectError> {
        Ok(match &self.shape {
            Shape::Node { key, .. } => Action::DeleteNode {
                key: self.node_key(key, &change.key)?,
            },
            Shape::Relationship { .. } => Action::DeleteRelationship,
        })
    }

    fn properties(&self, change: &Change<'_>, after: &Row<'_>) -> Result<Properties, ProjectError> {
        let values: Box<[_]> = self
            .properties
            .iter()
            .map(|property| Ok(self.column(after, property)?.json().map(Json::from)))
            .collect::<Result<_, ProjectError>>()?;
        // An update goes on with what is there; anything else begins a row's life. What stands at the
        // old key of a row that has moved proves nothing: it may be older, or another row's by now.
        let begins = change.op != Op::Update && values.contains(&None);
        let since = begins.then_some(change.version);
        Ok(Properties { values, since })
    }

    /// The merge key of the row's own node.
    fn node_key(&self, columns: &[Property], key: &Row<'_>) -> Result<Values, ProjectError> {
        let value = |property: &Property| match self.column(key, property)? {
            Value::Json("null") => Err(ProjectError::Unusable {
                reader: self.reader(),
                reason: format!("the key column `{}` is null", property.column),
            }),
            Value::Json(json) => Ok(json.into()),
            Value::Unavailable => Err(self.unavailable(&property.column)),
        };
        columns.iter().map(value).collect()
    }

    /// The merge key of one end; `None` when a part of it is null.
    fn end(&self, columns: &[Property], after: &Row<'_>) -> Result<Option<Values>, ProjectError> {
        let mut values = Vec::with_capacity(columns.len());
        let mut whole = true;
        for property in columns {
            match self.column(after, property)? {
                Value::Json("null") => whole = false,
                Value::Json(json) => values.push(json.into()),
                Value::Unavailable => return Err(self.unavailable(&property.column)),
            }
        }
        Ok(whole.then(|| values.into()))
    }

    fn column<'a>(&self, row: &'a Row, property: &Property) -> Result<Value<'a>, ProjectError> {
        row.get(&property.column)
            .ok_or_else(|| ProjectError::MissingColumn {
                table: self.table.clone(),
                column: property.column.clone(),
                reader: self.reader(),
            })
    }

    /// The JSON array of the key's values: two keys of a table never have the same text.
    fn row(&self, key: &Row<'_>) -> Result<Arc<str>, ProjectError> {
        let mut text = String::from("[");
        for (name, value) in key.columns() {
            if text.len() > 1 {
                text.push(',');
            }
            text.push_str(value.json().ok_or_else(|| self.unavailable(name))?);
        }
        text.push(']');
        Ok(text.into())
    }

    fn unavailable(&self, column: &str) -> ProjectError {
        ProjectError::Unavailable {
            table: self.table.clone(),
            column: column.to_owned(),
            reader: self.reader(),
        }
    }

    fn reader(&self) -> String {
        match &self.shape {
            Shape::Node { label, .. } => format!("the node `:{label}`"),
            Shape::Relationship { kind, .. } => format!("the relationship `:{kind}`"),
        }
    }
}

fn compile(when: Option<&str>, table: &str) -> Result<Option<Condition>, TemplateError> {
    when.map(|text| Condition::compile(text, table)).transpose()
}

impl Projector for GraphProjector {
    type Mutation = GraphMutation;

    fn project(
        &self,
        change: &Change<'_>,
        out: &mut Vec<GraphMutation>,
    ) -> Result<(), ProjectError> {
        // What is kept under the key is another row's by now.
        if change.op == Op::Leave {
            return Ok(());
        }
        let key = GraphKey {
            projection: self.projection,
            row: self.row(&change.key)?,
        };
        out.push(GraphMutation {
            key,
            version: change.version,
            action: self.action(change)?,
        });
        Ok(())
    }
}
