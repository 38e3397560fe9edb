//! How fast the Neo4j sink is beside a plain client: `cargo bench --bench neo4j`, with the local
//! stack up (`make stack-up`).
//!
//! The plain client merges the same rows with the same constraints in the same batches, guarded by
//! `_v`, one statement for each batch: no tombstones, no stubs, no moved relationships. Both take
//! turns, so that what else the machine does hits both.

use std::time::{Duration, Instant};

use distributary::change::{ProjectionId, TableId, Version};
use distributary::config::{
    Batch, Neo4j as Settings, Node, NodePattern, ProjectionKind, Property, Relationship, Secret,
};
use distributary::projector::graph::{Action, GraphKey, GraphMutation, Properties};
use distributary::sink::Sink as _;
use distributary::sink::neo4j::{GraphProjection, Neo4j};
use neo4rs::{BoltList, BoltType, Graph, query};

const BATCHES: i64 = 20;
const ROWS: i64 = 1000;
const ROUNDS: i64 = 4;
const LABEL: &str = "DistributaryBench";
const KIND: &str = "DISTRIBUTARY_BENCH";

#[tokio::main]
async fn main() {
    let graph = Graph::new(
        variable("NEO4J_URI"),
        variable("NEO4J_USER"),
        variable("NEO4J_PASSWORD"),
    );
    let graph = graph.expect("the address of the stack is an address");
    let (node, relationship) = projections();
    let projections = [
        (0, "bench-node", &node),
        (1, "bench-relationship", &relationship),
    ];
    let projections = projections.map(|(id, name, kind)| GraphProjection {
        id: ProjectionId(id),
        name,
        table: None,
        kind,
        key: &[],
    });
    let sink = Neo4j::new(&settings(), &projections);
    sink.prepare().await.expect("the stack is up");
    for (name, kind, half) in [
        ("nodes", Kind::Node, 1),
        ("relationships", Kind::Relationship, 2),
    ] {
        let mut times = [[Duration::MAX; 2]; 2];
        for _ in 0..ROUNDS {
            for (who, best) in times.iter_mut().enumerate() {
                wipe(&graph).await;
                if half == 2 {
                    plain(&graph, Kind::Node, 1).await;
                }
                for (pass, best) in best.iter_mut().enumerate() {
                    let version = i64::try_from(pass).expect("two passes") + 1;
                    let start = Instant::now();
                    if who == 0 {
                        plain(&graph, kind, version).await;
                    } else {
                        through(&sink, kind, version).await;
                    }
                    *best = start.elapsed().min(*best);
                }
            }
        }
        for (pass, what) in ["new", "changed"].into_iter().enumerate() {
            let rate = |time: Duration| (BATCHES * ROWS) as f64 / time.as_secs_f64();
            let (plain, sink) = (rate(times[0][pass]), rate(times[1][pass]));
            println!(
                "{what} {name}: plain {plain:.0}/s, sink {sink:.0}/s, {:.0} %",
                100.0 * sink / plain
            );
        }
    }
    wipe(&graph).await;
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Node,
    Relationship,
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set; run: set -a; . .stack/env"))
}

fn settings() -> Settings {
    Settings {
        uri: variable("NEO4J_URI"),
        database: "neo4j".into(),
        username: variable("NEO4J_USER"),
        password: Secret::Env("NEO4J_PASSWORD".into()),
        create_constraints: true,
        batch: Batch {
            max_items: 1000,
            max_bytes: 1 << 20,
        },
    }
}

fn projections() -> (ProjectionKind, ProjectionKind) {
    let properties = |names: &[&str]| -> Vec<Property> {
        let named = names.iter().map(|name| Property {
            name: (*name).into(),
            column: (*name).into(),
        });
        named.collect()
    };
    let pattern = |others: &[&str]| NodePattern {
        label: LABEL.into(),
        key: properties(&["id"]),
        properties: properties(others),
    };
    let node = Node {
        from: TableId(0),
        node: pattern(&["name", "email"]),
        when: None,
    };
    let relationship = Relationship {
        from: TableId(1),
        start: pattern(&[]),
        kind: KIND.into(),
        properties: properties(&["quantity"]),
        end: pattern(&[]),
        when: None,
    };
    (
        ProjectionKind::Node(node),
        ProjectionKind::Relationship(relationship),
    )
}

