//! Whatever decodes, every model makes something bounded of it or says why not; it never panics.

use proptest::prelude::*;

use super::cache::CacheProjector;
use super::document::{Action, DocumentProjector};
use super::graph::GraphProjector;
use super::{Mutation, ProjectError, Projector};
use crate::change::{Change, ProjectionId, TableId};
use crate::config::{
    Cache, Document, Field, Invalidation, Node, NodePattern, Property, Relationship, Table,
};
use crate::envelope::{Decoded, Decoder, Input, KeyMoves};

/// A table of the columns `id`, `a`, `b` and `c`, the last of which is JSON.
fn table() -> Table {
    Table {
        full_identity: true,
        json: vec!["c".into()],
        ..Table::named("t")
    }
}

/// JSON texts as no connector would write them, and some that it would.
fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("\"__debezium_unavailable_value\"".to_owned()),
        any::<bool>().prop_map(|it| it.to_string()),
        "-?(0|[1-9][0-9]{0,60})(\\.[0-9]{1,60})?([eE][+-]?[0-9]{1,9})?",
        "\"(\\\\u[0-9a-fA-F]{4}|\\\\[\"\\\\/bfnrt]|[a-z{}%\u{e9}\u{1f600}]){0,12}\"",
        any::<String>().prop_map(|it| serde_json::to_string(&it).unwrap()),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let name = "[ab]|\\PC{0,3}".prop_map(|it| serde_json::to_string(&it).unwrap());
        let members = prop::collection::vec((name, inner.clone()), 0..4);
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(|it| format!("[{}]", it.join(","))),
            members.prop_map(|members| {
                let member = |(name, value): &(String, String)| format!("{name}:{value}");
                let members: Vec<_> = members.iter().map(member).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

/// A row; columns may be missing or come twice.
fn row() -> impl Strategy<Value = String> {
    let column = prop::sample::select(vec!["id", "a", "b", "c", "d"]);
    let columns = prop::collection::vec((column, json()), 0..7);
    columns.prop_map(|columns| {
        let column = |(name, value): &(&str, String)| format!(",\"{name}\":{value}");
        let columns: String = columns.iter().map(column).collect();
        format!("{{\"id\":1{columns}}}")
    })
}

/// A record's value; plain, or as by a converter that sends schemas.
fn value(op: &str, before: &str, after: &str, with_schema: bool) -> String {
    let source = r#"{"schema":"public","table":"t","ts_ms":1,"txId":1}"#;
    let after = if op == "d" { "null" } else { after };
    let mut value =
        format!(r#"{{"op":"{op}","before":{before},"after":{after},"source":{source}}}"#);
    if with_schema {
        let row = r#"{"type":"struct","fields":[{"field":"id","type":"int32"},{"field":"a","type":"string"},{"field":"b","type":"bytes","name":"org.apache.kafka.connect.data.Decimal"},{"field":"c","type":"string","name":"io.debezium.data.Json"}]"#;
        value = format!(
            r#"{{"schema":{{"type":"struct","fields":[{row},"field":"before"}},{row},"field":"after"}}]}},"payload":{value}}}"#
        );
    }
    value
}

fn decode<'a>(op: &str, value: &'a str) -> Option<Change<'a>> {
    let input = Input {
        key: Some(br#"{"id":1}"#),
        value: Some(value.as_bytes()),
        old_key: (op == "c").then_some(br#"{"id":2}"#),
        ..Input::default()
    };
    let decoded = Decoder::new(&[table()]).decode(TableId(0), &mut KeyMoves::default(), input);
    match decoded {
        Ok(Decoded::Change(change)) => Some(change),
        _ => None,
    }
}

fn documents() -> [DocumentProjector; 3] {
    let field = |name: &str, path: &[&str]| Field {
        name: name.into(),
        column: name.into(),
        path: path.iter().map(|it| (*it).to_owned()).collect(),
    };
    let some = vec![field("a", &[]), field("b", &["a"]), field("c", &["a", "b"])];
    [
        (None, None),
        (Some(some), None),
        (None, Some("after.a == 'x' or after.b")),
    ]
    .map(|(fields, when)| {
        let document = Document {
            from: TableId(0),
            alias: "t".into(),
            settings: None,
            fields,
            when: when.map(str::to_owned),
        };
        DocumentProjector::new(ProjectionId(0), "t", &document).unwrap()
    })
}

fn keys() -> CacheProjector {
    let keys = [
        ("t:{{ key.id }}", None),
        ("t:{{ either.a }}:{{ either.b | lower }}", None),
        ("t:{{ after.c.a.b }}", Some("changed.a")),
        (
            "t:{{ after.c[0] }}",
            Some("after.a > 5 and after.b | float < 1"),
        ),
        ("t:{{ before.b }}", Some("either.c.a is none")),
    ];
    let invalidate = keys.iter().map(|(key, when)| Invalidation {
        key: (*key).to_owned(),
        when: when.map(str::to_owned),
    });
    let cache = Cache {
        from: TableId(0),
        invalidate: invalidate.collect(),
    };
    CacheProjector::new(ProjectionId(0), &cache, "t").unwrap()
}

fn graph() -> [GraphProjector; 2] {
    let properties = |names: &[&str]| -> Vec<Property> {
        let property = |name: &&str| Property {
            name: (*name).to_owned(),
            column: (*name).to_owned(),
        };
        names.iter().map(property).collect()
    };
    let pattern = |key: &[&str], others: &[&str]| NodePattern {
        label: "T".into(),
        key: properties(key),
        properties: properties(others),
    };
    let node = Node {
        from: TableId(0),
        node: pattern(&["id"], &["a", "b", "c"]),
        when: None,
    };
    let relationship = Relationship {
        from: TableId(0),
        start: pattern(&["id"], &[]),
        kind: "R".into(),
        properties: properties(&["b"]),
        end: pattern(&["a"], &[]),
        when: None,
    };
    [
        GraphProjector::node(ProjectionId(0), "t", &node).unwrap(),
        GraphProjector::relationship(ProjectionId(0), "t", &relationship).unwrap(),
    ]
}

/// What a projector makes; no more bytes than it could copy of each column a few times.
fn project<P: Projector>(projector: &P, change: &Change<'_>, record: usize) -> Vec<P::Mutation> {
    let mut made = Vec::new();
    match projector.project(change, &mut made) {
        Ok(()) => {}
        Err(error) => {
            assert!(!error.to_string().is_empty() && !ProjectError::kind(&error).is_empty());
            return Vec::new();
        }
    }
    let bytes: usize = made.iter().map(Mutation::bytes).sum();
    assert!(bytes <= 4 * record + 1000, "{bytes} bytes of {record}");
    made
}

proptest! {
    #[test]
    fn whatever_decodes_every_model_makes_something_bounded_of_it_or_says_why_not(
        op in prop::sample::select(vec!["c", "u", "r", "d"]),
        before in prop_oneof![Just("null".to_owned()), row()],
        after in row(),
        with_schema: bool,
    ) {
        let value = value(op, &before, &after, with_schema);
        let Some(change) = decode(op, &value) else {
            return Ok(());
        };
        let record = value.len();
        for projector in documents() {
            for document in project(&projector, &change, record) {
                let body = match &document.action {
                    Action::Index(body) => body.as_str(),
                    Action::Partial(partial) => partial.known.as_str(),
                    Action::Delete => "{}",
                };
                prop_assert!(!body.contains(['\n', '\r']), "one line: {}", body);
                prop_assert!(serde_json::from_str::<&serde_json::value::RawValue>(body).is_ok());
            }
        }
        project(&keys(), &change, record);
        for projector in graph() {
            project(&projector, &change, record);
        }
    }
}
