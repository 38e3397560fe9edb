//! Applying truncates: waiting for what came before, sweeping, and letting go of what came after.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::time::Instant;

use super::{Ending, SinkTask, TICK};
use crate::change::{ProjectionId, Version};
use crate::clock::now_ms;
use crate::delivery::attempt::admits;
use crate::delivery::observer::Ended;
use crate::delivery::receipts::ReceiptId;
use crate::delivery::truncation::{Behind, Swept, Truncation, sweep};
use crate::delivery::{Delivery, Truncate};
use crate::projector::Projector;
use crate::sink::Sink;
use crate::source::Partition;

/// One sweep: whose, and of what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sweep {
    partition: Partition,
    receipt: ReceiptId,
    projection: ProjectionId,
    version: Version,
    begun: Instant,
}

impl<P, S> SinkTask<P, S>
where
    P: Projector,
    S: Sink<Mutation = P::Mutation>,
{
    /// Takes a change in, unless a truncate of its table has to be applied first.
    pub(super) fn arrive(
        &mut self,
        delivery: Delivery,
        mutations: impl Iterator<Item = P::Mutation>,
    ) {
        match self.truncations.get_mut(&delivery.ack.partition()) {
            Some(truncation) => {
                let behind = Behind::Change(delivery, mutations.collect());
                truncation.behind.push_back(behind);
            }
            None => self.accept(delivery, mutations),
        }
    }

    /// Begins a truncate, or lets it wait for one of the same table. Its receipt is open from the
    /// beginning, so a drain waits for it and the lag counts it.
    pub(super) fn truncate(&mut self, truncate: Truncate) {
        let partition = truncate.ack.partition();
        if let Some(earlier) = self.truncations.get_mut(&partition) {
            earlier.behind.push_back(Behind::Truncate(truncate));
            return;
        }
        let projections = self.wiring.projectors.of(partition.table);
        let truncation = Truncation {
            version: truncate.version,
            left: projections.collect(),
            under_way: false,
            behind: VecDeque::new(),
            receipt: self
                .book
                .open(truncate.ack, truncate.committed_at_ms, Instant::now(), 1),
        };
        self.truncations.insert(partition, truncation);
    }

    /// Sweeps for each truncate whose earlier records have settled.
    pub(super) fn start_sweeps(&mut self, now: Instant) {
        let mut sweeps = Vec::new();
        for (&partition, truncation) in &mut self.truncations {
            let projection = truncation.left.front().filter(|it| {
                !truncation.under_way
                    && self.book.open_of(partition) == 1
                    && !self.backoff.is_held(**it, now)
            });
            if let Some(&projection) = projection {
                truncation.under_way = true;
                let (receipt, version) = (truncation.receipt, truncation.version);
                sweeps.push(Sweep {
                    partition,
                    receipt,
                    projection,
                    version,
                    begun: now,
                });
            }
        }
        sweeps.into_iter().for_each(|it| self.start_sweep(it));
    }

    /// Runs beside the writes, which are of other tables.
    fn start_sweep(&self, it: Sweep) {
        let owners = [(it.partition, self.book.ack(it.receipt).generation())];
        let sink = Arc::clone(&self.wiring.sink);
        let fence = Arc::clone(&self.wiring.fence);
        let job = tokio::spawn(async move {
            let admits = || admits(&fence, &owners);
            let (deleted, swept) = sweep(&*sink, it.projection, it.version, admits).await;
            Ending::Swept(it, deleted, swept)
        });
        self.watch(job);
    }

    pub(super) fn swept(&mut self, it: Sweep, deleted: u64, swept: Swept) {
        self.wiring
            .observer
            .ended(it.projection, Ended::Written, deleted);
        let truncation = self.truncations.get_mut(&it.partition);
        let Some(truncation) = truncation.filter(|truncation| truncation.receipt == it.receipt)
        else {
            // The partition was taken from us meanwhile.
            return self.book.abandon(it.receipt);
        };
        truncation.under_way = false;
        let now = Instant::now();
        match swept {
            Swept::Clean => {
                truncation.left.pop_front();
                let is_over = truncation.left.is_empty();
                tracing::info!(
                    sink = self.wiring.name,
                    projection = self.wiring.projections[usize::from(it.projection.0)],
                    deleted,
                    "applied a truncate"
                );
                self.took_some(it.projection, it.begun);
                if is_over {
                    self.truncated(it.partition);
                }
            }
            Swept::Away(outage) => {
                self.wiring.observer.retried(&outage, 1);
                self.held_back(it.projection, &outage, now);
            }
            Swept::Replaced => self.fenced_until = Some(now + TICK / 10),
            Swept::Fatal(reason) => self.fail(reason),
        }
    }

    /// The truncate is done: what waited behind it goes on, up to the next one.
    fn truncated(&mut self, partition: Partition) {
        let Some(truncation) = self.truncations.remove(&partition) else {
            return;
        };
        self.applied(truncation.receipt, now_ms());
        self.done(truncation.receipt);
        for behind in truncation.behind {
            match behind {
                Behind::Change(delivery, mutations) => {
                    self.arrive(delivery, mutations.into_iter());
                }
                Behind::Truncate(truncate) => self.truncate(truncate),
            }
        }
    }

    /// The partition is no longer ours, and its receipts are dropped: what waits behind a truncate
    /// goes with it. A sweep under way stops at the fence, and ends by itself.
    pub(super) fn forget_truncate(&mut self, partition: Partition) {
        if let Some(truncation) = self.truncations.remove(&partition)
            && !truncation.under_way
        {
            self.book.abandon(truncation.receipt);
        }
    }
}