/// The ends of relationship `row`, somewhere among the nodes.
fn ends(row: i64) -> (i64, i64) {
    let nodes = BATCHES * ROWS;
    (row * 7 % nodes, (row * 13 + 5) % nodes)
}

async fn through(sink: &Neo4j, kind: Kind, version: i64) {
    for batch in 0..BATCHES {
        let rows = batch * ROWS..(batch + 1) * ROWS;
        let mutations: Vec<_> = rows.map(|row| mutation(kind, row, version)).collect();
        sink.write(&mutations)
            .await
            .expect("nobody else writes here");
    }
}

fn mutation(kind: Kind, row: i64, version: i64) -> GraphMutation {
    let values = |values: &[String]| -> Properties {
        Properties {
            values: values
                .iter()
                .map(|json| Some(json.as_str().into()))
                .collect(),
            fill: None,
        }
    };
    let key = |id: i64| -> Box<[Box<str>]> { Box::new([id.to_string().into()]) };
    let (start, end) = ends(row);
    let (projection, action) = match kind {
        Kind::Node => (
            0,
            Action::UpsertNode {
                key: key(row),
                properties: values(&[format!("\"name {row}\""), "\"a@example.org\"".into()]),
            },
        ),
        Kind::Relationship => (
            1,
            Action::UpsertRelationship {
                start: key(start),
                end: key(end),
                properties: values(&[version.to_string()]),
            },
        ),
    };
    GraphMutation {
        key: GraphKey {
            projection: ProjectionId(projection),
            row: format!("[{row}]").into(),
        },
        version: Version::new(0, version),
        action,
    }
}

async fn plain(graph: &Graph, kind: Kind, version: i64) {
    let text = match kind {
        Kind::Node => format!(
            "UNWIND $rows AS r MERGE (n:{LABEL} {{id: r[1]}}) \
             WITH n, r WHERE coalesce(n._v, -1) <= r[0] \
             SET n.name = r[2], n.email = r[3], n._v = r[0]"
        ),
        Kind::Relationship => format!(
            "UNWIND $rows AS r MERGE (a:{LABEL} {{id: r[1]}}) MERGE (b:{LABEL} {{id: r[2]}}) \
             MERGE (a)-[x:{KIND} {{_key: r[3]}}]->(b) \
             WITH x, r WHERE coalesce(x._v, -1) <= r[0] SET x.quantity = r[0], x._v = r[0]"
        ),
    };
    for batch in 0..BATCHES {
        let rows = (batch * ROWS..(batch + 1) * ROWS).map(|row| parameter(kind, row, version));
        let rows = BoltType::List(BoltList {
            value: rows.collect(),
        });
        let mut tx = graph.start_txn().await.expect("the stack is up");
        let statement = query(&text).param("rows", rows);
        tx.run(statement).await.expect("nobody else writes here");
        tx.commit().await.expect("nobody else writes here");
    }
}

fn parameter(kind: Kind, row: i64, version: i64) -> BoltType {
    let (start, end) = ends(row);
    let value: Vec<BoltType> = match kind {
        Kind::Node => {
            let name = format!("name {row}");
            vec![
                version.into(),
                row.into(),
                name.into(),
                "a@example.org".into(),
            ]
        }
        Kind::Relationship => {
            let key = format!("bench-relationship[{row}]");
            vec![version.into(), start.into(), end.into(), key.into()]
        }
    };
    BoltType::List(BoltList { value })
}

async fn wipe(graph: &Graph) {
    loop {
        let text =
            format!("MATCH (n:{LABEL}) WITH n LIMIT 10000 DETACH DELETE n RETURN count(*) AS n");
        let mut rows = graph.execute(query(&text)).await.expect("the stack is up");
        let row = rows.next().await.expect("the stack is up");
        if row.and_then(|row| row.get::<i64>("n").ok()) == Some(0) {
            return;
        }
    }
}
