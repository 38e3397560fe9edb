//! Records captured from Debezium 3.7.0.Final on PostgreSQL 15 (`tests/fixtures/types_rows.sql`),
//! in four settings of the connector; `plain` is that of `connectors/ecommerce.json`.

use distributary::change::Value;

use super::{Columns, Record, applied, assert_same, changes, columns, rows, table};

/// Columns whose values the mode changes before they reach us: `docs/types.md` says how.
pub(super) const PRECISE: &[&str] = &["c_interval"];
pub(super) const DOUBLE: &[&str] = &[
    "c_numeric",
    "c_numeric_0",
    "c_numeric_free",
    "c_amount",
    "c_money",
    "a_numeric",
    "c_time",
    "c_timestamp",
    "a_timestamp",
];
pub(super) const NANOSECONDS: &[&str] = &["c_bytea", "a_bytea"];

fn records(name: &str) -> Vec<Record> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/envelopes");
    let text = std::fs::read_to_string(format!("{folder}/{name}.jsonl")).expect("a fixture");
    let parse = |line| serde_json::from_str(line).expect("a record");
    text.lines().map(parse).collect()
}

fn captured(name: &str, mode: &str, key: &[&str]) -> Vec<distributary::change::Change<'static>> {
    // Changes borrow from their records.
    let records = records(&format!("{name}.{mode}")).leak();
    changes(table(name, key), records)
}

#[test]
fn a_row_of_every_type_is_the_same_in_all_modes() {
    let plain = rows(&captured("every_type", "plain", &["id"]));
    for (mode, lossy) in [
        ("plain", [].as_slice()),
        ("precise", PRECISE),
        ("double", DOUBLE),
        ("nanoseconds", NANOSECONDS),
    ] {
        let wrapped = rows(&captured("every_type", mode, &["id"]));
        assert_same(&plain, &wrapped, lossy);
    }
}

