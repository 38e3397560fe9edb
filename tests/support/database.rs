//! A database of one test's own, on the server where the truth is.

use anyhow::Result;
use tokio_postgres::Client;

use super::{stack, until};

/// Where it is.
pub(crate) fn url(name: &str) -> String {
    let url = stack("PG_URL");
    let (server, _) = url.rsplit_once('/').unwrap();
    format!("{server}/{name}")
}

/// Makes one with this schema.
pub(crate) async fn create(name: &str, schema: &str) -> Result<Client> {
    let admin = workload::connect(&url("postgres")).await?;
    admin
        .batch_execute(&format!("CREATE DATABASE {name}"))
        .await?;
    let client = workload::connect(&url(name)).await?;
    client.batch_execute(schema).await?;
    Ok(client)
}

/// Removes it with its slots: they outlive their connectors, and it cannot go before them.
pub(crate) async fn remove(name: &str) -> Result<()> {
    let admin = workload::connect(&url("postgres")).await?;
    let drop_slots = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots \
                      WHERE database = $1 AND NOT active";
    let slots = "SELECT slot_name FROM pg_replication_slots WHERE database = $1";
    until("no slot is left", async || {
        admin.query(drop_slots, &[&name]).await.ok()?;
        let left = admin.query(slots, &[&name]).await.ok()?;
        left.is_empty().then_some(())
    })
    .await;
    admin
        .batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)"))
        .await?;
    Ok(())
}
