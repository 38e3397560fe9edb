//! The stores of a configuration, each told of the projections that it is for.

use crate::change::ProjectionId;
use crate::config::{self, Config, Projection, ProjectionKind, Table};
use crate::sink::elasticsearch::{DocumentProjection, Elasticsearch};
use crate::sink::neo4j::{GraphProjection, Neo4j};
use crate::sink::redis::RedisSink;
use crate::sink::{Sink as _, SinkError};

/// Asks the sink of that name whether its store answers, and changes nothing there.
///
/// # Errors
/// [`SinkError`] when it does not, refuses us, or cannot be used as it is configured.
///
/// # Panics
/// When the configuration has no such sink.
pub async fn ping(config: &Config, sink: &str) -> Result<(), SinkError> {
    match &config.sinks[sink] {
        config::Sink::Elasticsearch(it) => elasticsearch(config, sink, it)?.ping().await,
        config::Sink::Redis(it) => RedisSink::new(it)?.ping().await,
        config::Sink::Neo4j(it) => neo4j(config, sink, it).ping().await,
    }
}

pub(super) fn elasticsearch(
    config: &Config,
    sink: &str,
    settings: &config::Elasticsearch,
) -> Result<Elasticsearch, SinkError> {
    let projections: Vec<_> = of(config, sink)
        .filter_map(|(id, it)| match &it.kind {
            ProjectionKind::Document(document) => Some(DocumentProjection {
                id,
                name: &it.name,
                table: config.table(document.from).sql_name(),
                document,
            }),
            _ => None,
        })
        .collect();
    Elasticsearch::new(settings, &projections)
}

pub(super) fn neo4j(config: &Config, sink: &str, settings: &config::Neo4j) -> Neo4j {
    let projections: Vec<_> = of(config, sink)
        .map(|(id, it)| {
            let table = it.kind.from().map(|id| config.table(id));
            GraphProjection {
                id,
                name: &it.name,
                table: table.map(Table::sql_name),
                kind: &it.kind,
                key: table.map_or(&[], |it| &it.key),
            }
        })
        .collect();
    Neo4j::new(settings, &projections)
}

/// The projections of a sink.
fn of<'a>(
    config: &'a Config,
    sink: &'a str,
) -> impl Iterator<Item = (ProjectionId, &'a Projection)> {
    let projections = (0..).map(ProjectionId).zip(&config.projections);
    projections.filter(move |(_, it)| it.sink == sink)
}
