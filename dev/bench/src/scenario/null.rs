//! What the program itself costs: the example's document projection over a store that keeps nothing.

use std::sync::Arc;

use anyhow::Result;

use super::complete;
use crate::bench::Bench;
use crate::config::{Pipeline, Sink};
use crate::load::{Load, Shape};
use crate::program::{self, Launch};
use crate::run::Run;
use crate::series::{Contestant, Series, in_turns};

/// The main scenario.
pub(crate) const DISTINCT: &str = "null store, distinct keys";

/// Runs it on every kind of topic.
pub(crate) async fn run(bench: &Bench, all: &mut Vec<Series>) -> Result<()> {
    let both = [Contestant::Program, Contestant::Again];
    let main = bench.load(bench.backlog()).await?;
    all.extend(series(bench, DISTINCT, &main, &both).await);
    for (name, shape) in [
        ("null store, distinct keys, 12 partitions", bench.twelve()),
        ("null store, keys three times", bench.thrice()),
        ("null store, keys thirty times", bench.thirty()),
    ] {
        let load = bench.load(shape).await?;
        all.extend(series(bench, name, &load, &both[..1]).await);
    }
    Ok(())
}

async fn series(
    bench: &Bench,
    name: &str,
    load: &Arc<Load>,
    contestants: &[Contestant],
) -> Vec<Series> {
    let rounds = bench.sizes.rounds;
    in_turns(name, contestants, rounds, async |_| once(bench, load).await).await
}

async fn once(bench: &Bench, load: &Load) -> Result<Run> {
    let pipeline = Pipeline {
        sinks: &[Sink::Search],
        ..bench.pipeline(load.shape)
    };
    let run = program::run(Launch {
        program: bench.null.clone(),
        ..bench.launch(pipeline.yaml(&bench.group()), load.ends().len())
    })
    .await?;
    complete(load, run)
}

impl Bench {
    /// A million distinct keys.
    pub(crate) fn backlog(&self) -> Shape {
        Shape::products(
            "bench-backlog",
            self.sizes.seed,
            self.sizes.events(1_000_000),
        )
    }

    /// Distinct keys on three partitions.
    pub(crate) fn distinct(&self) -> Shape {
        Shape::products(
            "bench-distinct",
            self.sizes.seed,
            self.sizes.events(240_000),
        )
    }

    /// Distinct keys on twelve partitions.
    pub(crate) fn twelve(&self) -> Shape {
        let shape = Shape::products("bench-twelve", self.sizes.seed, self.sizes.events(240_000));
        Shape {
            partitions: 12,
            ..shape
        }
    }

    /// Each key three times.
    pub(crate) fn thrice(&self) -> Shape {
        Shape::products("bench-thrice", self.sizes.seed, self.sizes.events(360_000)).repeated(3)
    }

    /// Each key thirty times.
    pub(crate) fn thirty(&self) -> Shape {
        Shape::products("bench-thirty", self.sizes.seed, self.sizes.events(600_000)).repeated(30)
    }
}
