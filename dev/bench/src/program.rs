//! The program under measurement: started, watched until it has caught up, stopped.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use chaos::Stack;
use instance::{Instance, Metrics, Setup, Signal, free_address};

use crate::process;
use crate::run::{Clocks, Run, Spent};

/// Between two looks at `/metrics` while nothing was consumed yet: what the beginning is true to.
const LOOK_FOR_BEGINNING: Duration = Duration::from_millis(20);
/// Between two looks after that. One costs the program half a millisecond, and the end is what the
/// program says itself.
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
        let seconds = watch.seconds()?;
        Ok(Run {
            events: watch.events,
            writes: watch.writes,
            seconds,
            cpu: watch.spent.cpu,
            others: watch.spent.others,
            peak_bytes: Some(process::peak_bytes(self.pid())?),
        })
    }

    /// When it had consumed and stored so many records since its start.
    pub(crate) async fn consumed(&mut self, records: u64) -> Result<Instant> {
        let watch = self.watch(records).await?;
        watch.acknowledged.context("nothing was stored")
    }

    async fn watch(&mut self, records: u64) -> Result<Watch> {
        let mut watch = Watch::default();
        let mut progress = Instant::now();
        loop {
            let asked = Instant::now();
            if let Some(metrics) = self.metrics().await? {
                if watch.look(&metrics, asked) {
                    progress = asked;
                    // What the program does after its last record is no part of the run.
                    watch.spent = self.clocks.elapsed()?;
                }
                if watch.events == 0 {
                    // Nor is starting and joining the group.
                    self.clocks.restart()?;
                }
                if watch.events >= records && self.is_caught_up(&metrics) {
                    return Ok(watch);
                }
            }
            ensure!(
                progress.elapsed() < PATIENCE,
                "the program stands still after {} records and {} writes",
                watch.events,
                watch.writes
            );
            tokio::time::sleep(watch.pause()).await;
        }
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

/// What was seen of a run from outside.
#[derive(Debug, Default)]
struct Watch {
    /// When it was last asked before it had consumed anything.
    idle: Option<Instant>,
    /// The last acknowledgement, by the program's own words.
    acknowledged: Option<Instant>,
    events: u64,
    writes: u64,
    /// What had been spent when something was last seen to be new.
    spent: Spent,
}

impl Watch {
    /// Notes what the program says; whether something of it is new.
    fn look(&mut self, metrics: &Metrics, asked: Instant) -> bool {
        let events = total(metrics, "cdc_events_total");
        let writes = total(metrics, "cdc_mutations_total");
        if events == 0 {
            self.idle = Some(asked);
        }
        self.acknowledged = acknowledged(metrics);
        let is_new = (events, writes) != (self.events, self.writes);
        (self.events, self.writes) = (events, writes);
        is_new
    }

    fn pause(&self) -> Duration {
        if self.events == 0 {
            LOOK_FOR_BEGINNING
        } else {
            LOOK
        }
    }

    /// From the last look that saw nothing, so that a run is never measured too short, to the last
    /// acknowledgement.
    fn seconds(&self) -> Result<f64> {
        let idle = self.idle;
        let begun = idle.context("the program had begun before it could be asked")?;
        let ended = self.acknowledged.context("nothing was stored")?;
        Ok((ended - begun).as_secs_f64())
    }
}

/// When any target has last acknowledged something, to the millisecond.
fn acknowledged(metrics: &Metrics) -> Option<Instant> {
    let all = metrics.largest("last_sync_timestamp_seconds", "target");
    let last = all.into_values().fold(0.0, f64::max);
    let ago = Duration::try_from_secs_f64(now_s() - last).unwrap_or_default();
    (last > 0.0).then(|| Instant::now().checked_sub(ago))?
}

fn now_s() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs_f64()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counters are whole numbers from zero on"
)]
fn total(metrics: &Metrics, name: &str) -> u64 {
    metrics.sum(name, "outcome", &[]).values().sum::<f64>() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics(events: u32, acknowledged: f64) -> Metrics {
        Metrics::parse(&format!(
            "cdc_events_total{{outcome=\"change\"}} {events}\n\
             cdc_mutations_total{{outcome=\"written\"}} {events}\n\
             last_sync_timestamp_seconds{{target=\"a\"}} 0\n\
             last_sync_timestamp_seconds{{target=\"b\"}} {acknowledged:.3}\n"
        ))
    }

    #[test]
    fn a_run_ends_with_its_last_acknowledgement_and_not_when_that_is_seen() {
        let mut watch = Watch::default();
        let begun = Instant::now().checked_sub(Duration::from_secs(9)).unwrap();
        assert!(!watch.look(&metrics(0, 0.0), begun));
        assert!(watch.look(&metrics(5, now_s() - 4.0), Instant::now()));
        let seconds = watch.seconds().unwrap();
        assert!((seconds - 5.0).abs() < 0.5, "{seconds}");
        assert!(!watch.look(&metrics(5, now_s() - 4.0), Instant::now()));
    }

    #[test]
    fn a_run_whose_beginning_was_not_seen_is_not_timed() {
        let mut watch = Watch::default();
        watch.look(&metrics(5, now_s()), Instant::now());
        let error = watch.seconds().unwrap_err().to_string();
        assert!(error.contains("before it could be asked"), "{error}");
    }
}
