//! `explain`: what one record means to each store.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::{Value, json};

use super::{command, example, said, text};
use crate::support::feed::{Feed, change, row};
use crate::support::kafka::Record;

/// An update of a product that moves it to another category.
fn moved() -> Value {
    let product = |category: i64, name: &str| {
        json!({
            "id": 42, "name": name, "slug": "trail-lamp", "description": "bright", "brand": "Lux",
            "tags": ["a"], "price": "19.90", "stock": 3, "is_featured": false, "status": "active",
            "category_id": category, "attributes": "{\"weight\": 1.50}", "updated_at": 1,
            "created_at": 1,
        })
    };
    json!({
        "before": product(7, "Lamp"), "after": product(9, "Trail Lamp"),
        "source": {"schema": "public", "table": "products", "ts_ms": 1_700_000_000_000_i64},
        "op": "u", "ts_ms": 1_700_000_000_100_i64,
    })
}

/// Explains what comes on standard input.
fn explain(event: &str, arguments: &[&str]) -> std::process::Output {
    let arguments = [&["explain", "-"], arguments].concat();
    let mut child = command(example(), &arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(event.as_bytes()).unwrap();
    drop(stdin);
    child.wait_with_output().unwrap()
}

#[test]
fn a_change_is_explained_for_each_projection_of_its_table_and_no_other() {
    for event in [
        moved(),
        json!({"schema": {"type": "struct"}, "payload": moved()}),
    ] {
        let output = explain(&event.to_string(), &[]);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        let said = text(&output.stdout);
        for part in [
            "products {\"id\":42} updated, version 0\n",
            "\nsearch · products-index\n  index products/42\n  {\"id\":42,\"name\":\"Trail Lamp\"",
            "\"attributes\":{\"weight\":1.50},\"weight\":1.50,",
            "\n  UNLINK product:42\n",
            "\n  UNLINK category:7:products\n",
            "\n  UNLINK category:9:products\n",
            "\ngraph · product-node\n  merge (:Product {id: 42})\n  name = \"Trail Lamp\"\n",
            "  merge (:Product {id: 42})-[:IN_CATEGORY]->(:Category {id: 9})",
        ] {
            assert!(said.contains(part), "{part} in {said}");
        }
        assert!(
            !said.contains("orders-index") && !said.contains("products:featured"),
            "{said}"
        );
    }
    let output = explain(&moved().to_string(), &["--projection", "product-node"]);
    let said = text(&output.stdout);
    assert!(
        said.contains("product-node") && !said.contains("UNLINK"),
        "{said}"
    );
}

#[test]
fn the_key_of_a_row_with_a_schema_is_what_the_schema_makes_of_it() {
    let mut change = moved();
    for image in ["before", "after"] {
        // 42, as Connect writes a decimal.
        change[image]["id"] = "Kg==".into();
    }
    let decimal = "org.apache.kafka.connect.data.Decimal";
    let id = json!({"field": "id", "type": "bytes", "name": decimal, "parameters": {"scale": "0"}});
    let row = |field: &str| json!({"field": field, "type": "struct", "fields": [id]});
    let schema = json!({"type": "struct", "fields": [row("before"), row("after")]});
    let event = json!({"schema": schema, "payload": change});
    let said = said(&explain(&event.to_string(), &[]));
    for part in [
        r#"products {"id":"42"} updated"#,
        "\n  index products/42\n",
        "\n  UNLINK product:42\n",
        r#"merge (:Product {id: "42"})"#,
    ] {
        assert!(said.contains(part), "{part} in {said}");
    }
}

#[test]
fn a_placeholder_that_is_taken_for_a_value_is_told() {
    let mut change = moved();
    change["after"]["description"] = "__debezium_unavailable_value".into();
    let told = "taken for a value, in description";
    let sent = said(&explain(&change.to_string(), &[]));
    assert!(!sent.contains(told), "{sent}");
    change["op"] = "c".into();
    change["before"] = Value::Null;
    let unsent = said(&explain(&change.to_string(), &[]));
    assert!(
        unsent.contains(told) && unsent.contains("__debezium.oldkey"),
        "{unsent}"
    );
}

#[test]
fn what_is_no_change_of_a_configured_table_is_refused_and_names_what_there_is() {
    let mut other = moved();
    other["source"]["table"] = "prodcts".into();
    let mut unkeyed = moved();
    unkeyed["after"].as_object_mut().unwrap().remove("id");
    for (event, says) in [
        ("{\"a\"".to_owned(), "no change as Debezium writes it"),
        ("{\"a\":1}".to_owned(), "no `source`"),
        ("null\n".to_owned(), "is a tombstone"),
        (other.to_string(), "public.products, public.users"),
        (unkeyed.to_string(), "no column id"),
    ] {
        let output = explain(&event, &[]);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(says), "{says} in {said}");
    }
    let output = explain(&moved().to_string(), &["--projection", "prodcts"]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    let missing = command(example(), &["explain", "nowhere.json"])
        .output()
        .unwrap();
    assert_eq!(missing.status.code(), Some(2));
    assert!(said(&missing).contains("cannot read nowhere.json"));
}

#[test]
fn what_a_change_cannot_mean_is_said() {
    let mut without = moved();
    without["before"] = Value::Null;
    let output = explain(&without.to_string(), &["--projection", "product-cache"]);
    let unknown = said(&output);
    assert!(unknown.contains("the old row is missing"), "{unknown}");
    let output = explain(&moved().to_string(), &["--projection", "user-node"]);
    let unread = said(&output);
    assert!(
        unread.contains("none of these projections reads this table"),
        "{unread}"
    );
    assert!(!unread.contains("old row"), "{unread}");
}

#[test]
fn a_change_that_can_never_be_applied_says_why_and_exits_1() {
    let mut poison = moved();
    poison["op"] = "x".into();
    let output = explain(&poison.to_string(), &[]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(text(&output.stdout).contains("can never be applied"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_kafka_is_explained_by_its_place() {
    let feed = Feed::new(1).await;
    feed.insert(1).await;
    let tombstone = Record {
        key: change("d", Some(row(1, "new")), None).key,
        ..Record::default()
    };
    feed.send(tombstone).await;
    let topic = feed.topic();
    let at = |offset: &str| {
        let arguments = [
            "explain",
            "--topic",
            &topic,
            "--partition",
            "0",
            "--offset",
            offset,
        ];
        feed.call.output(&arguments)
    };
    let inserted = at("0");
    assert_eq!(inserted.status.code(), Some(0), "{}", said(&inserted));
    let alias = format!("index {}-items/1\n", feed.name);
    for part in [
        "items {\"id\":1} inserted, version 0",
        &alias,
        "UNLINK item:1",
    ] {
        let said = said(&inserted);
        assert!(said.contains(part), "{part} in {said}");
    }
    let deleted = said(&at("1"));
    assert!(
        deleted.contains("items {\"id\":1} deleted, version 1"),
        "{deleted}"
    );
    let beyond = at("2");
    assert_eq!(beyond.status.code(), Some(1));
    assert!(said(&beyond).contains("no record at offset 2"));
}
