//! What rows become, and how waiting mutations of one document become one.

use proptest::prelude::*;
use serde_json::Value as Json;

use super::*;
use crate::change::{Change, Op, Row, TableId};
use crate::config;
use crate::projector::{ProjectError, Projector};

fn projector(fields: Option<&[(&str, &str)]>, when: Option<&str>) -> DocumentProjector {
    let field = |(name, path): &(&str, &str)| {
        let mut path = path.split('.').map(str::to_owned);
        config::Field {
            name: (*name).to_owned(),
            column: path.next().unwrap(),
            path: path.collect(),
        }
    };
    let document = config::Document {
        from: TableId(0),
        alias: "products".into(),
        settings: None,
        fields: fields.map(|fields| fields.iter().map(field).collect()),
        when: when.map(str::to_owned),
    };
    DocumentProjector::new(ProjectionId(3), "products", &document).unwrap()
}

fn change(
    op: Op,
    version: i64,
    key: &[(&str, &str)],
    after: Option<Row<'static>>,
) -> Change<'static> {
    Change {
        table: TableId(0),
        op,
        key: Row::from_pairs(key),
        before: None,
        after,
        moved_from: None,
        version: Version::new(0, version),
        committed_at_ms: 0,
    }
}

/// A row whose value `-` is unavailable.
fn row(pairs: &[(&str, &str)]) -> Row<'static> {
    let columns = pairs
        .iter()
        .map(|&(name, json)| (name, (json != "-").then_some(json)));
    Row::of(&columns.collect::<Vec<_>>())
}

fn project(projector: &DocumentProjector, change: &Change<'_>) -> Document {
    let mut out = Vec::new();
    projector.project(change, &mut out).unwrap();
    assert_eq!(out.len(), 1);
    out.remove(0)
}

fn updated(version: i64, after: &[(&str, &str)]) -> Document {
    let change = change(Op::Update, version, &[("id", "1")], Some(row(after)));
    project(&projector(None, None), &change)
}

fn deleted(version: i64) -> Document {
    let change = change(Op::Delete, version, &[("id", "1")], None);
    project(&projector(None, None), &change)
}

fn body(document: &Document) -> &str {
    match &document.action {
        Action::Index(body) => body,
        Action::Partial(partial) => &partial.known,
        Action::Delete => panic!("a delete has no body"),
    }
}

fn partial(document: &Document) -> &Partial {
    match &document.action {
        Action::Partial(partial) => partial,
        other => panic!("not partial: {other:?}"),
    }
}

fn merged(mut older: Document, newer: Document) -> Document {
    older.merge(newer);
    older
}

#[test]
fn every_column_is_a_field_with_the_digits_it_came_with() {
    let after = [
        ("id", "9007199254740993"),
        ("price", "\"0.30\""),
        ("a\"b", "[1.10]"),
    ];
    let document = updated(7, &after);
    assert_eq!(
        body(&document),
        r#"{"id":9007199254740993,"price":"0.30","a\"b":[1.10]}"#
    );
    assert_eq!(document.version, Version::new(0, 7));
    assert_eq!(document.projection(), ProjectionId(3));
}

