//! Connect schemas: what the columns of a schema-wrapped record are.
//!
//! A schema is as long as several rows and the same in each record, so it is recognised by its
//! bytes and read only when they change.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;

use super::error::{DecodeError, Part};
use super::shapes::Known;
use super::temporal::Unit;
use crate::json::offset_in;

/// How a column's values have to be converted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Type {
    /// Canonical as they are.
    Verbatim,
    /// Texts of moments, or arrays of them: canonical but for infinity.
    Moment,
    /// Connect's `Decimal`: digits behind the point.
    Decimal(i64),
    /// Debezium's decimal with a scale for each value.
    VariableScaleDecimal,
    /// Days since the epoch.
    Date,
    /// Ticks since midnight.
    Time(Unit),
    /// Ticks since the epoch.
    Timestamp(Unit),
    /// Microseconds.
    Duration,
    /// hstore as an object.
    Map,
    /// Elements of one type that need conversion.
    Array(Box<Self>),
}

impl Type {
    /// Whether a value that begins like nearly all is canonical.
    pub(super) fn is_text(&self) -> bool {
        matches!(self, Self::Verbatim | Self::Moment)
    }
}

/// More schemas than a topic mixes at one time.
const KEPT: usize = 8;

/// The schemas of one topic's keys or values.
#[derive(Default)]
pub(super) struct Schemas {
    known: Vec<Wrapper>,
}

struct Wrapper {
    /// `{"schema":…,"payload":`
    prefix: String,
    plan: Plan,
}

/// The types of a record's columns.
struct Plan {
    columns: HashMap<String, Type>,
    /// The types by position, for the shape of the last row.
    resolved: Option<(Arc<Known>, Arc<[Type]>)>,
}

impl Plan {
    fn types(&mut self, known: &Arc<Known>) -> Arc<[Type]> {
        if let Some((last, types)) = &self.resolved
            && Arc::ptr_eq(last, known)
        {
            return Arc::clone(types);
        }
        let of = |name| self.columns.get(name).cloned().unwrap_or(Type::Verbatim);
        let types: Arc<[Type]> = known.shape.names().map(of).collect();
        self.resolved = Some((Arc::clone(known), Arc::clone(&types)));
        types
    }
}

impl Schemas {
    /// The payload, if the text begins with a known schema, which is the current one from then on.
    pub(super) fn recognise<'t>(&mut self, text: &'t str) -> Option<&'t str> {
        if self.known.is_empty() {
            return None;
        }
        let whole = text.trim_ascii_end().strip_suffix('}')?;
        let starts_whole = |wrapper: &Wrapper| whole.starts_with(&wrapper.prefix);
        let index = self.known.iter().position(starts_whole)?;
        self.known.swap(0, index);
        whole.get(self.known[0].prefix.len()..)
    }

    /// Makes the schema of a wrapper whose fields were found in `text` the current one.
    pub(super) fn learn(
        &mut self,
        text: &str,
        wrapper: (&str, &str),
        part: Part,
    ) -> Result<(), DecodeError> {
        let (schema, payload) = wrapper;
        let columns = columns(schema).ok_or(DecodeError::Schema(part))?;
        let start = offset_in(text, payload);
        let is_last = text.get(start + payload.len()..).map(str::trim_ascii) == Some("}");
        let is_first = offset_in(text, schema) < start;
        // Elsewhere the prefix would not be all of the schema: this one recognises nothing.
        let prefix = match is_first && is_last {
            true => text.get(..start).unwrap_or_default().to_owned(),
            false => "\0".to_owned(),
        };
        let plan = Plan {
            columns,
            resolved: None,
        };
        self.known.insert(0, Wrapper { prefix, plan });
        self.known.truncate(KEPT);
        Ok(())
    }

    /// The current schema's types of a shape's columns.
    pub(super) fn types(&mut self, known: &Arc<Known>) -> Option<Arc<[Type]>> {
        Some(self.known.first_mut()?.plan.types(known))
    }
}

/// A Connect schema in JSON.
#[derive(Deserialize)]
struct Schema {
    #[serde(rename = "type")]
    kind: String,
    name: Option<String>,
    #[serde(default)]
    parameters: HashMap<String, String>,
    #[serde(default)]
    fields: Vec<Self>,
    items: Option<Box<Self>>,
    /// The field's name in the struct it is in.
    field: Option<String>,
}

/// The columns that need a conversion, of an envelope's row or of a key; `None` for what is no
/// schema.
fn columns(schema: &str) -> Option<HashMap<String, Type>> {
    let schema: Schema = serde_json::from_str(schema).ok()?;
    let is_row = |field: &Schema| field.field.as_deref() == Some("after") && field.kind == "struct";
    let mut fields = schema.fields;
    if let Some(row) = fields.iter().position(is_row) {
        fields = fields.swap_remove(row).fields;
    }
    let mut columns = HashMap::new();
    for field in fields {
        let column = column_type(&field)?;
        if column != Type::Verbatim {
            columns.insert(field.field?, column);
        }
    }
    Some(columns)
}

fn column_type(schema: &Schema) -> Option<Type> {
    Some(match schema.name.as_deref().unwrap_or_default() {
        "org.apache.kafka.connect.data.Decimal" => {
            Type::Decimal(schema.parameters.get("scale")?.parse().ok()?)
        }
        "io.debezium.data.VariableScaleDecimal" => Type::VariableScaleDecimal,
        "io.debezium.time.Date" | "org.apache.kafka.connect.data.Date" => Type::Date,
        "io.debezium.time.Time" | "org.apache.kafka.connect.data.Time" => Type::Time(Unit::Milli),
        "io.debezium.time.MicroTime" => Type::Time(Unit::Micro),
        "io.debezium.time.NanoTime" => Type::Time(Unit::Nano),
        "io.debezium.time.Timestamp" | "org.apache.kafka.connect.data.Timestamp" => {
            Type::Timestamp(Unit::Milli)
        }
        "io.debezium.time.MicroTimestamp" => Type::Timestamp(Unit::Micro),
        "io.debezium.time.NanoTimestamp" => Type::Timestamp(Unit::Nano),
        "io.debezium.time.MicroDuration" => Type::Duration,
        "io.debezium.time.IsoDate"
        | "io.debezium.time.IsoTimestamp"
        | "io.debezium.time.ZonedTimestamp" => Type::Moment,
        _ => match (&*schema.kind, &schema.items) {
            ("map", _) => Type::Map,
            ("array", Some(items)) => match column_type(items)? {
                items if items.is_text() => items,
                items => Type::Array(Box::new(items)),
            },
            _ => Type::Verbatim,
        },
    })
}
