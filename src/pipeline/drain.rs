//! Giving partitions up in order: what is in flight is awaited, up to a deadline (D14).

use std::collections::HashSet;

use tokio::time::Instant;

use crate::delivery::DrainNumber;
use crate::source::Partition;

/// A revoke or a stop that is under way.
#[derive(Debug)]
pub(super) struct Drain {
    number: DrainNumber,
    pub(super) partitions: Vec<Partition>,
    pub(super) deadline: Instant,
    /// Sinks that have not answered.
    waiting_for: HashSet<usize>,
}

impl Drain {
    pub(super) fn new(
        number: DrainNumber,
        partitions: Vec<Partition>,
        sinks: usize,
        deadline: Instant,
    ) -> Self {
        Self {
            number,
            partitions,
            deadline,
            waiting_for: (0..sinks).collect(),
        }
    }

    /// A sink has nothing of the partitions of this drain any more, or is in outage and not waited
    /// for. An answer to an earlier drain says nothing of this one.
    pub(super) fn answered(&mut self, number: DrainNumber, sink: usize) {
        if number == self.number {
            self.waiting_for.remove(&sink);
        }
    }

    /// Whether there is nothing more to wait for; `idle`: nothing of them waits for an ack.
    pub(super) fn is_over(&self, idle: bool, now: Instant) -> bool {
        idle || self.waiting_for.is_empty() || now >= self.deadline
    }
}
