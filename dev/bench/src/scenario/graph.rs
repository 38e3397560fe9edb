//! Nodes and relationships in Neo4j: the program beside a bare client on the same rows.

use anyhow::Result;

use super::complete;
use crate::bench::Bench;
use crate::config::{Pipeline, Sink};
use crate::load::{Load, Shape};
use crate::program;
use crate::rows::{Rows, Table};
use crate::run::Run;
use crate::series::{Contestant, Series, in_turns, warm_up};
use crate::stores::neo4j::{BATCH, deletes_last, in_order};
use crate::stores::{bare, count};

/// Products.
pub(crate) const NODES: &str = "Neo4j, nodes";
/// Order items.
pub(crate) const RELATIONSHIPS: &str = "Neo4j, relationships";

/// Once for products, which are nodes, and once for order items, which are relationships.
pub(crate) async fn run(bench: &Bench, all: &mut Vec<Series>) -> Result<()> {
    use Contestant::{Again, Bare, BareTwo, Program};
    for (name, shape, contestants) in [
        (NODES, bench.few(), &[Bare, Program, BareTwo, Again][..]),
        // Two at a time would deadlock.
        (RELATIONSHIPS, bench.items(), &[Bare, Program]),
    ] {
        let load = bench.load(shape).await?;
        let requests = load.requests(BATCH);
        let writes = count(&requests);
        let once = async |who| {
            bench.database.prepare(&load).await?;
            let run = match who {
                // The driver's futures are large.
                Bare => {
                    let transactions = in_order(&load, &requests);
                    let work = Box::pin(bench.database.write(transactions, 1));
                    bare(&bench.stack, (load.len(), writes), work).await?
                }
                BareTwo => {
                    let [there, gone] = deletes_last(&load, &requests);
                    let work = Box::pin(async {
                        bench.database.write(there, 2).await?;
                        bench.database.write(gone, 2).await
                    });
                    bare(&bench.stack, (load.len(), writes), work).await?
                }
                _ => with_program(bench, &load).await?,
            };
            bench.database.compare(&load).await?;
            Ok(run)
        };
        let different = contestants.split(|it| *it == Again).next();
        warm_up(name, different.unwrap_or_default(), &once).await;
        let series = in_turns(name, contestants, bench.sizes.rounds, &once);
        all.extend(series.await);
    }
    Ok(())
}

async fn with_program(bench: &Bench, load: &Load) -> Result<Run> {
    let pipeline = Pipeline {
        sinks: &[Sink::Graph],
        ..bench.pipeline(load.shape)
    };
    let run = program::run(bench.launch(pipeline.yaml(&bench.group()), load.ends().len())).await?;
    complete(load, run)
}

impl Bench {
    /// Products for stores that take their time.
    pub(crate) fn few(&self) -> Shape {
        Shape::products("bench-few", self.sizes.seed, self.sizes.events(160_000))
    }

    /// Order items.
    fn items(&self) -> Shape {
        let shape = Shape::products("bench-items", self.sizes.seed, self.sizes.events(160_000));
        let rows = Rows {
            table: Table::Items,
            text: 500,
            ..shape.rows
        };
        Shape { rows, ..shape }
    }
}
