//! Markers: nodes `(:_DistributaryMarker {projection, …})` that say what filled the graph (D15).

use neo4rs::{BoltType, Row};

use super::client::{Transaction, column};
use super::error::Failure;
use super::pattern::MARKER;
use super::value::list_of;
use crate::sink::{Found, Marker};

/// Finds the markers of these projections.
pub(super) async fn find(tx: &mut Transaction, names: &[&str]) -> Result<Vec<Found>, Failure> {
    let statement = format!(
        "MATCH (m:{MARKER}) WHERE m.projection IN $given.names \
         RETURN m.pipeline AS pipeline, m.group AS group, m.projection AS projection, \
         m.fingerprint AS fingerprint, m.started AS started"
    );
    let list = list_of(names.iter().map(|name| BoltType::from(*name)).collect());
    let rows = tx.rows(&statement, vec![("names", list)]).await?;
    let markers: Vec<Marker> = rows.iter().map(read).collect::<Result<_, _>>()?;
    let found = names.iter().map(|name| Found {
        projection: (*name).to_owned(),
        marker: markers.iter().find(|it| it.projection == *name).cloned(),
    });
    Ok(found.collect())
}

fn read(row: &Row) -> Result<Marker, Failure> {
    Ok(Marker {
        pipeline: column(row, "pipeline")?,
        group: column(row, "group")?,
        projection: column(row, "projection")?,
        fingerprint: column(row, "fingerprint")?,
        started: column(row, "started")?,
    })
}

/// Writes a marker over the one that may be there.
pub(super) async fn write(tx: &mut Transaction, marker: &Marker) -> Result<(), Failure> {
    let statement = format!("MERGE (m:{MARKER} {{projection: $given.projection}}) SET m += $given");
    let parameters = vec![
        ("projection", marker.projection.as_str().into()),
        ("pipeline", marker.pipeline.as_str().into()),
        ("group", marker.group.as_str().into()),
        ("fingerprint", marker.fingerprint.as_str().into()),
        ("started", marker.started.into()),
    ];
    tx.run(&statement, parameters).await
}
