//! The way into a sink task.
//!
//! A change is projected here, by the pipeline task and right after it was decoded: what it says is
//! in the processor's cache then, and nothing but the mutations has to cross to another thread.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::{Delivery, Order, Projected, Projectors, ToSink};
use crate::change::{Change, TableId};
use crate::pipeline::ledger::Ack;
use crate::projector::Projector;

/// The pipeline's end of a sink task, whatever its model.
pub trait Inlet: Send {
    /// Through how many projections of the sink the changes of a table go.
    fn projections(&self, table: TableId) -> usize;

    /// Projects a change, and keeps it until [`Self::hand_over`]. A change that means nothing to
    /// the sink is not kept: its ack comes back. See [`Delivery::known_since`].
    fn take(&mut self, change: &Change<'_>, ack: Ack, known_since: Instant) -> Option<Ack>;

    /// Hands the changes that were taken to the task; answers how many.
    fn hand_over(&mut self) -> usize;

    /// Tells the task to do something, after what was handed over.
    fn order(&self, order: Order);
}

/// The inlet of one model.
struct Projecting<P: Projector> {
    projectors: Arc<Projectors<P>>,
    projected: Projected<P::Mutation>,
    inbox: mpsc::UnboundedSender<ToSink<P::Mutation>>,
}

/// An inlet that projects with these, and what a sink task reads from it.
#[must_use]
pub fn inlet<P: Projector>(
    projectors: Arc<Projectors<P>>,
) -> (Box<dyn Inlet>, mpsc::UnboundedReceiver<ToSink<P::Mutation>>) {
    let (inbox, outlet) = mpsc::unbounded_channel();
    let inlet = Projecting {
        projectors,
        projected: Projected::default(),
        inbox,
    };
    (Box::new(inlet), outlet)
}

impl<P: Projector> Projecting<P> {
    fn tell(&self, message: ToSink<P::Mutation>) {
        // A sink task that has ended has reported why, or panicked: the process is about to stop.
        drop(self.inbox.send(message));
    }
}

impl<P: Projector> Inlet for Projecting<P> {
    fn projections(&self, table: TableId) -> usize {
        self.projectors.of(table).len()
    }

    fn take(&mut self, change: &Change<'_>, ack: Ack, known_since: Instant) -> Option<Ack> {
        let Projected {
            deliveries,
            mutations,
        } = &mut self.projected;
        let before = mutations.len();
        let failed = self.projectors.project(change, mutations);
        let count = mutations.len() - before;
        if count == 0 && failed.is_empty() {
            return Some(ack);
        }
        deliveries.push(Delivery {
            mutations: u32::try_from(count).expect("few projections"),
            failed,
            committed_at_ms: change.committed_at_ms,
            known_since,
            ack,
        });
        None
    }

    fn hand_over(&mut self) -> usize {
        let count = self.projected.deliveries.len();
        if count > 0 {
            // The next ones will be about as many.
            let next = Projected {
                deliveries: Vec::with_capacity(count),
                mutations: Vec::with_capacity(self.projected.mutations.len()),
            };
            let projected = std::mem::replace(&mut self.projected, next);
            self.tell(ToSink::Changes(projected));
        }
        count
    }

    fn order(&self, order: Order) {
        self.tell(ToSink::Order(order));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::{Op, ProjectionId, Row, Version};
    use crate::pipeline::ledger::Ledger;
    use crate::projector::cache::CacheProjector;
    use crate::projector::cache::tests::projector;
    use crate::source::{NextOffset, Partition};

    const TABLE: TableId = TableId(0);

    fn projection(
        id: u16,
        invalidate: &[(&str, Option<&str>)],
    ) -> (TableId, ProjectionId, CacheProjector) {
        let id = ProjectionId(id);
        (TABLE, id, projector(id, invalidate))
    }

    fn change() -> Change<'static> {
        Change {
            table: TABLE,
            op: Op::Create,
            key: Row::from_pairs(&[("id", "7")]),
            before: None,
            after: Some(Row::from_pairs(&[("id", "7"), ("hidden", "false")])),
            moved_from: None,
            version: Version::new(0, 5),
            committed_at_ms: 3,
        }
    }

    fn ack() -> Ack {
        let partition = Partition {
            table: TABLE,
            number: 0,
        };
        let mut ledger = Ledger::new(partition, 1, NextOffset::given(5), None);
        ledger.track(5, 0, 1, 1).unwrap().next().unwrap()
    }

    #[test]
    fn the_ack_of_a_change_that_means_nothing_comes_back_and_nothing_is_handed_over() {
        let hidden = projection(0, &[("item:{{ key.id }}", Some("either.hidden"))]);
        let (mut inlet, mut outlet) = inlet(Arc::new(Projectors::new(1, [hidden])));
        assert!(inlet.take(&change(), ack(), Instant::now()).is_some());
        assert_eq!(inlet.hand_over(), 0);
        assert!(outlet.try_recv().is_err());
    }

    #[test]
    fn projections_that_fail_leave_the_others_what_they_made_and_are_named() {
        let good = projection(0, &[("item:{{ key.id }}", None)]);
        let bad = [1, 2].map(|id| {
            let lost = ("lost:{{ key.id }}", None);
            projection(id, &[lost, ("{{ either.missing }}", None)])
        });
        let projectors = bad.into_iter().chain([good]);
        let (mut inlet, mut outlet) = inlet(Arc::new(Projectors::new(1, projectors)));
        assert!(inlet.take(&change(), ack(), Instant::now()).is_none());
        assert_eq!(inlet.hand_over(), 1);
        let Ok(ToSink::Changes(projected)) = outlet.try_recv() else {
            panic!("the change is handed over");
        };
        let delivery = &projected.deliveries[0];
        assert_eq!((delivery.mutations, projected.mutations.len()), (1, 1));
        let failed = delivery
            .failed
            .iter()
            .map(|(id, error)| (id.0, error.kind()));
        let failed: Vec<_> = failed.collect();
        assert_eq!(failed, [(1, "missing_column"), (2, "missing_column")]);
    }
}
