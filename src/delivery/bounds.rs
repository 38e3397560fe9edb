//! How large a batch may be now: as configured, and smaller after a write that came to nothing.
//!
//! A store that cannot take a whole batch within its client's time-out would otherwise be sent the
//! same one for ever, each time for nothing. Where it was away the first writes afterwards are small,
//! and soon as large as before.

use crate::config::Batch;

/// See the module.
#[derive(Debug)]
pub(super) struct Bounds {
    configured: Batch,
    items: usize,
}

impl Bounds {
    pub(super) fn new(configured: Batch) -> Self {
        Self {
            configured,
            items: configured.max_items,
        }
    }

    pub(super) fn now(&self) -> Batch {
        Batch {
            max_items: self.items,
            ..self.configured
        }
    }

    /// So many mutations came to nothing together.
    pub(super) fn shrink(&mut self, items: usize) {
        self.items = self.items.min(items / 2).max(1);
    }

    /// The store has taken something.
    pub(super) fn grow(&mut self) {
        self.items = (self.items * 2).min(self.configured.max_items);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_halved_down_to_one_and_doubled_up_to_what_is_configured() {
        let mut bounds = Bounds::new(Batch {
            max_items: 5,
            max_bytes: 7,
        });
        let mut items = || {
            bounds.shrink(bounds.now().max_items);
            bounds.now().max_items
        };
        assert_eq!([items(), items(), items()], [2, 1, 1]);
        let mut items = || {
            bounds.grow();
            bounds.now().max_items
        };
        assert_eq!([items(), items(), items()], [2, 4, 5]);
        assert_eq!(bounds.now().max_bytes, 7);
    }
}
