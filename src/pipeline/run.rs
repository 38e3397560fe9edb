//! The pipeline task's loop.
//!
//! One await, a biased select. Its arms in order, and why: the stop signal; reports of the sinks,
//! which free the budget; events of the source, which fill it; the timer, for drains and steering.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::budget::Budget;
use super::drain::Drain;
use super::intake::{Intake, Refusal, Taken};
use super::ledger::Ack;
use super::old_rows::OldRows;
use super::{Observer, SinkHandle, truncate};
use crate::change::Version;
use crate::config::{COMMIT_DEADLINE, OnTruncate, Table};
use crate::delivery::dead_letter::{DeadLetter, DeadLetters, Stage};
use crate::delivery::{Delivery, Report, Reports, ToSink, Truncate};
use crate::envelope::{DecodeError, Decoder};
use crate::error::Fatal;
use crate::source::{
    Assigned, CommitNote, NextOffset, Partition, Record, SourceCommand, SourceEvent, SourceHandle,
};

/// How often drains are looked at and watermarks stored.
const TICK: Duration = Duration::from_millis(100);

/// How long leaving the group may take: the last commit, and the farewell.
const LEAVE_TIMEOUT: Duration = COMMIT_DEADLINE.saturating_add(Duration::from_secs(2));

/// Everything a pipeline is connected to.
pub struct Wiring {
    /// The tables, by id.
    pub tables: Arc<[Table]>,
    /// The sinks, by index.
    pub sinks: Vec<SinkHandle>,
    /// The poll thread.
    pub source: SourceHandle,
    /// From the sinks.
    pub reports: mpsc::UnboundedReceiver<Report>,
    /// A sender of the same channel, for dead letters of records that cannot be decoded.
    pub report_to: Reports,
    /// Where poison goes.
    pub dead_letters: DeadLetters,
    /// Bytes from poll to acknowledgement.
    pub budget: u64,
    /// How long a revoke or a stop waits.
    pub drain_timeout: Duration,
    /// Who watches.
    pub observer: Box<dyn Observer>,
    /// Told once, when the group has taken the first commits (D15).
    pub first_commit: Option<tokio::sync::oneshot::Sender<()>>,
    /// Asks for an orderly stop.
    pub stop: CancellationToken,
}

/// What the loop does next.
enum Next {
    Go,
    Ended,
}

/// See the module.
pub struct Pipeline {
    wiring: Wiring,
    decoder: Decoder,
    /// For each table the sinks that want its changes.
    routes: Vec<Vec<usize>>,
    intakes: HashMap<Partition, Intake>,
    budget: Budget,
    drain: Option<Drain>,
    stopping: bool,
    /// Partitions whose watermark may have moved.
    touched: bool,
    timed_out: bool,
    old_rows: OldRows,
}

impl Pipeline {
    /// A pipeline that owns no partition yet.
    #[must_use]
    pub fn new(wiring: Wiring) -> Self {
        let wants = |table: usize| {
            let sinks = wiring.sinks.iter().enumerate();
            sinks
                .filter(|(_, sink)| sink.wants[table])
                .map(|(index, _)| index)
                .collect()
        };
        Self {
            decoder: Decoder::new(&wiring.tables),
            routes: (0..wiring.tables.len()).map(wants).collect(),
            intakes: HashMap::new(),
            budget: Budget::new(wiring.budget),
            drain: None,
            stopping: false,
            touched: false,
            timed_out: false,
            old_rows: OldRows::default(),
            wiring,
        }
    }

    /// Runs until it is asked to stop.
    ///
    /// # Errors
    /// [`Fatal`]: the process must end, and replays from the last commit when it starts again.
    pub async fn run(mut self) -> Result<(), Fatal> {
        let outcome = self.until_ended().await;
        if let Err(fatal) = &outcome {
            // The ledger is not to be believed where it has broken its own rules.
            let offsets = match fatal {
                Fatal::Bug(_) => Vec::new(),
                _ => self.take_commits(|_| true),
            };
            self.command(SourceCommand::Stop(offsets));
        }
        self.left().await;
        outcome
    }

