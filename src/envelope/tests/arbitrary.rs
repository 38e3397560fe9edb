//! Whatever arrives, decoding answers and never panics, and what it lets through is JSON.

use proptest::prelude::*;
use proptest::sample::Index;

use super::{decoder, envelope, table};
use crate::change::{Row, TableId, Value};
use crate::envelope::{Decoded, Decoder, Input, KeyMoves};

/// Records of real connectors, one with each mode's schema.
const CAPTURED: [&str; 4] = [
    include_str!("../../../tests/fixtures/envelopes/every_type.precise.jsonl"),
    include_str!("../../../tests/fixtures/envelopes/every_type.double.jsonl"),
    include_str!("../../../tests/fixtures/envelopes/far_times.precise.jsonl"),
    include_str!("../../../tests/fixtures/envelopes/typed_key.precise.jsonl"),
];

#[derive(serde::Deserialize)]
struct Captured {
    key: String,
    value: String,
}

/// One way to spoil a text.
#[derive(Clone, Debug)]
enum Spoil {
    Replace(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Truncate(Index),
}

fn spoil() -> impl Strategy<Value = Spoil> {
    let token = prop::sample::select(vec![
        "\"",
        "\\",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "null",
        "-",
        "1e999",
        "\\ud800",
        " \n",
        "é",
        "\"op\":\"u\",",
        "9223372036854775808",
        "\0",
    ]);
    prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Spoil::Replace(at, byte)),
        (any::<Index>(), token).prop_map(|(at, token)| Spoil::Insert(at, token.into())),
        (any::<Index>(), 1..40_usize).prop_map(|(at, length)| Spoil::Remove(at, length)),
        any::<Index>().prop_map(Spoil::Truncate),
    ]
}

fn spoilt(text: &str, spoils: &[Spoil]) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for spoil in spoils {
        let length = bytes.len().max(1);
        match spoil {
            Spoil::Replace(at, byte) => {
                let at = at.index(length);
                bytes.splice(at..(at + 1).min(bytes.len()), [*byte]);
            }
            Spoil::Insert(at, token) => {
                let at = at.index(length).min(bytes.len());
                bytes.splice(at..at, token.iter().copied());
            }
            Spoil::Remove(at, count) => {
                let at = at.index(length).min(bytes.len());
                bytes.drain(at..(at + count).min(bytes.len()));
            }
            Spoil::Truncate(at) => bytes.truncate(at.index(length)),
        }
    }
    bytes
}

/// Decodes and, if it is a change, reads every column.
fn decode(decoder: &mut Decoder, key: &[u8], value: &[u8]) {
    let input = Input {
        key: Some(key),
        value: Some(value),
        old_key: Some(key),
        ..Input::default()
    };
    let decoded = decoder.decode(TableId(0), &mut KeyMoves::default(), input);
    match decoded {
        Ok(Decoded::Change(change)) => {
            let rows = [Some(change.key), change.before, change.after];
            rows.iter().flatten().for_each(assert_json);
        }
        Ok(_) => {}
        Err(error) => assert!(!error.to_string().is_empty() && !error.kind().is_empty()),
    }
}

fn assert_json(row: &Row) {
    for (_, value) in row.columns() {
        if let Value::Json(text) = value {
            assert!(!text.contains(['\n', '\r']), "one line: {text}");
            let read = serde_json::from_str::<&serde_json::value::RawValue>(text);
            assert_eq!(read.expect("JSON").get(), text);
        }
    }
}

fn captured_table(source: &str) -> crate::config::Table {
    let mut table = table();
    let names = ["every_type", "far_times", "typed_key"];
    let name = names.iter().find(|name| source.contains(**name));
    table.table = (*name.expect("a captured table")).into();
    if table.table == "typed_key" {
        table.key = ["a", "b", "c", "d", "e"].map(str::to_owned).into();
    }
    table
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(key: Vec<u8>, value: Vec<u8>) {
        decode(&mut decoder(), &key, &value);
    }

    #[test]
    fn spoilt_plain_records_never_panic(
        in_value in prop::collection::vec(spoil(), 0..4),
        in_key in prop::collection::vec(spoil(), 0..2),
    ) {
        let row = r#"{"id":1,"body":"__debezium_unavailable_value","attributes":"{\"a\": [1]}","tags":["a"],"t":"+292278994-08-16Z"}"#;
        let value = spoilt(envelope("u", row, row), &in_value);
        decode(&mut decoder(), &spoilt(r#"{"id":1}"#, &in_key), &value);
    }

    #[test]
    fn spoilt_records_with_schemas_never_panic(
        captured in prop::sample::select(CAPTURED.to_vec()),
        in_value in prop::collection::vec(spoil(), 0..4),
        in_key in prop::collection::vec(spoil(), 0..2),
    ) {
        let line = captured.lines().next().expect("a record");
        let good: Captured = serde_json::from_str(line).expect("a fixture");
        let mut decoder = Decoder::new(&[captured_table(&good.value)]);
        // The second and third time the schema is known.
        decode(&mut decoder, good.key.as_bytes(), good.value.as_bytes());
        let key = spoilt(&good.key, &in_key);
        decode(&mut decoder, &key, &spoilt(&good.value, &in_value));
        decode(&mut decoder, good.key.as_bytes(), good.value.as_bytes());
    }
}
