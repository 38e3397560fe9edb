//! Debezium's events of 1 KB: updates of the example shop's products.

use distributary::config::{OnTruncate, Table};

/// The table of these events.
pub(crate) fn table() -> Table {
    Table {
        name: "products".into(),
        schema: "public".into(),
        table: "products".into(),
        topic: "products-events".into(),
        key: vec!["id".into()],
        full_identity: false,
        json: Vec::new(),
        epoch: 0,
        on_truncate: OnTruncate::Stop,
    }
}

/// The record key of a product.
pub(crate) fn key(id: u64) -> String {
    format!(r#"{{"id":{id}}}"#)
}

/// An update without its old row.
pub(crate) fn plain(id: u64) -> String {
    envelope(id, "null")
}

/// An update with its old row.
pub(crate) fn full(id: u64) -> String {
    envelope(id, &row(id))
}

/// An update with its schema, as converters write it by default.
pub(crate) fn wrapped(id: u64) -> String {
    format!(r#"{{"schema":{},"payload":{}}}"#, schema(), plain(id))
}

fn envelope(id: u64, before: &str) -> String {
    format!(
        r#"{{"before":{before},"after":{},"source":{{"version":"3.7.0.Final","connector":"postgresql","name":"ecommerce","ts_ms":1700000000123,"snapshot":null,"db":"ecommerce","sequence":"[\"24023119\",\"24023128\"]","ts_us":1700000000123456,"ts_ns":1700000000123456000,"schema":"public","table":"products","txId":556,"lsn":24023128,"xmin":null,"origin":null,"origin_lsn":null}},"transaction":null,"op":"u","ts_ms":1700000000200,"ts_us":1700000000200311,"ts_ns":1700000000200311000}}"#,
        row(id)
    )
}

fn row(id: u64) -> String {
    let description = "A wireless laptop with a long description. ".repeat(4);
    format!(
        r#"{{"id":{id},"category_id":42,"slug":"wireless-laptop-{id}","name":"Wireless Laptop","description":"{description}","brand":"Acme","tags":["laptop","wireless","sale"],"price":"1299.95","stock":17,"status":"active","is_featured":true,"attributes":"{{\"weight\": 1.25, \"color\": \"grey\"}}","updated_at":"2026-11-21T09:52:08.108380Z"}}"#
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
