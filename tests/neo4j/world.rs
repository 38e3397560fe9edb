//! A graph of its own within the shared database: labels, types and names that no other test uses.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use distributary::change::{Change, ProjectionId, TableId};
use distributary::config::{Batch, Neo4j as Settings, ProjectionKind, Secret};
use distributary::projector::graph::{GraphMutation, GraphProjector};
use distributary::projector::{Mutation as _, Projector as _};
use distributary::sink::neo4j::{GraphProjection, Neo4j};
use distributary::sink::{OutageKind, Outcome, Sink as _, SinkError};
use neo4rs::{Graph, Query, query};
use serde_json::Value as Json;

use super::projections::{items, key_of, shop};
use crate::support::stack;

/// Nodes by label and key, relationships by type and both keys, with all that can be seen of them.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Snapshot {
    pub(super) nodes: BTreeMap<(String, String), BTreeMap<String, Json>>,
    pub(super) relationships: BTreeMap<(String, String, String), Vec<BTreeMap<String, Json>>>,
}

/// The shop's graph under a prefix of its own, and the sinks that write it.
pub(super) struct World {
    pub(super) prefix: String,
    projections: Vec<(String, ProjectionKind)>,
    projectors: Vec<(TableId, GraphProjector)>,
    pub(super) graph: Graph,
}

pub(super) fn settings() -> Settings {
    settings_of(stack("NEO4J_URI"))
}

/// The settings for a Neo4j of some stack; they have one password.
pub(super) fn settings_of(uri: String) -> Settings {
    Settings {
        uri,
        database: "neo4j".into(),
        username: stack("NEO4J_USER"),
        password: password_file(&stack("NEO4J_PASSWORD")),
        create_constraints: true,
        batch: Batch {
            max_items: 1000,
            max_bytes: 1 << 20,
        },
    }
}

/// A file that holds a password for as long as the process lives.
pub(super) fn password_file(password: &str) -> Secret {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), password).unwrap();
    Secret::File(file.into_temp_path().keep().unwrap())
}

impl World {
    /// The shop's projections, prepared and empty.
    pub(super) async fn new() -> Self {
        Self::of(shop, &settings()).await
    }

    /// The same in another Neo4j.
    pub(super) async fn on(server: &Settings) -> Self {
        Self::of(shop, server).await
    }

    /// A node for each item and nothing else, prepared and empty.
    pub(super) async fn of_items() -> Self {
        Self::of(items, &settings()).await
    }

