//! The rules by which rows become nodes and relationships, one test for each.

use distributary::sink::Outcome;

use super::rows::{HIGH, ITEMS, ORDERS, PRODUCTS, USERS, deleted, item, order, product, user};
use super::world::{World, drawn, settings};

/// Writes each slice as a batch of its own and compares what the graph looks like after each.
macro_rules! story {
    ($world:ident, $sink:ident, $($changes:expr => [$($line:expr),*]),+ $(,)?) => {
        $(
            $world.write(&$sink, &$changes).await;
            let expected: Vec<&str> = vec![$($line),*];
            assert_eq!(drawn(&$world.snapshot().await), expected, stringify!($changes));
        )+
    };
}

#[tokio::test]
async fn a_newer_row_replaces_the_nodes_properties_and_an_older_one_is_stale() {
    let world = World::new().await;
    let sink = world.sink(&settings());
    assert_eq!(
        world.write(&sink, &[user(5, "1", "\"five\"")]).await[0],
        Outcome::Written
    );
    assert_eq!(
        world.write(&sink, &[user(4, "1", "\"four\"")]).await[0],
        Outcome::Stale
    );
    let name =
        |snapshot: super::world::Snapshot| snapshot.nodes.values().next().unwrap()["name"].clone();
    assert_eq!(name(world.snapshot().await), "five");
    assert_eq!(
        world.write(&sink, &[user(5, "1", "\"five\"")]).await[0],
        Outcome::Written
    );
    world.write(&sink, &[user(6, "1", "null")]).await;
    assert!(
        !world
            .snapshot()
            .await
            .nodes
            .values()
            .next()
            .unwrap()
            .contains_key("name")
    );
    world.clean_up().await;
}

#[tokio::test]
async fn what_was_deleted_stays_deleted_when_a_late_writer_brings_an_older_version() {
    let world = World::new().await;
    let sink = world.sink(&settings());
    story!(world, sink,
        [item(3, "1", "2")] => ["Order 1 (stub)", "Product 2 (stub)", "1 -CONTAINS-> 2"],
        [user(3, "9", "null"), deleted(5, ITEMS, &[("order_id", "1"), ("product_id", "2")])] => ["User 9"],
        [deleted(5, USERS, &[("id", "9")])] => [],
        [item(4, "1", "2"), user(4, "9", "null")] => [],
        // Deleted before it was ever written.
        [deleted(8, USERS, &[("id", "7")]), deleted(8, ITEMS, &[("order_id", "7"), ("product_id", "7")])] => [],
        [item(7, "7", "7"), user(7, "7", "null")] => [],
        [item(9, "7", "7")] => ["Order 7 (stub)", "Product 7 (stub)", "7 -CONTAINS-> 7"],
    );
    let late = world
        .write(&sink, &[item(4, "1", "2"), user(4, "9", "null")])
        .await;
    assert_eq!(late[0], Outcome::Stale);
    world.clean_up().await;
}

#[tokio::test]
async fn what_was_deleted_stays_deleted_where_little_else_was() {
    let world = World::new().await;
    let sink = world.sink(&settings());
    let deletes = [
        deleted(HIGH + 5, USERS, &[("id", "9")]),
        deleted(HIGH + 5, USERS, &[("id", "8")]),
    ];
    world.write(&sink, &deletes).await;
    let rows = [user(HIGH + 4, "9", "null"), user(HIGH + 6, "8", "null")];
    let late = world.write(&sink, &rows).await;
    assert_eq!(late[0], Outcome::Stale);
    assert_eq!(drawn(&world.snapshot().await), ["User 8"]);
    world.clean_up().await;
}

#[tokio::test]
async fn what_was_deleted_stays_deleted_among_very_many_deletes() {
    let world = World::new().await;
    let sink = world.sink(&settings());
    world
        .write(&sink, &[deleted(5, USERS, &[("id", "9")])])
        .await;
    world
        .run(
            "UNWIND range(1, 1000) AS i \
             CREATE (:_DistributaryTombstone {_key: 'P_other' + i, _v: 9, _at: timestamp()})",
        )
        .await;
    let late = world
        .write(&sink, &[user(4, "9", "null"), user(4, "8", "null")])
        .await;
    assert_eq!(late[0], Outcome::Stale);
    assert_eq!(drawn(&world.snapshot().await), ["User 8"]);
    world.clean_up().await;
}

