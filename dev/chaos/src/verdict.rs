//! What must hold once everything is healed, and how long that took.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use checker::{Report, Stores, Targets};
use instance::Metrics;
use serde_json::Value;

use crate::fault::Store;
use crate::fleet::Fleet;
use crate::topics;

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(500);
/// How long Elasticsearch, which is healed, may take for an answer.
const ANSWER: Duration = Duration::from_secs(5);

/// Waits until the stores equal Postgres and the program says that nothing waits.
///
/// # Errors
/// Where a server cannot be asked although everything is healed.
pub(crate) async fn quiescence(
    targets: &Targets,
    stores: &[Store],
    fleet: &mut Fleet,
    patience: Duration,
) -> Result<Quiescence> {
    let start = Instant::now();
    // A row that is written after everything else; the comparison below asks for it.
    let connected = targets.connect().await?;
    sentinel(&connected).await?;
    loop {
        // A comparison is heavy: not before the program thinks that it is worth it.
        while !caught_up(fleet).await? && start.elapsed() < patience {
            tokio::time::sleep(PAUSE).await;
        }
        let mut report = checker::compare(&connected).await?;
        let is_part = |store: &str| stores.iter().any(|it| it.server().name() == store);
        report.sections.retain(|section| is_part(section.store));
        let caught_up = caught_up(fleet).await?;
        let time = start.elapsed();
        if (report.is_equal() && caught_up) || time > patience {
            return Ok(Quiescence {
                report,
                caught_up,
                time,
            });
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// What was found when nothing moved any more, or patience was over.
pub(crate) struct Quiescence {
    /// The last comparison.
    pub(crate) report: Report,
    /// Whether every instance says that it lags behind nothing.
    pub(crate) caught_up: bool,
    /// From the last healed fault.
    pub(crate) time: Duration,
}

impl Quiescence {
    /// What must not be, in words.
    #[must_use]
    pub(crate) fn violations(&self) -> Vec<String> {
        let mut found = Vec::new();
        if !self.report.is_equal() {
            found.push(format!("the stores and Postgres differ:\n{}", self.report));
        }
        if !self.caught_up {
            found.push("an instance still says that it lags behind".to_owned());
        }
        found
    }
}

async fn sentinel(stores: &Stores) -> Result<()> {
    let sql = "INSERT INTO public.products (slug, name, status) \
               VALUES ('sentinel-' || clock_timestamp(), 'sentinel', 'active')";
    stores.postgres.batch_execute(sql).await?;
    Ok(())
}

/// Nothing is written when an instance stops in order and another goes on in its place.
///
/// # Errors
/// Where a server cannot be asked.
pub(crate) async fn replay_of_nothing(
    targets: &Targets,
    fleet: &mut Fleet,
    patience: Duration,
) -> Result<Option<String>> {
    let http = reqwest::Client::builder().timeout(ANSWER).build()?;
    let before = writes(targets, &http).await?;
    fleet.relieve().await?;
    fleet.ready(patience).await?;
    let deadline = Instant::now() + patience;
    while !caught_up(fleet).await? && Instant::now() < deadline {
        tokio::time::sleep(PAUSE).await;
    }
    let after = writes(targets, &http).await?;
    Ok((before != after).then(|| {
        format!(
            "{} writes reached Elasticsearch after a restart at rest",
            after - before
        )
    }))
}

/// Whether every instance knows its lag and has none.
async fn caught_up(fleet: &mut Fleet) -> Result<bool> {
    let metrics = fleet.metrics().await?.unwrap_or_default();
    // An instance beside others may own nothing, but somebody owns something.
    let known = metrics.iter().any(Metrics::has_partitions);
    Ok(known && !metrics.iter().any(Metrics::lags))
}

/// Index and delete operations that the indices have had.
async fn writes(targets: &Targets, http: &reqwest::Client) -> Result<i64> {
    let url = format!("{}/products,orders/_stats/indexing", targets.es_url);
    let text = http
        .get(url)
        .send()
        .await?
        .error_for_status()?
        .text()
        .await?;
    let stats: Value = serde_json::from_str(&text)?;
    let indexing = &stats["_all"]["primaries"]["indexing"];
    let count = |name: &str| indexing[name].as_i64().context("the indexing statistics");
    Ok(count("index_total")? + count("delete_total")?)
}

/// What Kafka says: everything committed, and nothing buried.
///
/// # Errors
/// Where the broker cannot be asked.
pub(crate) async fn kafka(brokers: &str, patience: Duration) -> Result<Vec<String>> {
    let deadline = Instant::now() + patience;
    let mut found = Vec::new();
    loop {
        let asked = brokers.to_owned();
        let behind = tokio::task::spawn_blocking(move || topics::uncommitted(&asked)).await??;
        if behind.is_empty() {
            break;
        }
        if Instant::now() > deadline {
            found.extend(behind);
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    let asked = brokers.to_owned();
    let buried = tokio::task::spawn_blocking(move || topics::dead_letters(&asked)).await??;
    if buried > 0 {
        found.push(format!(
            "{buried} records were dead-lettered, and none was poison"
        ));
    }
    Ok(found)
}
