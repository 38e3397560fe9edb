//! The sinks set the pace: the next records wait while a sink has not taken in what it was given,
//! and, when little of the budget is left, until acks have freed what the last ones took. An ack
//! alone frees nothing: of several stores' the slowest one's does.
//!
//! Changes that pile up before a sink that is short of CPU would fill the budget, and be out of every
//! cache when their turn comes.
//!
//! Pausing alone would hold the budget as well, and slow everything down: librdkafka throws away
//! what it has fetched of a paused partition, and when all were paused, the thread that fetches may
//! sleep for a second after the resume. So a pause is for a store that does not answer.

use std::time::Duration;

use tokio::time::Instant;

/// How long records wait at most. Behind them the poll thread comes to wait as well, which must not
/// last: it has a session to keep and a rebalance to answer.
const PATIENCE: Duration = Duration::from_millis(250);

/// Changes that may lie before a sink: those of a few events of the source, so that neither waits
/// for the other where both have a core.
const UNRECEIVED: usize = 1024;

/// Whether the next records may come.
#[derive(Debug)]
pub(super) struct Pace {
    /// For each sink the changes that it was given and has not taken in.
    unreceived: Vec<usize>,
    /// Bytes that are held.
    held: u64,
    /// The most that was held before records were taken, since little of the budget is left.
    full: Option<u64>,
    patient_until: Option<Instant>,
}

impl Pace {
    /// The pace of so many sinks.
    pub(super) fn new(sinks: usize) -> Self {
        Self {
            unreceived: vec![0; sinks],
            held: 0,
            full: None,
            patient_until: None,
        }
    }

    /// A sink was given changes.
    pub(super) fn gave(&mut self, sink: usize, changes: usize) {
        self.unreceived[sink] += changes;
    }

    /// Records were taken, after which so many bytes are held and the budget has room or not.
    pub(super) fn took(&mut self, held: u64, has_room: bool, now: Instant) {
        let before = std::mem::replace(&mut self.held, held);
        self.full = (!has_room).then(|| self.full.map_or(before, |it| it.max(before)));
        self.patient_until = Some(now + PATIENCE);
    }

    /// A sink has taken changes in.
    pub(super) fn received(&mut self, sink: usize, changes: usize) {
        self.unreceived[sink] = self.unreceived[sink].saturating_sub(changes);
    }

    /// So many bytes are held by now.
    pub(super) fn holds(&mut self, held: u64) {
        self.held = held;
    }

    /// Whether the next records need not wait any longer.
    pub(super) fn allows(&self, now: Instant) -> bool {
        let is_behind = self.unreceived.iter().any(|it| *it >= UNRECEIVED);
        let is_full = self.full.is_some_and(|full| self.held > full);
        let waits = is_full || is_behind;
        !waits || self.patient_until.is_none_or(|until| now >= until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_wait_only_when_little_of_the_budget_is_left() {
        let now = Instant::now();
        let mut pace = Pace::new(1);
        pace.took(50, true, now);
        assert!(pace.allows(now));
        pace.took(80, false, now);
        assert!(!pace.allows(now));
        pace.holds(50);
        assert!(pace.allows(now));
    }

    #[test]
    fn acks_that_free_nothing_let_nothing_through() {
        let now = Instant::now();
        let mut pace = Pace::new(2);
        pace.took(80, false, now);
        pace.holds(80);
        assert!(!pace.allows(now), "the other store still needs the records");
    }

    #[test]
    fn no_more_comes_than_was_freed() {
        let now = Instant::now();
        let mut pace = Pace::new(1);
        pace.took(70, true, now);
        for came in [10, 4, 10] {
            pace.took(pace.held + came, false, now);
            pace.holds(71);
            assert!(!pace.allows(now));
            pace.holds(70);
            assert!(pace.allows(now));
        }
    }

    #[test]
    fn what_stays_for_long_does_not_hold_up_what_comes_and_goes() {
        let now = Instant::now();
        let mut pace = Pace::new(1);
        pace.took(70, true, now);
        pace.took(80, false, now);
        // Nothing was freed, and patience was over: now another store's records come and go.
        for came in [10, 2, 5] {
            pace.took(80 + came, false, now + PATIENCE);
            assert!(!pace.allows(now + PATIENCE));
            pace.holds(80);
            assert!(pace.allows(now + PATIENCE));
        }
    }

    #[test]
    fn records_wait_while_any_sink_has_much_to_take_in() {
        let now = Instant::now();
        let mut pace = Pace::new(2);
        pace.gave(1, UNRECEIVED);
        pace.took(1, true, now);
        pace.holds(0);
        assert!(!pace.allows(now));
        pace.received(1, 1);
        assert!(pace.allows(now));
    }

    #[test]
    fn nobody_waits_for_long() {
        let now = Instant::now();
        let mut pace = Pace::new(1);
        pace.gave(0, UNRECEIVED);
        pace.took(1, false, now);
        assert!(!pace.allows(now + PATIENCE / 2));
        assert!(pace.allows(now + PATIENCE));
    }
}
