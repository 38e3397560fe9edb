//! The sink task: the only owner of a sink's waiting mutations.
//!
//! One await, a biased select. Its arms in order, and why: writes that have ended (they free keys
//! and let acks out), burials (acks too), what the pipeline says (more work), the timer (back-offs,
//! second writes, the lag). New writes are started before each wait, so an idle store is written to
//! at once and a busy one gets ever larger batches.

mod outage;
mod poison;
#[cfg(test)]
mod tests;
mod truncate;
mod write;

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use smallvec::{SmallVec, smallvec};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::attempt::Attempted;
use super::backoff::Backoff;
use super::bounds::Bounds;
use super::buffer::{Buffer, Place, Receipts, Waiting};
use super::dead_letter::{Buried, DeadLetters};
use super::isolate::{Interrupted, Verdict};
use super::observer::Observer;
use super::receipts::{ReceiptBook, ReceiptId};
use super::second::Second;
use super::truncation::{Swept, Truncation};
use super::undertaker::Undertaker;
use super::{Delivery, DrainNumber, Order, Projected, Projectors, Report, Reports, ToSink};
use crate::change::ProjectionId;
use crate::config::{Batch, Table};
use crate::error::Fatal;
use crate::projector::Projector;
use crate::sink::Sink;
use crate::source::reread::Reader;
use crate::source::{Fence, Partition};

/// How often the lag is told, and how long a closed fence is waited for.
const TICK: Duration = Duration::from_secs(1);

/// Everything a sink task is connected to.
pub struct Wiring<P: Projector, S> {
    /// The sink's index in the pipeline.
    pub index: usize,
    /// The sink's name.
    pub name: String,
    /// The store.
    pub sink: Arc<S>,
    /// What makes its mutations, for those that are made again.
    pub projectors: Arc<Projectors<P>>,
    /// Bounds of one write.
    pub batch: Batch,
    /// How many writes may be under way.
    pub in_flight: usize,
    /// Keeps a replaced owner from writing.
    pub fence: Arc<Fence>,
    /// Where poison goes.
    pub dead_letters: DeadLetters,
    /// Reads records again.
    pub reader: Reader,
    /// The tables, by id.
    pub tables: Arc<[Table]>,
    /// The projections' names, by id.
    pub projections: Arc<[String]>,
    /// Who watches.
    pub observer: Box<dyn Observer>,
    /// From the pipeline.
    pub inbox: mpsc::UnboundedReceiver<ToSink<P::Mutation>>,
    /// To the pipeline.
    pub reports: Reports,
}

type Job<P> = Pin<Box<dyn Future<Output = Ending<P>> + Send>>;
type Burying = Pin<Box<dyn Future<Output = Result<Burial, Fatal>> + Send>>;

/// A record, the place that was kept for its key until now, and what became of it.
type Burial = (ReceiptId, Option<Place>, Buried);

/// Projections, each once.
type Projections = SmallVec<[ProjectionId; 4]>;

/// One write of a batch.
#[derive(Clone, Copy)]
struct Write {
    begun: Instant,
    took: Duration,
    /// When it ended, in milliseconds since the Unix epoch.
    answered_ms: i64,
    /// Whether it wrote what was written before; see D7.
    second: bool,
    /// See [`Attempt::too_much`](super::attempt::Attempt::too_much).
    too_much: Option<usize>,
}

impl Write {
    fn ended(self) -> Instant {
        self.begun + self.took
    }
}

/// How a job under way ended.
enum Ending<P: Projector> {
    Written {
        mutations: Vec<P::Mutation>,
        /// Theirs, each once.
        projections: Projections,
        /// What else was waiting with each mutation.
        rest: Vec<(Receipts, Place)>,
        attempted: Attempted,
        write: Write,
    },
    Isolated {
        waiting: Waiting<P::Mutation>,
        verdicts: Result<Vec<Verdict>, Interrupted>,
        begun: Instant,
    },
    /// The sweep of a truncate has ended, after so many deletes.
    Swept(truncate::Sweep, u64, Swept),
    /// The job's task panicked.
    Broken(String),
}

