//! Each store as this benchmark sees it: emptied before a run, written to by a bare client, and
//! compared afterwards with what the topic says.
//!
//! The bare clients are modules here and not in `benches/`, because they write the rows of the same
//! topics, between the program's runs and in the same order.

pub(crate) mod elasticsearch;
pub(crate) mod neo4j;
pub(crate) mod redis;

use std::time::Instant;

use anyhow::Result;
use chaos::Stack;

use crate::load::Last;
use crate::run::{Clocks, Run};

/// Times a bare client's work. `events` is how many records its writes stand for.
pub(crate) async fn bare(
    stack: &Stack,
    (events, writes): (u64, usize),
    work: impl Future<Output = Result<()>>,
) -> Result<Run> {
    let clocks = Clocks::start(stack, std::process::id())?;
    let start = Instant::now();
    work.await?;
    let seconds = start.elapsed().as_secs_f64();
    let spent = clocks.elapsed()?;
    Ok(Run {
        events,
        writes: writes as u64,
        seconds,
        cpu: spent.cpu,
        others: spent.others,
        peak_bytes: None,
    })
}

/// How many rows these requests write.
pub(crate) fn count(requests: &[Vec<Last>]) -> usize {
    requests.iter().map(Vec::len).sum()
}
