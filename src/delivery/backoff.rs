//! How long a lane waits after a failure: exponential with full jitter, so that many instances do
//! not come back to a struggling store in step.

use std::collections::HashMap;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio::time::Instant;

use crate::change::ProjectionId;
use crate::sink::{Outage, OutageKind};

/// The first wait after a failure, and the longest.
const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(5);

struct Held {
    until: Instant,
    waits: ExponentialBackoff,
    since: Instant,
    /// When it failed last.
    failed: Instant,
    outage: Outage,
}

/// The projections that are held back after failures. Pure but for the jitter; time is passed in.
#[derive(Default)]
pub struct Backoff {
    held: HashMap<ProjectionId, Held>,
}

/// A projection is held back no longer.
#[derive(Debug)]
pub struct Recovered {
    /// How long it was.
    pub after: Duration,
}

impl Backoff {
    /// A write of the projection failed; answers whether that is news. That a rival won was none.
    pub fn failed(&mut self, projection: ProjectionId, outage: &Outage, now: Instant) -> bool {
        let known = self.held.get(&projection);
        let is_known = known.is_some_and(|held| held.outage.kind != OutageKind::Contention);
        let held = self.held.entry(projection).or_insert_with(|| Held {
            until: now,
            waits: waits(),
            since: now,
            failed: now,
            outage: outage.clone(),
        });
        held.failed = now;
        held.outage = outage.clone();
        if held.until <= now {
            held.until = now + held.waits.next().unwrap_or(LONGEST);
        }
        !is_known
    }

    /// The store took some of the projection while it failed others: it stays held, and the waits
    /// begin anew, this one included, or those that it takes would wait ever longer for those that it
    /// does not.
    pub fn progress(&mut self, projection: ProjectionId, now: Instant) {
        if let Some(held) = self.held.get_mut(&projection) {
            held.waits = waits();
            let first = now + held.waits.next().unwrap_or(FIRST);
            held.until = held.until.min(first);
        }
    }

    /// Whether a write of the projection has failed at this moment or after it.
    #[must_use]
    pub fn has_failed_since(&self, projection: ProjectionId, moment: Instant) -> bool {
        let held = self.held.get(&projection);
        held.is_some_and(|held| held.failed >= moment)
    }

    /// A write of the projection succeeded, or nothing waits to be written any more.
    pub fn over(&mut self, projection: ProjectionId, now: Instant) -> Option<Recovered> {
        self.held.remove(&projection).map(|held| Recovered {
            after: now - held.since,
        })
    }

    /// Whether the projection must wait.
    #[must_use]
    pub fn is_held(&self, projection: ProjectionId, now: Instant) -> bool {
        self.held
            .get(&projection)
            .is_some_and(|held| held.until > now)
    }

    /// Projections whose failures are remembered.
    pub fn projections(&self) -> impl Iterator<Item = ProjectionId> {
        self.held.keys().copied()
    }

    /// When the next held projection may try again.
    #[must_use]
    pub fn next(&self, now: Instant) -> Option<Instant> {
        self.held
            .values()
            .map(|held| held.until)
            .filter(|&until| until > now)
            .min()
    }

    /// The store's outage, if there is one. A rival transaction is no outage.
    #[must_use]
    pub fn outage(&self) -> Option<&Outage> {
        let outages = self.held.values().map(|held| &held.outage);
        outages
            .filter(|outage| outage.kind != OutageKind::Contention)
            .min_by_key(|it| it.kind.as_str())
    }
}

fn waits() -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(FIRST)
        .with_max_delay(LONGEST)
        .with_factor(2.0)
        .with_jitter()
        .without_max_times()
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_waits_grow_and_begin_anew_when_the_store_takes_something() {
        let outage = Outage::new(OutageKind::Overloaded, "busy");
        let projection = ProjectionId(0);
        let (mut backoff, mut now) = (Backoff::default(), Instant::now());
        let mut wait = |backoff: &mut Backoff| {
            backoff.failed(projection, &outage, now);
            let until = backoff.next(now).expect("it is held");
            until - std::mem::replace(&mut now, until)
        };
        let longest = (0..8).map(|_| wait(&mut backoff)).max();
        assert!(longest.is_some_and(|it| it >= LONGEST));
        backoff.failed(projection, &outage, now);
        backoff.progress(projection, now);
        let until = backoff.next(now).expect("it is held");
        assert!(until - now <= 2 * FIRST);
    }
}
