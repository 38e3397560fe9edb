//! Records as a pipeline gives them, by hand: what each becomes.

mod arbitrary;
mod hostile;
mod moves;

use super::*;
use crate::change::{Op, Row, Value};

fn table() -> config::Table {
    config::Table {
        full_identity: true,
        json: vec!["attributes".into()],
        epoch: 2,
        ..config::Table::named("items")
    }
}

fn decoder() -> Decoder {
    Decoder::new(&[table()])
}

/// The text of a value. Never freed: what is decoded borrows from it.
fn envelope(op: &str, before: &str, after: &str) -> &'static str {
    let text = format!(
        r#"{{"before":{before},"after":{after},"source":{{"version":"3.7.0.Final","connector":"postgresql","ts_ms":1700000000123,"snapshot":null,"schema":"public","table":"items","txId":556,"lsn":24023128}},"transaction":null,"op":"{op}","ts_ms":1700000000200}}"#
    );
    text.leak()
}

fn record<'a>(key: &'a str, value: &'a str) -> Input<'a> {
    Input {
        key: Some(key.as_bytes()),
        value: Some(value.as_bytes()),
        offset: 7,
        timestamp_ms: 1_700_000_000_999,
        old_key: None,
    }
}

fn decode(record: Input<'_>) -> Result<Decoded<'_>, DecodeError> {
    decoder().decode(TableId(0), &mut KeyMoves::default(), record)
}

fn change(record: Input<'_>) -> Change<'_> {
    match decode(record) {
        Ok(Decoded::Change(change)) => change,
        other => panic!("no change: {other:?}"),
    }
}

fn kind(record: Input<'_>) -> &'static str {
    decode(record).expect_err("no change").kind()
}

fn texts<'r>(row: &'r Row<'_>) -> Vec<(&'r str, Option<&'r str>)> {
    row.columns()
        .map(|(name, value)| (name, value.json()))
        .collect()
}

#[test]
fn an_insert_becomes_a_change_with_the_values_as_they_were_written() {
    let after = r#"{"id":9007199254740993,"price":"0.30","name":"Caf\u00e9 \"x\"","tags":["a",null],"ok":true,"none":null}"#;
    let change = change(record(
        r#"{"id":9007199254740993}"#,
        envelope("c", "null", after),
    ));
    assert_eq!(change.op, Op::Create);
    assert_eq!(change.version.get(), 2 << 48 | 7);
    assert_eq!(change.committed_at_ms, 1_700_000_000_123);
    assert_eq!(texts(&change.key), [("id", Some("9007199254740993"))]);
    assert_eq!(
        texts(change.after.as_ref().expect("a row")),
        [
            ("id", Some("9007199254740993")),
            ("price", Some(r#""0.30""#)),
            ("name", Some(r#""Caf\u00e9 \"x\"""#)),
            ("tags", Some(r#"["a",null]"#)),
            ("ok", Some("true")),
            ("none", Some("null")),
        ]
    );
}

#[test]
fn white_space_of_a_reformatted_record_does_not_reach_the_columns() {
    let after = "{\n \"id\": 1,\r\n \"tags\": [ \"a b\",\n 2 ]\n}";
    let change = change(record("{ \"id\" : 1 }\n", envelope("u", "null", after)));
    let row = change.after.expect("a row");
    assert_eq!(row.get("tags"), Some(Value::Json(r#"["a b",2]"#)));
    assert_eq!(change.key.get("id"), Some(Value::Json("1")));
}

#[test]
fn a_delete_has_its_key_and_its_old_row() {
    let change = change(record(
        r#"{"id":1}"#,
        envelope("d", r#"{"id":1,"name":"old"}"#, "null"),
    ));
    assert_eq!(change.op, Op::Delete);
    assert!(change.after.is_none());
    let before = change.before.expect("full identity");
    assert_eq!(before.get("name"), Some(Value::Json(r#""old""#)));
}

#[test]
fn a_before_image_without_full_identity_is_not_looked_at() {
    let mut table = table();
    table.full_identity = false;
    let value = envelope("d", r#"{"id":1,"name":""}"#, "null");
    let decoded = Decoder::new(&[table]).decode(
        TableId(0),
        &mut KeyMoves::default(),
        record(r#"{"id":1}"#, value),
    );
    let Ok(Decoded::Change(change)) = decoded else {
        panic!("{decoded:?}");
    };
    assert!(change.before.is_none());
}

#[test]
fn rows_of_the_same_columns_share_their_shape() {
    let (mut decoder, mut moves) = (decoder(), KeyMoves::default());
    let mut shape = |after: &str| {
        let value = envelope("u", "null", after);
        let decoded = decoder.decode(TableId(0), &mut moves, record(r#"{"id":1}"#, value));
        let Ok(Decoded::Change(change)) = decoded else {
            panic!("{decoded:?}");
        };
        std::sync::Arc::clone(change.after.expect("a row").shape())
    };
    let first = shape(r#"{"id":1,"a":2}"#);
    let longer = shape(r#"{"id":1,"a":2,"b":3}"#);
    let shorter = shape(r#"{"id":1}"#);
    assert_eq!(longer.names().collect::<Vec<_>>(), ["id", "a", "b"]);
    assert_eq!(shorter.names().collect::<Vec<_>>(), ["id"]);
    for (known, after) in [
        (&first, r#"{"id":5,"a":6}"#),
        (&longer, r#"{"id":1,"a":2,"b":3}"#),
        (&shorter, r#"{"id":3}"#),
    ] {
        assert!(std::sync::Arc::ptr_eq(known, &shape(after)), "{after}");
    }
}

#[test]
fn before_and_after_may_have_different_columns() {
    let change = change(record(
        r#"{"id":1}"#,
        envelope("u", r#"{"id":1,"a":2}"#, r#"{"id":1,"a":2,"generated":3}"#),
    ));
    assert_eq!(change.before.expect("full").shape().len(), 2);
    assert_eq!(change.after.expect("a row").shape().len(), 3);
}

#[test]
fn a_json_column_is_spliced_in_as_a_value() {
    let after = r#"{"id":1,"attributes":"{\"b\": 1.00, \"a\": [1e400,\n\"x y\"], \"b\": null}"}"#;
    let change = change(record(r#"{"id":1}"#, envelope("c", "null", after)));
    assert_eq!(
        change.after.expect("a row").get("attributes"),
        Some(Value::Json(r#"{"b":1.00,"a":[1e400,"x y"],"b":null}"#))
    );
}

#[test]
fn a_json_array_column_becomes_an_array_of_values() {
    let after = r#"{"id":1,"attributes":["{\"a\": 1}",null,"2"]}"#;
    let change = change(record(r#"{"id":1}"#, envelope("c", "null", after)));
    assert_eq!(
        change.after.expect("a row").get("attributes"),
        Some(Value::Json(r#"[{"a":1},null,2]"#))
    );
}

#[test]
fn placeholders_are_unavailable_where_they_can_occur_and_text_where_not() {
    let after = r#"{"id":1,"body":"__debezium_unavailable_value","tags":["__debezium_unavailable_value"],"attributes":"__debezium_unavailable_value"}"#;
    let update = change(record(r#"{"id":1}"#, envelope("u", "null", after)));
    let row = update.after.expect("a row");
    for column in ["body", "tags", "attributes"] {
        assert_eq!(row.get(column), Some(Value::Unavailable), "{column}");
    }
    assert_eq!(row.get("id"), Some(Value::Json("1")));

    let after = r#"{"id":1,"body":"__debezium_unavailable_value"}"#;
    let insert = envelope("c", "null", after);
    let plain = change(record(r#"{"id":1}"#, insert));
    assert!(!plain.after.expect("a row").is_partial());
    let moved = change(Input {
        old_key: Some(br#"{"id":5}"#),
        ..record(r#"{"id":1}"#, insert)
    });
    assert!(moved.after.expect("a row").is_partial());
    assert_eq!(
        moved.moved_from.expect("the old key").get("id"),
        Some(Value::Json("5"))
    );
}

#[test]
fn a_text_like_infinity_is_one_where_the_column_may_be_a_time_and_never_in_a_key() {
    let text = r#""-12345-06-07Z""#;
    let row = format!(r#"{{"id":{text},"name":{text},"at":{text},"ats":[{text}]}}"#);
    let key = format!(r#"{{"id":{text}}}"#);
    let value = envelope("c", "null", &row);
    let plain = change(record(&key, value));
    assert_eq!(texts(&plain.key), [("id", Some(text))]);
    let named = (Some(r#""-infinity""#), Some(r#"["-infinity"]"#));
    let of = |change: &Change<'_>, column: &str| {
        let value = change.after.as_ref().expect("a row").get(column)?;
        value.json().map(str::to_owned)
    };
    assert_eq!(of(&plain, "name").as_deref(), named.0);

    let at = r#""type":"string","name":"io.debezium.time.IsoDate""#;
    let fields = format!(
        r#"[{{"field":"id","type":"string"}},{{"field":"name","type":"string"}},{{"field":"at",{at}}},{{"field":"ats","type":"array","items":{{{at}}}}}]"#
    );
    let id = r#"[{"field":"id","type":"string"}]"#;
    let key = format!(r#"{{"schema":{{"type":"struct","fields":{id}}},"payload":{key}}}"#);
    for (fields, of_times) in [(&*fields, named), (id, (Some(text), None))] {
        let value = format!(
            r#"{{"schema":{{"type":"struct","fields":[{{"field":"after","type":"struct","fields":{fields}}}]}},"payload":{value}}}"#
        );
        let typed = change(record(&key, &value));
        assert_eq!(texts(&typed.key), [("id", Some(text))]);
        assert_eq!(of(&typed, "name").as_deref(), Some(text));
        assert_eq!(of(&typed, "at").as_deref(), of_times.0);
        if let (_, Some(array)) = of_times {
            assert_eq!(of(&typed, "ats").as_deref(), Some(array));
        }
    }
}

#[test]
fn a_tombstone_is_a_delete_unless_it_follows_the_delete_itself() {
    let (mut decoder, mut moves) = (decoder(), KeyMoves::default());
    let tombstone = Input {
        value: None,
        ..record(r#"{"id":1}"#, "")
    };
    let mut decode = |input| decoder.decode(TableId(0), &mut moves, input);
    let Ok(Decoded::Change(alone)) = decode(tombstone) else {
        panic!("a tombstone alone deletes");
    };
    assert_eq!(alone.op, Op::Delete);
    assert_eq!(alone.committed_at_ms, 1_700_000_000_999);
    let delete = envelope("d", r#"{"id":1}"#, "null");
    let delete = decode(record(r#"{"id":1}"#, delete));
    assert!(matches!(delete, Ok(Decoded::Change(_))));
    let after = decode(tombstone);
    assert!(matches!(after, Ok(Decoded::Ignored(Ignored::Tombstone))));
    assert!(matches!(decode(tombstone), Ok(Decoded::Change(_))));
}

#[test]
fn records_that_concern_no_row_are_ignored_with_their_reason() {
    for (value, reason) in [
        (r#"{"ts_ms":1700000000000}"#, "heartbeat"),
        (
            r#"{"status":"BEGIN","id":"571:5","event_count":null,"data_collections":null,"ts_ms":1}"#,
            "transaction",
        ),
        (
            r#"{"op":"m","ts_ms":1,"source":{"schema":"","table":""},"message":{"prefix":"p","content":"YQ=="}}"#,
            "message",
        ),
        (
            r#"{"id":"x","aggregate_type":"Initial Snapshot","type":"COMPLETED","additional_data":null,"timestamp":1}"#,
            "notification",
        ),
    ] {
        let Ok(Decoded::Ignored(ignored)) = decode(record("{}", value)) else {
            panic!("{value}");
        };
        assert_eq!(ignored.as_str(), reason);
    }
}

#[test]
fn a_truncate_is_reported_without_a_key() {
    let truncate = Input {
        key: None,
        ..record("", envelope("t", "null", "null"))
    };
    assert!(matches!(
        decode(truncate),
        Ok(Decoded::Truncate(TableId(0)))
    ));
}

/// As Debezium's CloudEventsConverter writes a change.
const CLOUD_EVENT: &str = r#"{"id":"name:shop;lsn:29274832;txId:565",
    "source":"/debezium/postgresql/shop","specversion":"1.0",
    "type":"io.debezium.connector.postgresql.DataChangeEvent","time":"2026-01-13T13:55:39.738Z",
    "datacontenttype":"application/json","iodebeziumop":"c","iodebeziumversion":"3.7.0.Final",
    "iodebeziumconnector":"postgresql","iodebeziumname":"shop","iodebeziumtsms":"1768312539738",
    "iodebeziumsnapshot":"false","iodebeziumdb":"shop","iodebeziumsequence":"[null,\"29274832\"]",
    "iodebeziumschema":"public","iodebeziumtable":"items","iodebeziumlsn":"29274832",
    "iodebeziumxmin":null,"iodebeziumtxid":"565","data":{"before":null,"after":{"id":1}}}"#;

#[test]
fn what_is_no_change_of_the_table_is_refused_by_kind() {
    let key = r#"{"id":1}"#;
    let good = envelope("c", "null", r#"{"id":1}"#);
    for (expected, key, value) in [
        ("invalid_json", key, "{\"op\":"),
        ("invalid_json", key, "{\"op\":NaN}"),
        ("invalid_json", key, "plain text"),
        ("not_an_envelope", key, "null"),
        ("not_an_envelope", key, "[1]"),
        ("not_an_envelope", key, r#"{"id":1,"name":"flattened"}"#),
        ("not_an_envelope", key, r#"{"op":"c","after":{"id":1}}"#),
        ("not_an_envelope", key, r#"{"source":"a","op":"c"}"#),
        ("cloud_event", key, CLOUD_EVENT),
        ("registry_framing", key, "\0\0\0\0\x01avro"),
        ("unknown_op", key, envelope("x", "null", "null")),
        ("no_row", key, envelope("c", "null", "null")),
        ("wrong_table", key, &good.replace("\"items\"", "\"other\"")),
        (
            "duplicate_field",
            key,
            &good.replace("\"transaction\"", "\"op\""),
        ),
        (
            "duplicate_field",
            key,
            envelope("c", "null", r#"{"id":1,"id":2}"#),
        ),
        (
            "lone_surrogate",
            key,
            envelope("c", "null", r#"{"id":1,"a":"\ud800"}"#),
        ),
        (
            "invalid_json_column",
            key,
            envelope("c", "null", r#"{"id":1,"attributes":"{a:1}"}"#),
        ),
        ("no_key", "null", good),
        ("wrong_key", "{}", good),
        ("wrong_key", r#"{"id":null}"#, good),
        ("wrong_key", r#"{"id":1,"tenant":2}"#, good),
        ("wrong_key", "7", good),
        ("wrong_key", "Struct{id=1}", good),
        ("duplicate_field", r#"{"id":1,"id":2}"#, good),
        ("invalid_json", "{\"id\":", good),
    ] {
        assert_eq!(kind(record(key, value)), expected, "{key} {value}");
    }
    let keyless = Input {
        key: None,
        ..record("", good)
    };
    assert_eq!(kind(keyless), "no_key");
    let value = Some(&[b'{', 0xff][..]);
    let bytes = record(key, "");
    assert_eq!(kind(Input { value, ..bytes }), "not_utf8");
}

#[test]
fn deep_nesting_is_an_error_and_no_crash() {
    let bomb = "[".repeat(200_000) + &"]".repeat(200_000);
    let value = envelope("c", "null", &format!(r#"{{"id":1,"a":{bomb}}}"#));
    assert_eq!(kind(record(r#"{"id":1}"#, value)), "too_deep");
    let unread = good_with_unread(&bomb);
    assert!(decode(record(r#"{"id":1}"#, &unread)).is_ok());
}

fn good_with_unread(json: &str) -> String {
    let good = envelope("c", "null", r#"{"id":1}"#);
    good.replace("\"transaction\":null", &format!("\"transaction\":{json}"))
}

#[test]
fn errors_never_quote_a_value() {
    for value in [
        r#"{"op":"c","source":"secret"}"#,
        r#"{"op":"c","after":"secret","source":{}}"#,
        r#""secret""#,
        envelope("c", "null", r#"{"id":1,"attributes":"secret"}"#),
        envelope("secret", "null", "null"),
    ] {
        let error = decode(record(r#"{"id":1}"#, value)).expect_err("refused");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    let error = decode(record(r#""secret""#, envelope("c", "null", r#"{"id":1}"#)));
    assert!(!error.expect_err("refused").to_string().contains("secret"));
}

#[test]
fn a_composite_key_has_the_configured_order() {
    let mut table = table();
    table.key = vec!["order_id".into(), "product_id".into()];
    let decoded = Decoder::new(&[table]).decode(
        TableId(0),
        &mut KeyMoves::default(),
        record(
            r#"{"product_id":2,"__dbz__physicalTableIdentifier":"x","order_id":"1"}"#,
            envelope("c", "null", r#"{"order_id":"1","product_id":2}"#),
        ),
    );
    let Ok(Decoded::Change(change)) = decoded else {
        panic!("{decoded:?}");
    };
    assert_eq!(
        texts(&change.key),
        [("order_id", Some("\"1\"")), ("product_id", Some("2"))]
    );
}

#[test]
fn what_is_wrong_with_the_old_row_does_not_keep_the_new_one_away() {
    let half = r#"{"id":1,"attributes":"\"\\ud83d\""}"#;
    let whole = r#"{"id":1,"attributes":"{}"}"#;
    let bad = record(r#"{"id":1}"#, envelope("u", "null", half));
    assert_eq!(kind(bad), "invalid_json_column");
    let mended = change(record(r#"{"id":1}"#, envelope("u", half, whole)));
    assert_eq!(
        mended.after.expect("the row").get("attributes"),
        Some(Value::Json("{}"))
    );
    let deleted = change(record(r#"{"id":1}"#, envelope("d", half, "null")));
    assert_eq!(deleted.op, Op::Delete);
}
