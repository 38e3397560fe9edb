//! Primary keys that change, are swapped, and come back within one transaction.

use crate::support::shop::Shop;
use crate::support::until;

/// Random text that Postgres keeps out of line, so that an update of other columns leaves it out.
const WIDE: &str = "(SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 600))";

/// The name of a user's node; `None` where there is no node.
async fn user_name(shop: &Shop, id: i64) -> Option<Option<String>> {
    let find = format!(
        "MATCH (n:{}_User {{id: $id}}) RETURN n.name AS name",
        shop.name
    );
    let find = neo4rs::query(&find).param("id", id);
    let mut nodes = shop.stores.graph.execute(find).await.unwrap();
    let node = nodes.next().await.unwrap()?;
    Some(node.get("name").ok())
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_change_are_swapped_or_come_back_in_one_transaction_leave_every_store_equal() {
    let shop = Shop::open().await;
    let postgres = shop.postgres().await;
    let fill = format!(
        "INSERT INTO users (id, name, email) VALUES (1, {WIDE}, 'first');
         INSERT INTO products (id, slug, name, description, price, status)
             SELECT id, 'slug-' || id, 'product ' || id, {WIDE}, id, 'active'
             FROM generate_series(1, 4) AS id;
         INSERT INTO orders (id, user_id) VALUES (1, 1);
         INSERT INTO order_items (order_id, product_id, quantity) VALUES (1, 1, 10), (1, 2, 20)"
    );
    postgres.batch_execute(&fill).await.unwrap();
    let mut program = shop.run();
    program.ready().await;
    shop.until_equal().await;

    // Full identity: the wide description goes with the new key. Its order items follow.
    let moved = "UPDATE products SET id = 101 WHERE id = 1";
    postgres.batch_execute(moved).await.unwrap();
    shop.until_equal().await;

    // Two rows swap their keys: each is deleted and created at once, and has a tombstone behind it.
    let swap = "BEGIN; SET CONSTRAINTS ALL DEFERRED;
         UPDATE order_items SET product_id = CASE product_id WHEN 2 THEN 101 ELSE 2 END;
         COMMIT";
    postgres.batch_execute(swap).await.unwrap();
    shop.until_equal().await;

    let return_at_once = "BEGIN; DELETE FROM products WHERE id = 3;
         INSERT INTO products (id, slug, name, price, status) VALUES (3, 'back', 'back', 0.3, 'active');
         DELETE FROM products WHERE id = 4;
         INSERT INTO products (id, slug, name, price, status) VALUES (4, 'gone', 'gone', 0.4, 'active');
         DELETE FROM products WHERE id = 4; COMMIT";
    postgres.batch_execute(return_at_once).await.unwrap();
    shop.until_equal().await;

    // Default identity: nobody can tell the wide name, and it stays empty.
    let moved = "UPDATE users SET id = 2, email = 'second' WHERE id = 1";
    postgres.batch_execute(moved).await.unwrap();
    let name = until("the new key is there", async || user_name(&shop, 2).await).await;
    assert_eq!(name, None);
    until("the old key is gone", async || {
        user_name(&shop, 1).await.is_none().then_some(())
    })
    .await;
    // As the README says, the next update of the column mends what was left empty.
    let touch = "UPDATE users SET name = name || '!'";
    postgres.batch_execute(touch).await.unwrap();
    shop.until_equal().await;
    program.stop().await;
}
