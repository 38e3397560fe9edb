//! From Postgres through the connector to every store, while the program is killed, frozen and
//! joined by others. In the end every store equals Postgres, field by field.

mod keys;
mod snapshots;

use checker::cache::Reader;
use serde_json::Value;
use workload::Workload;

use crate::support::shop::Shop;
use crate::support::{stack, until};

/// Runs a scenario while the shop changes and its pages are read, until the scenario is over.
async fn while_the_shop_changes<T>(shop: &Shop, seed: u64, scenario: impl Future<Output = T>) -> T {
    let workload = Workload::new(seed).rows(300).changes(u64::MAX).rate(60.0);
    let mut session = workload.open(shop.postgres().await).await.unwrap();
    let mut reader = Reader::connect(&shop.stores.targets).await.unwrap();
    tokio::select! {
        done = scenario => done,
        ended = session.run() => panic!("the workload ended: {ended:?}"),
        ended = reader.run() => panic!("the cache's reader ended: {ended:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_killed_in_mid_workload_leaves_every_store_equal_to_postgres() {
    let shop = Shop::open().await;
    let program = while_the_shop_changes(&shop, 7, async {
        for _ in 0..2 {
            let program = shop.run();
            shop.until_committed_more("products", 60).await;
            program.kill();
        }
        let mut program = shop.run();
        program.ready().await;
        program
    })
    .await;
    shop.until_equal().await;
    program.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_instances_that_join_freeze_and_leave_in_mid_workload_leave_every_store_equal() {
    let shop = Shop::open().await;
    let first = while_the_shop_changes(&shop, 8, async {
        let mut first = shop.run();
        first.ready().await;
        shop.until_committed_more("products", 30).await;
        let mut second = shop.run();
        second.ready().await;
        shop.until_committed_more("products", 30).await;
        // The group takes the frozen one's partitions away; when it thaws it must not write.
        first.signal("STOP");
        second.owns_partitions(15).await;
        shop.until_committed_more("products", 30).await;
        first.signal("CONT");
        first.ready().await;
        shop.until_committed_more("products", 30).await;
        second.leave().await;
        shop.until_committed_more("products", 30).await;
        first
    })
    .await;
    shop.until_equal().await;
    first.stop().await;
}

/// Users have the default replica identity: Debezium leaves out what an update leaves alone.
const USERS_EVERYWHERE: &str = r#"
projections:
  - {name: NAME-users-index, sink: search, from: users, index: {alias: NAME_users}}
  - {name: NAME-user-cache, sink: cache, from: users, invalidate: ["user:{{ key.id }}"]}
  - {name: NAME-user-node, sink: graph, from: users, node: "(:NAME_User {!id, name, email})"}
"#;

const LARGE: &str = "
    INSERT INTO users (id, name, email)
    SELECT 1, string_agg(md5(random()::text), ''), 'first' FROM generate_series(1, 600)";

#[tokio::test(flavor = "multi_thread")]
async fn two_updates_of_a_row_with_a_large_text_keep_it_in_documents_and_nodes() {
    let mut shop = Shop::open().await;
    shop.configure(&USERS_EVERYWHERE.replace("NAME", &shop.name));
    let postgres = shop.postgres().await;
    postgres.batch_execute(LARGE).await.unwrap();
    let program = shop.run();
    until("the row is everywhere", async || row(&shop, "first").await).await;
    for (email, between) in [
        ("second", ""),
        ("fourth", "UPDATE users SET email = 'third';"),
    ] {
        let update = format!("{between} UPDATE users SET email = '{email}'");
        postgres.batch_execute(&update).await.unwrap();
        let text = postgres.query_one("SELECT name FROM users", &[]).await;
        let text: String = text.unwrap().get(0);
        let names = until("the update is everywhere", async || row(&shop, email).await).await;
        assert!(
            names.iter().all(|name| *name == text),
            "the large text is lost"
        );
    }
    program.stop().await;
}

/// The row's large text in the document and the node, when both have this e-mail address.
async fn row(shop: &Shop, email: &str) -> Option<[String; 2]> {
    let url = format!("{}/{}_users/_doc/1", stack("ES_URL"), shop.name);
    let answer = shop.stores.http.get(url).send().await.unwrap();
    let document: Value = answer.json().await.unwrap();
    let document = &document["_source"];
    let find = format!(
        "MATCH (n:{}_User {{id: 1}}) RETURN n.name AS name, n.email AS email",
        shop.name
    );
    let mut nodes = shop
        .stores
        .graph
        .execute(neo4rs::query(&find))
        .await
        .unwrap();
    let node = nodes.next().await.unwrap()?;
    let found: String = node.get("email").unwrap();
    let both = document["email"] == email && found == email;
    let text = |name: &Value| name.as_str().map(str::to_owned);
    both.then_some([text(&document["name"])?, node.get("name").unwrap()])
}
