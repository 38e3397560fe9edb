//! One fault run, from an empty stack to a verdict.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use checker::Sampler;
use instance::Setup;
use rand::SeedableRng;
use tokio::time::Instant;
use workload::Workload;

use crate::clock::Clock;
use crate::fault::{Deck, Random, Store, span};
use crate::fleet::{self, Fleet};
use crate::servers::Servers;
use crate::stack::Stack;
use crate::{setup, shop, verdict};

/// How long the stores may take to follow after the last fault, and a start may take.
const PATIENCE: Duration = Duration::from_secs(180);
/// Between two faults of a lane, in seconds.
const CALM_S: (f64, f64) = (1.0, 5.0);

/// What to do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Picks the changes and the faults.
    pub seed: u64,
    /// How long faults are dealt.
    pub duration: Duration,
    /// Changes per second.
    pub rate: f64,
    /// The `distributary` binary.
    pub program: PathBuf,
    /// The repository.
    pub root: PathBuf,
    /// Where the run's own stack lives.
    pub folder: PathBuf,
    /// The stores that take part.
    pub stores: Vec<Store>,
    /// Go on with the data of the run before.
    pub keep: bool,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Verdict {
    /// What must not be, in words. Nothing: the promise was kept.
    pub violations: Vec<String>,
    /// Faults dealt.
    pub faults: usize,
    /// Changes made.
    pub changes: u64,
    /// Versions looked at meanwhile.
    pub samples: u64,
    /// From the last healed fault until everything was equal.
    pub recovery: Duration,
}

impl Verdict {
    /// Whether the promise was kept.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.violations.is_empty()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for violation in &self.violations {
            writeln!(f, "VIOLATION: {violation}")?;
        }
        let Self {
            faults,
            changes,
            samples,
            recovery,
            ..
        } = self;
        let seconds = recovery.as_secs_f64();
        writeln!(
            f,
            "{faults} faults, {changes} changes, {samples} versions looked at; equal {seconds:.1} s \
             after the last fault"
        )?;
        let verdict = match self.violations.len() {
            0 => "nothing lost, nothing stale, nothing resurrected".to_owned(),
            count => format!("{count} VIOLATIONS"),
        };
        write!(f, "{verdict}")
    }
}

impl Plan {
    /// Carries it out.
    ///
    /// # Errors
    /// Where the run itself could not be carried out; what the program did wrong is in the verdict.
    pub async fn run(&self) -> Result<Verdict> {
        let clock = Clock::start();
        let (servers, mut fleet, session) = self.prepare(clock).await?;
        fleet.ready(PATIENCE).await?;
        clock.say("the program is ready; faults begin");
        let shop = shop::Shop::open(session, self.rate, servers.targets());
        let faults = self.deal(&servers, &mut fleet, clock).await?;
        clock.say("everything is healed; the shop closes");
        servers.heal().await?;
        let (changes, sampler) = shop.close().await?;
        let mut verdict = self.judge(&servers, &mut fleet).await?;
        watched(&mut verdict, &sampler);
        fleet.stop().await?;
        verdict.violations.extend(fleet.violations()?);
        (verdict.faults, verdict.changes) = (faults, changes);
        clock.say("the program has stopped");
        servers.stack().down().await?;
        Ok(verdict)
    }

    async fn prepare(&self, clock: Clock) -> Result<(Servers, Fleet, workload::Session)> {
        let stack = Stack::up(&self.root, self.folder.clone(), self.keep).await?;
        clock.say("the stack is up");
        let targets = setup::targets(&stack)?;
        let workload = Workload::new(self.seed).rows(600);
        let session = setup::shop(&stack, &targets, &workload).await?;
        clock.say("the shop has rows, Debezium runs");
        let config = setup::configuration(&stack, &self.folder, &self.stores)?;
        let logs = stack.logs();
        for old in 1..1000 {
            // Of an earlier run; what is not there is what is wanted.
            std::fs::remove_file(fleet::log(&logs, old)).ok();
        }
        let servers = Servers::new(stack, &self.stores, targets).await?;
        let setup = Setup {
            program: self.program.clone(),
            config,
            environment: servers.environment(),
        };
        let fleet = Fleet::start(setup, logs, clock)?;
        Ok((servers, fleet, session))
    }

    /// Both lanes until time is up; each heals its last fault.
    async fn deal(&self, servers: &Servers, fleet: &mut Fleet, clock: Clock) -> Result<usize> {
        let end = Instant::now() + self.duration;
        let to_servers = async {
            let (mut random, deck) = (self.random(1), Deck::servers(&self.stores));
            let mut dealt = 0;
            while Instant::now() < end {
                let fault = deck.pick(&mut random);
                clock.say(&format!("{fault}"));
                servers.deal(fault, &mut random).await?;
                dealt += 1;
                tokio::time::sleep(span(&mut random, CALM_S.0, CALM_S.1)).await;
            }
            anyhow::Ok(dealt)
        };
        let to_instances = async {
            let (mut random, deck) = (self.random(2), Deck::instances());
            let mut dealt = 0;
            while Instant::now() < end {
                tokio::time::sleep(span(&mut random, CALM_S.0, CALM_S.1)).await;
                let fault = deck.pick(&mut random);
                clock.say(&format!("{fault}"));
                fleet.deal(fault, &mut random).await?;
                dealt += 1;
            }
            anyhow::Ok(dealt)
        };
        let (servers, instances) = tokio::try_join!(to_servers, to_instances)?;
        Ok(servers + instances)
    }

    async fn judge(&self, servers: &Servers, fleet: &mut Fleet) -> Result<Verdict> {
        let targets = servers.targets();
        let quiet = verdict::quiescence(targets, &self.stores, fleet, PATIENCE).await?;
        let mut verdict = Verdict {
            violations: quiet.violations(),
            recovery: quiet.time,
            ..Verdict::default()
        };
        let found = &mut verdict.violations;
        if found.is_empty() {
            found.extend(verdict::kafka(servers.stack().get("KAFKA_BROKERS")?, PATIENCE).await?);
            if self.stores.contains(&Store::Search) {
                let replayed = verdict::replay_of_nothing(targets, fleet, PATIENCE).await?;
                found.extend(replayed);
            }
        }
        Ok(verdict)
    }

    /// Each lane has numbers of its own, so that the time one lane takes does not change the other.
    fn random(&self, lane: u64) -> Random {
        let mut random = Random::seed_from_u64(self.seed);
        random.set_stream(lane);
        random
    }
}

fn watched(verdict: &mut Verdict, sampler: &Sampler) {
    verdict.samples = sampler.samples();
    let backwards = sampler.regressions().iter();
    let backwards = backwards.map(|it| format!("a version went backwards: {it}"));
    verdict.violations.extend(backwards);
}
