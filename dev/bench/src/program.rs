//! The program under measurement: started, watched until it has caught up, stopped.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use chaos::Stack;
use instance::{Instance, Metrics, Setup, Signal, free_address};

use crate::process;
use crate::run::{Clocks, Run};

/// Between two looks at `/metrics`: what times are true to. A look costs the program half a
/// millisecond.
const LOOK: Duration = Duration::from_millis(100);
/// Without any progress for so long, a run has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// How the program is started for a run.
#[derive(Debug)]
pub(crate) struct Launch<'a> {
    /// The binary.
    pub(crate) program: PathBuf,
    /// The configuration's text; `${HTTP_LISTEN}` and the stack's addresses may be named in it.
    pub(crate) config: String,
    /// Partitions of all topics together, for each group.
    pub(crate) partitions: usize,
    /// The servers.
    pub(crate) stack: &'a Stack,
    /// Their addresses, as the program is told them.
    pub(crate) environment: HashMap<String, String>,
}

/// A running program.
pub(crate) struct Program {
    instance: Instance,
    clocks: Clocks,
    partitions: usize,
}

impl Program {
    /// Starts it.
    pub(crate) fn start(launch: Launch<'_>) -> Result<Self> {
        let logs = launch.stack.logs();
        let config = logs.join("bench.yaml");
        fs::write(&config, &launch.config)?;
        let log = logs.join("instance-1.log");
        if log.exists() {
            fs::rename(&log, logs.join("instance-1.log.1"))?;
        }
        let setup = Setup {
            program: launch.program,
            config,
            environment: launch.environment,
        };
        let instance = Instance::start(&setup, &free_address()?, log)?;
        Ok(Self {
            clocks: Clocks::start(launch.stack, instance.pid())?,
            instance,
            partitions: launch.partitions,
        })
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.instance.pid()
    }

    /// What it measures now; nothing while it does not answer yet.
    pub(crate) async fn metrics(&mut self) -> Result<Option<Metrics>> {
        if let Some(status) = self.instance.status()? {
            let last = self.instance.last_lines(3).join(" | ");
            bail!("the program ended with {status}: {last}");
        }
        Ok(self.instance.endpoint().metrics().await.ok())
    }

    /// Waits until it has assigned partitions and nothing to do.
    pub(crate) async fn caught_up(&mut self) -> Result<Metrics> {
        let start = Instant::now();
        loop {
            if let Some(metrics) = self.metrics().await?
                && self.is_caught_up(&metrics)
            {
                return Ok(metrics);
            }
            ensure!(start.elapsed() < PATIENCE, "the program does not catch up");
            tokio::time::sleep(LOOK).await;
        }
    }

    fn is_caught_up(&self, metrics: &Metrics) -> bool {
        metrics.count("kafka_consumer_lag") >= self.partitions && metrics.caught_up()
    }

    /// Watches it from its first record until it has caught up with its topics.
    pub(crate) async fn catch_up(&mut self) -> Result<Run> {
        // An empty topic would be caught up as well: some record must have come.
        let watch = self.watch(1).await?;
        self.measured(&watch)
    }

    /// When it had consumed and stored so many records since its start.
    pub(crate) async fn consumed(&mut self, records: u64) -> Result<Instant> {
        let watch = self.watch(records).await?;
        watch.progress.context("some progress")
    }

    async fn watch(&mut self, records: u64) -> Result<Watch> {
        let mut watch = Watch::default();
        let start = Instant::now();
        loop {
            let asked = Instant::now();
            if let Some(metrics) = self.metrics().await? {
                watch.look(&metrics, asked);
                if watch.begun.is_none() {
                    // Starting and joining the group is not what is measured.
                    self.clocks.restart()?;
                }
                if watch.events >= records && self.is_caught_up(&metrics) {
                    return Ok(watch);
                }
            }
            ensure!(
                watch.progress.unwrap_or(start).elapsed() < PATIENCE,
                "the program stands still after {} records and {} writes",
                watch.events,
                watch.writes
            );
            tokio::time::sleep(LOOK).await;
        }
    }

    fn measured(&self, watch: &Watch) -> Result<Run> {
        let (begun, ended) = watch.begun.zip(watch.progress).context("a beginning")?;
        Ok(Run {
            events: watch.events,
            writes: watch.writes,
            seconds: (ended - begun).as_secs_f64(),
            cpu: self.clocks.elapsed()?,
            peak_bytes: Some(process::peak_bytes(self.pid())?),
        })
    }

    /// Asks it to stop and sees that it does so in order.
    pub(crate) async fn stop(mut self) -> Result<()> {
        self.instance.signal(Signal::Terminate).await?;
        let status = self.instance.ended(PATIENCE).await?;
        ensure!(status.success(), "the program stopped with {status}");
        Ok(())
    }
}

/// Runs the program over its topics once, from start to stop.
pub(crate) async fn run(launch: Launch<'_>) -> Result<Run> {
    let mut program = Program::start(launch)?;
    let run = program.catch_up().await?;
    program.stop().await?;
    Ok(run)
}

/// When the first record came and when the last was acknowledged, as seen from outside.
#[derive(Debug, Default)]
struct Watch {
    idle: Option<Instant>,
    begun: Option<Instant>,
    progress: Option<Instant>,
    events: u64,
    writes: u64,
}

impl Watch {
    /// What has changed since the last look happened at the latest now and, for the beginning, at
    /// the earliest then: a run is never measured too short at its beginning.
    fn look(&mut self, metrics: &Metrics, asked: Instant) {
        let events = total(metrics, "cdc_events_total");
        let writes = total(metrics, "cdc_mutations_total");
        if events > 0 && self.begun.is_none() {
            self.begun = self.idle.or(Some(asked));
        }
        self.idle = Some(asked);
        if (events, writes) != (self.events, self.writes) {
            self.progress = Some(asked);
            (self.events, self.writes) = (events, writes);
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counters are whole numbers from zero on"
)]
fn total(metrics: &Metrics, name: &str) -> u64 {
    metrics.sum(name, "outcome", &[]).values().sum::<f64>() as u64
}
