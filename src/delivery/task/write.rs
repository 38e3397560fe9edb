//! Starting writes and settling what came of them.

use std::collections::HashSet;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{Ending, Projections, SinkTask, TICK, Write};
use crate::change::ProjectionId;
use crate::clock::now_ms;
use crate::delivery::attempt::{Attempt, Attempted, Owners, admits, attempt};
use crate::delivery::buffer::Waiting;
use crate::delivery::observer::Ended;
use crate::delivery::receipts::ReceiptId;
use crate::delivery::second::Second;
use crate::error::Fatal;
use crate::fault_point::reach_in;
use crate::projector::{Mutation, Projector};
use crate::sink::{Outage, OutageKind, Outcome, Sink};

impl<P, S> SinkTask<P, S>
where
    P: Projector,
    S: Sink<Mutation = P::Mutation>,
{
    pub(super) fn start_writes(&mut self) {
        let now = Instant::now();
        if self.fenced_until.is_some_and(|until| until > now) {
            return;
        }
        self.start_sweeps(now);
        for projection in self.backoff.projections().collect::<Vec<_>>() {
            self.buffer
                .hold(projection, self.backoff.is_held(projection, now));
        }
        while self.writes < self.wiring.in_flight {
            let second = self.second.is_due(now);
            let batch = if second {
                self.second.take(now, self.bounds.now().max_items)
            } else if self.buffer.is_ready() {
                self.buffer.take(self.bounds.now())
            } else {
                return;
            };
            self.start_write(batch, second);
        }
    }

    pub(super) fn start_write(&mut self, batch: Vec<Waiting<P::Mutation>>, second: bool) {
        let batch = self.without_orphans(batch, second);
        if batch.is_empty() {
            return;
        }
        let owners = self.owners(&batch);
        let sink = Arc::clone(&self.wiring.sink);
        let fence = Arc::clone(&self.wiring.fence);
        let name = self.wiring.name.clone();
        self.writes += 1;
        let mut projections = Projections::new();
        for waiting in &batch {
            add(&mut projections, waiting.mutation.projection());
        }
        for &projection in &projections {
            *self.under_way.entry(projection).or_default() += 1;
        }
        // Spawned, so that a store's client is never cancelled in the middle of an exchange, and
        // so that the body of one batch is built while another is under way.
        let job = tokio::spawn(async move {
            let (mutations, rest): (Vec<_>, Vec<_>) = batch
                .into_iter()
                .map(|it| (it.mutation, (it.receipts, it.place)))
                .unzip();
            reach_in("before-write", &name);
            let begun = Instant::now();
            let Attempt {
                attempted,
                too_much,
            } = attempt(&*sink, &mutations, || admits(&fence, &owners)).await;
            let write = Write {
                begun,
                took: begun.elapsed(),
                answered_ms: now_ms(),
                second,
                too_much,
            };
            reach_in("after-write", &name);
            Ending::Written {
                mutations,
                projections,
                rest,
                attempted,
                write,
            }
        });
        self.watch(job);
    }

    /// The batch without what only a dropped partition wanted: a replaced owner writes nothing.
    pub(super) fn without_orphans(
        &mut self,
        batch: Vec<Waiting<P::Mutation>>,
        second: bool,
    ) -> Vec<Waiting<P::Mutation>> {
        let is_orphan = |it: &Waiting<_>| it.receipts.iter().all(|&it| self.book.is_dropped(it));
        if !batch.iter().any(is_orphan) {
            // Nearly always, and a batch is large.
            return batch;
        }
        let (orphans, batch): (Vec<_>, Vec<_>) = batch.into_iter().partition(is_orphan);
        for orphan in orphans {
            if !second {
                self.buffer.landed(orphan.place);
            }
            orphan
                .receipts
                .into_iter()
                .for_each(|it| self.book.abandon(it));
        }
        batch
    }

    /// The owners that a batch depends on. A mutation that stands for a dropped record besides
    /// others is written for the others.
    pub(super) fn owners(&self, batch: &[Waiting<P::Mutation>]) -> Owners {
        let mut owners = HashSet::new();
        let mut last = None;
        for &receipt in batch.iter().flat_map(|it| &it.receipts) {
            let ack = self.book.ack(receipt);
            let owner = (ack.partition(), ack.generation());
            if last != Some(owner) && !self.book.is_dropped(receipt) {
                last = Some(owner);
                owners.insert(owner);
            }
        }
        owners.into_iter().collect()
    }

    pub(super) fn land(&mut self, ending: Ending<P>) {
        match ending {
            Ending::Written {
                mutations,
                projections,
                rest,
                attempted,
                write,
            } => {
                self.writes -= 1;
                projections.into_iter().for_each(|it| self.landed(it));
                let batch = mutations.into_iter().zip(rest);
                let batch = batch.map(|(mutation, (receipts, place))| Waiting {
                    mutation,
                    receipts,
                    place,
                });
                match attempted {
                    Attempted::Outcomes(outcomes) => {
                        self.wiring.observer.wrote(write.took);
                        self.settle(batch, outcomes.into_iter().map(Some), write);
                    }
                    Attempted::Replaced(outcomes) => {
                        self.fenced_until = Some(Instant::now() + TICK / 10);
                        self.settle(batch, outcomes.into_iter(), write);
                    }
                    Attempted::Fatal(reason) => self.fail(reason),
                }
            }
            Ending::Swept(sweep, deleted, swept) => self.swept(sweep, deleted, swept),
            Ending::Isolated {
                waiting,
                verdicts,
                begun,
            } => self.sentence(waiting, verdicts, begun),
            Ending::Broken(reason) => self.report.fatal = Some(Fatal::Bug(reason)),
        }
    }

    /// One write less is under way of the projection.
    fn landed(&mut self, projection: ProjectionId) {
        if let Entry::Occupied(mut writes) = self.under_way.entry(projection) {
            *writes.get_mut() -= 1;
            if *writes.get() == 0 {
                writes.remove();
            }
        }
    }

    pub(super) fn settle(
        &mut self,
        batch: impl Iterator<Item = Waiting<P::Mutation>>,
        outcomes: impl Iterator<Item = Option<Outcome>>,
        write: Write,
    ) {
        let Write {
            begun,
            second,
            too_much,
            ..
        } = write;
        let now = Instant::now();
        let mut retried: Vec<(Outage, u64)> = Vec::new();
        let mut again = Vec::new();
        let mut taken = Projections::new();
        let (mut took, mut failed) = (0, 0);
        for (waiting, outcome) in batch.zip(outcomes) {
            let projection = waiting.mutation.projection();
            if !matches!(outcome, Some(Outcome::Failed(_)) | None) {
                took += 1;
                // Of several records behind a rejection the store has still to answer each.
                let is_answered = !matches!(outcome, Some(Outcome::Rejected(_)));
                if is_answered || waiting.receipts.len() == 1 {
                    add(&mut taken, projection);
                }
            }
            match outcome {
                Some(Outcome::Written) => self.written(waiting, Ended::Written, write),
                Some(Outcome::Incomplete) => self.written(waiting, Ended::Incomplete, write),
                Some(Outcome::Stale) => self.written(waiting, Ended::Stale, write),
                Some(Outcome::Rejected(rejection)) => self.rejected(waiting, rejection),
                Some(Outcome::Failed(outage)) => {
                    failed += 1;
                    self.held_back(projection, &outage, now);
                    match retried
                        .iter_mut()
                        .find(|(known, _)| known.kind == outage.kind)
                    {
                        Some((_, count)) => *count += 1,
                        None => retried.push((outage, 1)),
                    }
                    if second {
                        again.push(waiting);
                    } else {
                        self.buffer.put_back(waiting);
                    }
                }
                None if second => again.push(waiting),
                None => self.buffer.put_back(waiting),
            }
        }
        if !again.is_empty() {
            self.second.put_first(now + TICK / 10, again);
        }
        self.resize((took, failed), too_much, &retried);
        for (outage, count) in retried {
            self.wiring.observer.retried(&outage, count);
        }
        for projection in taken {
            self.took_some(projection, begun);
        }
    }

    /// How large the next batches are, after one of which the store took so many, and failed so
    /// many with these outages.
    fn resize(
        &mut self,
        (took, failed): (usize, usize),
        too_much: Option<usize>,
        outages: &[(Outage, u64)],
    ) {
        // Neither a lost race nor a blocked index says anything of how much the store can take.
        let was_too_much = outages
            .iter()
            .any(|(it, _)| matches!(it.kind, OutageKind::Unreachable | OutageKind::Overloaded));
        match too_much {
            Some(items) => self.bounds.failed(items),
            None if took > 0 => self.bounds.took(took),
            None if was_too_much => self.bounds.failed(failed),
            None => {}
        }
    }

    pub(super) fn written(&mut self, waiting: Waiting<P::Mutation>, ended: Ended, write: Write) {
        if !write.second {
            let projection = waiting.mutation.projection();
            self.wiring.observer.ended(projection, ended, 1);
            self.buffer.landed(waiting.place);
            let again_after = self.again_after(&waiting.receipts, write.begun);
            if again_after.is_some() {
                self.keep(&waiting);
            }
            for &receipt in &waiting.receipts {
                self.applied(receipt, write.answered_ms);
            }
            if let Some(delay) = again_after {
                // A drain does not wait for the delay.
                match self.is_draining(&waiting.receipts) {
                    true => self.second.put_first(write.ended(), vec![waiting]),
                    false => self.second.push(write.ended() + delay, waiting),
                }
                return;
            }
        }
        for receipt in waiting.receipts {
            self.done(receipt);
        }
    }

    /// How long after this first write, which began then, a second one is due. None is where the
    /// change had been in Kafka for as long before: whoever read the old row has long filled it in.
    fn again_after(&self, receipts: &[ReceiptId], begun: Instant) -> Option<Duration> {
        let delay = self.wiring.sink.again_after()?;
        let is_old = |&receipt: &ReceiptId| {
            let known_for = begun.saturating_duration_since(self.book.known_since(receipt));
            known_for >= delay
        };
        (!receipts.iter().all(is_old)).then_some(delay)
    }

    /// What is kept for a second write is charged to the first of the records it stands for that is
    /// still ours.
    fn keep(&mut self, waiting: &Waiting<P::Mutation>) {
        let mut cost = Second::cost(&waiting.mutation);
        for &receipt in &waiting.receipts {
            if !self.book.is_dropped(receipt) {
                self.book.keeps(receipt, std::mem::take(&mut cost));
            }
        }
    }

    pub(super) fn applied(&mut self, receipt: ReceiptId, since_ms: i64) {
        if let Some((table, committed_at_ms)) = self.book.applied(receipt) {
            let observer = &mut self.wiring.observer;
            observer.applied(table, committed_at_ms, since_ms);
            self.report.applied.extend(self.book.notice(receipt));
        }
    }

    pub(super) fn done(&mut self, receipt: ReceiptId) {
        self.report.acks.extend(self.book.done(receipt));
    }
}

/// Adds a projection if it is not there.
fn add(projections: &mut Projections, projection: ProjectionId) {
    if !projections.contains(&projection) {
        projections.push(projection);
    }
}
