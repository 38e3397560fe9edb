//! One file for each question that is asked.

pub(crate) mod cache;
pub(crate) mod documents;
pub(crate) mod graph;
pub(crate) mod hot;
pub(crate) mod latency;
pub(crate) mod memory;
pub(crate) mod null;
mod peer;
mod scale;
pub(crate) mod together;

use anyhow::{Context, Result, ensure};

use crate::bench::Bench;
use crate::load::Load;
use crate::report::Findings;
use crate::run::Run;
use crate::series::{Contestant, Series};

/// What can be asked; the last one is asked for by its name alone.
pub(crate) const NAMES: [&str; 9] = [
    "hot",
    "null",
    "elasticsearch",
    "redis",
    "neo4j",
    "together",
    "memory",
    "latency",
    "scale",
];

/// Asks every question whose name is in `only`, or all, and notes what is found as it comes. One that
/// cannot be answered does not keep the others from being asked.
pub(crate) async fn all(bench: &Bench, only: &[String], findings: &mut Findings) {
    let asked = |name: &str| only.iter().any(|it| it == name);
    let wanted = |name: &str| asked(name) || (only.is_empty() && name != "scale");
    for name in NAMES.into_iter().filter(|name| wanted(name)) {
        println!("{name}");
        if name == "hot" {
            let steps = hot::run(bench).await;
            findings.hot = Some(steps.map_err(|error| format!("{error:#}")));
        } else if name == "latency" {
            let latency = delays(bench, findings).await;
            findings.latency = Some(latency.map_err(|error| format!("{error:#}")));
        } else if let Err(error) = series(bench, name, &mut findings.all).await {
            findings.failed.push(format!("{name}: {error:#}"));
        }
    }
}

async fn series(bench: &Bench, name: &str, all: &mut Vec<Series>) -> Result<()> {
    match name {
        "null" => null::run(bench, all).await,
        "elasticsearch" => documents::run(bench, all).await,
        "redis" => cache::run(bench, all).await,
        "neo4j" => graph::run(bench, all).await,
        "together" => together::run(bench, all).await,
        "scale" => scale::run(bench, all).await,
        _ => memory::run(bench, all).await,
    }
}

/// Half of the load is half of what was measured before.
async fn delays(bench: &Bench, findings: &Findings) -> Result<latency::Latency> {
    let full = findings.spread(
        documents::DISTINCT,
        Contestant::Program,
        Run::events_per_second,
    );
    let full = full
        .ok()
        .context("half load is unknown: the scenario elasticsearch was not run")?;
    latency::run(bench, full.0.median).await
}

/// A run counts only if it consumed every record of the topic.
fn complete(load: &Load, run: Run) -> Result<Run> {
    ensure!(
        run.events == load.len(),
        "{} records were consumed, and the topic has {}",
        run.events,
        load.len()
    );
    Ok(run)
}
