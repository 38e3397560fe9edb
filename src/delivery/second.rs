//! Mutations that were written and are to be written once more (D7): in the order in which their
//! first writes were settled, which is nearly that in which they fall due, for the delay is the same
//! for all.

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
    /// By the moment at which they fall due; none is empty. Apart, so that memory grows and goes
    /// with what waits: one long queue would keep room for twice as much.
    batches: VecDeque<(Instant, VecDeque<Waiting<M>>)>,
}

impl<M> Default for Second<M> {
    fn default() -> Self {
        Self {
            batches: VecDeque::new(),
        }
    }
}

impl<M: Mutation> Second<M> {
    /// What a mutation takes while it waits, in bytes.
    pub(super) fn cost(mutation: &M) -> u64 {
        (size_of::<Waiting<M>>() + mutation.bytes()) as u64
    }

    pub(super) fn push(&mut self, due: Instant, waiting: Waiting<M>) {
        match self.batches.back_mut() {
            Some((theirs, batch)) if *theirs == due => batch.push_back(waiting),
            _ => self.batches.push_back((due, VecDeque::from([waiting]))),
        }
    }

    /// Puts these before all others: they are due soonest.
    pub(super) fn put_first(&mut self, due: Instant, waiting: Vec<Waiting<M>>) {
        if !waiting.is_empty() {
            self.batches.push_front((due, waiting.into()));
        }
    }

    /// Takes out what is wanted; answers that, and the rest as it was.
    pub(super) fn split(self, wanted: impl Fn(&Waiting<M>) -> bool) -> (Vec<Waiting<M>>, Self) {
        let mut taken = Vec::new();
        let mut rest = Self::default();
        for (due, batch) in self.batches {
            let (its, left): (Vec<_>, Vec<_>) = batch.into_iter().partition(&wanted);
            taken.extend(its);
            if !left.is_empty() {
                rest.batches.push_back((due, left.into()));
            }
        }
        (taken, rest)
    }

    /// Takes what is due, each key once: one write of a key that was written twice stands for both.
    pub(super) fn take(&mut self, now: Instant, most: usize) -> Vec<Waiting<M>> {
        let mut taken: Vec<Waiting<M>> = Vec::new();
        let mut places: HashMap<M::Key, usize, RandomState> = HashMap::default();
        while taken.len() < most
            && let Some(waiting) = self.pop_due(now)
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

    fn pop_due(&mut self, now: Instant) -> Option<Waiting<M>> {
        if !self.is_due(now) {
            return None;
        }
        let (_, batch) = self.batches.front_mut()?;
        let waiting = batch.pop_front();
        if batch.is_empty() {
            self.batches.pop_front();
        }
        waiting
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.next().is_some_and(|due| due <= now)
    }

    /// Whether a mutation of the projection is among them.
    pub(super) fn waits(&self, projection: ProjectionId) -> bool {
        let mut waiting = self.batches.iter().flat_map(|(_, batch)| batch);
        waiting.any(|it| it.mutation.projection() == projection)
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.batches.front().map(|(due, _)| *due)
    }

    /// Forgets what belongs to nobody any more.
    pub(super) fn drop_orphans(&mut self, book: &mut ReceiptBook) {
        self.batches.retain_mut(|(_, batch)| {
            batch.retain(|waiting| {
                let orphan = waiting.receipts.iter().all(|&it| book.is_dropped(it));
                if orphan {
                    waiting.receipts.iter().for_each(|&it| book.abandon(it));
                }
                !orphan
            });
            !batch.is_empty()
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
            buffer.push(Key(key), smallvec![book.open(ack, 0, now, 1)]);
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