#[tokio::test]
async fn a_late_delete_does_not_take_what_came_back() {
    let world = World::new().await;
    let sink = world.sink(&settings());
    let key = [("order_id", "1"), ("product_id", "2")];
    story!(world, sink,
        [user(9, "1", "null"), item(9, "1", "2")] => ["Order 1 (stub)", "Product 2 (stub)", "User 1", "1 -CONTAINS-> 2"],
        [deleted(8, USERS, &[("id", "1")]), deleted(8, ITEMS, &key)] => ["Order 1 (stub)", "Product 2 (stub)", "User 1", "1 -CONTAINS-> 2"],
    );
    world.clean_up().await;
}

#[tokio::test]
async fn a_changed_foreign_key_moves_the_relationship_and_a_null_removes_it() {
    let world = World::new().await;
    let sink = world.sink(&settings());
    story!(world, sink,
        [order(1, "1", "10")] => ["Order 1", "User 10 (stub)", "10 -PLACED-> 1"],
        [order(2, "1", "11")] => ["Order 1", "User 11 (stub)", "11 -PLACED-> 1"],
        [order(3, "1", "null")] => ["Order 1"],
        [order(2, "1", "11")] => ["Order 1"],
        [order(4, "1", "12")] => ["Order 1", "User 12 (stub)", "12 -PLACED-> 1"],
    );
    world.clean_up().await;
}

#[tokio::test]
async fn a_node_with_a_key_of_two_columns_and_nothing_else_comes_and_goes_with_its_row() {
    let world = World::of_items().await;
    let sink = world.sink(&settings());
    let items = [item(1, "1", "2"), item(2, "1", "3"), item(3, "2", "1")];
    world.write(&sink, &items).await;
    assert_eq!(world.items().await, [(1, 2), (1, 3), (2, 1)]);
    let key = [("order_id", "1"), ("product_id", "2")];
    let changes = [deleted(4, ITEMS, &key), item(5, "2", "1")];
    world.write(&sink, &changes).await;
    world.write(&sink, &[item(1, "1", "2")]).await;
    assert_eq!(world.items().await, [(1, 3), (2, 1)]);
    world.clean_up().await;
}

#[tokio::test]
async fn a_relationship_makes_stubs_that_the_rows_fill() {
    let world = World::new().await;
    let sink = world.sink(&settings());
    story!(world, sink,
        [item(1, "1", "2")] => ["Order 1 (stub)", "Product 2 (stub)", "1 -CONTAINS-> 2"],
        [product(1, "2"), order(1, "1", "null")] => ["Order 1", "Product 2", "1 -CONTAINS-> 2"],
    );
    world.clean_up().await;
}

#[tokio::test]
async fn a_deleted_rows_node_stays_a_stub_until_the_last_relationship_goes() {
    let world = World::new().await;
    let sink = world.sink(&settings());
    story!(world, sink,
        [product(1, "2"), item(1, "1", "2"), item(1, "3", "2")] =>
            ["Order 1 (stub)", "Order 3 (stub)", "Product 2", "1 -CONTAINS-> 2", "3 -CONTAINS-> 2"],
        [deleted(2, PRODUCTS, &[("id", "2")])] =>
            ["Order 1 (stub)", "Order 3 (stub)", "Product 2 (stub)", "1 -CONTAINS-> 2", "3 -CONTAINS-> 2"],
        [deleted(2, ITEMS, &[("order_id", "1"), ("product_id", "2")])] =>
            ["Order 3 (stub)", "Product 2 (stub)", "3 -CONTAINS-> 2"],
        // An older version of the row does not fill the stub again.
        [product(1, "2")] => ["Order 3 (stub)", "Product 2 (stub)", "3 -CONTAINS-> 2"],
        [deleted(2, ITEMS, &[("order_id", "3"), ("product_id", "2")])] => [],
    );
    let snapshot = world.snapshot().await;
    assert!(snapshot.nodes.is_empty());
    world.clean_up().await;
}

