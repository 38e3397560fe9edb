//! The configuration as its users meet it: files in, a tree or every mistake out.

mod broken;
mod example;
mod fingerprints;
mod forms;
mod layers;

use std::path::Path;

use super::*;

/// A small configuration without mistakes.
pub(super) const SHOP: &str = r#"
pipeline: shop
source:
  brokers: [kafka:9092]
  group: shop
  prefix: shop
tables:
  users: {key: [id]}
  orders: {key: [id]}
  products: {key: [id], replica_identity: full}
sinks:
  search: {type: elasticsearch, url: http://es:9200}
  cache: {type: redis, url: redis://redis:6379}
  graph: {type: neo4j, uri: bolt://neo4j:7687, username: neo4j, password: {env: NEO4J_PASSWORD}}
projections:
  - name: products-index
    sink: search
    from: products
    index: {alias: products}
    when: after.status != 'draft'
  - name: product-cache
    sink: cache
    from: products
    invalidate: ["product:{{ either.slug }}"]
  - {name: user-node, sink: graph, from: users, node: "(:User {!id, name})"}
  - {name: order-node, sink: graph, from: orders, node: "(:Order {!id})"}
  - {name: placed, sink: graph, from: orders, relationship: "(:User {!id: user_id})-[:PLACED]->(:Order {!id})"}
dead_letter: {topic: shop.dead-letter}
"#;

/// Loads one file with this content.
pub(super) fn load_text(text: &str) -> Result<Loaded, Mistakes> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("shop.yaml");
    std::fs::write(&file, text).unwrap();
    load(&inputs(&[&file], &[], &[]))
}

pub(super) fn inputs(files: &[&Path], environment: &[(&str, &str)], set: &[&str]) -> Inputs {
    let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).into());
    Inputs {
        files: files.iter().map(|it| it.to_path_buf()).collect(),
        environment: environment.iter().map(pair).collect(),
        assignments: set.iter().map(|it| (*it).to_owned()).collect(),
    }
}

/// [`SHOP`] with one part replaced.
pub(super) fn shop_with(part: &str, replacement: &str) -> String {
    assert_eq!(SHOP.matches(part).count(), 1, "`{part}` must be there once");
    SHOP.replace(part, replacement)
}

pub(super) fn valid(text: &str) -> Config {
    match load_text(text) {
        Ok(loaded) => {
            assert_eq!(loaded.warnings, []);
            loaded.config
        }
        Err(mistakes) => panic!("{mistakes}"),
    }
}
