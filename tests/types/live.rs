//! The same on connectors that run now: another version of Debezium shows itself here.

use super::captured::{DOUBLE, NANOSECONDS, PRECISE};
use super::connector::{Capture, Mode};
use super::{applied, assert_same, changes, columns, rows, table};
use distributary::change::Value;

const SCHEMA: &str = include_str!("../fixtures/types.sql");
const ROWS: &str = include_str!("../fixtures/types_rows.sql");

const WITH_SCHEMAS: [(Mode, &[&str]); 3] = [
    (
        Mode {
            name: "precise",
            schemas: true,
            decimal: "precise",
            time: "adaptive",
            interval: "numeric",
            hstore: "map",
            binary: "bytes",
        },
        PRECISE,
    ),
    (
        Mode {
            name: "double",
            schemas: true,
            decimal: "double",
            time: "connect",
            interval: "string",
            hstore: "json",
            binary: "base64",
        },
        DOUBLE,
    ),
    (
        Mode {
            name: "nanoseconds",
            schemas: true,
            decimal: "string",
            time: "nanoseconds",
            interval: "string",
            hstore: "json",
            binary: "hex",
        },
        NANOSECONDS,
    ),
];

/// The rows with ids that begin at `base`.
async fn insert(capture: &Capture, base: i64) {
    let rows = ROWS.replace(":base", &base.to_string());
    capture.client.batch_execute(&rows).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_is_the_same_with_schemas_and_without_from_snapshot_and_stream() {
    let mut capture = Capture::new(SCHEMA).await;
    let tables = ["every_type", "typed_key"];
    insert(&capture, 0).await;
    capture.start(Mode::PLAIN, &tables).await;
    for (mode, _) in WITH_SCHEMAS {
        capture.start(mode, &tables).await;
    }
    // A task runs before its snapshot is done: only what comes after that is streamed.
    for mode in modes() {
        capture.records(mode, "every_type", 4).await;
    }
    insert(&capture, 100).await;
    let plain = capture.records(Mode::PLAIN, "every_type", 8).await;
    let plain = rows(&changes(table("every_type", &["id"]), &plain));
    assert_same(&plain, &plain, &[]);
    compare_with_postgres(&capture, &plain).await;
    for (mode, lossy) in WITH_SCHEMAS {
        let wrapped = capture.records(mode, "every_type", 8).await;
        let wrapped = rows(&changes(table("every_type", &["id"]), &wrapped));
        assert_same(&plain, &wrapped, lossy);
    }
    let key = ["a", "b", "d"];
    let mut keys = vec![];
    for mode in modes() {
        let records = capture.records(mode, "typed_key", 2).await;
        let table = table("typed_key", &["a", "b", "c", "d", "e"]);
        let row = changes(table, &records).remove(1).key;
        let mut row = columns(&row);
        row.retain(|name, _| key.contains(&&**name));
        keys.push(row);
    }
    assert!(keys.iter().all(|row| *row == keys[0]), "{keys:?}");
}

fn modes() -> impl Iterator<Item = Mode> {
    std::iter::once(Mode::PLAIN).chain(WITH_SCHEMAS.map(|(mode, _)| mode))
}

/// Digits and text are what Postgres itself says.
async fn compare_with_postgres(
    capture: &Capture,
    rows: &std::collections::BTreeMap<i64, super::Columns>,
) {
    for column in [
        "c_int8",
        "c_text",
        "c_uuid",
        "c_numeric",
        "c_numeric_0",
        "c_numeric_free",
        "c_json",
        "c_jsonb",
        "c_mood",
        "c_ltree",
        "c_int8range",
    ] {
        let query = format!("SELECT id, {column}::text FROM every_type");
        for row in capture.client.query(&query, &[]).await.unwrap() {
            let expected = row.get::<_, Option<&str>>(1);
            let json = rows[&row.get(0)][column].as_deref().unwrap();
            let text = serde_json::from_str::<Option<String>>(json);
            let found = text.unwrap_or_else(|_| Some(json.to_owned()));
            assert_eq!(
                found.as_deref(),
                expected,
                "{column} {}",
                row.get::<_, i64>(0)
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn infinite_times_and_numbers_have_one_form_from_snapshot_and_stream() {
    let mut capture = Capture::new(SCHEMA).await;
    let tables = ["far_times", "not_numbers"];
    insert(&capture, 0).await;
    capture.start(Mode::PLAIN, &tables).await;
    capture.records(Mode::PLAIN, "not_numbers", 4).await;
    insert(&capture, 100).await;
    let far = capture.records(Mode::PLAIN, "far_times", 10).await;
    let far = rows(&changes(table("far_times", &["id"]), &far));
    // Debezium's snapshot loses the sign of a date before Christ.
    assert_same(&far, &far, &["c_date"]);
    for (id, name) in [
        (3, "\"infinity\""),
        (103, "\"infinity\""),
        (104, "\"-infinity\""),
    ] {
        assert!(far[&id].values().all(|json| json.as_deref() == Some(name)));
    }
    let numbers = capture.records(Mode::PLAIN, "not_numbers", 8).await;
    let numbers = rows(&changes(table("not_numbers", &["id"]), &numbers));
    assert_same(&numbers, &numbers, &[]);
}

const TOAST: &str = "
    INSERT INTO toasted
    SELECT 1, 1, repeat('x', 5000), jsonb_build_object('a', repeat('x', 5000)),
        decode(repeat('ab', 5000), 'hex'), hstore('k', repeat('x', 5000)),
        array_agg(repeat('y', 100)), array_agg(i), array_agg(i::bigint),
        array_agg(gen_random_uuid()), array_agg('\\xabcdabcdabcd'::bytea)
    FROM generate_series(1, 1500) i;
    UPDATE toasted SET n = 2;
    UPDATE toasted SET id = 2;";

const SWAP: &str = "
    INSERT INTO swapped VALUES (1, 'a'), (2, 'b'), (5, 'e');
    BEGIN; SET CONSTRAINTS ALL DEFERRED; UPDATE swapped SET id = 3 - id WHERE id < 3; COMMIT;
    BEGIN; UPDATE swapped SET id = 6 WHERE id = 5; UPDATE swapped SET id = 7 WHERE id = 6; COMMIT;
    BEGIN; SET CONSTRAINTS ALL DEFERRED; INSERT INTO swapped VALUES (7, 'f');
    DELETE FROM swapped WHERE name = 'e'; COMMIT;";

#[tokio::test(flavor = "multi_thread")]
async fn unchanged_large_values_and_moved_keys_are_recognised() {
    let mut capture = Capture::new(SCHEMA).await;
    let tables = ["toasted", "swapped"];
    for mode in [Mode::PLAIN, WITH_SCHEMAS[0].0] {
        capture.start(mode, &tables).await;
    }
    capture.client.batch_execute(TOAST).await.unwrap();
    capture.client.batch_execute(SWAP).await.unwrap();
    for mode in [Mode::PLAIN, WITH_SCHEMAS[0].0] {
        // Insert, update, and three records of the changed key.
        let records = capture.records(mode, "toasted", 5).await;
        let changes_of = changes(table("toasted", &["id"]), &records);
        let row = |index: usize| changes_of[index].after.as_ref().unwrap();
        assert!(!row(0).is_partial());
        for index in [1, 3] {
            assert_eq!(row(index).get("n"), Some(Value::Json("2")));
            let mut large = row(index).columns().filter(|(name, _)| name.contains('_'));
            assert!(large.all(|(_, value)| value == Value::Unavailable));
        }
        let records = capture.records(mode, "swapped", 18).await;
        let left = applied(&changes(table("swapped", &["id"]), &records));
        let name = |id: i64| left[&id]["name"].as_deref();
        assert_eq!(left.keys().collect::<Vec<_>>(), [&1, &2, &7]);
        assert_eq!((name(1), name(2)), (Some("\"b\""), Some("\"a\"")));
        assert_eq!(name(7), Some("\"f\""));
    }
}
