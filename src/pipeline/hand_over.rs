//! Giving partitions up: to the group, or all of them when the process is to stop (D14).

use tokio::time::Instant;

use super::Rebalance;
use super::drain::Drain;
use super::intake::Intake;
use super::run::{Next, Pipeline};
use crate::delivery::Order;
use crate::source::{Partition, SourceCommand};

impl Pipeline {
    pub(super) fn stop(&mut self) -> Next {
        let partitions = self.intakes.keys().copied().collect();
        tracing::info!("stopping: waiting for what is in flight");
        self.begin_drain(partitions);
        self.stopping = true;
        Next::Go
    }

    pub(super) fn begin_drain(&mut self, mut partitions: Vec<Partition>) {
        let mut deadline = Instant::now() + self.wiring.drain_timeout;
        if let Some(before) = self.drain.take() {
            partitions.extend(before.partitions);
            if self.stopping {
                // Whoever stops us counts from then on.
                deadline = before.deadline;
            }
        }
        self.drains += 1;
        let sinks = &self.wiring.sinks;
        for sink in sinks {
            sink.order(Order::Drain(self.drains, partitions.clone()));
        }
        self.drain = Some(Drain::new(self.drains, partitions, sinks.len(), deadline));
    }

    pub(super) fn advance_drain(&mut self) {
        let Some(drain) = &self.drain else { return };
        let owned = drain
            .partitions
            .iter()
            .filter_map(|it| self.intakes.get(it));
        let idle = owned.into_iter().all(|intake| intake.ledger.is_idle());
        let now = Instant::now();
        if !drain.is_over(idle, now) {
            return;
        }
        // A sink in outage has answered that it is not to be waited for: that is an orderly end.
        let timed_out = !idle && now >= drain.deadline;
        let partitions = std::mem::take(&mut self.drain)
            .map(|it| it.partitions)
            .unwrap_or_default();
        let is_given_up = |partition| partitions.contains(&partition);
        let offsets = self.commits(is_given_up, Intake::last_commit);
        self.forget(&partitions);
        if self.stopping {
            self.timed_out = timed_out;
            self.command(SourceCommand::Stop(offsets));
        } else if !partitions.is_empty() {
            // Only now: while they drain, their lag is still ours to tell.
            self.wiring
                .observer
                .rebalanced(Rebalance::Revoked, &partitions);
            tracing::info!(
                partitions = partitions.len(),
                drained = idle,
                "partitions were given up"
            );
            self.command(SourceCommand::Release(offsets));
        }
    }

    pub(super) fn forget(&mut self, partitions: &[Partition]) {
        partitions.iter().for_each(|it| {
            self.intakes.remove(it);
        });
        self.budget.forget(partitions);
        for sink in &self.wiring.sinks {
            sink.order(Order::Drop(partitions.to_vec()));
        }
        if let Some(drain) = &mut self.drain {
            drain.partitions.retain(|it| !partitions.contains(it));
        }
    }
}
