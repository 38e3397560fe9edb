//! Which projections are held back because their writes failed, and what ends that.

use tokio::time::Instant;

use super::{SinkTask, TICK};
use crate::change::ProjectionId;
use crate::delivery::backoff::Recovered;
use crate::projector::Projector;
use crate::sink::{Outage, OutageKind, Sink};

impl<P, S> SinkTask<P, S>
where
    P: Projector,
    S: Sink<Mutation = P::Mutation>,
{
    pub(super) fn held_back(&mut self, projection: ProjectionId, outage: &Outage, now: Instant) {
        let news = self.backoff.failed(projection, outage, now);
        if news && outage.kind != OutageKind::Contention {
            self.wiring.observer.outage(self.backoff.outage());
            tracing::warn!(
                sink = self.wiring.name,
                projection = self.wiring.projections[usize::from(projection.0)],
                kind = outage.kind.as_str(),
                reason = outage.reason,
                "the store does not take this projection's writes; holding them and trying again"
            );
        }
    }

    pub(super) fn recovered(&mut self, projection: ProjectionId, now: Instant) {
        let Some(recovered) = self.let_go(projection, now) else {
            return;
        };
        if recovered.after > TICK {
            tracing::info!(
                sink = self.wiring.name,
                projection = self.wiring.projections[usize::from(projection.0)],
                after = ?recovered.after,
                "the store takes this projection's writes again"
            );
        }
    }

    /// Ends the outages of projections whose last waiting mutation has gone with its partition:
    /// nothing would show their end, and the process would never be ready again.
    pub(super) fn forget_outages(&mut self) {
        let now = Instant::now();
        let held = self.backoff.projections();
        let over: Vec<_> = held.filter(|&it| !self.waits(it)).collect();
        for projection in over {
            self.let_go(projection, now);
            tracing::info!(
                sink = self.wiring.name,
                projection = self.wiring.projections[usize::from(projection.0)],
                "what the store did not take went with its partitions; nothing is held any more"
            );
        }
    }

    fn waits(&self, projection: ProjectionId) -> bool {
        self.buffer.waits(projection)
            || self.second.waits(projection)
            || self
                .truncations
                .values()
                .any(|it| it.left.front() == Some(&projection))
    }

    fn let_go(&mut self, projection: ProjectionId, now: Instant) -> Option<Recovered> {
        let recovered = self.backoff.over(projection, now)?;
        self.buffer.hold(projection, false);
        self.wiring.observer.outage(self.backoff.outage());
        Some(recovered)
    }
}
