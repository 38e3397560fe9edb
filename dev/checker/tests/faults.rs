//! The checker finds nothing where nothing is wrong, and each way of being wrong where it is made.
//!
//! Needs the local stack (`.stack/env` in the environment).

mod support;

use anyhow::Result;
use checker::Fault::{Double, Extra, Missing, Stub, Wrong};
use checker::{Sampler, compare};
use redis::AsyncCommands;
use support::Shop;

#[tokio::test]
async fn stores_that_equal_postgres_have_no_differences() -> Result<()> {
    let shop = Shop::open().await?;
    let report = compare(&shop.stores).await?;
    assert!(report.is_equal(), "{report}");
    for section in report
        .sections
        .iter()
        .filter(|section| section.name != "anything else")
    {
        assert!(
            section.expected > 0,
            "nothing was compared of {}",
            section.name
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_document_that_is_missing_extra_or_under_another_id_is_found() -> Result<()> {
    let shop = Shop::open().await?;
    let id = shop
        .one("SELECT min(id)::text FROM products WHERE status <> 'draft'")
        .await?;
    let right = shop.document("products", &id).await?;

    shop.delete_document("products", &id).await?;
    shop.finds(Missing, 1).await?;

    // Found under the right key by the sort, but under an id that no later change would reach.
    shop.put_document("products", "stray", right.clone())
        .await?;
    shop.finds(Wrong, 1).await?;

    shop.put_document("products", &id, right).await?;
    let report = compare(&shop.stores).await?;
    assert_eq!(
        (report.count(Double), report.count(Wrong)),
        (1, 1),
        "{report}"
    );

    shop.delete_document("products", "stray").await?;
    shop.put_document("orders", "77000000", r#"{"id": 77000000}"#.to_owned())
        .await?;
    shop.finds(Extra, 1).await?;
    Ok(())
}

#[tokio::test]
async fn a_draft_that_stayed_in_the_index_is_extra() -> Result<()> {
    let shop = Shop::open().await?;
    let id = shop
        .one("SELECT min(id)::text FROM products WHERE status <> 'draft'")
        .await?;
    let sql = format!("UPDATE products SET status = 'draft' WHERE id = {id}");
    shop.stores.postgres.batch_execute(&sql).await?;
    let report = compare(&shop.stores).await?;
    assert_eq!(
        report
            .section("elasticsearch", "checker-test-products")
            .unwrap()
            .different,
        1
    );
    assert_eq!(report.count(Extra), 1, "{report}");
    Ok(())
}

#[tokio::test]
async fn a_number_rounded_in_its_last_digit_is_wrong() -> Result<()> {
    let shop = Shop::open().await?;
    let sql = "SELECT min(id)::text FROM orders WHERE total > 9007199254740992";
    let id = shop.one(sql).await?;
    let right = shop.document("orders", &id).await?;
    let total = shop
        .one(&format!("SELECT total::text FROM orders WHERE id = {id}"))
        .await?;
    let rounded = format!("{:.8}", total.parse::<f64>()?);
    shop.put_document("orders", &id, right.replace(&total, &rounded))
        .await?;
    let report = shop.finds(Wrong, 1).await?;
    assert!(report.to_string().contains("total: expected"), "{report}");
    Ok(())
}

#[tokio::test]
async fn a_stale_cached_value_and_an_unknown_key_are_found() -> Result<()> {
    let shop = Shop::open().await?;
    let mut redis = shop.stores.redis.clone();
    let featured: String = redis.get("products:featured").await?;

    redis.set::<_, _, ()>("products:featured", "[]").await?;
    shop.finds(Wrong, 1).await?;
    redis.set::<_, _, ()>("products:featured", featured).await?;

    redis
        .set::<_, _, ()>("category:None:products", "[]")
        .await?;
    shop.finds(Extra, 1).await?;
    redis.del::<_, ()>("category:None:products").await?;

    // A page remembered as absent is stale once its row is there.
    let slug = shop.one("SELECT min(slug) FROM products").await?;
    redis
        .set::<_, _, ()>(format!("product:slug:{slug}"), "null")
        .await?;
    shop.finds(Wrong, 1).await?;
    Ok(())
}

#[tokio::test]
async fn a_node_that_is_missing_extra_double_or_wrong_is_found() -> Result<()> {
    let shop = Shop::open().await?;
    let id = shop
        .one("SELECT max(id)::text FROM users WHERE id NOT IN (SELECT user_id FROM orders)")
        .await?;
    let name = "n.name = 'somebody else'";
    shop.cypher(&format!(
        "MATCH (n:`~User` {{id: {id}}}) SET n._name = n.name, {name}"
    ))
    .await?;
    shop.finds(Wrong, 1).await?;
    shop.cypher(&format!(
        "MATCH (n:`~User` {{id: {id}}}) SET n.name = n._name, n.email = 'x'"
    ))
    .await?;
    shop.finds(Wrong, 1).await?;
    shop.cypher(&format!(
        "MATCH (n:`~User` {{id: {id}}}) REMOVE n.email SET n:`~Order`"
    ))
    .await?;
    let report = compare(&shop.stores).await?;
    assert_eq!(
        (report.count(Wrong), report.count(Extra)),
        (1, 1),
        "{report}"
    );

    shop.cypher(&format!("MATCH (n:`~User` {{id: {id}}}) REMOVE n:`~Order`"))
        .await?;
    shop.cypher(&format!(
        "MATCH (n:`~User` {{id: {id}}}) CREATE (m:`~User`) SET m = n"
    ))
    .await?;
    shop.finds(Double, 1).await?;
    shop.cypher(&format!("MATCH (n:`~User` {{id: {id}}}) DELETE n"))
        .await?;
    shop.finds(Missing, 1).await?;
    Ok(())
}

#[tokio::test]
async fn a_node_without_a_row_is_extra_and_the_programs_own_are_not() -> Result<()> {
    let shop = Shop::open().await?;
    shop.cypher("CREATE (:`~User` {id: 5000000000}), (:`~User`)")
        .await?;
    shop.finds(Extra, 2).await?;
    shop.cypher("MATCH (n:`~User`) WHERE n._v IS NULL DELETE n")
        .await?;
    shop.cypher("MERGE (:`_DistributaryTombstone` {_key: 'checker test'})")
        .await?;
    let report = compare(&shop.stores).await?;
    shop.cypher("MATCH (n:`_DistributaryTombstone` {_key: 'checker test'}) DELETE n")
        .await?;
    assert!(report.is_equal(), "{report}");
    Ok(())
}

#[tokio::test]
async fn a_relationship_that_is_missing_extra_double_or_wrong_is_found() -> Result<()> {
    let shop = Shop::open().await?;
    let item = "MATCH (a:`~Order`)-[r:`~CONTAINS`]->(b) WITH a, r, b ORDER BY a.id, b.id LIMIT 1";
    shop.cypher(&format!("{item} SET r.quantity = r.quantity + 1"))
        .await?;
    shop.finds(Wrong, 1).await?;
    shop.cypher(&format!("{item} SET r.quantity = r.quantity - 1"))
        .await?;
    shop.cypher(&format!("{item} CREATE (a)-[s:`~CONTAINS`]->(b) SET s = r"))
        .await?;
    shop.finds(Double, 1).await?;
    shop.cypher(&format!("{item} MATCH (a)-[s:`~CONTAINS`]->(b) DELETE s"))
        .await?;
    shop.finds(Missing, 1).await?;
    Ok(())
}

#[tokio::test]
async fn a_derived_relationship_without_a_path_twice_or_missing_is_found() -> Result<()> {
    let shop = Shop::open().await?;
    let bought = "MATCH (u:`~User`)-[r:`~PURCHASED`]->(p) WITH u, r, p ORDER BY u.id, p.id LIMIT 1";
    shop.cypher(&format!("{bought} CREATE (u)-[:`~PURCHASED`]->(p)"))
        .await?;
    shop.finds(Double, 1).await?;
    shop.cypher(&format!(
        "{bought} MATCH (u)-[s:`~PURCHASED`]->(p) DELETE s"
    ))
    .await?;
    shop.finds(Missing, 1).await?;

    let shop = {
        drop(shop);
        Shop::open().await?
    };
    shop.cypher(
        "MATCH (u:`~User`), (p:`~Product`) WHERE NOT (u)-[:`~PURCHASED`]->(p)
         WITH u, p LIMIT 1 CREATE (u)-[:`~PURCHASED`]->(p), (u)-[:`~LIKES`]->(p)",
    )
    .await?;
    shop.finds(Extra, 2).await?;
    Ok(())
}

#[tokio::test]
async fn a_stub_is_found_whether_its_row_exists_or_not() -> Result<()> {
    let shop = Shop::open().await?;
    shop.cypher("CREATE (:`~Product` {id: 5000000000, _stub: true})")
        .await?;
    shop.finds(Stub, 1).await?;
    shop.cypher("MATCH (n:`~Product`) WITH n ORDER BY n.id LIMIT 1 SET n._stub = true")
        .await?;
    shop.finds(Stub, 2).await?;
    Ok(())
}

#[tokio::test]
async fn a_version_that_goes_backwards_is_found_in_an_index_and_in_the_graph() -> Result<()> {
    let shop = Shop::open().await?;
    let id = shop
        .one("SELECT min(id)::text FROM products WHERE status <> 'draft'")
        .await?;
    shop.put_document("products", &id, shop.document("products", &id).await?)
        .await?;
    let node = format!("MATCH (n:`~Product` {{id: {id}}})");
    shop.cypher(&format!("{node} SET n._v = 7")).await?;

    let mut sampler = Sampler::default();
    // A sample takes some rows of a table at random: so many that this one is among them.
    for _ in 0..20 {
        sampler.sample(&shop.stores).await?;
    }
    assert!(sampler.samples() > 1000 && sampler.regressions().is_empty());

    // A new index starts to count at 1 again.
    shop.load().await?;
    sampler.sample(&shop.stores).await?;
    let mut found: Vec<_> = sampler
        .regressions()
        .iter()
        .map(ToString::to_string)
        .collect();
    found.sort();
    let expected = [
        format!("Product {id}: version 1 after 7"),
        format!("products {id}: version 1 after 2"),
    ];
    assert_eq!(found, expected);
    Ok(())
}
