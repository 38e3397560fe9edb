//! Everything outside of the program, in one place under one lock: topics, group, stores, dead letters;
//! and the dice, the trace and the list of broken promises.

use std::fmt::{self, Write};
use std::hash::{DefaultHasher, Hasher};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use distributary::source::{CommitNote, NextOffset, Partition};
use tokio::time::Instant;

use super::cache::Cache;
use super::documents::Documents;
use super::graph::Graph;
use super::group::Group;
use super::letters::Letters;
use super::rows::Log;
use super::truth::Truth;

/// What the seed decides once.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) instances: usize,
    pub(super) cooperative: bool,
    pub(super) batch: usize,
    pub(super) in_flight: usize,
    pub(super) budget: u64,
    /// Whether a cache key is to be removed twice (D7).
    pub(super) twice: bool,
    /// Whether the topics are: then there is no poison, for a letter needs its record.
    pub(super) is_compacted: bool,
    /// How often what can fail does, of one.
    pub(super) faults: f64,
    /// When the faults end.
    pub(super) calm_at: Duration,
}

impl Settings {
    pub(super) fn roll() -> Self {
        Self {
            instances: [1, 2, 2, 3][fastrand::usize(..4)],
            cooperative: fastrand::bool(),
            batch: fastrand::usize(1..10),
            in_flight: fastrand::usize(1..4),
            budget: fastrand::u64(1_000..20_000),
            twice: fastrand::u32(..4) > 0,
            is_compacted: fastrand::u32(..4) == 0,
            faults: [0.0, 0.5, 1.0][fastrand::usize(..3)],
            calm_at: Duration::from_millis(fastrand::u64(1_500..5_000)),
        }
    }
}

/// What the lock guards.
pub(super) struct State {
    pub(super) log: Log,
    pub(super) truth: Truth,
    pub(super) group: Group,
    pub(super) documents: Documents,
    pub(super) graph: Graph,
    pub(super) cache: Cache,
    pub(super) letters: Letters,
    /// Until when each sink's store is away.
    pub(super) outages: [Duration; 3],
    pub(super) calm: bool,
}

struct Trace {
    hash: DefaultHasher,
    is_told: bool,
}

impl Write for Trace {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.hash.write(text.as_bytes());
        if self.is_told {
            print!("{text}");
        }
        Ok(())
    }
}

/// See the module.
pub(super) struct World {
    pub(super) settings: Settings,
    state: Mutex<State>,
    trace: Mutex<Trace>,
    broken: Mutex<Vec<String>>,
    start: Instant,
}

impl World {
    pub(super) fn new(settings: Settings, is_told: bool) -> Self {
        let state = State {
            log: Log::default(),
            truth: Truth::default(),
            group: Group::new(settings.cooperative),
            documents: Documents::default(),
            graph: Graph::default(),
            cache: Cache::default(),
            letters: Letters::default(),
            outages: [Duration::ZERO; 3],
            calm: false,
        };
        let hash = DefaultHasher::new();
        Self {
            settings,
            state: Mutex::new(state),
            trace: Mutex::new(Trace { hash, is_told }),
            broken: Mutex::default(),
            start: Instant::now(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The time since the beginning.
    pub(super) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// Whether a fault of this likelihood happens now.
    pub(super) fn strikes(&self, likelihood: f64) -> bool {
        !self.lock().calm && fastrand::f64() < likelihood * self.settings.faults
    }

    /// Writes down what happened; part of what a replay must repeat.
    pub(super) fn note(&self, what: fmt::Arguments<'_>) {
        let now = self.now().as_millis();
        let mut trace = self.trace.lock().unwrap();
        writeln!(trace, "{now:6} {what}").unwrap();
    }

    /// A promise was broken.
    pub(super) fn broken(&self, how: String) {
        self.note(format_args!("BROKEN: {how}"));
        self.broken.lock().unwrap().push(how);
    }

    pub(super) fn is_broken(&self) -> bool {
        !self.broken.lock().unwrap().is_empty()
    }

    /// The trace's hash and the broken promises.
    pub(super) fn verdict(&self) -> (u64, Vec<String>) {
        let hash = self.trace.lock().unwrap().hash.finish();
        (hash, self.broken.lock().unwrap().clone())
    }

    /// A commit arrives at the coordinator.
    ///
    /// # Errors
    /// When it fails, or its answer is lost.
    pub(super) fn commit(
        &self,
        member: u64,
        offsets: &[(Partition, NextOffset, CommitNote)],
    ) -> Result<(), String> {
        if self.strikes(0.05) {
            return Err("the coordinator does not answer".to_owned());
        }
        let mut state = self.lock();
        if !state.group.is_member(member) {
            return Err("unknown member".to_owned());
        }
        let mut broken = Vec::new();
        for (partition, next, note) in offsets {
            let before = state.group.committed(*partition);
            if state.group.owner(*partition) != Some(member) {
                broken.push(format!(
                    "{partition:?} was committed by one who does not own it"
                ));
            }
            if next.get() < before {
                broken.push(format!(
                    "the commit of {partition:?} went back from {before} to {next:?}"
                ));
            }
            broken.extend(super::check::commit(
                &state,
                *partition,
                before..next.get(),
                self.settings.twice,
            ));
            state.group.commit(*partition, *next, note.clone());
        }
        drop(state);
        broken.into_iter().for_each(|how| self.broken(how));
        let committed = offsets
            .iter()
            .map(|it| (it.0.table.0, it.0.number, it.1.get()));
        self.note(format_args!(
            "member {member} commits {:?}",
            committed.collect::<Vec<_>>()
        ));
        if self.strikes(0.03) {
            return Err("the answer to a commit was lost".to_owned());
        }
        Ok(())
    }
}
