//! Since when a record is known to be in the log, by this machine's clock alone. A store that asks
//! how long ago a change was made (D7) must not depend on the clocks of others.
//!
//! A log that lost its end (an unclean election) and has grown again since it was last asked is not
//! noticed: its new records would be known since the old ones were.

use tokio::time::Instant;

use crate::source::NextOffset;

/// The end of a partition's log at some moment: what lies below it was there by then.
#[derive(Debug, Clone, Copy)]
pub(super) struct Horizon {
    end: i64,
    at: Instant,
}

impl Horizon {
    /// The log ends at `end` by now.
    pub(super) fn new(end: i64, now: Instant) -> Self {
        Self { end, at: now }
    }

    /// The log ends at `end` by now, and everything below `tracked` was taken. The earlier horizon
    /// says more of the records below it, so it stays until they are taken, unless the log got
    /// shorter.
    pub(super) fn advance(&mut self, end: i64, tracked: NextOffset, now: Instant) {
        if tracked.get() >= self.end || end < self.end {
            *self = Self::new(end, now);
        }
    }

    /// Since when the record at `offset`, which is there now, is known to be.
    pub(super) fn known_since(&self, offset: i64, now: Instant) -> Instant {
        if offset < self.end { self.at } else { now }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_record_is_known_since_the_first_end_behind_it_and_a_new_one_since_now() {
        let [first, second, now] = moments();
        let mut horizon = Horizon::new(10, first);
        horizon.advance(20, NextOffset::given(5), second);
        assert_eq!(horizon.known_since(9, now), first);
        assert_eq!(horizon.known_since(10, now), now, "not known to be older");
        horizon.advance(20, NextOffset::given(10), second);
        assert_eq!(horizon.known_since(19, now), second);
        assert_eq!(horizon.known_since(20, now), now);
    }

    #[test]
    fn of_a_log_that_got_shorter_nothing_is_known() {
        let [first, second, now] = moments();
        let mut horizon = Horizon::new(10, first);
        horizon.advance(6, NextOffset::given(4), second);
        assert_eq!(horizon.known_since(5, now), second);
    }

    /// A second from one to the next.
    fn moments() -> [Instant; 3] {
        let first = Instant::now();
        [0, 1, 2].map(|seconds| first + Duration::from_secs(seconds))
    }
}
