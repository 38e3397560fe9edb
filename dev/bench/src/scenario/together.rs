//! All three stores at once beside each alone, behind one group and behind one for each: on this
//! machine, whose processors they share, and each at the end of a slow line, so that it is only
//! waited for.

use std::time::Duration;

use anyhow::{Result, ensure};
use chaos::{Lines, Mode, Store};

use crate::bench::Bench;
use crate::config::{Pipeline, Sink};
use crate::load::{Load, Shape};
use crate::program::{self, Launch};
use crate::run::Run;
use crate::series::{Contestant, Series, in_turns};
use crate::stores::elasticsearch::{Found, INDEX};

const ALL: [Sink; 3] = [Sink::Search, Sink::Cache, Sink::Graph];

/// On this machine.
pub(crate) const NEAR: &str = "three stores";
/// Behind slow lines.
pub(crate) const FAR: &str = "three stores, behind slow lines";

/// What a slow line does with each piece of at most 64 KiB, in either direction.
const DELAY: Duration = Duration::from_millis(20);

/// Runs both; `rounds` times each.
pub(crate) async fn run(bench: &Bench, all: &mut Vec<Series>) -> Result<()> {
    all.extend(scenario(bench, NEAR, bench.few(), None).await?);
    let lines = Lines::start(&bench.stack, &[Store::Search, Store::Cache, Store::Graph]).await?;
    lines.set(Mode::Slow(DELAY));
    // A few thousand events a second: as many as there is patience for.
    let events = bench.sizes.events(60_000);
    let far = Shape::products("bench-far", bench.sizes.seed, events);
    all.extend(scenario(bench, FAR, far, Some(&lines)).await?);
    Ok(())
}

async fn scenario(
    bench: &Bench,
    name: &str,
    shape: Shape,
    lines: Option<&Lines>,
) -> Result<Vec<Series>> {
    use Contestant::{AllPerSink, AllShared, CacheAlone, GraphAlone, SearchAlone};
    let load = bench.load(shape).await?;
    let contestants = [SearchAlone, CacheAlone, GraphAlone, AllShared, AllPerSink];
    let rounds = bench.sizes.rounds;
    let series = in_turns(name, &contestants, rounds, async |who| {
        let (sinks, groups) = match who {
            SearchAlone => (&ALL[..1], "shared"),
            CacheAlone => (&ALL[1..2], "shared"),
            GraphAlone => (&ALL[2..], "shared"),
            AllPerSink => (&ALL[..], "per_sink"),
            _ => (&ALL[..], "shared"),
        };
        once(bench, &load, (sinks, groups), lines).await
    });
    Ok(series.await)
}

async fn once(
    bench: &Bench,
    load: &Load,
    (sinks, groups): (&[Sink], &str),
    lines: Option<&Lines>,
) -> Result<Run> {
    bench.search.delete(INDEX).await?;
    bench.cache.fill(&load.last()).await?;
    bench.database.prepare(load).await?;
    let pipeline = Pipeline {
        sinks,
        groups,
        // The delay before a second one is a wait by the clock, and not what the stores cost.
        second_unlink_after: "0s",
        ..bench.pipeline(load.shape)
    };
    let count = if groups == "per_sink" { sinks.len() } else { 1 };
    let near = bench.launch(pipeline.yaml(&bench.group()), count * load.ends().len());
    let mut run = program::run(match lines {
        None => near,
        Some(lines) => Launch {
            environment: lines.environment(&bench.stack),
            ..near
        },
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
