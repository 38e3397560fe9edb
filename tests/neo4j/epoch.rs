//! A table whose topic begins anew, with the statements of `docs/operations.md`.

use distributary::change::{Change, Version};

use super::rows::{ITEMS, deleted, item, order, product, user};
use super::world::{World, drawn, settings};

/// The statements, for the world's labels, types and names.
fn documented() -> Vec<String> {
    let (_, section) = include_str!("../../docs/operations.md")
        .split_once("\n## A topic that is another by now\n")
        .unwrap();
    let (_, block) = section.split_once("```cypher\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    let lines = block.lines().filter(|line| !line.starts_with("//"));
    let ours = |line: &str| {
        let line = line.replace("'placed[", "'P_placed[");
        let line = line.replace("(n:Order|User|Product)", "(n:P_Order|P_User|P_Product)");
        let names = ["User", "Order", "Product", "PLACED", "PURCHASED"];
        names.iter().fold(line, |line, name| {
            line.replace(&format!(":{name}"), &format!(":P_{name}"))
        })
    };
    lines.map(ours).collect()
}

/// The same change in the topic that begins anew.
fn anew(mut change: Change<'static>) -> Change<'static> {
    change.version = Version::new(1, 0);
    change
}

#[tokio::test]
async fn a_table_that_begins_anew_keeps_the_relationships_of_the_others() {
    let world = World::new().await;
    let sink = world.sink(&settings());
    let rows = [
        user(1, "1", "null"),
        product(1, "2"),
        product(1, "3"),
        order(1, "10", "1"),
        // This and the next are gone by now. The user of the one has no row.
        order(1, "11", "9"),
        order(1, "12", "1"),
        item(1, "10", "2"),
        item(1, "12", "3"),
    ];
    world.write(&sink, &rows).await;
    for statement in documented() {
        world.run(&statement).await;
    }
    let kept = [
        "Order 10 (stub)",
        "Order 12 (stub)",
        "Product 2",
        "Product 3",
        "User 1",
        "10 -CONTAINS-> 2",
        "12 -CONTAINS-> 3",
    ];
    assert_eq!(drawn(&world.snapshot().await), kept);

    world.write(&sink, &[anew(order(0, "10", "1"))]).await;
    let gone = deleted(2, ITEMS, &[("order_id", "12"), ("product_id", "3")]);
    world.write(&sink, &[gone]).await;
    let equal = [
        "Order 10",
        "Product 2",
        "Product 3",
        "User 1",
        "10 -CONTAINS-> 2",
        "1 -PLACED-> 10",
        "1 -PURCHASED-> 2",
    ];
    assert_eq!(drawn(&world.snapshot().await), equal);
    world.clean_up().await;
}
