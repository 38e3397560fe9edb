//! Documents in Elasticsearch: the program beside a bare bulk client on the same rows.

use anyhow::{Result, bail};

use super::{complete, peer};
use crate::bench::Bench;
use crate::config::{Pipeline, Sink};
use crate::load::{Last, Load};
use crate::program;
use crate::run::Run;
use crate::series::{Contestant, Series, in_turns, warm_up};
use crate::stores::elasticsearch::{BATCH, Found, INDEX, body};
use crate::stores::{bare, count};

/// The main scenario.
pub(crate) const DISTINCT: &str = "Elasticsearch, distinct keys";
/// Each key three times.
pub(crate) const THRICE: &str = "Elasticsearch, keys three times";
/// Each key thirty times.
pub(crate) const THIRTY: &str = "Elasticsearch, keys thirty times";

/// The bare client's index.
const BARE_INDEX: &str = "bare";

/// Runs it on every kind of topic.
pub(crate) async fn run(bench: &Bench, all: &mut Vec<Series>) -> Result<()> {
    use Contestant::{Again, Bare, Peer, Program};
    let peer = peer::install(bench).await;
    let mut is_cold = true;
    for (name, shape, contestants) in [
        (
            DISTINCT,
            bench.distinct(),
            &[Bare, Program, Again, Peer][..],
        ),
        (
            "Elasticsearch, distinct keys, 12 partitions",
            bench.twelve(),
            &[Program],
        ),
        (THRICE, bench.thrice(), &[Bare, Program]),
        (THIRTY, bench.thirty(), &[Bare, Program]),
    ] {
        let load = bench.load(shape).await?;
        let requests = load.requests(BATCH);
        let once = async |who| match who {
            Bare => with_bare_client(bench, &load, &requests).await,
            Peer => match &peer {
                Ok(python) => peer::run(bench, python, &load).await,
                Err(error) => bail!("it cannot be installed: {error:#}"),
            },
            _ => with_program(bench, &load).await,
        };
        if std::mem::take(&mut is_cold) {
            warm_up(name, &[Bare, Program], &once).await;
        }
        let rounds = bench.sizes.rounds;
        all.extend(in_turns(name, contestants, rounds, &once).await);
        if name == THRICE {
            // One run, which takes as long as all of the others'.
            all.extend(in_turns(name, &[Peer], 1, &once).await);
        }
    }
    Ok(())
}

/// One run of the program over a topic.
pub(crate) async fn with_program(bench: &Bench, load: &Load) -> Result<Run> {
    bench.search.delete(INDEX).await?;
    let pipeline = Pipeline {
        sinks: &[Sink::Search],
        ..bench.pipeline(load.shape)
    };
    let run = program::run(bench.launch(pipeline.yaml(&bench.group()), load.ends().len())).await?;
    bench.search.counts(INDEX, run.writes).await?;
    bench.search.compare(INDEX, load, Found::Exact).await?;
    bench.search.delete(INDEX).await?;
    complete(load, run)
}

async fn with_bare_client(bench: &Bench, load: &Load, requests: &[Vec<Last>]) -> Result<Run> {
    bench.search.delete(BARE_INDEX).await?;
    bench.search.create(BARE_INDEX).await?;
    let bodies = requests.iter().map(|it| body(load, it)).collect();
    let work = bench.search.write(BARE_INDEX, bodies);
    let run = bare(&bench.stack, (load.len(), count(requests)), work).await?;
    bench.search.compare(BARE_INDEX, load, Found::Exact).await?;
    bench.search.delete(BARE_INDEX).await?;
    Ok(run)
}
