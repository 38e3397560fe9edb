//! What changes become, and what waiting mutations merge to.

use super::*;
use crate::change::{Change, Op, Row, TableId};
use crate::config::{Node, NodePattern, Property, Relationship};
use crate::projector::{ProjectError, Projector};

fn property(name: &str, column: &str) -> Property {
    Property {
        name: name.into(),
        column: column.into(),
    }
}

fn user(when: Option<&str>) -> GraphProjector {
    let node = Node {
        from: TableId(0),
        node: NodePattern {
            label: "User".into(),
            key: vec![property("id", "id")],
            properties: vec![property("name", "name"), property("about", "bio")],
        },
        when: when.map(Into::into),
    };
    GraphProjector::node(ProjectionId(3), "users", &node).unwrap()
}

fn follows() -> GraphProjector {
    let end = |column: &str| NodePattern {
        label: "User".into(),
        key: vec![property("id", column)],
        properties: Vec::new(),
    };
    let relationship = Relationship {
        from: TableId(0),
        start: end("id"),
        kind: "FOLLOWS".into(),
        properties: vec![property("note", "bio")],
        end: end("friend_id"),
        when: None,
    };
    GraphProjector::relationship(ProjectionId(4), "users", &relationship).unwrap()
}

#[test]
fn a_row_that_leaves_its_key_to_another_changes_nothing_there() {
    let leave = Change {
        after: None,
        ..change(Op::Leave, 2, r#""ann""#, "null", "null")
    };
    for projector in [user(None), follows()] {
        let mut out = Vec::new();
        projector.project(&leave, &mut out).unwrap();
        assert_eq!(out, []);
    }
}

/// A user `1`; `?` for a column that was not sent.
fn change(op: Op, version: i64, name: &str, bio: &str, friend: &str) -> Change<'static> {
    let sent = |json| (json != "?").then_some(json);
    let after = Row::of(&[
        ("id", Some("1")),
        ("name", sent(name)),
        ("bio", sent(bio)),
        ("friend_id", sent(friend)),
    ]);
    Change {
        table: TableId(0),
        op,
        key: Row::from_pairs(&[("id", "1")]),
        before: None,
        after: (op != Op::Delete).then_some(after),
        moved_from: None,
        version: Version::new(0, version),
        committed_at_ms: 0,
    }
}

fn one(projector: &GraphProjector, change: &Change<'_>) -> GraphMutation {
    let mut out = Vec::new();
    projector.project(change, &mut out).unwrap();
    assert_eq!(out.len(), 1);
    out.remove(0)
}

fn values(mutation: &GraphMutation) -> Vec<Option<&str>> {
    match &mutation.action {
        Action::UpsertNode { properties, .. } | Action::UpsertRelationship { properties, .. } => {
            properties.values.iter().map(Option::as_deref).collect()
        }
        _ => panic!("{mutation:?}"),
    }
}

fn since(mutation: &GraphMutation) -> Option<Version> {
    match &mutation.action {
        Action::UpsertNode { properties, .. } => properties.since,
        _ => None,
    }
}

#[test]
fn a_row_becomes_a_node_under_its_key() {
    let mutation = one(&user(None), &change(Op::Create, 7, "\"Ada\"", "null", "2"));
    assert_eq!(&*mutation.key.row, "[1]");
    assert_eq!(mutation.projection(), ProjectionId(3));
    assert_eq!(values(&mutation), [Some("\"Ada\""), Some("null")]);
    assert_eq!(since(&mutation), None);
    assert!(matches!(
        one(&user(None), &change(Op::Delete, 8, "", "", "")).action,
        Action::DeleteNode { .. }
    ));
}

#[test]
fn a_condition_that_is_false_deletes_and_is_not_asked_on_a_delete() {
    let projector = user(Some("after.name != 'Ada'"));
    let mutation = one(&projector, &change(Op::Update, 1, "\"Ada\"", "null", "2"));
    assert!(matches!(mutation.action, Action::DeleteNode { .. }));
    one(&projector, &change(Op::Delete, 2, "", "", ""));
}

#[test]
fn a_null_part_of_an_end_means_no_relationship() {
    let mutation = one(&follows(), &change(Op::Update, 1, "null", "null", "null"));
    assert_eq!(mutation.action, Action::DeleteRelationship);
    let mutation = one(&follows(), &change(Op::Update, 1, "null", "null", "2"));
    assert!(matches!(mutation.action, Action::UpsertRelationship { .. }));
}

#[test]
fn an_end_that_was_not_sent_is_poison() {
    let mut out = Vec::new();
    let result = follows().project(&change(Op::Update, 1, "null", "null", "?"), &mut out);
    assert!(
        matches!(result, Err(ProjectError::Unavailable { column, .. }) if column == "friend_id")
    );
}

#[test]
fn a_waiting_mutation_lends_what_a_newer_one_was_not_sent() {
    let mut waiting = one(
        &user(None),
        &change(Op::Update, 1, "\"a\"", "\"large\"", "2"),
    );
    waiting.merge(one(&user(None), &change(Op::Update, 2, "\"b\"", "?", "2")));
    assert_eq!(values(&waiting), [Some("\"b\""), Some("\"large\"")]);
    assert_eq!(
        (waiting.version, since(&waiting)),
        (Version::new(0, 2), None)
    );
}

#[test]
fn nothing_is_lent_across_a_delete() {
    let mut waiting = one(&user(None), &change(Op::Delete, 1, "", "", ""));
    waiting.merge(one(&user(None), &change(Op::Update, 2, "\"b\"", "?", "2")));
    assert_eq!(values(&waiting), [Some("\"b\""), None]);
    assert_eq!(since(&waiting), Some(Version::new(0, 2)));
}

#[test]
fn a_row_that_begins_without_a_column_owes_nothing_to_what_was_there() {
    let mut moved = change(Op::Create, 5, "\"a\"", "?", "2");
    moved.moved_from = Some(Row::from_pairs(&[("id", "9")]));
    let mut waiting = one(
        &user(None),
        &change(Op::Update, 4, "\"x\"", "\"of another row\"", "2"),
    );
    waiting.merge(one(&user(None), &moved));
    assert_eq!(values(&waiting), [Some("\"a\""), None]);
    // A later update that was not sent it either still begins there.
    waiting.merge(one(&user(None), &change(Op::Update, 6, "\"b\"", "?", "2")));
    assert_eq!(since(&waiting), Some(Version::new(0, 5)));
    waiting.merge(one(
        &user(None),
        &change(Op::Update, 7, "\"c\"", "\"there\"", "2"),
    ));
    assert_eq!(since(&waiting), None);
}

#[test]
fn a_delete_replaces_whatever_waits() {
    let mut waiting = one(&user(None), &change(Op::Update, 1, "\"a\"", "null", "2"));
    waiting.merge(one(&user(None), &change(Op::Delete, 2, "", "", "")));
    assert!(matches!(waiting.action, Action::DeleteNode { .. }));
}
