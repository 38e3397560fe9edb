//! What the program itself costs: the example's document projection over a store that keeps nothing.

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
    use Contestant::{Again, Program, WithSchemas};
    let rounds = bench.sizes.rounds;
    let main = bench.load(bench.backlog()).await?;
    let wrapped = bench.load(bench.wrapped()).await?;
    let contestants = [Program, Again, WithSchemas];
    let series = in_turns(DISTINCT, &contestants, rounds, async |who| match who {
        WithSchemas => once(bench, &wrapped).await,
        _ => once(bench, &main).await,
    });
    all.extend(series.await);
    for (name, topic, shape) in [
        (
            "null store, distinct keys, 12 partitions",
            "bench-null-twelve",
            bench.twelve(),
        ),
        (
            "null store, keys three times",
            "bench-null-thrice",
            bench.thrice(),
        ),
        (
            "null store, keys thirty times",
            "bench-thirty",
            bench.thirty(),
        ),
    ] {
        // A store that keeps nothing would be through with the others' topics within half a second.
        let events = bench.sizes.events(1_000_000);
        let longer = Shape {
            topic,
            events,
            ..shape
        };
        let load = bench.load(longer).await?;
        let series = in_turns(name, &[Program], rounds, async |_| once(bench, &load).await);
        all.extend(series.await);
    }
    Ok(())
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

    /// Events that bring their schema, five times as long as without.
    fn wrapped(&self) -> Shape {
        let events = self.sizes.events(400_000);
        Shape {
            schemas: true,
            ..Shape::products("bench-wrapped", self.sizes.seed, events)
        }
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
        Shape::products(
            "bench-thirty",
            self.sizes.seed,
            self.sizes.events(1_000_000),
        )
        .repeated(30)
    }
}
