//! Tables that Debezium reads again, incrementally, while they change.

use super::while_the_shop_changes;
use crate::support::shop::Shop;
use crate::support::{stack, until};

/// Asks Debezium to read the products again.
async fn read_again(shop: &Shop) {
    let signal = r#"INSERT INTO debezium_signal VALUES (gen_random_uuid()::text, 'execute-snapshot',
        '{"type": "incremental", "data-collections": ["public.products"]}')"#;
    shop.postgres().await.batch_execute(signal).await.unwrap();
}

/// A product's document: its version and name.
async fn product(shop: &Shop, id: i64) -> Option<(u64, String)> {
    let url = format!("{}/{}_products/_doc/{id}", stack("ES_URL"), shop.name);
    let answer = shop.stores.http.get(url).send().await.unwrap();
    let document: serde_json::Value = answer.json().await.unwrap();
    let name = document["_source"]["name"].as_str()?.to_owned();
    Some((document["_version"].as_u64()?, name))
}

/// The transaction's change has the lower position in Postgres' log and is the newer one.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_made_before_a_snapshot_and_committed_behind_it_wins() {
    let shop = Shop::open().await;
    let postgres = shop.postgres().await;
    let insert = "INSERT INTO products (id, slug, name, status) VALUES (1, 'a', 'old', 'active')";
    postgres.batch_execute(insert).await.unwrap();
    let program = shop.run();
    let (version, _) = until("the row is there", async || product(&shop, 1).await).await;

    let change = "BEGIN; UPDATE products SET name = 'new' WHERE id = 1";
    postgres.batch_execute(change).await.unwrap();
    read_again(&shop).await;
    let (_, name) = until("the snapshot has brought the row", async || {
        let found = product(&shop, 1).await?;
        (found.0 > version).then_some(found)
    })
    .await;
    assert_eq!(name, "old", "nobody sees what is not committed");
    postgres.batch_execute("COMMIT").await.unwrap();
    until("the change is there", async || {
        let (_, name) = product(&shop, 1).await?;
        (name == "new").then_some(())
    })
    .await;
    shop.until_equal().await;
    program.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_read_again_while_it_changes_leaves_every_store_equal() {
    let shop = Shop::open().await;
    let program = while_the_shop_changes(&shop, 9, async {
        let mut program = shop.run();
        program.ready().await;
        read_again(&shop).await;
        shop.until_committed_more("products", 100).await;
        program
    })
    .await;
    shop.until_equal().await;
    program.stop().await;
}
