//! All three stores at once beside each alone, behind one group and behind one for each.

use anyhow::{Result, ensure};

use crate::bench::Bench;
use crate::config::{Pipeline, Sink};
use crate::load::Load;
use crate::program::{self, Launch};
use crate::run::Run;
use crate::series::{Contestant, Series, in_turns};
use crate::stores::elasticsearch::{Found, INDEX};

const ALL: [Sink; 3] = [Sink::Search, Sink::Cache, Sink::Graph];

/// The scenario.
pub(crate) const NAME: &str = "three stores";

/// Runs it; `rounds` times each.
pub(crate) async fn run(bench: &Bench) -> Result<Vec<Series>> {
    use Contestant::{AllPerSink, AllShared, CacheAlone, GraphAlone, SearchAlone};
    let load = bench.load(bench.few()).await?;
    let contestants = [SearchAlone, CacheAlone, GraphAlone, AllShared, AllPerSink];
    let rounds = bench.sizes.rounds;
    let series = in_turns(NAME, &contestants, rounds, async |who| {
        let (sinks, groups) = match who {
            SearchAlone => (&ALL[..1], "shared"),
            CacheAlone => (&ALL[1..2], "shared"),
            GraphAlone => (&ALL[2..], "shared"),
            AllPerSink => (&ALL[..], "per_sink"),
            _ => (&ALL[..], "shared"),
        };
        once(bench, &load, sinks, groups).await
    });
    Ok(series.await)
}

async fn once(bench: &Bench, load: &Load, sinks: &[Sink], groups: &str) -> Result<Run> {
    bench.search.delete(INDEX).await?;
    bench.cache.fill(&load.last()).await?;
    bench.database.prepare(load).await?;
    let pipeline = Pipeline {
        sinks,
        groups,
        ..bench.pipeline(load.shape)
    };
    let count = if groups == "per_sink" { sinks.len() } else { 1 };
    let mut run = program::run(Launch {
        program: bench.program.clone(),
        config: pipeline.yaml(&bench.group()),
        partitions: count * load.ends().len(),
        stack: &bench.stack,
    })
    .await?;
    let expected = load.len() * count as u64;
    ensure!(
        run.events == expected,
        "{} records were consumed, and {expected} should be",
        run.events
    );
    // Each group has read the topic; what a user sees is that the topic is done.
    run.events = load.len();
    for sink in sinks {
        match sink {
            Sink::Search => bench.search.compare(INDEX, load, Found::Exact).await?,
            Sink::Cache => bench.cache.compare().await?,
            Sink::Graph => bench.database.compare(load).await?,
        }
    }
    bench.search.delete(INDEX).await?;
    Ok(run)
}
