//! Rows that come without some of their columns.

use distributary::change::{Change, Op, Row};
use distributary::projector::graph::Action;
use distributary::sink::{Outcome, Sink as _};

use super::rows::{ITEMS, USERS, change, deleted, user_row};
use super::world::{World, drawn, settings};

/// User 1 becomes user 2, and `bio` is not sent.
fn moved_without_bio() -> Change {
    moved("1", "2")
}

/// One user becomes another, and `bio` is not sent.
fn moved(from: &str, to: &str) -> Change {
    let row = user_row(to, "\"a\"", "?", "null");
    let mut moved = change((USERS, Op::Create), 2, &[("id", to)], Some(&row));
    moved.moved_from = Some(Row::from_pairs(&[("id", from)]));
    moved
}

#[tokio::test]
async fn a_moved_relationship_carries_over_what_was_not_sent_and_what_others_set() {
    let world = World::new().await;
    let sink = world.sink(&settings());
    let row = |order_id, quantity, note| {
        [
            ("order_id", order_id),
            ("product_id", "2"),
            ("quantity", quantity),
            ("note", note),
        ]
    };
    let key = [("order_id", "1"), ("product_id", "2")];
    // The key of the row stays while an end moves: as if `order_id` were not part of it.
    let at = |version, row: &[(&str, &str)]| change((ITEMS, Op::Update), version, &key, Some(row));
    world
        .write(&sink, &[at(1, &row("1", "3", "\"large\""))])
        .await;
    world
        .run("MATCH ()-[x:P_CONTAINS]->() SET x.score = 7")
        .await;
    world.write(&sink, &[at(2, &row("5", "4", "?"))]).await;
    world
        .write(&sink, &[at(3, &row("6", "4", "\"large\""))])
        .await;
    // It has the version of the row that moved it.
    let older = world.write(&sink, &[at(2, &row("5", "9", "null"))]).await;
    assert_eq!(older[0], Outcome::Stale);
    let snapshot = world.snapshot().await;
    let moved = &snapshot.relationships[&("CONTAINS".into(), "6".into(), "2".into())][0];
    assert_eq!(
        (&moved["quantity"], &moved["note"], &moved["score"]),
        (&4.into(), &"large".into(), &7.into())
    );
    assert_eq!(
        drawn(&snapshot),
        ["Order 6 (stub)", "Product 2 (stub)", "6 -CONTAINS-> 2"]
    );
    world.clean_up().await;
}

#[tokio::test]
async fn a_column_that_was_not_sent_keeps_the_value_that_is_there() {
    let world = World::new().await;
    let sink = world.sink(&settings());
    let row = |name, bio| user_row("1", name, bio, "null");
    let at = |version, row: &[(&str, &str)]| {
        change((USERS, Op::Update), version, &[("id", "1")], Some(row))
    };
    world
        .write(&sink, &[at(1, &row("\"a\"", "\"large\""))])
        .await;
    world.write(&sink, &[at(2, &row("\"b\"", "?"))]).await;
    // Two waiting ones become one.
    world
        .write(
            &sink,
            &[
                at(3, &row("\"c\"", "\"larger\"")),
                at(4, &row("\"d\"", "?")),
            ],
        )
        .await;
    let snapshot = world.snapshot().await;
    let node = snapshot.nodes.values().next().unwrap();
    assert_eq!(
        (&node["name"], &node["bio"]),
        (&"d".into(), &"larger".into())
    );
    world.clean_up().await;
}

#[tokio::test]
async fn a_changed_primary_key_takes_what_was_not_sent_from_the_old_node() {
    let world = World::new().await;
    let sink = world.sink(&settings());
    let row = user_row("1", "\"a\"", "\"large\"", "null");
    let created = change((USERS, Op::Create), 1, &[("id", "1")], Some(&row));
    world.write(&sink, &[created]).await;
    let move_both = [deleted(2, USERS, &[("id", "1")]), moved_without_bio()];
    world.write(&sink, &move_both).await;
    // A replay finds the old node gone, and the value where it put it.
    world.write(&sink, &move_both).await;
    let snapshot = world.snapshot().await;
    assert_eq!(drawn(&snapshot), ["User 2"]);
    assert_eq!(snapshot.nodes.values().next().unwrap()["bio"], "large");
    world.clean_up().await;
}

#[tokio::test]
async fn a_changed_primary_key_takes_what_the_batch_before_it_is_still_writing() {
    let world = World::new().await;
    let sink = world.sink(&settings());
    // Batches of nodes only, the first of many: such ones overlap.
    let nodes = |changes: &[Change]| {
        let mut all = world.project(changes);
        all.retain(|it| matches!(it.action, Action::UpsertNode { .. }));
        all
    };
    let create = |id: &str| {
        let row = user_row(id, "\"a\"", "\"large\"", "null");
        change((USERS, Op::Create), 1, &[("id", id)], Some(&row))
    };
    // In the first round nothing overlaps: old tombstones are forgotten, and statements planned.
    for round in 1..=3 {
        let id = |last: i32| (10_000 * round + last).to_string();
        let first: Vec<_> = (1..1000).map(|last| create(&id(last))).collect();
        let (first, second) = (nodes(&first), nodes(&[moved(&id(1), &id(0))]));
        let (first, second) = tokio::join!(sink.write(&first), sink.write(&second));
        assert!([first, second].iter().all(Result::is_ok));
        let moved = &world.snapshot().await.nodes[&("User".into(), id(0))];
        assert_eq!(moved.get("bio"), Some(&"large".into()));
    }
    world.clean_up().await;
}

#[tokio::test]
async fn a_value_that_nobody_has_is_told_and_the_rest_is_written() {
    let world = World::new().await;
    let sink = world.sink(&settings());
    let outcomes = world.write(&sink, &[moved_without_bio()]).await;
    assert_eq!(outcomes, [Outcome::Incomplete, Outcome::Written]);
    assert_eq!(drawn(&world.snapshot().await), ["User 2"]);
    world.clean_up().await;
}
