//! Bytes to a change.

use std::hint::black_box;

use criterion::Criterion;
use distributary::change::TableId;
use distributary::config::Table;
use distributary::envelope::{Decoder, Input, KeyMoves};

use crate::support::cpu::{self, OnCpu};
use crate::support::event;

const ID: u64 = 1_234_567;

pub(crate) fn all(criterion: &mut Criterion<OnCpu>) {
    let with_json = Table {
        json: vec!["attributes".to_owned()],
        ..event::table()
    };
    let with_old_rows = Table {
        full_identity: true,
        ..event::table()
    };
    let mut group = criterion.benchmark_group("decode");
    for (name, value, table) in [
        ("plain", event::plain(ID), event::table()),
        ("with its old row", event::full(ID), with_old_rows),
        ("with a json column", event::plain(ID), with_json),
        ("with its schema", event::wrapped(ID), event::table()),
    ] {
        let mut records = Records::new(value, table);
        let name = format!("{name}, {} bytes", records.value.len());
        group.bench_function(name, |bencher| bencher.iter(|| records.decode_next()));
    }
    group.finish();
    schemas_are_recognised();
}

/// A schema is longer than a row; read each time, it would cost several rows.
fn schemas_are_recognised() {
    let [plain, wrapped] = [event::plain(ID), event::wrapped(ID)].map(|value| {
        let mut records = Records::new(value, event::table());
        let mut round = || {
            let begun = cpu::of_this_thread();
            (0..50_000).for_each(|_| records.decode_next());
            cpu::of_this_thread() - begun
        };
        let best = (0..5).map(|_| round()).min();
        best.expect("five rounds")
    });
    let ratio = wrapped.as_secs_f64() / plain.as_secs_f64();
    println!("decode/with its schema is {ratio:.2} times plain (at most 2)");
    assert!(ratio < 2.0, "schemas are read again for each record");
}

/// One record, again and again.
struct Records {
    decoder: Decoder,
    moves: KeyMoves,
    key: String,
    value: String,
    offset: i64,
}

impl Records {
    fn new(value: String, table: Table) -> Self {
        Self {
            decoder: Decoder::new(&[table]),
            moves: KeyMoves::default(),
            key: event::key(ID),
            value,
            offset: 0,
        }
    }

    fn decode_next(&mut self) {
        self.offset += 1;
        let record = Input {
            key: Some(self.key.as_bytes()),
            value: Some(self.value.as_bytes()),
            offset: self.offset,
            timestamp_ms: 0,
            old_key: None,
        };
        let decoded = self.decoder.decode(TableId(0), &mut self.moves, record);
        drop(black_box(decoded.expect("a good record")));
    }
}
