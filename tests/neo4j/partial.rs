//! Rows that come without some of their columns.

use distributary::change::{Change, Op, Row};
use distributary::sink::Outcome;

use super::rows::{ITEMS, USERS, befriended, change, deleted, user_row};
use super::world::{World, drawn, settings};

/// User 1 becomes user 2, and `bio` is not sent.
fn moved_without_bio() -> [Change<'static>; 2] {
    let row = user_row("2", "\"a\"", "?", "null");
    let mut moved = change((USERS, Op::Create), 3, &[("id", "2")], Some(&row));
    moved.moved_from = Some(Row::from_pairs(&[("id", "1")]));
    [deleted(2, USERS, &[("id", "1")]), moved]
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
async fn a_changed_primary_key_takes_nothing_from_the_old_node() {
    let world = World::new().await;
    let sink = world.sink(&settings());
    // Another row's by now, or an older value: nobody knows.
    let row = user_row("1", "\"a\"", "\"large\"", "null");
    let other = change((USERS, Op::Create), 1, &[("id", "1")], Some(&row));
    world.write(&sink, &[other]).await;
    let [gone, moved] = moved_without_bio();
    let outcomes = world.write(&sink, &[moved]).await;
    assert_eq!(outcomes, [Outcome::Incomplete, Outcome::Written]);
    world.write(&sink, &[gone]).await;
    let snapshot = world.snapshot().await;
    assert_eq!(drawn(&snapshot), ["User 2"]);
    let node = snapshot.nodes.values().next().unwrap();
    assert_eq!((&node["name"], node.get("bio")), (&"a".into(), None));
    world.clean_up().await;
}

#[tokio::test]
async fn a_replay_of_a_changed_primary_key_keeps_what_has_come_meanwhile() {
    let world = World::new().await;
    let sink = world.sink(&settings());
    let row = user_row("2", "\"a\"", "\"large\"", "null");
    let touched = change((USERS, Op::Update), 3, &[("id", "2")], Some(&row));
    world.write(&sink, &[touched]).await;
    let outcomes = world.write(&sink, &moved_without_bio()).await;
    assert!(!outcomes.contains(&Outcome::Incomplete));
    let node = &world.snapshot().await.nodes[&("User".into(), "2".into())];
    assert_eq!(node["bio"], "large");
    world.clean_up().await;
}

#[tokio::test]
async fn a_row_that_begins_takes_nothing_from_an_earlier_one_with_its_key() {
    let world = World::new().await;
    let sink = world.sink(&settings());
    let row = user_row("2", "\"a\"", "\"large\"", "null");
    let earlier = change((USERS, Op::Create), 1, &[("id", "2")], Some(&row));
    world.write(&sink, &[earlier]).await;
    let outcomes = world.write(&sink, &moved_without_bio()).await;
    assert!(outcomes.contains(&Outcome::Incomplete));
    let node = &world.snapshot().await.nodes[&("User".into(), "2".into())];
    assert_eq!(node.get("bio"), None);
    world.clean_up().await;
}

#[tokio::test]
async fn an_update_of_a_node_that_is_not_there_is_incomplete() {
    let world = World::new().await;
    let sink = world.sink(&settings());
    let row = user_row("1", "\"a\"", "?", "2");
    let update = |version| change((USERS, Op::Update), version, &[("id", "1")], Some(&row));
    // Another's relationship has made a stub of it.
    world.write(&sink, &[befriended(1, "3", "1")]).await;
    let outcomes = world.write(&sink, &[update(2)]).await;
    assert_eq!(outcomes, [Outcome::Incomplete, Outcome::Written]);
    // By now it is there.
    let outcomes = world.write(&sink, &[update(3)]).await;
    assert_eq!(outcomes, [Outcome::Written, Outcome::Written]);
    world.clean_up().await;
}

#[tokio::test]
async fn an_update_of_a_relationship_that_is_not_there_is_incomplete() {
    let world = World::new().await;
    let sink = world.sink(&settings());
    let key = [("order_id", "1"), ("product_id", "2")];
    // As if the product were no part of the key.
    let at = |version, product, note| {
        let row = [
            ("order_id", "1"),
            ("product_id", product),
            ("quantity", "3"),
            ("note", note),
        ];
        change((ITEMS, Op::Update), version, &key, Some(&row))
    };
    let outcomes = world.write(&sink, &[at(1, "null", "\"large\"")]).await;
    assert_eq!(outcomes, [Outcome::Written]);
    let outcomes = world.write(&sink, &[at(2, "2", "?")]).await;
    assert_eq!(outcomes, [Outcome::Incomplete]);
    assert!(drawn(&world.snapshot().await).contains(&"1 -CONTAINS-> 2".to_owned()));
    world.clean_up().await;
}

#[tokio::test]
async fn a_relationship_of_an_earlier_row_lends_nothing() {
    for product in ["2", "5"] {
        let world = World::new().await;
        let sink = world.sink(&settings());
        let key = [("order_id", "1"), ("product_id", "2")];
        let at = |op, version, product, note| {
            let row = [
                ("order_id", "1"),
                ("product_id", product),
                ("quantity", "3"),
                ("note", note),
            ];
            change((ITEMS, op), version, &key, Some(&row))
        };
        world
            .write(&sink, &[at(Op::Create, 1, "2", "\"large\"")])
            .await;
        // Deleted and created at once, with the same end or another.
        let again = [deleted(2, ITEMS, &key), at(Op::Create, 3, product, "?")];
        let outcomes = world.write(&sink, &again).await;
        assert_eq!(outcomes, [Outcome::Incomplete]);
        let contains = ("CONTAINS".into(), "1".into(), product.into());
        let relationship = &world.snapshot().await.relationships[&contains][0];
        assert_eq!(relationship.get("note"), None);
        world.clean_up().await;
    }
}
