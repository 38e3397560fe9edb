//! The program's instances in one run, and what went wrong with them.
//!
//! An instance that ends without being asked, or with a code that an asked one must not have, is a
//! violation, whatever the stores say in the end.

use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use instance::{Instance, Metrics, Setup, Signal, free_address};
use rand::Rng;

use crate::clock::Clock;
use crate::fault::{Fault, Random, span};

/// Instances at most.
const MOST: usize = 3;
/// Above the drain timeout of the fault run's configuration.
const STOP_PATIENCE: Duration = Duration::from_secs(30);
/// The session timeout of the fault run's configuration is ten seconds.
const FREEZE_S: (f64, f64) = (11.0, 18.0);
/// So many instances that end by themselves end the run.
const DEATHS: usize = 5;
/// What an orderly stop may end with: done, or the drain's deadline has passed.
const ORDERLY: [i32; 2] = [0, 75];

/// The instances.
pub(crate) struct Fleet {
    setup: Setup,
    /// The folder of the instances' logs.
    logs: PathBuf,
    clock: Clock,
    running: Vec<(usize, Instance)>,
    started: usize,
    violations: Vec<String>,
}

impl Fleet {
    /// One instance.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub(crate) fn start(setup: Setup, logs: PathBuf, clock: Clock) -> Result<Self> {
        let mut fleet = Self {
            setup,
            logs,
            clock,
            running: Vec::new(),
            started: 0,
            violations: Vec::new(),
        };
        fleet.join()?;
        Ok(fleet)
    }

    /// Waits until every instance is ready.
    ///
    /// # Errors
    /// Where that takes longer than `patience`.
    pub(crate) async fn ready(&mut self, patience: Duration) -> Result<()> {
        let start = Instant::now();
        loop {
            self.tend()?;
            let mut all = true;
            for (_, instance) in &self.running {
                all &= instance.endpoint().missing().await.is_none();
            }
            if all {
                return Ok(());
            }
            let logs = self.logs.display();
            let late = start.elapsed() > patience;
            anyhow::ensure!(!late, "the program is not ready in time; its logs: {logs}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Deals a fault of the instances and heals it.
    ///
    /// # Errors
    /// Where an instance cannot be started or signalled.
    pub(crate) async fn deal(&mut self, fault: Fault, random: &mut Random) -> Result<()> {
        self.tend()?;
        let victim = random.random_range(0..self.running.len());
        let pause = span(random, 0.0, 4.0);
        let frozen = span(random, FREEZE_S.0, FREEZE_S.1);
        match fault {
            Fault::Kill => {
                self.kill(victim).await?;
                tokio::time::sleep(pause).await;
                self.join()
            }
            Fault::Terminate => {
                self.terminate(victim).await?;
                tokio::time::sleep(pause).await;
                self.join()
            }
            Fault::Freeze => self.freeze(victim, frozen).await,
            Fault::Join if self.running.len() < MOST => self.join(),
            Fault::Leave if self.running.len() > 1 => self.terminate(victim).await,
            _ => Ok(()),
        }
    }

    /// Starts another instance.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub(crate) fn join(&mut self) -> Result<()> {
        self.started += 1;
        let number = self.started;
        let log = log(&self.logs, number);
        let instance = Instance::start(&self.setup, &free_address()?, log)?;
        self.running.push((number, instance));
        self.clock.say(&format!("  instance {number} starts"));
        Ok(())
    }

    async fn kill(&mut self, victim: usize) -> Result<()> {
        let (number, mut instance) = self.running.remove(victim);
        instance.signal(Signal::Kill).await?;
        instance.ended(STOP_PATIENCE).await?;
        self.clock.say(&format!("  instance {number} is killed"));
        Ok(())
    }

    async fn terminate(&mut self, victim: usize) -> Result<()> {
        let (number, mut instance) = self.running.remove(victim);
        instance.signal(Signal::Terminate).await?;
        match instance.ended(STOP_PATIENCE).await {
            Ok(status) => {
                self.clock
                    .say(&format!("  instance {number} stops: {status}"));
                if !status.code().is_some_and(|code| ORDERLY.contains(&code)) {
                    self.ended_badly(number, &instance, status);
                }
            }
            Err(_) => {
                let limit = STOP_PATIENCE.as_secs();
                let what = format!("instance {number} does not stop within {limit} s of SIGTERM");
                self.violate(what);
                instance.signal(Signal::Kill).await?;
            }
        }
        Ok(())
    }

    async fn freeze(&mut self, victim: usize, length: Duration) -> Result<()> {
        let (number, instance) = &self.running[victim];
        instance.signal(Signal::Stop).await?;
        let seconds = length.as_secs_f64();
        self.clock
            .say(&format!("  instance {number} is frozen for {seconds:.1} s"));
        tokio::time::sleep(length).await;
        instance.signal(Signal::Continue).await
    }

    /// Notes instances that have ended by themselves, and starts others in their place.
    ///
    /// # Errors
    /// Where an instance cannot be started.
    pub(crate) fn tend(&mut self) -> Result<()> {
        let mut still = Vec::new();
        let mut dead = 0;
        for (number, mut instance) in std::mem::take(&mut self.running) {
            if let Some(status) = instance.status()? {
                self.ended_badly(number, &instance, status);
                dead += 1;
            } else {
                still.push((number, instance));
            }
        }
        self.running = still;
        let enough = self.violations.len() > DEATHS;
        anyhow::ensure!(!enough, "the program ends again and again");
        (0..dead).try_for_each(|_| self.join())
    }

    /// Stops one instance in order and starts another: a replay of nothing.
    ///
    /// # Errors
    /// Where an instance cannot be started or signalled.
    pub(crate) async fn relieve(&mut self) -> Result<()> {
        self.terminate(0).await?;
        self.join()
    }

    /// Stops all in order.
    ///
    /// # Errors
    /// Where an instance cannot be signalled.
    pub(crate) async fn stop(&mut self) -> Result<()> {
        self.tend()?;
        while !self.running.is_empty() {
            self.terminate(0).await?;
        }
        Ok(())
    }

    /// The metrics of every instance; `None` where one does not answer.
    ///
    /// # Errors
    /// Where the system cannot say whether instances run.
    pub(crate) async fn metrics(&mut self) -> Result<Option<Vec<Metrics>>> {
        self.tend()?;
        let mut all = Vec::new();
        for (_, instance) in &self.running {
            match instance.endpoint().metrics().await {
                Ok(metrics) => all.push(metrics),
                Err(_) => return Ok(None),
            }
        }
        Ok(Some(all))
    }

    /// What went wrong with instances so far.
    ///
    /// # Errors
    /// Where a log cannot be read.
    pub(crate) fn violations(&self) -> Result<Vec<String>> {
        let mut found = self.violations.clone();
        for number in 1..=self.started {
            let log = log(&self.logs, number);
            let text = std::fs::read_to_string(&log).with_context(|| log.display().to_string())?;
            let panics = text.lines().filter(|line| line.contains("panicked at"));
            found.extend(panics.map(|line| format!("instance {number}: {line}")));
        }
        Ok(found)
    }

    fn ended_badly(&mut self, number: usize, instance: &Instance, status: ExitStatus) {
        let last = instance.last_lines(3).join("\n    ");
        self.violate(format!(
            "instance {number} ended with {status}:\n    {last}"
        ));
    }

    fn violate(&mut self, what: String) {
        self.clock.say(&format!("  VIOLATION: {what}"));
        self.violations.push(what);
    }
}

/// Where an instance's output goes.
pub(crate) fn log(logs: &Path, number: usize) -> PathBuf {
    logs.join(format!("instance-{number}.log"))
}