#[test]
fn chosen_fields_are_renamed_and_reach_into_json() {
    let projector = projector(
        Some(&[
            ("sku", "id"),
            ("weight", "attributes.weight"),
            ("no", "attributes.x.y"),
        ]),
        None,
    );
    for attributes in [r#"{"weight":1.50}"#, r#""{\"weight\": 1.50}""#] {
        let after = row(&[("id", "1"), ("attributes", attributes), ("rest", "2")]);
        let change = change(Op::Create, 1, &[("id", "1")], Some(after));
        let document = project(&projector, &change);
        assert_eq!(body(&document), r#"{"sku":1,"weight":1.50,"no":null}"#);
    }
}

#[test]
fn new_columns_are_noticed_and_a_column_that_went_is_named() {
    let projector = projector(Some(&[("name", "name")]), None);
    let made = |after: &[(&str, &str)]| change(Op::Read, 1, &[("id", "1")], Some(row(after)));
    let first = project(&projector, &made(&[("id", "1"), ("name", "\"a\"")]));
    assert_eq!(body(&first), r#"{"name":"a"}"#);
    let second = project(&projector, &made(&[("name", "\"b\""), ("id", "1")]));
    assert_eq!(body(&second), r#"{"name":"b"}"#);
    let error = projector.project(&made(&[("id", "1")]), &mut Vec::new());
    let Err(ProjectError::MissingColumn { column, .. }) = error else {
        panic!("{error:?}");
    };
    assert_eq!(column, "name");
}

#[test]
fn the_id_is_the_text_of_one_key_column_and_the_array_of_several() {
    let ids: [(&[(&str, &str)], &str); 5] = [
        (&[("id", "42")], "42"),
        (&[("id", r#""a-b""#)], "a-b"),
        (&[("id", r#""q\"\u00e9\n""#)], "q\"é\n"),
        (&[("a", r#""x,\"y""#), ("b", "1")], r#"["x,\"y",1]"#),
        (&[("a", r#""x""#), ("b", r#""y""#)], r#"["x","y"]"#),
    ];
    for (key, id) in ids {
        let change = change(Op::Delete, 1, key, None);
        assert_eq!(&*project(&projector(None, None), &change).key.id, id);
    }
}

#[test]
fn a_null_key_is_no_id() {
    let change = change(Op::Delete, 1, &[("id", "null")], None);
    let error = projector(None, None).project(&change, &mut Vec::new());
    assert!(
        matches!(error, Err(ProjectError::Unusable { .. })),
        "{error:?}"
    );
}

#[test]
fn a_condition_that_does_not_hold_deletes_and_is_not_asked_on_deletes() {
    let projector = projector(None, Some("after.status != 'draft'"));
    let with = |op, status| {
        let after = row(&[("id", "1"), ("status", status)]);
        project(&projector, &change(op, 1, &[("id", "1")], Some(after))).action
    };
    for op in [Op::Create, Op::Read, Op::Update] {
        assert_eq!(with(op, r#""draft""#), Action::Delete);
        assert!(matches!(with(op, r#""live""#), Action::Index(_)));
    }
    let delete = change(Op::Delete, 1, &[("id", "1")], None);
    assert_eq!(project(&projector, &delete).action, Action::Delete);
}

#[test]
fn a_row_that_leaves_its_key_to_another_changes_nothing_there() {
    let leave = change(Op::Leave, 2, &[("id", "1")], None);
    let mut out = Vec::new();
    projector(None, None).project(&leave, &mut out).unwrap();
    assert_eq!(out, []);
}

#[test]
fn an_unavailable_column_is_missing_and_no_placeholder_is_in_the_body() {
    let document = updated(5, &[("id", "1"), ("text", "-"), ("n", "2")]);
    let partial = partial(&document);
    assert_eq!(&*partial.known, r#"{"id":1,"n":2}"#);
    assert_eq!(partial.missing, [MissingField::from("text")]);
    assert_eq!(partial.since, None);
}

#[test]
fn an_unavailable_column_that_no_field_reads_does_not_matter() {
    let projector = projector(Some(&[("n", "n")]), None);
    let after = row(&[("id", "1"), ("text", "-"), ("n", "2")]);
    let change = change(Op::Update, 1, &[("id", "1")], Some(after));
    assert_eq!(body(&project(&projector, &change)), r#"{"n":2}"#);
}

#[test]
fn a_row_under_a_new_key_is_filled_from_no_document_before_it() {
    let after = row(&[("id", "2"), ("text", "-")]);
    let mut moved = change(Op::Create, 9, &[("id", "2")], Some(after));
    moved.moved_from = Some(Row::from_pairs(&[("id", "1")]));
    let document = project(&projector(None, None), &moved);
    let partial = partial(&document);
    assert_eq!(partial.since, Some(Version::new(0, 9)));
}

#[test]
fn the_newer_mutation_wins_and_a_late_older_one_changes_nothing() {
    let newer = updated(8, &[("n", "2")]);
    assert_eq!(merged(updated(7, &[("n", "1")]), newer.clone()), newer);
    assert_eq!(merged(newer.clone(), updated(7, &[("n", "1")])), newer);
    assert_eq!(merged(newer.clone(), deleted(9)), deleted(9));
    assert_eq!(merged(deleted(7), newer.clone()), newer);
}

#[test]
fn a_partial_takes_what_it_misses_from_the_waiting_row() {
    let whole = updated(1, &[("text", r#""a  b""#), ("n", "1"), ("dropped", "1")]);
    let document = merged(whole, updated(2, &[("text", "-"), ("n", "2")]));
    assert_eq!(document.version, Version::new(0, 2));
    assert!(matches!(document.action, Action::Index(_)));
    assert_eq!(body(&document), r#"{"n":2,"text":"a  b"}"#);
}

#[test]
fn two_partials_miss_what_neither_has() {
    let first = updated(1, &[("a", "1"), ("b", "-"), ("c", "-")]);
    let second = updated(2, &[("a", "-"), ("b", "2"), ("c", "-")]);
    let document = merged(first, second);
    let partial = partial(&document);
    assert_eq!(&*partial.known, r#"{"b":2,"a":1}"#);
    assert_eq!(partial.missing, [MissingField::from("c")]);
}

#[test]
fn a_partial_after_a_waiting_delete_takes_nothing_from_the_time_before() {
    let document = merged(deleted(4), updated(5, &[("a", "-"), ("b", "1")]));
    assert_eq!(partial(&document).since, Some(Version::new(0, 4)));
    let document = merged(document, updated(6, &[("a", "-"), ("b", "2")]));
    assert_eq!(partial(&document).since, Some(Version::new(0, 4)));
    assert_eq!(&*partial(&document).known, r#"{"b":2}"#);
}

#[test]
fn bytes_are_no_less_than_the_body_and_the_id() {
    let document = updated(1, &[("n", "1")]);
    assert!(document.bytes() > body(&document).len() + document.key.id.len());
}

/// The columns of one generated row; `None` is unavailable.
fn columns() -> impl Strategy<Value = Vec<Option<String>>> {
    let json = any::<String>().prop_map(|text| Json::from(text).to_string());
    prop::collection::vec(prop::option::of(json), 3)
}

fn generated(version: i64) -> impl Strategy<Value = Document> {
    let names = ["a", "b\"\n", "ü"];
    prop_oneof![
        1 => Just(deleted(version)),
        4 => columns().prop_map(move |values| {
            let values: Vec<_> = values.iter().map(|it| it.as_deref().unwrap_or("-")).collect();
            let pairs: Vec<_> = names.into_iter().zip(values).collect();
            updated(version, &pairs)
        }),
    ]
}

/// What a document comes to, without the order of its fields.
#[derive(Debug, PartialEq)]
struct Content {
    version: Version,
    body: Option<Json>,
    missing: Vec<MissingField>,
    since: Option<Version>,
}

impl From<&Document> for Content {
    fn from(document: &Document) -> Self {
        let parsed = |body: &Body| Some(serde_json::from_str(body).unwrap());
        let (body, missing, since) = match &document.action {
            Action::Delete => (None, Vec::new(), None),
            Action::Index(body) => (parsed(body), Vec::new(), None),
            Action::Partial(it) => (parsed(&it.known), it.missing.clone(), it.since),
        };
        Self {
            version: document.version,
            body,
            missing,
            since,
        }
    }
}

proptest! {
    #[test]
    fn a_body_is_one_line_of_valid_json(document in generated(1)) {
        if !matches!(document.action, Action::Delete) {
            let body = body(&document);
            let read: Result<serde::de::IgnoredAny, _> = serde_json::from_str(body);
            prop_assert!(read.is_ok(), "{body}");
            prop_assert!(!body.contains(['\n', '\r']));
        }
    }

    #[test]
    fn merging_is_associative(a in generated(1), b in generated(2), c in generated(3)) {
        let left = merged(merged(a.clone(), b.clone()), c.clone());
        let right = merged(a, merged(b, c));
        prop_assert_eq!(Content::from(&left), Content::from(&right));
    }
}
