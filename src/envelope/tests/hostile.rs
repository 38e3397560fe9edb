//! Records that are made to hurt: decoding ends soon, on a small stack, and what it lets through is
//! no larger than what came.

use std::time::{Duration, Instant};

use super::{decoder, envelope};
use crate::change::{TableId, Value};
use crate::envelope::{Decoded, Input, KeyMoves};

/// A megabyte of whatever hurts.
const MANY: usize = 1 << 20;

/// What a thread of the program may use at least; a recursion as deep as the text would not fit.
const STACK: usize = 512 << 10;

/// An unoptimised build on a busy machine takes a fraction of it; quadratic work takes minutes.
const SOON: Duration = Duration::from_secs(20);

/// Decodes the record; the error's name, or `change`. Twice, because shapes are remembered.
fn outcome(key: String, value: String) -> &'static str {
    let decoding = move || {
        let mut decoder = decoder();
        let mut decode = || {
            let input = Input {
                key: Some(key.as_bytes()),
                value: Some(value.as_bytes()),
                old_key: Some(key.as_bytes()),
                ..Input::default()
            };
            decoder.decode(TableId(0), &mut KeyMoves::default(), input)
        };
        drop(decode());
        match decode() {
            Ok(Decoded::Change(change)) => {
                let row = change.after.expect("an update");
                let texts = row.columns().filter_map(|(_, it)| Value::json(it));
                let bytes: usize = texts.map(str::len).sum();
                assert!(bytes <= value.len(), "{bytes} of {}", value.len());
                "change"
            }
            Ok(_) => "ignored",
            Err(error) => {
                assert!(error.to_string().len() < 1000, "an error is for people");
                error.kind()
            }
        }
    };
    let begun = Instant::now();
    let thread = std::thread::Builder::new().stack_size(STACK);
    let outcome = thread.spawn(decoding).expect("a thread").join();
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    outcome.expect("no panic")
}

fn of_row(row: &str) -> &'static str {
    outcome(
        r#"{"id":1}"#.to_owned(),
        envelope("u", "null", row).to_owned(),
    )
}

/// `open`, a megabyte of them, and what closes them.
fn bomb(open: &str, close: &str) -> String {
    let times = MANY / open.len();
    format!("{}1{}", open.repeat(times), close.repeat(times))
}

#[test]
fn a_depth_bomb_is_an_error_wherever_it_is() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[", "")] {
        let bomb = bomb(open, close);
        let quoted = serde_json::to_string(&bomb).expect("text");
        let good = envelope("u", "null", r#"{"id":1}"#);
        let records = [
            of_row(&format!(r#"{{"id":1,"body":{bomb}}}"#)),
            of_row(&format!(r#"{{"id":1,"attributes":{quoted}}}"#)),
            outcome(bomb.clone(), good.to_owned()),
            outcome(format!(r#"{{"id":{bomb}}}"#), good.to_owned()),
            outcome(r#"{"id":1}"#.to_owned(), bomb.clone()),
            outcome(
                r#"{"id":1}"#.to_owned(),
                format!(r#"{{"transaction":{bomb}}}"#),
            ),
            outcome(
                r#"{"id":1}"#.to_owned(),
                format!(r#"{{"schema":{bomb},"payload":null}}"#),
            ),
        ];
        assert!(!records.contains(&"change"), "{open}: {records:?}");
    }
}

#[test]
fn a_number_of_a_megabyte_keeps_every_digit_or_is_an_error() {
    let digits = "9".repeat(MANY);
    assert_eq!(of_row(&format!(r#"{{"id":1,"body":{digits}}}"#)), "change");
    assert_eq!(
        of_row(&format!(r#"{{"id":1,"body":1e{digits}}}"#)),
        "change"
    );
    // A time like that is none; the row is a row all the same.
    let value = envelope("u", "null", r#"{"id":1}"#).replace("1700000000123", &digits);
    assert_eq!(outcome(r#"{"id":1}"#.to_owned(), value), "change");
}

#[test]
fn what_is_no_json_is_an_error() {
    for no_json in [
        "NaN",
        "Infinity",
        "-Infinity",
        "01",
        "+1",
        ".5",
        "1.",
        "'a'",
        "\"\\ud8\"",
        "{,}",
    ] {
        let outcome = of_row(&format!(r#"{{"id":1,"body":{no_json}}}"#));
        assert_ne!(outcome, "change", "{no_json}");
    }
}

#[test]
fn many_columns_duplicate_columns_and_escapes_take_their_length_and_no_more() {
    let many: String = (0..MANY / 16)
        .map(|it| format!(r#","c{it}":{it}"#))
        .collect();
    let same = r#","c":1"#.repeat(MANY / 6);
    let surrogates = "\\ud800".repeat(MANY / 6);
    let pairs = "\\ud83d\\ude00".repeat(MANY / 12);
    let white = " \n".repeat(MANY / 2);
    for row in [
        format!(r#"{{"id":1{many}}}"#),
        format!(r#"{{"id":1{same}}}"#),
        format!(r#"{{"id":1,"body":"{surrogates}"}}"#),
        format!(r#"{{"id":1,"body":"{pairs}"}}"#),
        format!(r#"{{"id":1,"body":[{white}1{white}]}}"#),
    ] {
        of_row(&row);
    }
}
