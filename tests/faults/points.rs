//! The process dies at every point between poll and commit.

use std::collections::BTreeMap;

use neo4rs::{ConfigBuilder, Graph, query};

use super::Table;
use crate::support::feed::{self, Feed};
use crate::support::program::Program;
use crate::support::{stack, until};

/// Besides documents and keys, each row is a node; the label is the test's own.
const GRAPH: &str = r#"  graph: {type: neo4j, uri: "${NEO4J_URI}", username: neo4j, password: {env: NEO4J_PASSWORD}, create_constraints: true}
projections:
  - {name: "${NAME}-node", sink: graph, from: items, node: "(:${NAME} {!id, name})"}
"#;

/// A feed with a graph, and a connection to that.
async fn feed_with_graph(partitions: i32) -> (Feed, Graph) {
    let mut feed = Feed::new(partitions).await;
    let (uri, password) = (stack("NEO4J_URI"), stack("NEO4J_PASSWORD"));
    let config = ConfigBuilder::default().uri(&uri).user("neo4j");
    let graph = Graph::connect(config.password(&password).build().unwrap()).unwrap();
    feed.call.variables.push(("NEO4J_URI", uri));
    feed.call.variables.push(("NEO4J_PASSWORD", password));
    feed.call.configs.clear();
    let text = feed::CONFIG.replace("projections:\n", GRAPH);
    feed.configure("graph.yaml", &text);
    (feed, graph)
}

async fn until_nodes_are_rows(feed: &Feed, graph: &Graph, table: &Table) {
    let text = format!("MATCH (n:{}) RETURN n.id AS id, n.name AS name", feed.name);
    until("every node is its row", async || {
        let mut rows = graph.execute(query(&text)).await.unwrap();
        let mut found: BTreeMap<i64, String> = BTreeMap::new();
        while let Some(row) = rows.next().await.unwrap() {
            found.insert(row.get("id").unwrap(), row.get("name").unwrap());
        }
        (found == table.rows).then_some(())
    })
    .await;
}

/// Leaves neither nodes nor constraints nor the marker behind.
async fn clean_up(feed: &Feed, graph: &Graph) {
    let label = &feed.name;
    let find =
        "SHOW CONSTRAINTS YIELD name, labelsOrTypes WHERE $label IN labelsOrTypes RETURN name";
    let find = query(find).param("label", label.as_str());
    let mut rows = graph.execute(find).await.unwrap();
    let mut statements = vec![
        format!("MATCH (n:{label}) DELETE n"),
        format!("MATCH (n:_DistributaryMarker {{projection: '{label}-node'}}) DELETE n"),
    ];
    while let Some(row) = rows.next().await.unwrap() {
        let name: String = row.get("name").unwrap();
        statements.push(format!("DROP CONSTRAINT `{name}`"));
    }
    drop(rows);
    for statement in statements {
        let mut done = graph.execute(query(&statement)).await.unwrap();
        assert!(done.next().await.unwrap().is_none());
    }
}

/// Dies the first time a point is reached.
fn dying_at(feed: &mut Feed, point: &str) -> Program {
    let points = ("FAILPOINTS", format!("{point}=return"));
    feed.call.variables.push(points);
    let program = feed.run(&[]);
    feed.call.variables.pop();
    program
}

/// One round of changes: updates, a delete, and the insert of what was deleted before.
async fn change_some(feed: &Feed, table: &mut Table, round: i64) {
    for id in 1..=30 {
        if id != round {
            table.put(feed, id, &format!("round {round}")).await;
        }
    }
    if table.rows.contains_key(&round) {
        table.delete(feed, round).await;
    }
}

#[tokio::test]
async fn a_process_that_dies_between_poll_and_commit_leaves_every_store_equal_after_its_restart() {
    let (mut feed, graph) = feed_with_graph(3).await;
    let mut table = Table::new(3);
    change_some(&feed, &mut table, 0).await;
    let mut first = feed.run(&[]);
    first.ready().await;
    table.until_equal(&feed).await;
    first.leave().await;
    let points = [
        "after-poll",
        "before-write-search",
        "after-write-search",
        "before-write-cache",
        "after-write-cache",
        "before-write-graph",
        "after-write-graph",
        "before-store",
        "after-store",
        "committed",
    ];
    for (round, point) in (1..).zip(points) {
        change_some(&feed, &mut table, round).await;
        let mut dying = dying_at(&mut feed, point);
        assert_eq!(dying.exit_code().await, None, "{point} was not reached");
        let mut next = feed.run(&[]);
        next.ready().await;
        table.until_equal(&feed).await;
        until_nodes_are_rows(&feed, &graph, &table).await;
        next.leave().await;
    }
    clean_up(&feed, &graph).await;
}

#[tokio::test]
async fn a_process_that_dies_inside_its_last_commit_leaves_every_store_equal_after_its_restart() {
    let mut feed = Feed::new(3).await;
    let mut table = Table::new(3);
    for (round, point) in (1..).zip(["before-last-commit", "after-last-commit"]) {
        change_some(&feed, &mut table, round).await;
        let mut dying = dying_at(&mut feed, point);
        dying.ready().await;
        table.until_equal(&feed).await;
        table.put(&feed, 40, point).await;
        dying.signal("TERM");
        assert_eq!(dying.exit_code().await, None, "{point} was not reached");
        let mut next = feed.run(&[]);
        next.ready().await;
        table.until_equal(&feed).await;
        next.leave().await;
    }
}

#[tokio::test]
async fn a_process_that_dies_inside_a_revoke_is_replaced_by_the_one_that_joins() {
    let mut feed = Feed::new(4).await;
    let mut table = Table::new(4);
    change_some(&feed, &mut table, 1).await;
    let mut dying = dying_at(&mut feed, "in-revoke");
    dying.ready().await;
    table.until_equal(&feed).await;
    let mut next = feed.run(&[]);
    change_some(&feed, &mut table, 2).await;
    assert_eq!(dying.exit_code().await, None, "no partition was revoked");
    next.ready().await;
    change_some(&feed, &mut table, 3).await;
    table.until_equal(&feed).await;
    next.leave().await;
}
