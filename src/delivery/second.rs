//! Mutations that were written and are to be written once more (D7): in the order in which they
//! fall due, which is the order in which they came, for the delay is the same for all.

use std::collections::VecDeque;

use tokio::time::Instant;

use super::buffer::Waiting;
use super::receipts::ReceiptBook;

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

impl<M> Second<M> {
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

    pub(super) fn take(&mut self, now: Instant, most: usize) -> Vec<Waiting<M>> {
        let mut taken = Vec::new();
        while taken.len() < most
            && let Some((_, waiting)) = self
                .queue
                .pop_front_if(|(due, _)| self.hurry || *due <= now)
        {
            taken.push(waiting);
        }
        taken
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.queue
            .front()
            .is_some_and(|(due, _)| self.hurry || *due <= now)
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
