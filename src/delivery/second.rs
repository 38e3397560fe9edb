//! Mutations that were written and are to be written once more (D7): in the order in which they
//! fall due, which is the order in which they came, for the delay is the same for all.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};

use foldhash::fast::RandomState;
use tokio::time::Instant;

use super::buffer::Waiting;
use super::receipts::ReceiptBook;
use crate::change::ProjectionId;
use crate::projector::Mutation;

/// What waits for its second write.
#[derive(Debug)]
pub(super) struct Second<M> {
    queue: VecDeque<(Instant, Waiting<M>)>,
    /// A drain does not wait for the delay.
    hurry: bool,
}

impl<M> Default for Second<M> {
    fn default() -> Self {
        Self {
            queue: VecDeque::new(),
            hurry: false,
        }
    }
}

impl<M: Mutation> Second<M> {
    pub(super) fn push(&mut self, due: Instant, waiting: Waiting<M>) {
        self.queue.push_back((due, waiting));
    }

    pub(super) fn put_back(&mut self, due: Instant, waiting: Vec<Waiting<M>>) {
        waiting
            .into_iter()
            .rev()
            .for_each(|it| self.queue.push_front((due, it)));
    }

    pub(super) fn hurry(&mut self, hurry: bool) {
        self.hurry = hurry;
    }

    /// Takes what is due, each key once: one write of a key that was written twice stands for both.
    pub(super) fn take(&mut self, now: Instant, most: usize) -> Vec<Waiting<M>> {
        let mut taken: Vec<Waiting<M>> = Vec::new();
        let mut places: HashMap<M::Key, usize, RandomState> = HashMap::default();
        while taken.len() < most
            && let Some((_, waiting)) = self
                .queue
                .pop_front_if(|(due, _)| self.hurry || *due <= now)
        {
            match places.entry(waiting.mutation.key().clone()) {
                Entry::Vacant(place) => {
                    place.insert(taken.len());
                    taken.push(waiting);
                }
                Entry::Occupied(place) => {
                    let first = &mut taken[*place.get()];
                    first.mutation.merge(waiting.mutation);
                    first.receipts.extend(waiting.receipts);
                }
            }
        }
        taken
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.queue
            .front()
            .is_some_and(|(due, _)| self.hurry || *due <= now)
    }

    /// Whether a mutation of the projection is among them.
    pub(super) fn waits(&self, projection: ProjectionId) -> bool {
        let mut waiting = self.queue.iter().map(|(_, waiting)| waiting);
        waiting.any(|it| it.mutation.projection() == projection)
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.queue.front().map(|(due, _)| *due)
    }

    /// Forgets what belongs to nobody any more.
    pub(super) fn drop_orphans(&mut self, book: &mut ReceiptBook) {
        self.queue.retain(|(_, waiting)| {
            let orphan = waiting.receipts.iter().all(|&it| book.is_dropped(it));
            if orphan {
                waiting.receipts.iter().for_each(|&it| book.abandon(it));
            }
            !orphan
        });
    }
}

#[cfg(test)]
mod tests {
    use smallvec::smallvec;

    use super::*;
    use crate::change::{TableId, Version};
    use crate::config::Batch;
    use crate::delivery::buffer::Buffer;
    use crate::pipeline::ledger::Ledger;
    use crate::source::{NextOffset, Partition};

    struct Key(&'static str);

    impl Mutation for Key {
        type Key = &'static str;

        fn key(&self) -> &&'static str {
            &self.0
        }

        fn version(&self) -> Version {
            Version::new(0, 0)
        }

        fn projection(&self) -> ProjectionId {
            ProjectionId(0)
        }

        fn merge(&mut self, newer: Self) {
            *self = newer;
        }

        fn bytes(&self) -> usize {
            1
        }
    }

    #[test]
    fn a_key_that_was_written_twice_is_written_again_once_for_both_records() {
        let partition = Partition {
            table: TableId(0),
            number: 0,
        };
        let mut ledger = Ledger::new(partition, 1, NextOffset::given(0), None);
        let mut book = ReceiptBook::default();
        let mut second = Second::default();
        let now = Instant::now();
        let mut buffer = Buffer::default();
        let one = Batch {
            max_items: 1,
            max_bytes: 1,
        };
        for (offset, key) in (0..).zip(["a", "b", "a"]) {
            let ack = ledger.track(offset, 0, 1, 1).unwrap().next().unwrap();
            buffer.push(Key(key), smallvec![book.open(ack, 0, 1)]);
            let written = buffer.take(one).pop().unwrap();
            buffer.landed(written.place);
            second.push(now, written);
        }
        let taken = second.take(now, 10);
        let taken: Vec<_> = taken
            .iter()
            .map(|it| (it.mutation.0, it.receipts.len()))
            .collect();
        assert_eq!(taken, [("a", 2), ("b", 1)]);
    }
}