    /// These projections, whose names begin with the prefix, prepared and empty.
    async fn of(
        projections: fn(&str) -> Vec<(String, ProjectionKind)>,
        settings: &Settings,
    ) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("T{}x{count}_", std::process::id());
        let graph = Graph::new(
            settings.uri.as_str(),
            stack("NEO4J_USER"),
            stack("NEO4J_PASSWORD"),
        );
        let mut world = Self {
            projections: projections(&prefix),
            projectors: Vec::new(),
            graph: graph.unwrap(),
            prefix,
        };
        for (index, (_, kind)) in world.projections.iter().enumerate() {
            let id = ProjectionId(u16::try_from(index).unwrap());
            let projector = match kind {
                ProjectionKind::Node(node) => GraphProjector::node(id, "table", node),
                ProjectionKind::Relationship(it) => GraphProjector::relationship(id, "table", it),
                _ => continue,
            };
            world
                .projectors
                .push((kind.from().unwrap(), projector.unwrap()));
        }
        world.prepared(settings).await;
        world
    }

    /// A further sink, as another instance would have it.
    pub(super) fn sink(&self, settings: &Settings) -> Neo4j {
        let projections: Vec<_> = self
            .projections
            .iter()
            .enumerate()
            .map(|(index, (name, kind))| GraphProjection {
                id: ProjectionId(u16::try_from(index).unwrap()),
                name,
                table: Some("shop.table".to_owned()),
                kind,
                key: key_of(kind),
            })
            .collect();
        Neo4j::new(settings, &projections)
    }

    /// A sink that has made sure of its constraints; schema changes of other tests get in its way.
    pub(super) async fn prepared(&self, settings: &Settings) -> Neo4j {
        let sink = self.sink(settings);
        let deadline = Instant::now() + Duration::from_secs(120);
        loop {
            match sink.prepare().await {
                Ok(_) => return sink,
                Err(SinkError::Outage(_)) if Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// The mutations of a table's changes.
    pub(super) fn project(&self, changes: &[Change<'_>]) -> Vec<GraphMutation> {
        let mut mutations = Vec::new();
        for change in changes {
            for (table, projector) in &self.projectors {
                if *table == change.table {
                    projector.project(change, &mut mutations).unwrap();
                }
            }
        }
        mutations
    }

    /// Writes changes in one batch, as delivery does: coalesced, and again after contention.
    pub(super) async fn write(&self, sink: &Neo4j, changes: &[Change<'_>]) -> Vec<Outcome> {
        let mutations = coalesced(self.project(changes));
        written(sink, &mutations).await.unwrap()
    }

    pub(super) async fn run(&self, cypher: &str) {
        let text = cypher.replace("P_", &self.prefix);
        self.graph
            .execute(query(&text))
            .await
            .unwrap()
            .finish()
            .await
            .unwrap();
    }

    pub(super) async fn rows(&self, cypher: Query) -> Vec<neo4rs::Row> {
        let mut stream = self.graph.execute(cypher).await.unwrap();
        let mut rows = Vec::new();
        while let Some(row) = stream.next().await.unwrap() {
            rows.push(row);
        }
        rows
    }

    /// All that is in the graph under the prefix, without `_v` and `_key`.
    pub(super) async fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot::default();
        for label in ["User", "Product", "Order"] {
            let text = format!(
                "MATCH (n:`{}{label}`) RETURN n.id AS id, properties(n) AS p",
                self.prefix
            );
            for row in self.rows(query(&text)).await {
                let key = (label.to_owned(), row.get::<Json>("id").unwrap().to_string());
                let node = visible(row.get("p").unwrap());
                assert_eq!(snapshot.nodes.insert(key, node), None, "a doubled node");
            }
        }
        for kind in ["PLACED", "CONTAINS", "PURCHASED", "KNOWS"] {
            let text = format!(
                "MATCH (a)-[x:`{}{kind}`]->(b) RETURN a.id AS a, b.id AS b, properties(x) AS p",
                self.prefix
            );
            for row in self.rows(query(&text)).await {
                let end = |name| row.get::<Json>(name).unwrap().to_string();
                let key = (kind.to_owned(), end("a"), end("b"));
                let all = snapshot.relationships.entry(key).or_default();
                all.push(visible(row.get("p").unwrap()));
            }
        }
        for all in snapshot.relationships.values_mut() {
            all.sort_by_key(|one| format!("{one:?}"));
        }
        snapshot
    }

    /// Order and product of the nodes of items.
    pub(super) async fn items(&self) -> Vec<(i64, i64)> {
        let text = format!(
            "MATCH (n:`{}Item`) WHERE n._stub IS NULL AND n._v > 0 \
             RETURN n.order_id AS a, n.product_id AS b ORDER BY a, b",
            self.prefix
        );
        let rows = self.rows(query(&text)).await;
        let pair = |row: &neo4rs::Row| (row.get("a").unwrap(), row.get("b").unwrap());
        rows.iter().map(pair).collect()
    }

    /// Removes all traces; a test that failed leaves them to be looked at.
    pub(super) async fn clean_up(self) {
        self.run("MATCH (n) WHERE any(l IN labels(n) WHERE l STARTS WITH 'P_') DETACH DELETE n")
            .await;
        for label in ["Tombstone", "Lock"] {
            self.run(&format!(
                "MATCH (n:_Distributary{label}) WHERE n._key STARTS WITH 'P_' DETACH DELETE n"
            ))
            .await;
        }
        self.run("MATCH (n:_DistributaryMarker) WHERE n.projection STARTS WITH 'P_' DELETE n")
            .await;
        let constraints = query(
            "SHOW CONSTRAINTS YIELD name, labelsOrTypes WHERE labelsOrTypes[0] STARTS WITH $prefix RETURN name",
        );
        for row in self
            .rows(constraints.param("prefix", self.prefix.as_str()))
            .await
        {
            let name: String = row.get("name").unwrap();
            self.run(&format!("DROP CONSTRAINT `{name}` IF EXISTS"))
                .await;
        }
    }
}

fn visible(mut properties: BTreeMap<String, Json>) -> BTreeMap<String, Json> {
    properties.retain(|name, _| name == "_stub" || !name.starts_with('_'));
    properties
}

/// Writes a batch, again and again while rivals win; anything else is the answer.
pub(super) async fn written(
    sink: &Neo4j,
    batch: &[GraphMutation],
) -> Result<Vec<Outcome>, SinkError> {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        match sink.write(batch).await {
            Err(SinkError::Outage(outage))
                if outage.kind == OutageKind::Contention && Instant::now() < deadline =>
            {
                let pause =
                    u64::from(std::process::id().wrapping_mul(outage.reason.len() as u32) % 20);
                tokio::time::sleep(Duration::from_millis(5 + pause)).await;
            }
            answer => return answer,
        }
    }
}

/// One mutation for each key, as the buffer of a sink task makes them.
pub(super) fn coalesced(mutations: Vec<GraphMutation>) -> Vec<GraphMutation> {
    let mut waiting: Vec<GraphMutation> = Vec::new();
    for mutation in mutations {
        match waiting.iter_mut().find(|it| it.key() == mutation.key()) {
            Some(older) => older.merge(mutation),
            None => waiting.push(mutation),
        }
    }
    waiting
}

/// What a person would draw: `User 1`, `User 2 (stub)`, `1 -PLACED-> 2`.
pub(super) fn drawn(snapshot: &Snapshot) -> Vec<String> {
    let nodes = snapshot.nodes.iter().map(|((label, id), properties)| {
        let stub = if properties.contains_key("_stub") {
            " (stub)"
        } else {
            ""
        };
        format!("{label} {id}{stub}")
    });
    let relationships = snapshot
        .relationships
        .iter()
        .flat_map(|((kind, start, end), all)| {
            all.iter().map(move |_| format!("{start} -{kind}-> {end}"))
        });
    nodes.chain(relationships).collect()
}
