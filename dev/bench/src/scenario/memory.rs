//! How much memory the program takes at most: with a long backlog, and with large rows.

use anyhow::Result;

use super::documents;
use crate::bench::Bench;
use crate::load::Shape;
use crate::rows::Rows;
use crate::series::{Contestant, Series, in_turns};

/// A long backlog.
pub(crate) const BACKLOG: &str = "Elasticsearch, a long backlog";
/// Large rows.
pub(crate) const LARGE: &str = "Elasticsearch, rows of 100 kB";

/// Once each: a peak is a peak.
pub(crate) async fn run(bench: &Bench, all: &mut Vec<Series>) -> Result<()> {
    for (name, shape) in [(BACKLOG, bench.backlog()), (LARGE, bench.large())] {
        let load = bench.load(shape).await?;
        let series = in_turns(name, &[Contestant::Program], 1, async |_| {
            documents::with_program(bench, &load).await
        });
        all.extend(series.await);
    }
    Ok(())
}

impl Bench {
    fn large(&self) -> Shape {
        let shape = Shape::products("bench-large", self.sizes.seed, 3000 / self.sizes.shrink);
        let rows = Rows {
            text: 100_000,
            ..shape.rows
        };
        Shape { rows, ..shape }
    }
}
