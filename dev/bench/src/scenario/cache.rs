//! Keys in Redis: the program beside a bare pipeline of `UNLINK`, two keys for each row.

use anyhow::Result;

use super::complete;
use crate::bench::Bench;
use crate::config::{Pipeline, Sink};
use crate::load::Load;
use crate::program;
use crate::run::Run;
use crate::series::{Contestant, Series, in_turns};
use crate::stores::redis::{ROWS, pipeline};
use crate::stores::{bare, count};

/// With one `UNLINK` for each key.
pub(crate) const ONCE: &str = "Redis";

/// Once with one `UNLINK` for each key, which is what the bare client does, and once with the second
/// one that is the program's default.
pub(crate) async fn run(bench: &Bench, all: &mut Vec<Series>) -> Result<()> {
    use Contestant::{Again, Bare, Program};
    // As many as the null store gets: the bare client would be through with fewer within a second.
    let load = bench.load(bench.backlog()).await?;
    let requests = load.requests(ROWS);
    for (name, second, contestants) in [
        (ONCE, "0s", &[Bare, Program, Again][..]),
        ("Redis, second UNLINK after 1 s", "1s", &[Program]),
    ] {
        let rounds = bench.sizes.rounds;
        let series = in_turns(name, contestants, rounds, async |who| {
            bench.cache.fill(&load.last()).await?;
            let run = match who {
                Bare => {
                    let pipelines = requests.iter().map(|it| pipeline(it)).collect();
                    let work = bench.cache.unlink(pipelines);
                    bare(&bench.stack, (load.len(), 2 * count(&requests)), work).await?
                }
                _ => with_program(bench, &load, second).await?,
            };
            bench.cache.compare().await?;
            Ok(run)
        });
        all.extend(series.await);
    }
    Ok(())
}

async fn with_program(bench: &Bench, load: &Load, second_unlink_after: &str) -> Result<Run> {
    let pipeline = Pipeline {
        sinks: &[Sink::Cache],
        second_unlink_after,
        ..bench.pipeline(load.shape)
    };
    let run = program::run(bench.launch(pipeline.yaml(&bench.group()), load.ends().len())).await?;
    complete(load, run)
}