#[test]
fn values_have_the_form_that_the_documentation_promises() {
    let rows = rows(&captured("every_type", "precise", &["id"]));
    for (row, column, json) in [
        (1, "c_int8", "9007199254740993"),
        (1, "c_numeric", r#""123.4500000000""#),
        (
            3,
            "c_numeric_0",
            r#""-99999999999999999999999999999999999999""#,
        ),
        (3, "c_money", r#""-92233720368547758.08""#),
        (3, "c_real", r#""NaN""#),
        (1, "c_date", r#""2017-09-15Z""#),
        (1, "c_time", r#""04:05:11.789012Z""#),
        (1, "c_timestamp", r#""2019-07-09T02:28:57.123456Z""#),
        (1, "c_timestamptz", r#""2019-07-09T00:28:57.123456Z""#),
        (1, "c_interval", r#""P0Y0M429DT7H5M6.78S""#),
        (
            1,
            "c_hstore",
            r#""{\"a\":\"1\",\"b\":null,\"c d\":\"x\\\"y\"}""#,
        ),
        (1, "c_bytea", r#""3q2+7wA=""#),
        (1, "c_bit", r#""BQ==""#),
        (1, "a_numeric", r#"["1.500",null,"-0.001"]"#),
        (1, "a_hstore", r#"["{\"a\":\"1\"}"]"#),
        (1, "a_date", r#"["2017-09-15Z",null]"#),
    ] {
        assert_eq!(rows[&row][column].as_deref(), Some(json), "{column}");
    }
}

#[test]
fn infinity_has_its_name_and_far_dates_their_digits() {
    let plain = rows(&captured("far_times", "plain", &["id"]));
    // A snapshot loses the sign of a year before Christ (rows 1 and 101 differ in the date), and
    // microseconds end in the year 294247 (row 2).
    for id in [3, 103] {
        assert!(
            plain[&id]
                .values()
                .all(|json| json.as_deref() == Some("\"infinity\""))
        );
    }
    for id in [4, 104] {
        assert!(
            plain[&id]
                .values()
                .all(|json| json.as_deref() == Some("\"-infinity\""))
        );
    }
    let date = |id: i64| plain[&id]["c_date"].as_deref();
    assert_eq!(date(101), Some("\"-4713-11-24Z\""));
    assert_eq!(date(2), Some("\"+5874897-12-31Z\""));

    let mut precise = rows(&captured("far_times", "precise", &["id"]));
    for id in [1, 2, 101, 102] {
        let beyond = precise.remove(&id).expect("a row");
        assert_eq!(beyond["c_date"].as_deref(), date(id), "row {id}");
        assert_eq!(beyond["c_timestamp3"], plain[&id]["c_timestamp3"]);
    }
    assert_same(&plain, &precise, &[]);
}

#[test]
fn what_is_not_a_number_keeps_debeziums_name() {
    let rows = rows(&captured("not_numbers", "plain", &["id"]));
    let free = |id: i64| rows[&id]["c_numeric_free"].as_deref();
    assert_eq!(free(1), Some("\"NAN\""));
    assert_eq!(free(2), Some("\"1.10\""));
    assert_eq!(free(3), Some("\"POSITIVE_INFINITY\""));
    assert_eq!(free(4), Some("\"NEGATIVE_INFINITY\""));
}

#[test]
fn a_key_is_the_same_in_all_modes() {
    let key = ["e", "d", "c", "b", "a"];
    let of = |mode: &str| {
        let change = captured("typed_key", mode, &key).remove(0);
        assert!(change.key.shape().names().eq(key), "the configured order");
        columns(&change.key)
    };
    let plain = of("plain");
    assert_eq!(plain["a"].as_deref(), Some("\"2017-09-15Z\""));
    for mode in ["precise", "nanoseconds"] {
        assert_eq!(of(mode), plain, "{mode}");
    }
}

#[test]
fn unchanged_large_values_are_unavailable_in_every_form() {
    for mode in ["plain", "precise"] {
        let changes = captured("toasted", mode, &["id"]);
        // An update, the two halves of a changed key, and a delete.
        let [update, gone, moved, deleted] = changes.as_slice() else {
            panic!("{} changes", changes.len());
        };
        assert!(gone.after.is_none() && deleted.after.is_none());
        for change in [update, moved] {
            let row = change.after.as_ref().expect("a row");
            assert_eq!(row.get("n"), Some(Value::Json("2")), "{mode}");
            let mut large = row.columns().filter(|(name, _)| name.contains('_'));
            assert!(
                large.all(|(_, value)| value == Value::Unavailable),
                "{mode}"
            );
        }
        let moved_from = moved.moved_from.as_ref().expect("the old key");
        assert_eq!(moved_from.get("id"), Some(Value::Json("1")));
    }
}

#[test]
fn keys_that_rows_swap_or_pass_through_leave_the_right_rows() {
    for mode in ["plain", "precise"] {
        let left = applied(&captured("swapped", mode, &["id"]));
        let names: Vec<(i64, Option<&str>)> = left
            .iter()
            .map(|(id, row): (&i64, &Columns)| (*id, row["name"].as_deref()))
            .collect();
        // 1 and 2 swapped their keys and then 2 was deleted; 5 moved to 6 and on to 7.
        assert_eq!(names, [(1, Some("\"b\"")), (7, Some("\"e\""))], "{mode}");
    }
}

#[test]
fn the_old_key_of_a_header_without_schema_has_the_record_keys_types() {
    let key = ["a", "b", "c", "d", "e"];
    let mut records = records("typed_key.precise");
    records[0].old_key = Some(
        r#"{"a":17424,"b":"00112233-4455-6677-8899-aabbccddeeff","c":"BM4=","d":"k \"q\"","e":1562639337123456}"#.into(),
    );
    let change = changes(table("typed_key", &key), &records).remove(0);
    let moved_from = change.moved_from.as_ref().expect("the old key");
    assert_eq!(columns(moved_from), columns(&change.key));
}