#[tokio::test]
async fn a_stub_keeps_nothing_of_the_deleted_row() {
    let world = World::new().await;
    let sink = world.sink(&settings());
    world
        .write(&sink, &[product(1, "2"), item(1, "1", "2")])
        .await;
    world
        .write(&sink, &[deleted(2, PRODUCTS, &[("id", "2")])])
        .await;
    let snapshot = world.snapshot().await;
    let stub = &snapshot.nodes[&("Product".into(), "2".into())];
    assert_eq!(stub.keys().collect::<Vec<_>>(), ["_stub", "id"]);
    world.clean_up().await;
}

#[tokio::test]
async fn a_row_and_all_that_hung_on_it_go_in_one_batch_or_in_several() {
    let world = World::new().await;
    let sink = world.sink(&settings());
    let all = [
        user(1, "1", "null"),
        order(1, "2", "1"),
        item(1, "2", "3"),
        product(1, "3"),
    ];
    let key = [("order_id", "2"), ("product_id", "3")];
    let gone = [
        deleted(9, USERS, &[("id", "1")]),
        deleted(9, PRODUCTS, &[("id", "3")]),
        deleted(9, ORDERS, &[("id", "2")]),
        deleted(9, ITEMS, &key),
    ];
    story!(world, sink, all => ["Order 2", "Product 3", "User 1", "2 -CONTAINS-> 3", "1 -PLACED-> 2", "1 -PURCHASED-> 3"],);
    for one in &gone {
        world.write(&sink, std::slice::from_ref(one)).await;
    }
    assert!(drawn(&world.snapshot().await).is_empty());
    let again = [
        user(10, "1", "null"),
        order(10, "2", "1"),
        item(10, "2", "3"),
        product(10, "3"),
    ];
    world.write(&sink, &again).await;
    let gone = gone.map(|mut change| {
        change.version = distributary::change::Version::new(0, 11);
        change
    });
    story!(world, sink, gone => [],);
    world.clean_up().await;
}

#[tokio::test]
async fn a_relationship_of_someone_else_keeps_a_stub_and_is_never_detached() {
    let world = World::new().await;
    let sink = world.sink(&settings());
    world.write(&sink, &[user(1, "1", "null")]).await;
    world
        .run("MATCH (n:P_User {id: 1}) CREATE (n)-[:P_OF_SOMEONE]->(:P_Else)")
        .await;
    story!(world, sink, [deleted(2, USERS, &[("id", "1")])] => ["User 1 (stub)"],);
    world.clean_up().await;
}

#[tokio::test]
async fn a_node_that_someone_else_made_takes_the_row() {
    let world = World::new().await;
    let sink = world.sink(&settings());
    world.run("CREATE (:P_User {id: 1, score: 7})").await;
    world.write(&sink, &[user(1, "1", "\"a\"")]).await;
    let snapshot = world.snapshot().await;
    let node = &snapshot.nodes[&("User".into(), "1".into())];
    assert_eq!((&node["name"], &node["score"]), (&"a".into(), &7.into()));
    world.clean_up().await;
}

#[tokio::test]
async fn a_derived_relationship_is_there_whichever_half_comes_first_and_goes_with_the_last_path() {
    let world = World::new().await;
    let sink = world.sink(&settings());
    let purchased = |snapshot| -> Vec<String> {
        let lines = drawn(&snapshot).into_iter();
        lines.filter(|line| line.contains("PURCHASED")).collect()
    };
    let item_key = [("order_id", "2"), ("product_id", "3")];
    let steps = [
        (order(1, "2", "1"), vec![]),
        (item(1, "2", "3"), vec!["1 -PURCHASED-> 3"]),
        (item(1, "4", "3"), vec!["1 -PURCHASED-> 3"]),
        (order(1, "4", "1"), vec!["1 -PURCHASED-> 3"]),
        (deleted(2, ITEMS, &item_key), vec!["1 -PURCHASED-> 3"]),
        (order(2, "4", "6"), vec!["6 -PURCHASED-> 3"]),
        (
            item(3, "2", "3"),
            vec!["1 -PURCHASED-> 3", "6 -PURCHASED-> 3"],
        ),
        (deleted(3, ORDERS, &[("id", "4")]), vec!["1 -PURCHASED-> 3"]),
        (order(4, "2", "null"), vec![]),
    ];
    for (change, expected) in steps {
        world.write(&sink, &[change]).await;
        assert_eq!(purchased(world.snapshot().await), expected);
    }
    world.clean_up().await;
}
