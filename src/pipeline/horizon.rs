//! Since when a record is known to be in the log, by this machine's clock alone. A store that asks
//! how long ago a change was made (D7) must not depend on the clocks of others.

use tokio::time::Instant;

/// The end of a partition's log at some moment: what lies below it was there by then.
#[derive(Debug, Clone, Copy)]
pub(super) struct Horizon {
    end: i64,
    told: Instant,
}

impl Horizon {
    /// The log ends at `end` now.
    pub(super) fn new(end: i64, now: Instant) -> Self {
        Self { end, told: now }
    }

    /// The log ends at `end` by now. The earlier horizon says more of the records below it, so it
    /// stays until they are passed.
    pub(super) fn told(&mut self, end: i64, passed: i64, now: Instant) {
        if passed >= self.end {
            *self = Self::new(end, now);
        }
    }

    /// Since when the record at `offset` is known to be there, if that was before it was polled.
    pub(super) fn known_since(&self, offset: i64) -> Option<Instant> {
        (offset < self.end).then_some(self.told)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_record_is_known_since_the_first_end_behind_it_and_a_new_one_since_nothing() {
        let first = Instant::now();
        let later = first + Duration::from_secs(1);
        let mut horizon = Horizon::new(10, first);
        horizon.told(20, 5, later);
        assert_eq!(horizon.known_since(9), Some(first));
        assert_eq!(horizon.known_since(10), None, "not known to be that old");
        horizon.told(20, 10, later);
        assert_eq!(horizon.known_since(19), Some(later));
        assert_eq!(horizon.known_since(20), None);
    }
}
