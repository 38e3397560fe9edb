//! What a converter with `schemas.enable=true`, its default, puts before every key and every value.

use std::fmt::Write as _;
use std::sync::LazyLock;

/// The products' columns as Debezium describes them, with the connector's settings of the example:
/// type and what stands beside it, name.
const COLUMNS: [(&str, &str); 13] = [
    (INT64, "id"),
    (OPTIONAL_INT64, "category_id"),
    (STRING, "slug"),
    (STRING, "name"),
    (OPTIONAL_STRING, "description"),
    (OPTIONAL_STRING, "brand"),
    (
        r#""type":"array","items":{"type":"string","optional":true},"optional":true"#,
        "tags",
    ),
    (OPTIONAL_STRING, "price"),
    (r#""type":"int64","optional":false,"default":0"#, "stock"),
    (
        r#""type":"string","optional":false,"default":"draft""#,
        "status",
    ),
    (
        r#""type":"boolean","optional":false,"default":false"#,
        "is_featured",
    ),
    (
        r#""type":"string","optional":true,"name":"io.debezium.data.Json","version":1"#,
        "attributes",
    ),
    (
        r#""type":"string","optional":false,"name":"io.debezium.time.ZonedTimestamp","version":1,"default":"1970-01-01T00:00:00.000000Z""#,
        "updated_at",
    ),
];

/// What an event says of where it comes from.
const SOURCE: [(&str, &str); 16] = [
    (STRING, "version"),
    (STRING, "connector"),
    (STRING, "name"),
    (INT64, "ts_ms"),
    (
        r#""type":"string","optional":true,"name":"io.debezium.data.Enum","version":1,"parameters":{"allowed":"true,first,first_in_data_collection,last_in_data_collection,last,false,incremental"},"default":"false""#,
        "snapshot",
    ),
    (STRING, "db"),
    (OPTIONAL_STRING, "sequence"),
    (OPTIONAL_INT64, "ts_us"),
    (OPTIONAL_INT64, "ts_ns"),
    (STRING, "schema"),
    (STRING, "table"),
    (OPTIONAL_INT64, "txId"),
    (OPTIONAL_INT64, "lsn"),
    (OPTIONAL_INT64, "xmin"),
    (OPTIONAL_STRING, "origin"),
    (OPTIONAL_INT64, "origin_lsn"),
];

const TRANSACTION: [(&str, &str); 3] = [
    (STRING, "id"),
    (INT64, "total_order"),
    (INT64, "data_collection_order"),
];

const INT64: &str = r#""type":"int64","optional":false"#;
const OPTIONAL_INT64: &str = r#""type":"int64","optional":true"#;
const STRING: &str = r#""type":"string","optional":false"#;
const OPTIONAL_STRING: &str = r#""type":"string","optional":true"#;

static KEY: LazyLock<String> = LazyLock::new(|| {
    let id = fields(&COLUMNS[..1]);
    format!(
        r#"{{"type":"struct","fields":[{id}],"optional":false,"name":"shop.public.products.Key"}}"#
    )
});

static VALUE: LazyLock<String> = LazyLock::new(|| {
    let row = format!(
        r#""type":"struct","fields":[{}],"optional":true,"name":"shop.public.products.Value""#,
        fields(&COLUMNS)
    );
    let source = format!(
        r#""type":"struct","fields":[{}],"optional":false,"name":"io.debezium.connector.postgresql.Source","version":1"#,
        fields(&SOURCE)
    );
    let transaction = format!(
        r#""type":"struct","fields":[{}],"optional":true,"name":"event.block","version":1"#,
        fields(&TRANSACTION)
    );
    let envelope = fields(&[
        (&row, "before"),
        (&row, "after"),
        (&source, "source"),
        (&transaction, "transaction"),
        (STRING, "op"),
        (OPTIONAL_INT64, "ts_ms"),
        (OPTIONAL_INT64, "ts_us"),
        (OPTIONAL_INT64, "ts_ns"),
    ]);
    format!(
        r#"{{"type":"struct","fields":[{envelope}],"optional":false,"name":"shop.public.products.Envelope","version":2}}"#
    )
});

/// A product's record key with its schema.
pub(crate) fn key(payload: &str) -> String {
    wrapped(&KEY, payload)
}

/// A product's record value with its schema; a tombstone has none.
pub(crate) fn value(payload: &str) -> String {
    if payload.is_empty() {
        return String::new();
    }
    wrapped(&VALUE, payload)
}

fn wrapped(schema: &str, payload: &str) -> String {
    format!(r#"{{"schema":{schema},"payload":{payload}}}"#)
}

fn fields(fields: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (index, (kind, name)) in fields.iter().enumerate() {
        let comma = if index > 0 { "," } else { "" };
        write!(text, r#"{comma}{{{kind},"field":"{name}"}}"#).expect("a string takes everything");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::envelope;
    use crate::load::{Load, Shape};

    #[test]
    fn a_schema_describes_every_field_of_the_event_and_no_other() {
        let load = Load::new(Shape::products("a-topic", 7, 3000));
        let mut payload = String::new();
        envelope::value(&load.shape.rows, load.events[0], None, &mut payload);
        let event: Value = serde_json::from_str(&value(&payload)).unwrap();
        let (schema, payload) = (&event["schema"], &event["payload"]);
        for (described, said) in [
            (schema, payload),
            (&schema["fields"][1], &payload["after"]),
            (&schema["fields"][2], &payload["source"]),
        ] {
            let described = described["fields"].as_array().unwrap().iter();
            let described = described.map(|it| it["field"].as_str().unwrap());
            let said = said.as_object().unwrap().keys().map(String::as_str);
            assert_eq!(
                described.collect::<BTreeSet<_>>(),
                said.collect::<BTreeSet<_>>()
            );
        }
        assert_eq!(value(""), "", "a tombstone stays one");
    }
}
