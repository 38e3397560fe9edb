//! What an event costs from Kafka to a store that does nothing: `cargo bench --bench null`, with
//! the local stack up (`make stack-up`).
//!
//! The topic is filled once with a million events of 1 KB and read through the poll thread, the
//! pipeline task and the sink task, with the program's own metrics. Told are the processor time of
//! each thread, and in a pass of its own the allocations, both for one event. A pass without a
//! broker (`-- memory`) feeds the pipeline from memory; its figures are for profilers.

#[path = "../support/mod.rs"]
mod support;

mod allocations;
mod feed;
mod topic;
mod way;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use support::cpu::{self, Threads};

/// Passes of each kind; the best one is told.
const PASSES: u32 = 3;

#[tokio::main(worker_threads = 2)]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let is_asked = |word: &str| arguments.iter().any(|it| it == word);
    if is_asked("memory") {
        return pass_all("from memory", async || way::Source::memory()).await;
    }
    for partitions in [3, 12] {
        let topic = topic::filled(partitions).await;
        let source = async || way::Source::kafka(&topic);
        pass_all(&format!("{partitions} partitions"), source).await;
    }
}

async fn pass_all(name: &str, source: impl AsyncFn() -> way::Source) {
    let counted = allocations::count(async { drop(way::pass(source().await).await) }).await;
    println!(
        "{name}: {:.1} allocations of {:.0} bytes for each event",
        counted.number / way::EVENTS as f64,
        counted.bytes / way::EVENTS as f64,
    );
    for _ in 0..PASSES {
        let source = source().await;
        let (before, begun) = (cpu::of_threads(), Instant::now());
        let after = way::pass(source).await;
        report(&before, after, begun.elapsed());
    }
}

/// Tells what each kind of thread took. A thread of the last pass may have ended meanwhile.
fn report(before: &Threads, after: Threads, wall: Duration) {
    let mut times: BTreeMap<String, Duration> = BTreeMap::new();
    for (number, (name, time)) in after {
        let before = before.get(&number).map_or(Duration::ZERO, |it| it.1);
        *times.entry(name).or_default() += time.saturating_sub(before);
    }
    let per_event = |time: Duration| time.as_secs_f64() * 1e9 / way::EVENTS as f64;
    let mut total = 0.0;
    let mut parts = String::new();
    for (name, time) in times {
        let nanos = per_event(time);
        total += nanos;
        if nanos >= 1.0 {
            parts += &format!(" {name} {nanos:.0}");
        }
    }
    println!(
        "  {total:.0} ns of processor for each event ({:.0} events/s of processor, {:.0} events/s):{parts}",
        1e9 / total,
        way::EVENTS as f64 / wall.as_secs_f64(),
    );
}