    /// Waits until the poll thread has left the group, or others would wait for our session to
    /// end.
    async fn left(&mut self) {
        let events = &mut self.wiring.source.events;
        let all = async { while events.recv().await.is_some() {} };
        if tokio::time::timeout(LEAVE_TIMEOUT, all).await.is_err() {
            tracing::warn!("the group could not be left in time; it ends our session itself");
        }
    }

    async fn until_ended(&mut self) -> Result<(), Fatal> {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let next = tokio::select! {
                biased;
                () = self.wiring.stop.cancelled(), if !self.stopping => self.stop(),
                Some(report) = self.wiring.reports.recv() => self.settle(report)?,
                Some(event) = self.wiring.source.events.recv() => self.take(event)?,
                _ = tick.tick() => self.tick(),
                else => return Err(Fatal::Bug("the poll thread has ended without a word".to_owned())),
            };
            if matches!(next, Next::Ended) {
                return if self.timed_out {
                    Err(Fatal::DrainTimedOut)
                } else {
                    Ok(())
                };
            }
            self.advance_drain();
            self.steer();
        }
    }

    fn take(&mut self, event: SourceEvent) -> Result<Next, Fatal> {
        self.wiring.observer.alive();
        match event {
            SourceEvent::Records(records) => self.take_records(records)?,
            SourceEvent::Assigned(assigned) => self.assigned(&assigned)?,
            SourceEvent::Revoking(partitions) => self.begin_drain(partitions),
            SourceEvent::Lost(partitions) => {
                self.wiring.observer.rebalanced("lost", &partitions);
                self.forget(&partitions);
            }
            // What was delivered after the stop was asked for was not taken.
            SourceEvent::End(..) if self.stopping => {}
            SourceEvent::End(partition, next) => {
                if let Some(intake) = self.intakes.get_mut(&partition) {
                    intake.ledger.end(next);
                    self.touched = true;
                }
            }
            SourceEvent::HighWatermarks(marks) => self.note_high(&marks),
            SourceEvent::Committed(offsets) => {
                if !offsets.is_empty()
                    && let Some(told) = self.wiring.first_commit.take()
                {
                    // Whoever listened has stopped caring only if the process is ending.
                    told.send(()).ok();
                }
            }
            SourceEvent::CommitFailed(reason) => {
                self.wiring.observer.commit_failed();
                tracing::debug!(
                    reason,
                    "a commit failed and is tried again with the next one"
                );
            }
            SourceEvent::Failed(error) => return Err(error.into()),
            SourceEvent::Stopped => return Ok(Next::Ended),
        }
        Ok(Next::Go)
    }

    fn assigned(&mut self, assigned: &[Assigned]) -> Result<(), Fatal> {
        let partitions: Vec<Partition> = assigned.iter().map(|it| it.partition).collect();
        self.wiring.observer.rebalanced("assigned", &partitions);
        let mut first = Vec::new();
        for one in assigned {
            let table = &self.wiring.tables[usize::from(one.partition.table.0)];
            truncate::check(table, one.partition_count)?;
            let intake = Intake::new(one);
            if one.note.is_none() {
                let (next, note) = intake.first_commit(table);
                first.push((one.partition, next, note));
            }
            self.intakes.insert(one.partition, intake);
        }
        if !first.is_empty() {
            self.command(SourceCommand::Store(first));
        }
        tracing::info!(
            partitions = partitions.len(),
            owned = self.intakes.len(),
            "partitions were assigned"
        );
        Ok(())
    }

    fn take_records(&mut self, records: Vec<Record>) -> Result<(), Fatal> {
        if self.stopping {
            return Ok(());
        }
        let mut deliveries: Vec<Vec<Delivery>> = self
            .wiring
            .sinks
            .iter()
            .map(|_| Vec::with_capacity(records.len()))
            .collect();
        for record in records {
            let (partition, offset) = (record.partition, record.offset);
            let timestamp_ms = record.timestamp_ms;
            let Some(intake) = self.intakes.get_mut(&partition) else {
                continue;
            };
            let table = usize::from(partition.table.0);
            let route = &self.routes[table];
            let fan_out = u16::try_from(route.len()).expect("few sinks");
            let taken = intake.take(
                record,
                &self.wiring.tables[table],
                &mut self.decoder,
                fan_out,
            );
            match taken.map_err(refusal)? {
                Taken::Seen => {}
                Taken::Ignored(reason) => self.wiring.observer.records(partition, reason, 1),
                Taken::Change(change, acks) => {
                    self.wiring.observer.records(partition, "change", 1);
                    if self
                        .old_rows
                        .is_missing(&change, &self.wiring.tables[table])
                    {
                        self.wiring.observer.missing_before(partition);
                    }
                    for (&sink, ack) in route.iter().zip(acks) {
                        deliveries[sink].push(Delivery {
                            change: Arc::clone(&change),
                            ack,
                        });
                    }
                }
                Taken::Truncate(acks) => {
                    // What was gathered came before it.
                    self.hand_out(&mut deliveries);
                    self.truncated((partition, offset, timestamp_ms), acks)?;
                }
                Taken::Undecodable(error, ack) => self.bury(&error, offset, ack),
            }
        }
        self.touched = true;
        self.hand_out(&mut deliveries);
        Ok(())
    }

    /// Gives each sink what was gathered for it.
    fn hand_out(&self, deliveries: &mut [Vec<Delivery>]) {
        for (sink, deliveries) in self.wiring.sinks.iter().zip(deliveries) {
            if !deliveries.is_empty() {
                tell(sink, ToSink::Changes(std::mem::take(deliveries)));
            }
        }
    }

    fn truncated(
        &mut self,
        (partition, offset, timestamp_ms): (Partition, i64, i64),
        acks: Vec<Ack>,
    ) -> Result<(), Fatal> {
        let index = usize::from(partition.table.0);
        let table = &self.wiring.tables[index];
        self.wiring.observer.records(partition, "truncate", 1);
        match table.on_truncate {
            OnTruncate::Stop => return Err(truncate::stopped(table, partition.number, offset)),
            OnTruncate::Ignore => {
                tracing::warn!(
                    table = table.name,
                    "the table was truncated; ignored, as configured"
                );
                for ack in acks {
                    self.acknowledge(ack)?;
                }
            }
            OnTruncate::Apply => {
                tracing::info!(table = table.name, offset, "the table was truncated");
                let version = Version::new(table.epoch, offset);
                for (&sink, ack) in self.routes[index].iter().zip(acks) {
                    let truncate = Truncate {
                        version,
                        committed_at_ms: timestamp_ms,
                        ack,
                    };
                    tell(&self.wiring.sinks[sink], ToSink::Truncate(truncate));
                }
            }
        }
        Ok(())
    }

    fn bury(&mut self, error: &DecodeError, offset: i64, ack: Ack) {
        let partition = ack.partition();
        self.wiring.observer.records(partition, "undecodable", 1);
        self.wiring.observer.dead_lettered(error.kind());
        let letter = DeadLetter {
            partition,
            offset,
            stage: Stage::Decode,
            target: None,
            kind: error.kind().to_owned(),
            reason: error.to_string(),
        };
        let dead_letters = self.wiring.dead_letters.clone();
        let reports = self.wiring.report_to.clone();
        tokio::spawn(async move {
            let report = match dead_letters.bury(letter).await {
                Ok(()) => Report {
                    sink: usize::MAX,
                    acks: vec![ack],
                    ..Report::default()
                },
                Err(fatal) => Report {
                    sink: usize::MAX,
                    fatal: Some(fatal),
                    ..Report::default()
                },
            };
            // Nobody listens any more only when the process is about to end.
            drop(reports.send(report));
        });
    }

    fn settle(&mut self, report: Report) -> Result<Next, Fatal> {
        if let Some(fatal) = report.fatal {
            return Err(fatal);
        }
        for applied in report.applied {
            if let Some(intake) = self.intakes.get_mut(&applied.partition()) {
                intake.ledger.applied(&applied);
            }
        }
        for ack in report.acks {
            self.acknowledge(ack)?;
        }
        if report.drained
            && let Some(drain) = &mut self.drain
        {
            drain.answered(report.sink);
        }
        Ok(Next::Go)
    }

    fn acknowledge(&mut self, ack: Ack) -> Result<(), Fatal> {
        // An ack of a partition that is gone is late: it changes nothing.
        if let Some(intake) = self.intakes.get_mut(&ack.partition()) {
            intake
                .ledger
                .acknowledge(ack)
                .map_err(|error| Fatal::Bug(error.to_string()))?;
            self.touched = true;
        }
        Ok(())
    }

    fn stop(&mut self) -> Next {
        self.stopping = true;
        let partitions = self.intakes.keys().copied().collect();
        tracing::info!("stopping: waiting for what is in flight");
        self.begin_drain(partitions);
        Next::Go
    }

    fn begin_drain(&mut self, mut partitions: Vec<Partition>) {
        if let Some(before) = self.drain.take() {
            partitions.extend(before.partitions);
        }
        for sink in &self.wiring.sinks {
            tell(sink, ToSink::Drain(partitions.clone()));
        }
        let deadline = Instant::now() + self.wiring.drain_timeout;
        self.drain = Some(Drain::new(partitions, self.wiring.sinks.len(), deadline));
    }

    fn advance_drain(&mut self) {
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
        let offsets = self.take_commits(|partition| partitions.contains(&partition));
        self.forget(&partitions);
        if self.stopping {
            self.timed_out = timed_out;
            self.command(SourceCommand::Stop(offsets));
        } else {
            // Only now: while they drain, their lag is still ours to tell.
            self.wiring.observer.rebalanced("revoked", &partitions);
            tracing::info!(
                partitions = partitions.len(),
                drained = idle,
                "partitions were given up"
            );
            self.command(SourceCommand::Release(offsets));
        }
    }

    fn forget(&mut self, partitions: &[Partition]) {
        partitions.iter().for_each(|it| {
            self.intakes.remove(it);
        });
        self.budget.forget(partitions);
        for sink in &self.wiring.sinks {
            tell(sink, ToSink::Drop(partitions.to_vec()));
        }
        if let Some(drain) = &mut self.drain {
            drain.partitions.retain(|it| !partitions.contains(it));
        }
    }

    fn tick(&mut self) -> Next {
        if std::mem::take(&mut self.touched) {
            let offsets = self.take_commits(|_| true);
            if !offsets.is_empty() {
                self.command(SourceCommand::Store(offsets));
            }
            self.tell_lag();
        }
        Next::Go
    }

    fn take_commits(
        &mut self,
        wanted: impl Fn(Partition) -> bool,
    ) -> Vec<(Partition, NextOffset, CommitNote)> {
        let tables = &self.wiring.tables;
        let intakes = self
            .intakes
            .iter_mut()
            .filter(|(partition, _)| wanted(**partition));
        let commits = intakes.filter_map(|(&partition, intake)| {
            let table = &tables[usize::from(partition.table.0)];
            intake
                .take_commit(table)
                .map(|(next, note)| (partition, next, note))
        });
        commits.collect()
    }

    fn steer(&mut self) {
        let held: Vec<(Partition, u64)> = self
            .intakes
            .iter()
            .map(|(&partition, intake)| (partition, intake.ledger.held()))
            .collect();
        let steering = self.budget.steer(&held);
        let total = held.iter().map(|(_, bytes)| bytes).sum();
        self.wiring.observer.held(total, self.budget.paused());
        if !steering.pause.is_empty() {
            self.command(SourceCommand::Pause(steering.pause));
        }
        if !steering.resume.is_empty() {
            self.command(SourceCommand::Resume(steering.resume));
        }
    }

    fn note_high(&mut self, marks: &[(Partition, i64)]) {
        for (partition, high) in marks {
            if let Some(intake) = self.intakes.get_mut(partition) {
                intake.high = Some(*high);
            }
        }
        self.tell_lag();
    }

    fn tell_lag(&mut self) {
        for (&partition, intake) in &self.intakes {
            if let Some(high) = intake.high {
                let lag = (high - intake.ledger.watermark().get()).max(0);
                self.wiring.observer.lag(partition, lag);
            }
        }
    }

    fn command(&self, command: SourceCommand) {
        // The poll thread ends before us only after saying so.
        drop(self.wiring.source.commands.send(command));
    }
}

fn tell(sink: &SinkHandle, message: ToSink) {
    // A sink task that has ended has reported why, or panicked: the process is about to stop.
    drop(sink.inbox.send(message));
}

fn refusal(refusal: Refusal) -> Fatal {
    match refusal {
        Refusal::Recreated(reason) => Fatal::Mismatch(reason),
        Refusal::Ledger(error) => Fatal::Bug(error.to_string()),
    }
}
