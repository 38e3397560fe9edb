//! Change events as Debezium's JSON converter writes them without schemas.

use std::fmt::Write as _;

use crate::load::{Event, Op};
use crate::rows::Rows;

/// When the events of a preloaded topic were committed, in ms since the Unix epoch.
const PAST: u64 = 1_795_262_943_314;

/// Appends the record value of an event that was committed at `at_ms`, or long ago; nothing for a
/// tombstone.
pub(crate) fn value(rows: &Rows, event: Event, at_ms: Option<u64>, out: &mut String) {
    let Event { key, revision, op } = event;
    let row = |revision: Option<u16>, out: &mut String| match revision {
        Some(revision) => rows.row(key, revision, out),
        None => out.push_str("null"),
    };
    let (before, after, letter) = match op {
        Op::Create => (None, Some(revision), 'c'),
        Op::Update => (Some(revision - 1), Some(revision), 'u'),
        Op::Delete => (Some(revision), None, 'd'),
        Op::Tombstone => return,
    };
    out.push_str("{\"before\":");
    row(before, out);
    out.push_str(",\"after\":");
    row(after, out);
    let ms = at_ms.unwrap_or(PAST);
    let table = rows.name();
    let position = 288_605_856 + u64::from(key) * 56;
    write!(
        out,
        r#","source":{{"version":"3.7.0.Final","connector":"postgresql","name":"shop","ts_ms":{ms},"snapshot":"false","db":"ecommerce","sequence":"[\"{position}\",\"{position}\"]","ts_us":{ms}605,"ts_ns":{ms}605000,"schema":"public","table":"{table}","txId":{key},"lsn":{position},"xmin":null,"origin":null,"origin_lsn":null}},"transaction":null,"op":"{letter}","ts_ms":{ms},"ts_us":{ms}676,"ts_ns":{ms}676362}}"#
    )
    .expect("a string takes everything");
}
