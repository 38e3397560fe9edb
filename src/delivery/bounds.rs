//! How large a batch may be now: as configured, and smaller after writes that came to nothing or
//! were more than the store takes at once.
//!
//! A store that cannot take a whole batch within its client's time-out would otherwise be sent the
//! same one for ever, each time for nothing; one that says so, after its own time-out, would be sent
//! each batch several times. Such a batch is halved until the store takes it, and then grows again:
//! fast where nothing was ever refused, slowly towards the size that was, for each time that is too
//! much costs a time-out. Where the store was away altogether, everything was too much and says
//! nothing; the first writes afterwards are small, and soon as large as before.

use crate::config::Batch;

/// So much of what was too much is added to a batch that was taken, as one part of it.
const STEP: usize = 64;

/// See the module.
#[derive(Debug)]
pub(super) struct Bounds {
    configured: Batch,
    items: usize,
    /// The smallest batch that was too much since one was taken that was as large.
    too_much: Option<usize>,
}

impl Bounds {
    pub(super) fn new(configured: Batch) -> Self {
        Self {
            configured,
            items: configured.max_items,
            too_much: None,
        }
    }

    pub(super) fn now(&self) -> Batch {
        Batch {
            max_items: self.items,
            ..self.configured
        }
    }

    /// So many mutations came to nothing together.
    pub(super) fn failed(&mut self, items: usize) {
        self.items = self.items.min(items / 2).max(1);
        let known = self.too_much.unwrap_or(usize::MAX);
        self.too_much = Some(known.min(items));
    }

    /// The store has taken so many of a batch.
    pub(super) fn took(&mut self, items: usize) {
        if self.too_much.is_some_and(|it| items >= it) {
            self.too_much = None;
        }
        // A smaller one tells nothing of a larger one.
        if items < self.items {
            return;
        }
        let grown = match self.too_much {
            Some(too_much) if self.items * 2 >= too_much => self.items + (too_much / STEP).max(1),
            _ => self.items * 2,
        };
        self.items = grown.min(self.configured.max_items);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes full batches into a store that takes so many; how many came to nothing.
    fn failures(bounds: &mut Bounds, takes: usize, writes: usize) -> usize {
        let mut failures = 0;
        for _ in 0..writes {
            let items = bounds.now().max_items;
            if items <= takes {
                bounds.took(items);
            } else {
                bounds.failed(items);
                failures += 1;
            }
        }
        failures
    }

    fn bounds() -> Bounds {
        Bounds::new(Batch {
            max_items: 5000,
            max_bytes: 7,
        })
    }

    #[test]
    fn a_store_that_takes_less_is_seldom_sent_too_much() {
        for takes in [1, 3, 700, 1250, 4999] {
            let mut bounds = bounds();
            failures(&mut bounds, takes, 20);
            let failed = failures(&mut bounds, takes, 1000);
            let items = bounds.now().max_items;
            assert!(
                failed * 10 <= 1000 || takes <= 3,
                "{takes}: {failed} of 1000"
            );
            assert!(items * 4 > takes, "{takes}: {items}");
        }
    }

    #[test]
    fn a_store_that_was_away_gets_batches_as_large_as_before_soon() {
        let mut bounds = bounds();
        assert_eq!(failures(&mut bounds, 0, 20), 20);
        assert_eq!(bounds.now().max_items, 1);
        assert_eq!(failures(&mut bounds, 5000, 13), 0);
        assert_eq!((bounds.now().max_items, bounds.now().max_bytes), (5000, 7));
    }

    #[test]
    fn a_small_batch_that_is_taken_says_nothing_of_a_large_one() {
        let mut bounds = bounds();
        bounds.failed(5000);
        bounds.took(10);
        assert_eq!(bounds.now().max_items, 2500);
    }
}
