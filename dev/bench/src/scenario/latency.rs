//! How long changes take into Elasticsearch: at rest, at half of what it takes, and after more.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use instance::Metrics;

use crate::bench::Bench;
use crate::config::{Pipeline, Sink};
use crate::delays::{Delays, Histogram};
use crate::load::{Event, Load, Shape};
use crate::process;
use crate::program::Program;
use crate::stores::elasticsearch::{Found, INDEX};
use crate::topics::now_ms;

/// Single records at rest, and the pause between two.
const SINGLE: u32 = 300;
const PAUSE: Duration = Duration::from_millis(100);
/// How long the program's CPU is watched while nothing happens.
const REST: Duration = Duration::from_secs(15);
/// How many seconds half of the load is kept up.
const HALF: u32 = 25;
/// How many of them are told apart: nobody has written much to the broker before, and the index is new.
const RISE: u32 = 5;
/// Records of the overload.
const BURST: u32 = 300_000;
/// Between two questions whether a document is there.
const ASK: Duration = Duration::from_millis(2);
const PATIENCE: Duration = Duration::from_secs(60);
/// The share of half load that must have been there for its figures to count.
const KEPT_UP: f64 = 0.98;

/// What was found.
#[derive(Debug)]
pub(crate) struct Latency {
    /// Distributions.
    pub(crate) delays: Vec<Delays>,
    /// CPU of the program while nothing happens, in per cent of one core.
    pub(crate) idle_percent: f64,
    /// Records a second of the half load, and the share of them that the generator kept up.
    pub(crate) half: (f64, f64),
    /// Records of the overload, and how long they took to be written to Kafka.
    pub(crate) burst: (u64, f64),
    /// From the last of them until the store had everything.
    pub(crate) recovery_s: f64,
}

/// Runs it; `full` is what the program was seen to do, in events a second.
pub(crate) async fn run(bench: &Bench, full: f64) -> Result<Latency> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate"
    )]
    let half = (full / 2.0).max(100.0) as u32;
    let half_events = half * HALF / bench.sizes.shrink.min(HALF);
    let burst = bench.sizes.events(BURST);
    let shape = Shape::products("bench-live", bench.sizes.seed, SINGLE + half_events + burst);
    let load = Load::new(shape);
    bench.topics.create(shape.topic, shape.partitions).await?;
    bench.search.delete(INDEX).await?;
    let pipeline = Pipeline {
        sinks: &[Sink::Search],
        ..bench.pipeline(shape)
    };
    let mut program =
        Program::start(bench.launch(pipeline.yaml(&bench.group()), load.ends().len()))?;
    program.caught_up().await?;
    let mut live = Live {
        bench,
        load: &load,
        program,
        delays: Vec::new(),
        sent: 0,
    };
    let idle_percent = live.idle().await?;
    let (single, rest) = load.events.split_at(SINGLE as usize);
    live.at_rest(single).await?;
    let (steady, burst) = rest.split_at(half_events as usize);
    let (rise, steady) = steady.split_at(steady.len() / (HALF / RISE) as usize);
    live.steadily("half load, its rise", rise, f64::from(half))
        .await?;
    let kept_up = live.steadily("half load", steady, f64::from(half)).await?;
    ensure!(
        kept_up >= KEPT_UP,
        "the generator kept up {:.1} % of half load only",
        100.0 * kept_up
    );
    let (fed_s, recovery_s) = live.overload(burst).await?;
    let delays = std::mem::take(&mut live.delays);
    live.program.stop().await?;
    bench.search.compare(INDEX, &load, Found::Exact).await?;
    bench.search.delete(INDEX).await?;
    Ok(Latency {
        delays,
        idle_percent,
        half: (f64::from(half), kept_up),
        burst: (burst.len() as u64, fed_s),
        recovery_s,
    })
}

/// A program that is fed while it runs.
struct Live<'a> {
    bench: &'a Bench,
    load: &'a Load,
    program: Program,
    delays: Vec<Delays>,
    /// Records written so far.
    sent: u64,
}

impl Live<'_> {
    async fn idle(&self) -> Result<f64> {
        let family = process::family(self.program.pid())?;
        let begun = process::cpu_seconds(&family)?;
        tokio::time::sleep(REST).await;
        let spent = process::cpu_seconds(&family)? - begun;
        Ok(100.0 * spent / REST.as_secs_f64())
    }

    async fn at_rest(&mut self, events: &[Event]) -> Result<()> {
        let before = self.program.caught_up().await?;
        let feed = self.bench.topics.prompt_feed()?;
        let mut seen = Vec::new();
        for &event in events {
            let at = now_ms();
            let topic = self.load.shape.topic;
            feed.send(self.load, topic, event, Some(at)).await?;
            let start = Instant::now();
            while !self.bench.search.has(INDEX, event.key).await? {
                ensure!(
                    start.elapsed() < PATIENCE,
                    "row {} does not arrive",
                    event.key
                );
                tokio::time::sleep(ASK).await;
            }
            seen.push(Duration::from_millis(now_ms().saturating_sub(at)).as_secs_f64());
            tokio::time::sleep(PAUSE).await;
        }
        let after = self.stored(events).await?;
        let scenario = "at rest, single records";
        self.note(Delays::seen(scenario, seen))?;
        self.note_counted(scenario, (&before, &after))
    }

    fn note_counted(&mut self, scenario: &str, looks: (&Metrics, &Metrics)) -> Result<()> {
        for histogram in [Histogram::Changes, Histogram::Requests] {
            self.note(Delays::counted(scenario, histogram, looks))?;
        }
        Ok(())
    }

    fn note(&mut self, delays: Option<Delays>) -> Result<()> {
        self.delays.push(delays.context("nothing was timed")?);
        Ok(())
    }

    /// What the program says once it has stored these, too.
    async fn stored(&mut self, events: &[Event]) -> Result<Metrics> {
        self.sent += events.len() as u64;
        self.program.consumed(self.sent).await?;
        self.program.caught_up().await
    }

    /// The share of the rate that the generator kept up.
    async fn steadily(&mut self, scenario: &str, events: &[Event], per_second: f64) -> Result<f64> {
        let before = self.program.caught_up().await?;
        let feed = self.bench.topics.feed()?;
        let kept_up = feed.pace(self.load, events, per_second).await?;
        let after = self.stored(events).await?;
        self.note_counted(scenario, (&before, &after))?;
        Ok(kept_up)
    }

    /// How long feeding took, and how long it was then until nothing waited any more.
    async fn overload(&mut self, events: &[Event]) -> Result<(f64, f64)> {
        let feed = self.bench.topics.feed()?;
        let start = Instant::now();
        let topic = self.load.shape.topic;
        let at_ms = || Some(now_ms());
        feed.send_all(self.load, topic, events, at_ms).await?;
        feed.flush().await?;
        let fed = Instant::now();
        let ended = self.program.consumed(self.load.len()).await?;
        let recovery = ended.saturating_duration_since(fed);
        Ok(((fed - start).as_secs_f64(), recovery.as_secs_f64()))
    }
}
