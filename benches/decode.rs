//! How long one record takes to decode: `cargo bench --bench decode`.
//!
//! The event is an update of the shop's products of 1 KB, plain and with its schema, under default
//! and full identity. Copying the record is part of the figure, as Kafka's client copies it too.

use std::hint::black_box;
use std::time::Duration;

use distributary::change::TableId;
use distributary::config::{OnTruncate, Table};
use distributary::envelope::{Decoder, Input, KeyMoves};

const ROUNDS: u32 = 200_000;

fn main() {
    let plain = envelope("null");
    let full = envelope(&row());
    let wrapped = format!(r#"{{"schema":{},"payload":{plain}}}"#, schema());
    for (name, value, table) in [
        ("plain", &plain, table(false, &[])),
        ("full identity", &full, table(true, &[])),
        ("a json column", &plain, table(false, &["attributes"])),
        ("with its schema", &wrapped, table(false, &[])),
    ] {
        let nanos = measure(value, table);
        println!("{name:16} {:6} bytes {nanos:8.0} ns", value.len());
    }
}

/// The time this thread has had a processor, so that other programs do not count.
fn on_cpu() -> Duration {
    let statistics = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = statistics
        .split(' ')
        .next()
        .and_then(|text| text.parse().ok());
    Duration::from_nanos(nanos.expect("Linux says how long a thread ran"))
}

/// The best of five means.
fn measure(value: &str, table: Table) -> f64 {
    let mut decoder = Decoder::new(&[table]);
    let mut moves = KeyMoves::default();
    let mut round = || {
        let start = on_cpu();
        for offset in 0..ROUNDS {
            let record = Input {
                key: Some(br#"{"id":1234567}"#.to_vec()),
                value: Some(value.as_bytes().to_vec()),
                offset: offset.into(),
                timestamp_ms: 0,
                old_key: None,
            };
            let decoded = decoder.decode(TableId(0), &mut moves, record);
            black_box(decoded).expect("a good record");
        }
        (on_cpu() - start).as_secs_f64() * 1e9 / f64::from(ROUNDS)
    };
    (0..5).map(|_| round()).fold(f64::INFINITY, f64::min)
}

fn table(full_identity: bool, json: &[&str]) -> Table {
    Table {
        name: "products".into(),
        schema: "public".into(),
        table: "products".into(),
        topic: "products-events".into(),
        key: vec!["id".into()],
        full_identity,
        json: json.iter().map(|column| (*column).to_owned()).collect(),
        epoch: 0,
        on_truncate: OnTruncate::Stop,
    }
}

fn envelope(before: &str) -> String {
    format!(
        r#"{{"before":{before},"after":{},"source":{{"version":"3.7.0.Final","connector":"postgresql","name":"ecommerce","ts_ms":1700000000123,"snapshot":null,"db":"ecommerce","sequence":"[\"24023119\",\"24023128\"]","ts_us":1700000000123456,"ts_ns":1700000000123456000,"schema":"public","table":"products","txId":556,"lsn":24023128,"xmin":null,"origin":null,"origin_lsn":null}},"transaction":null,"op":"u","ts_ms":1700000000200,"ts_us":1700000000200311,"ts_ns":1700000000200311000}}"#,
        row()
    )
}

fn row() -> String {
    let description = "A wireless laptop with a long description. ".repeat(4);
    format!(
        r#"{{"id":1234567,"category_id":42,"slug":"wireless-laptop-1234567","name":"Wireless Laptop","description":"{description}","brand":"Acme","tags":["laptop","wireless","sale"],"price":"1299.95","stock":17,"status":"active","is_featured":true,"attributes":"{{\"weight\": 1.25, \"color\": \"grey\"}}","updated_at":"2026-11-21T09:52:08.108380Z"}}"#
    )
}

fn schema() -> String {
    let column =
        |name: &str, kind: &str| format!(r#"{{"type":"{kind}","optional":true,"field":"{name}"}}"#);
    let texts = "category_id slug name description brand tags price stock status is_featured \
                 attributes updated_at";
    let columns: Vec<String> = texts
        .split(' ')
        .map(|name| column(name, "string"))
        .collect();
    let row = |field: &str| {
        let columns = columns.join(",");
        format!(r#"{{"type":"struct","fields":[{columns}],"optional":true,"field":"{field}"}}"#)
    };
    format!(
        r#"{{"type":"struct","fields":[{},{}],"optional":false,"name":"ecommerce.public.products.Envelope"}}"#,
        row("before"),
        row("after")
    )
}
