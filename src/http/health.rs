//! What `/livez` and `/readyz` answer from: who polls, who is in the group, which store answers.
//!
//! Others write it, the endpoint reads it; nothing here asks a store. The surprising fact: a store
//! in an outage makes the process not ready but never dead, because a restart would not mend it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::sink::Outage;
use crate::source::admin::MISSING;

/// The state of everything that liveness and readiness depend on. Cheap to share.
pub struct Health {
    stall_after: Duration,
    groups: Mutex<BTreeMap<String, Arc<GroupHealth>>>,
    sinks: Mutex<BTreeMap<String, Arc<SinkHealth>>>,
}

impl Health {
    /// A process that is to run these groups, each for its sinks: it is not ready before they are,
    /// also while they have not begun. Its pipelines count as stuck after this long without an event
    /// from their source, which has one at least each second. It has to be well above the drain
    /// timeout, during which a broker that is away may hold up the last commits.
    #[must_use]
    pub fn new(stall_after: Duration, groups: &BTreeMap<String, Vec<String>>) -> Self {
        let sinks = groups.values().flatten();
        Self {
            stall_after,
            groups: Mutex::new(groups.keys().map(|it| unknown(it)).collect()),
            sinks: Mutex::new(sinks.map(|it| unknown(it)).collect()),
        }
    }

    /// The health of a consumer group; made when it is first asked for.
    pub fn group(&self, name: &str) -> Arc<GroupHealth> {
        Arc::clone(lock(&self.groups).entry(String::from(name)).or_default())
    }

    /// The health of a sink; made when it is first asked for, not reached yet.
    pub fn sink(&self, name: &str) -> Arc<SinkHealth> {
        Arc::clone(lock(&self.sinks).entry(String::from(name)).or_default())
    }

    /// Whether every poll loop that has begun still moves.
    pub(super) fn liveness(&self, now: Instant) -> Liveness {
        let stalled = lock(&self.groups)
            .iter()
            .filter_map(|(name, group)| {
                let since = now.saturating_duration_since((*lock(&group.beat))?);
                (since > self.stall_after).then(|| (name.clone(), since.as_secs()))
            })
            .collect::<BTreeMap<_, _>>();
        Liveness {
            live: stalled.is_empty(),
            seconds_since_poll: stalled,
        }
    }

    /// Whether every group has joined, every topic is there, dead letters can be written and every
    /// sink is reachable, and what is missing.
    pub(super) fn readiness(&self) -> Readiness {
        let mut waiting_for = BTreeMap::new();
        for (name, group) in &*lock(&self.groups) {
            if !*lock(&group.joined) {
                let refused = lock(&group.refused).clone();
                let why = refused.unwrap_or_else(|| String::from("not in the group yet"));
                waiting_for.insert(format!("consumer group {name}"), why);
            }
            if let Some(why) = &*lock(&group.unburied) {
                waiting_for.insert(String::from("dead-letter topic"), why.clone());
            }
            for topic in &*lock(&group.missing) {
                let why = String::from(MISSING);
                waiting_for.insert(format!("topic {topic}"), why);
            }
        }
        for (name, sink) in &*lock(&self.sinks) {
            let state = lock(&sink.state);
            let why = match state.refuses.as_ref().or(state.silent.as_ref()) {
                Some(outage) => format!("{}: {}", outage.kind.as_str(), outage.reason),
                None if state.reached => continue,
                None => String::from("not reached yet"),
            };
            waiting_for.insert(format!("sink {name}"), why);
        }
        Readiness {
            ready: waiting_for.is_empty(),
            waiting_for,
        }
    }
}

/// Something of which nothing is known yet.
fn unknown<T: Default>(name: &str) -> (String, Arc<T>) {
    (name.to_owned(), Arc::default())
}

/// One consumer group of this process.
#[derive(Default)]
pub struct GroupHealth {
    beat: Mutex<Option<Instant>>,
    joined: Mutex<bool>,
    refused: Mutex<Option<String>>,
    missing: Mutex<Vec<String>>,
    unburied: Mutex<Option<String>>,
}

impl GroupHealth {
    /// The poll loop went round. Before the first beat the group is starting, not stuck.
    pub fn beat(&self, now: Instant) {
        *lock(&self.beat) = Some(now);
    }

    /// Whether the group has given this member an assignment, be it an empty one.
    pub fn joined(&self, joined: bool) {
        *lock(&self.joined) = joined;
        if joined {
            *lock(&self.refused) = None;
        }
    }

    /// Why no broker lets it in, as last told.
    pub fn refused(&self, why: String) {
        if !*lock(&self.joined) {
            *lock(&self.refused) = Some(why);
        }
    }

    /// What its rebalance waits for: it is in the group again when that has come. What it had before
    /// does not move either.
    pub fn held_up(&self, by: String) {
        self.joined(false);
        self.refused(by);
    }

    /// Why its dead letters cannot be written, if so.
    pub fn unburied(&self, why: Option<String>) {
        *lock(&self.unburied) = why;
    }

    /// These of its topics are not there, and no others.
    pub fn missing(&self, topics: Vec<String>) {
        *lock(&self.missing) = topics;
    }
}

/// One sink of this process: whether the store answers, and whether it takes writes. A read-only
/// store does the one and not the other.
#[derive(Default)]
pub struct SinkHealth {
    state: Mutex<SinkState>,
}

#[derive(Default)]
struct SinkState {
    reached: bool,
    silent: Option<Outage>,
    refuses: Option<Outage>,
}

impl SinkHealth {
    /// The store was asked, and is silent (`Some`) or answered (`None`).
    pub fn answers(&self, outage: Option<&Outage>) {
        let mut state = lock(&self.state);
        state.reached |= outage.is_none();
        state.silent = outage.cloned();
    }

    /// Writes are refused (`Some`) or taken again (`None`).
    pub fn writes(&self, outage: Option<&Outage>) {
        let mut state = lock(&self.state);
        state.reached |= outage.is_none();
        state.refuses = outage.cloned();
    }
}

/// The answer of `/livez`.
#[derive(Serialize)]
pub(super) struct Liveness {
    pub(super) live: bool,
    /// The groups whose poll loop is stuck.
    seconds_since_poll: BTreeMap<String, u64>,
}

/// The answer of `/readyz`.
#[derive(Serialize)]
pub(super) struct Readiness {
    pub(super) ready: bool,
    /// What is missing, and why.
    pub(super) waiting_for: BTreeMap<String, String>,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
