//! The example, set up for faults: tables with rows, a connector, a configuration with short
//! timeouts.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use checker::Targets;
use workload::{Session, Workload};

use crate::fault::Store;
use crate::stack::Stack;

/// What is different from the example: a session that a frozen instance outlasts, a drain that ends
/// within it, and a second `UNLINK` that a cache reader on a busy machine cannot outlast.
const CHANGES: [(&str, &str); 3] = [
    (
        "  group: ecommerce\n",
        "  group: ecommerce\n  properties: {session.timeout.ms: \"10000\", heartbeat.interval.ms: \"1000\"}\n",
    ),
    ("drain_timeout: 25s", "drain_timeout: 4s"),
    ("second_unlink_after: 1s", "second_unlink_after: 2s"),
];

/// A transaction that is not over yet; its key is none that the workload would choose.
const IN_FLIGHT: &str = "BEGIN; INSERT INTO public.products (id, slug, name, status) \
                         VALUES (1000000000 + extract(epoch FROM now())::bigint, \
                         'in-flight-' || clock_timestamp(), 'in flight', 'active')";
/// Until it is committed.
const IN_FLIGHT_FOR: Duration = Duration::from_secs(3);

/// The addresses that the checker and the nemesis use: those of the servers themselves.
///
/// # Errors
/// Where the stack does not say one.
pub(crate) fn targets(stack: &Stack) -> Result<Targets> {
    Ok(Targets {
        pg_url: stack.get("PG_URL")?.to_owned(),
        es_url: stack.get("ES_URL")?.to_owned(),
        redis_url: stack.get("REDIS_URL")?.to_owned(),
        neo4j_uri: stack.get("NEO4J_URI")?.to_owned(),
        neo4j_user: stack.get("NEO4J_USER")?.to_owned(),
        neo4j_password: stack.get("NEO4J_PASSWORD")?.to_owned(),
        index_prefix: String::new(),
        label_prefix: String::new(),
    })
}

/// Creates the tables, fills them, and registers Debezium's connector.
///
/// # Errors
/// Where Postgres or Connect refuses.
pub(crate) async fn shop(stack: &Stack, targets: &Targets, workload: &Workload) -> Result<Session> {
    let schema = stack.root().join("examples/ecommerce/schema.sql");
    let sql = std::fs::read_to_string(&schema).with_context(|| schema.display().to_string())?;
    let postgres = targets.postgres().await?;
    postgres.batch_execute(&sql).await?;
    let session = workload.open(postgres).await?;
    // Open while Debezium begins its snapshot: neither the snapshot nor the stream may miss the row.
    let late = targets.postgres().await?;
    late.batch_execute(IN_FLIGHT).await?;
    let (registered, committed) = tokio::join!(stack.register_connector(), async {
        tokio::time::sleep(IN_FLIGHT_FOR).await;
        late.batch_execute("COMMIT").await
    });
    registered?;
    committed?;
    Ok(session)
}

/// Writes the configuration of the run and says where it is.
///
/// # Errors
/// Where the example no longer has what is to be changed in it.
pub(crate) fn configuration(stack: &Stack, folder: &Path, stores: &[Store]) -> Result<PathBuf> {
    let example = stack.root().join("examples/ecommerce");
    let mut text = std::fs::read_to_string(example.join("distributary.yaml"))?;
    for (from, to) in CHANGES {
        anyhow::ensure!(text.contains(from), "the example has no `{from}`");
        text = text.replace(from, to);
    }
    for store in Store::ALL.into_iter().filter(|it| !stores.contains(it)) {
        text = without(&text, sink_name(store));
    }
    let indices = folder.join("indices");
    std::fs::create_dir_all(&indices)?;
    for file in ["products.json", "orders.json"] {
        std::fs::copy(example.join("indices").join(file), indices.join(file))?;
    }
    let path = folder.join("distributary.yaml");
    std::fs::write(&path, text)?;
    Ok(path)
}

const fn sink_name(store: Store) -> &'static str {
    match store {
        Store::Search => "search",
        Store::Cache => "cache",
        Store::Graph => "graph",
    }
}

/// The example keeps a sink and a projection to a line each, but for those that span several lines
/// and begin with `- name`.
fn without(text: &str, sink: &str) -> String {
    let (of_sink, definition) = (format!("sink: {sink}"), format!("  {sink}:"));
    let mut kept: Vec<&str> = Vec::new();
    let mut dropping = false;
    for line in text.lines() {
        let begins = line.starts_with("  - ") || !line.starts_with("    ");
        dropping = dropping && !begins;
        if line.trim() == of_sink {
            dropping = true;
            kept.pop();
        }
        if !dropping && !line.contains(&format!("{of_sink},")) && !line.starts_with(&definition) {
            kept.push(line);
        }
    }
    kept.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sink_is_left_out_with_all_its_projections() {
        let example = include_str!("../../../examples/ecommerce/distributary.yaml");
        for sink in ["search", "cache", "graph"] {
            let text = without(example, sink);
            assert!(!text.contains(&format!("sink: {sink}")), "{text}");
            assert!(!text.contains(&format!("\n  {sink}:")), "{text}");
        }
        assert_eq!(without(example, "other"), example);
    }
}