/// See the module.
pub struct SinkTask<P: Projector, S> {
    wiring: Wiring<P, S>,
    buffer: Buffer<P::Mutation>,
    book: ReceiptBook,
    second: Second<P::Mutation>,
    backoff: Backoff,
    bounds: Bounds,
    jobs: FuturesUnordered<Job<P>>,
    writes: usize,
    /// How many of them have mutations of a projection.
    under_way: HashMap<ProjectionId, usize>,
    undertaker: Undertaker,
    burials: FuturesUnordered<Burying>,
    /// At most one at a time of each table, that is of its only partition.
    truncations: HashMap<Partition, Truncation<P::Mutation>>,
    draining: Option<(DrainNumber, Vec<Partition>)>,
    report: Report,
    /// Nothing is sent before this moment, because the fence was closed.
    fenced_until: Option<Instant>,
}

impl<P, S> SinkTask<P, S>
where
    P: Projector,
    S: Sink<Mutation = P::Mutation>,
{
    /// A task that has nothing to do yet.
    #[must_use]
    pub fn new(wiring: Wiring<P, S>) -> Self {
        let report = Report {
            sink: Some(wiring.index),
            ..Report::default()
        };
        let undertaker = Undertaker {
            sink: wiring.name.clone(),
            tables: Arc::clone(&wiring.tables),
            projections: Arc::clone(&wiring.projections),
            dead_letters: wiring.dead_letters.clone(),
        };
        Self {
            bounds: Bounds::new(wiring.batch),
            wiring,
            buffer: Buffer::default(),
            book: ReceiptBook::default(),
            second: Second::default(),
            backoff: Backoff::default(),
            jobs: FuturesUnordered::new(),
            writes: 0,
            under_way: HashMap::new(),
            undertaker,
            burials: FuturesUnordered::new(),
            truncations: HashMap::new(),
            draining: None,
            report,
            fenced_until: None,
        }
    }

    /// Starts the task, which runs until the pipeline hangs up. Should it panic, the process has to
    /// stop: without one of its sinks it would be half alive.
    pub fn spawn(self) -> JoinHandle<()> {
        let reports = self.wiring.reports.clone();
        tokio::spawn(async move {
            if let Err(panic) = tokio::spawn(self.run()).await {
                let fatal = Some(Fatal::Bug(format!("a sink's task has ended: {panic}")));
                // The pipeline hangs up only when the process is about to end.
                drop(reports.send(Report {
                    fatal,
                    ..Report::default()
                }));
            }
        })
    }

    /// The task itself, for whoever watches over its end.
    pub async fn run(mut self) {
        let mut tick = tokio::time::interval(TICK);
        loop {
            self.start_writes();
            self.forget_outages();
            self.answer_drain();
            self.send_report();
            let wake = self.next_wake();
            tokio::select! {
                biased;
                Some(ending) = self.jobs.next() => self.land(ending),
                Some(buried) = self.burials.next() => self.buried(buried),
                message = self.wiring.inbox.recv() => match message {
                    Some(message) => self.take(message),
                    None => return,
                },
                () = tokio::time::sleep_until(wake) => {}
                _ = tick.tick() => self.wiring.observer.oldest(&self.book.oldest()),
            }
        }
    }

    fn take(&mut self, message: ToSink<P::Mutation>) {
        match message {
            ToSink::Changes(projected) => self.receive(projected),
            ToSink::Order(Order::Truncate(truncate)) => self.truncate(truncate),
            ToSink::Order(Order::Drain(number, partitions)) => self.drain(number, partitions),
            ToSink::Order(Order::Drop(partitions)) => self.forget(&partitions),
        }
    }

    fn receive(&mut self, projected: Projected<P::Mutation>) {
        self.report.received += projected.deliveries.len();
        let mut mutations = projected.mutations.into_iter();
        for delivery in projected.deliveries {
            let its = mutations.by_ref().take(delivery.mutations as usize);
            self.arrive(delivery, its);
        }
    }

    fn accept(&mut self, delivery: Delivery, mutations: impl Iterator<Item = P::Mutation>) {
        let burials = u32::try_from(delivery.failed.len()).expect("few projections");
        let receipt = self.book.open(
            delivery.ack,
            delivery.committed_at_ms,
            delivery.known_since,
            delivery.mutations + burials,
        );
        let mut coalesced = 0;
        for mutation in mutations {
            coalesced += u64::from(self.buffer.push(mutation, smallvec![receipt]));
        }
        if coalesced > 0 {
            self.wiring.observer.coalesced(coalesced);
        }
        for (projection, error) in &delivery.failed {
            self.bury_unprojected(receipt, *projection, error);
        }
    }

    fn forget(&mut self, partitions: &[Partition]) {
        partitions
            .iter()
            .for_each(|&it| self.book.drop_partition(it));
        let book = &self.book;
        let mut orphans = Vec::new();
        self.buffer.retain(
            |receipts| receipts.iter().any(|&it| !book.is_dropped(it)),
            |receipts| orphans.extend(receipts.iter().copied()),
        );
        for receipt in orphans {
            self.book.abandon(receipt);
        }
        partitions.iter().for_each(|&it| self.forget_truncate(it));
        self.second.drop_orphans(&mut self.book);
        if let Some((_, draining)) = &mut self.draining {
            draining.retain(|it| !partitions.contains(it));
        }
    }

    fn answer_drain(&mut self) {
        let Some((number, partitions)) = &self.draining else {
            return;
        };
        let is_stuck = self.backoff.outage().is_some() || self.wiring.dead_letters.is_barred();
        if is_stuck || self.book.is_clear(partitions) {
            self.report.drained = Some(*number);
            self.draining = None;
        }
    }

    /// Takes note of a job under way. It is spawned, so that it runs beside the task.
    fn watch(&self, job: JoinHandle<Ending<P>>) {
        self.jobs.push(Box::pin(async move {
            job.await
                .unwrap_or_else(|error| Ending::Broken(error.to_string()))
        }));
    }

    /// Whether a drain waits for one of these: it does not wait for the delay of second writes.
    fn is_draining(&self, receipts: &[ReceiptId]) -> bool {
        let Some((_, partitions)) = &self.draining else {
            return false;
        };
        let partition = |it: &ReceiptId| self.book.ack(*it).partition();
        receipts
            .iter()
            .any(|it| partitions.contains(&partition(it)))
    }

    fn drain(&mut self, number: DrainNumber, partitions: Vec<Partition>) {
        self.draining = Some((number, partitions));
        let waiting = std::mem::take(&mut self.second);
        let (urgent, rest) = waiting.split(|it| self.is_draining(&it.receipts));
        self.second = rest;
        self.second.put_first(Instant::now(), urgent);
    }

    fn fail(&mut self, reason: String) {
        let sink = self.wiring.name.clone();
        self.report.fatal = Some(Fatal::Store { sink, reason });
    }

    fn send_report(&mut self) {
        let report = &self.report;
        let silent = report.received == 0 && report.acks.is_empty() && report.applied.is_empty();
        if silent && report.drained.is_none() && report.fatal.is_none() {
            return;
        }
        let empty = Report {
            sink: Some(self.wiring.index),
            ..Report::default()
        };
        // The pipeline hangs up only when the process is about to end.
        drop(
            self.wiring
                .reports
                .send(std::mem::replace(&mut self.report, empty)),
        );
    }

    fn next_wake(&self) -> Instant {
        let now = Instant::now();
        let wakes = [
            self.backoff.next(now),
            self.second.next(),
            self.fenced_until,
        ];
        let soonest = wakes.into_iter().flatten().filter(|&it| it > now).min();
        soonest.unwrap_or(now + TICK)
    }
}
