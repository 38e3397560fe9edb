//! What a truncate finds and deletes.

use std::pin::pin;

use distributary::change::{ProjectionId, Version};
use distributary::projector::graph::GraphMutation;
use distributary::sink::Sink as _;
use distributary::sink::neo4j::Neo4j;
use futures_util::StreamExt as _;

use super::rows::{ITEMS, USERS, change, deleted, item, order, product, user};
use super::world::{World, drawn, settings, written};
use distributary::change::Op;
use distributary::sink::Outcome;

/// Where the shop's projections stand; see `World`.
const USER_NODE: ProjectionId = ProjectionId(0);
const ORDER_NODE: ProjectionId = ProjectionId(2);
const PLACED: ProjectionId = ProjectionId(4);
const CONTAINS: ProjectionId = ProjectionId(5);
const PURCHASED: ProjectionId = ProjectionId(6);

/// Deletes everything of a projection below a version as delivery does; answers the deletes.
async fn truncate(sink: &Neo4j, projection: ProjectionId, below: i64) -> Vec<GraphMutation> {
    let mut pages = pin!(sink.older(projection, Version::new(0, below)));
    let mut deletes = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        written(sink, &page).await.unwrap();
        deletes.extend(page);
        assert!(deletes.len() < 10_000, "the same is found again and again");
    }
    deletes
}

#[tokio::test]
async fn a_truncate_deletes_older_relationships_with_what_follows_from_them_and_keeps_newer_ones() {
    let world = World::new().await;
    let sink = world.sink(&settings());
    let shop = [
        user(1, "1", "null"),
        order(2, "1", "1"),
        product(3, "1"),
        item(4, "1", "1"),
        item(5, "1", "2"),
        item(9, "1", "3"),
    ];
    world.write(&sink, &shop).await;
    assert_eq!(truncate(&sink, CONTAINS, 8).await.len(), 2);
    let left = [
        "Order 1",
        "Product 1",
        "Product 3 (stub)",
        "User 1",
        "1 -CONTAINS-> 3",
        "1 -PLACED-> 1",
        "1 -PURCHASED-> 3",
    ];
    assert_eq!(drawn(&world.snapshot().await), left);
    // What is derived has no rows, and a replay finds nothing.
    assert!(truncate(&sink, PURCHASED, 99).await.is_empty());
    assert!(truncate(&sink, CONTAINS, 8).await.is_empty());
    world.clean_up().await;
}

#[tokio::test]
async fn truncated_nodes_stay_as_stubs_where_rows_of_other_tables_hold_them() {
    let world = World::new().await;
    let sink = world.sink(&settings());
    let shop = [
        user(1, "1", "null"),
        user(2, "2", "null"),
        user(9, "3", "null"),
        order(3, "1", "1"),
    ];
    world.write(&sink, &shop).await;
    truncate(&sink, USER_NODE, 8).await;
    let left = ["Order 1", "User 1 (stub)", "User 3", "1 -PLACED-> 1"];
    assert_eq!(drawn(&world.snapshot().await), left);
    // Both projections of the orders, in whatever order: nothing is left of them.
    truncate(&sink, ORDER_NODE, 8).await;
    truncate(&sink, PLACED, 8).await;
    assert_eq!(drawn(&world.snapshot().await), ["User 3"]);
    world.clean_up().await;
}

#[tokio::test]
async fn a_late_writer_does_not_bring_back_what_a_truncate_deleted() {
    let world = World::new().await;
    let sink = world.sink(&settings());
    let text = "\"a \\\"quoted\\\" text, 10\u{20ac}\"";
    let rows = |version| [user(version, text, "null"), item(version, text, "7")];
    world.write(&sink, &rows(3)).await;
    truncate(&sink, USER_NODE, 5).await;
    truncate(&sink, CONTAINS, 5).await;
    assert!(drawn(&world.snapshot().await).is_empty());
    let outcomes = world.write(&sink, &rows(4)).await;
    assert!(outcomes.contains(&Outcome::Stale), "{outcomes:?}");
    assert!(drawn(&world.snapshot().await).is_empty());
    world.write(&sink, &rows(6)).await;
    assert_eq!(world.snapshot().await.nodes.len(), 3);
    world.clean_up().await;
}

#[tokio::test]
async fn what_somebody_restored_of_deleted_rows_is_not_found_for_ever() {
    let world = World::new().await;
    let sink = world.sink(&settings());
    world
        .write(&sink, &[user(3, "1", "null"), item(3, "1", "7")])
        .await;
    let key = [("order_id", "1"), ("product_id", "7")];
    let deletes = [deleted(9, USERS, &[("id", "1")]), deleted(9, ITEMS, &key)];
    world.write(&sink, &deletes).await;
    assert!(drawn(&world.snapshot().await).is_empty());
    world
        .run(
            "CREATE (:P_User {id: 1, _v: 3}) \
             CREATE (:P_Order {id: 1, _stub: true})\
             -[:P_CONTAINS {_key: 'P_contains[1,7]', _v: 3}]->(:P_Product {id: 7, _stub: true})",
        )
        .await;
    assert_eq!(truncate(&sink, USER_NODE, 5).await.len(), 1);
    assert_eq!(truncate(&sink, CONTAINS, 5).await.len(), 1);
    assert!(drawn(&world.snapshot().await).is_empty());
    world.clean_up().await;
}

#[tokio::test]
async fn more_than_a_page_is_deleted_in_several_transactions() {
    let world = World::new().await;
    let sink = world.sink(&settings());
    let rows: Vec<_> = (0..2500)
        .map(|id| user(1, &id.to_string(), "null"))
        .collect();
    for rows in rows.chunks(1000) {
        world.write(&sink, rows).await;
    }
    let composite = change(
        (ITEMS, Op::Create),
        1,
        &[("order_id", "1"), ("product_id", "2")],
        Some(&[
            ("order_id", "1"),
            ("product_id", "2"),
            ("quantity", "1"),
            ("note", "null"),
        ]),
    );
    world.write(&sink, &[composite]).await;
    assert_eq!(truncate(&sink, USER_NODE, 2).await.len(), 2500);
    assert_eq!(&*truncate(&sink, CONTAINS, 2).await[0].key.row, "[1,2]");
    assert!(drawn(&world.snapshot().await).is_empty());
    world.clean_up().await;
}
