//! The stores set the pace: when little of the budget is left, the next records wait for an ack.
//!
//! Pausing alone would hold the budget as well, and slow everything down: librdkafka throws away
//! what it has fetched of a paused partition, and when all were paused, the thread that fetches may
//! sleep for a second after the resume. So a pause is for a store that does not answer.

use std::time::Duration;

use tokio::time::Instant;

/// How long records wait for an ack. Behind them the poll thread comes to wait as well, which must
/// not last: it has a session to keep and a rebalance to answer.
const PATIENCE: Duration = Duration::from_millis(250);

/// Whether the next records may come.
#[derive(Debug, Default)]
pub(super) struct Pace {
    waits_until: Option<Instant>,
}

impl Pace {
    /// Records were taken, after which the budget has room or not.
    pub(super) fn took(&mut self, has_room: bool, now: Instant) {
        self.waits_until = (!has_room).then(|| now + PATIENCE);
    }

    /// A store has answered.
    pub(super) fn acknowledged(&mut self) {
        self.waits_until = None;
    }

    /// Whether the next records need not wait any longer.
    pub(super) fn allows(&self, now: Instant) -> bool {
        self.waits_until.is_none_or(|until| now >= until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_wait_for_an_ack_only_when_little_of_the_budget_is_left() {
        let now = Instant::now();
        let mut pace = Pace::default();
        pace.took(true, now);
        assert!(pace.allows(now));
        pace.took(false, now);
        assert!(!pace.allows(now));
        pace.acknowledged();
        assert!(pace.allows(now));
    }

    #[test]
    fn a_store_that_does_not_answer_holds_nobody_for_long() {
        let now = Instant::now();
        let mut pace = Pace::default();
        pace.took(false, now);
        assert!(!pace.allows(now + PATIENCE / 2));
        assert!(pace.allows(now + PATIENCE));
    }
}
