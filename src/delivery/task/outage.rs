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
        let before = self.backoff.outage().cloned();
        let is_news = self.backoff.failed(projection, outage, now);
        if self.backoff.outage() != before.as_ref() {
            self.wiring.observer.outage(self.backoff.outage());
        }
        if is_news && outage.kind != OutageKind::Contention {
            tracing::warn!(
                sink = self.wiring.name,
                projection = self.wiring.projections[usize::from(projection.0)],
                kind = outage.kind.as_str(),
                reason = outage.reason,
                "the store does not take this projection's writes; holding them and trying again"
            );
        }
    }

    /// The store took something of the projection, in a write or a sweep that began at this moment.
    pub(super) fn took_some(&mut self, projection: ProjectionId, begun: Instant) {
        let now = Instant::now();
        if self.backoff.has_failed_since(projection, begun) {
            // It may have done so before it went away, or takes some and refuses others.
            return self.backoff.progress(projection, now);
        }
        let Some(recovered) = self.let_go(projection, now) else {
            return;
        };
        if recovered.after > TICK {
            tracing::info!(
                sink = self.wiring.name,
                projection = self.wiring.projections[usize::from(projection.0)],
                after = ?recovered.after,
                "the store answers this projection's writes again"
            );
        }
    }

    /// Ends the outages of projections of which nothing is left, because it went with its partition
    /// or was merged into another projection's: nothing would show their end, and the process would
    /// never be ready again.
    pub(super) fn forget_outages(&mut self) {
        let held = self.backoff.projections();
        let over: Vec<_> = held.filter(|&it| !self.is_left(it)).collect();
        for projection in over {
            self.let_go(projection, Instant::now());
            tracing::info!(
                sink = self.wiring.name,
                projection = self.wiring.projections[usize::from(projection.0)],
                "nothing is left of what the store did not take of this projection"
            );
        }
    }

    /// Whether anything of the projection waits or is under way.
    fn is_left(&self, projection: ProjectionId) -> bool {
        self.under_way.contains_key(&projection)
            || self.buffer.waits(projection)
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
