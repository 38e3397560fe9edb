//! The record that is to be explained: from a file, or read from Kafka.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::meaning::object;
use crate::change::{TableId, Value};
use crate::config::{Config, Table};
use crate::error::exit;
use crate::source::Partition;
use crate::source::reread::{Original, Reader};

/// A record, and where it lies.
pub(super) struct Event {
    pub(super) table: TableId,
    pub(super) offset: i64,
    pub(super) original: Original,
}

/// Why there is no record to explain.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unread {
    #[error("cannot read {0}: {1}")]
    File(String, std::io::Error),
    #[error("{0} is no change as Debezium writes it: {1}")]
    NoChange(String, String),
    #[error(
        "{0} is a tombstone, `null`, which says nothing of itself: the row that was deleted is named by \
         the record's key. Explain the record with --topic, --partition and --offset, or the `op: d` \
         before it"
    )]
    Tombstone(String),
    #[error("the configuration has no table {0}; its tables are {1}")]
    UnknownTable(String, String),
    #[error("the configuration has no topic `{0}`; its topics are {1}")]
    UnknownTopic(String, String),
    #[error("there is no record at offset {1} of partition {0}: {2}")]
    Missing(i32, i64, String),
    #[error("Kafka cannot be asked: {0}")]
    Kafka(String),
}

impl Unread {
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::File(..)
            | Self::NoChange(..)
            | Self::Tombstone(_)
            | Self::UnknownTable(..)
            | Self::UnknownTopic(..) => exit::USAGE,
            Self::Missing(..) => exit::NO,
            Self::Kafka(_) => exit::UNAVAILABLE,
        }
    }
}

/// As much of a change as it takes to find its table and make its key.
#[derive(Deserialize)]
struct Outline<'a> {
    #[serde(borrow)]
    schema: Option<&'a RawValue>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
    source: Option<Names>,
    #[serde(borrow)]
    before: Option<Columns<'a>>,
    #[serde(borrow)]
    after: Option<Columns<'a>>,
}

type Columns<'a> = BTreeMap<String, &'a RawValue>;

#[derive(Deserialize)]
struct Names {
    schema: String,
    table: String,
}

/// The change in a file, or on standard input for `-`. Its key is made of the row.
pub(super) fn of_file(config: &Config, path: Option<&Path>) -> Result<Event, Unread> {
    let path = path.filter(|it| *it != Path::new("-"));
    let name = path.map_or("standard input".to_owned(), |it| it.display().to_string());
    let text = match path {
        Some(path) => std::fs::read_to_string(path),
        None => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).map(|_| text)
        }
    };
    let text = text.map_err(|error| Unread::File(name.clone(), error))?;
    if text.trim() == "null" {
        return Err(Unread::Tombstone(name));
    }
    let no_change = |why: String| Unread::NoChange(name.clone(), why);
    let read = |text| serde_json::from_str::<Outline<'_>>(text);
    let mut outline = read(&text).map_err(|error| no_change(error.to_string()))?;
    let schema = outline.schema;
    if let Some(payload) = outline.payload {
        outline = read(payload.get()).map_err(|error| no_change(error.to_string()))?;
    }
    let names = outline.source;
    let names = names.ok_or_else(|| no_change("it has no `source`".to_owned()))?;
    let (table_id, table) = table_of(config, &names)?;
    let row = outline.after.or(outline.before);
    let key = row.map(|row| key(table, &row, schema)).transpose();
    Ok(Event {
        table: table_id,
        offset: 0,
        original: Original {
            key: key.map_err(no_change)?,
            value: Some(text.into_bytes()),
            ..Original::default()
        },
    })
}

fn table_of<'c>(config: &'c Config, names: &Names) -> Result<(TableId, &'c Table), Unread> {
    let mut tables = (0..).map(TableId).zip(&config.tables);
    let is_it = |it: &Table| it.schema == names.schema && it.table == names.table;
    tables.find(|(_, it)| is_it(it)).ok_or_else(|| {
        let known: Vec<String> = config.tables.iter().map(Table::sql_name).collect();
        let name = format!("{}.{}", names.schema, names.table);
        Unread::UnknownTable(name, known.join(", "))
    })
}

/// The record key that Debezium would have written. Where the row has a schema, its columns are what
/// that says: the key's own schema would say the same of them.
fn key(table: &Table, row: &Columns<'_>, schema: Option<&RawValue>) -> Result<Vec<u8>, String> {
    let value = |column: &str| row.get(column).map(|it| Value::Json(it.get()));
    let missing = table.key.iter().find(|it| value(it).is_none());
    if let Some(column) = missing {
        return Err(format!("the row has no column {column}"));
    }
    let columns = table.key.iter().map(String::as_str);
    let columns = columns.filter_map(|it| Some((it, value(it)?)));
    let key = object(columns);
    let wrapped = schema.map(|schema| format!(r#"{{"schema":{schema},"payload":{key}}}"#));
    Ok(wrapped.unwrap_or(key).into_bytes())
}

/// The record at a partition and offset of a topic.
pub(super) fn of_kafka(
    config: &Config,
    topic: &str,
    (number, offset): (i32, i64),
) -> Result<Event, Unread> {
    let mut tables = (0..).map(TableId).zip(&config.tables);
    let Some((table, _)) = tables.find(|(_, it)| it.topic == topic) else {
        let known: Vec<&str> = config.tables.iter().map(|it| it.topic.as_str()).collect();
        return Err(Unread::UnknownTopic(topic.to_owned(), known.join(", ")));
    };
    let reader = Reader::new(
        Arc::new(config.source.clone()),
        config.tables.clone().into(),
    );
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.expect("a runtime without drivers needs nothing");
    let read = runtime.block_on(reader.read(Partition { table, number }, offset));
    let original = read.map_err(Unread::Kafka)?;
    if let Some(why) = original.missing {
        return Err(Unread::Missing(number, offset, why.to_string()));
    }
    Ok(Event {
        table,
        offset,
        original,
    })
}
