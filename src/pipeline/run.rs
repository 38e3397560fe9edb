//! The pipeline task's loop.
//!
//! One await, a biased select. Its arms in order, and why: the stop signal; the timer, which stores
//! watermarks, ends drains and lets records through that have waited long enough, comes too seldom to
//! hold up anybody, and sleeps when there are none; reports of the sinks, which free the budget;
//! events of the source, which fill it, and may never cease.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::budget::Budget;
use super::drain::Drain;
use super::intake::Intake;
use super::ledger::Ack;
use super::old_rows::OldRows;
use super::pace::Pace;
use super::route::Route;
use super::{Observer, Rebalance, truncate};
use crate::change::TableId;
use crate::config::{COMMIT_DEADLINE, Table};
use crate::delivery::dead_letter::DeadLetters;
use crate::delivery::{DrainNumber, Inlet, Report, Reports};
use crate::envelope::Decoder;
use crate::error::Fatal;
use crate::source::{
    Assigned, CommitNote, NextOffset, Partition, SourceCommand, SourceEvent, SourceHandle,
};

/// How often drains are looked at and watermarks stored.
pub(super) const TICK: Duration = Duration::from_millis(100);

/// How long leaving the group may take: the last commit, and the farewell.
const LEAVE_TIMEOUT: Duration = COMMIT_DEADLINE.saturating_add(Duration::from_secs(2));

/// Everything a pipeline is connected to.
pub struct Wiring {
    /// The tables, by id.
    pub tables: Arc<[Table]>,
    /// The sinks, by index.
    pub sinks: Vec<Box<dyn Inlet>>,
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
pub(super) enum Next {
    Go,
    Ended,
}

/// See the module.
pub struct Pipeline {
    pub(super) wiring: Wiring,
    pub(super) decoder: Decoder,
    /// For each table where its changes go.
    pub(super) routes: Vec<Route>,
    pub(super) intakes: HashMap<Partition, Intake, RandomState>,
    pub(super) budget: Budget,
    pub(super) pace: Pace,
    pub(super) drain: Option<Drain>,
    /// How many drains there were.
    pub(super) drains: DrainNumber,
    pub(super) stopping: bool,
    /// Whether a watermark may have moved.
    pub(super) touched: bool,
    pub(super) timed_out: bool,
    /// Whether the last commit failed.
    commits_fail: bool,
    pub(super) old_rows: OldRows,
}

impl Pipeline {
    /// A pipeline that owns no partition yet.
    #[must_use]
    pub fn new(wiring: Wiring) -> Self {
        Self {
            decoder: Decoder::new(&wiring.tables),
            routes: (0..)
                .map(TableId)
                .zip(&*wiring.tables)
                .map(|(table, _)| Route::of(table, &wiring.sinks))
                .collect(),
            intakes: HashMap::default(),
            budget: Budget::new(wiring.budget),
            pace: Pace::new(wiring.sinks.len()),
            drain: None,
            drains: 0,
            stopping: false,
            touched: false,
            timed_out: false,
            commits_fail: false,
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
                _ => self.commits(|_| true, Intake::last_commit),
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
            // Asked once: were records let through here and not waited for below, or the other way
            // round, nothing might ever wake the loop.
            let takes = self.may_take();
            let waits_for_time = self.touched || self.drain.is_some() || !takes;
            let next = tokio::select! {
                biased;
                () = self.wiring.stop.cancelled(), if !self.stopping => self.stop(),
                _ = tick.tick(), if waits_for_time => self.tick(),
                Some(report) = self.wiring.reports.recv() => self.settle(report)?,
                event = self.wiring.source.events.recv(), if takes => match event {
                    Some(event) => self.take(event)?,
                    None => return Err(Fatal::Bug("the poll thread has ended without a word".to_owned())),
                },
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

    /// Whether the source's next event need not wait for a sink. What is given up is never waited
    /// for.
    fn may_take(&self) -> bool {
        self.stopping || self.drain.is_some() || self.pace.allows(Instant::now())
    }

    fn take(&mut self, event: SourceEvent) -> Result<Next, Fatal> {
        self.wiring.observer.alive();
        match event {
            SourceEvent::Records(records) => {
                self.take_records(&records)?;
                let held = self.intakes.values().map(|it| it.ledger.held()).sum();
                let has_room = self.budget.has_room(held);
                self.pace.took(held, has_room, Instant::now());
            }
            SourceEvent::Assigned(assigned) => self.assigned(&assigned)?,
            SourceEvent::Revoking(partitions) => self.begin_drain(partitions),
            SourceEvent::Lost(partitions) => {
                self.wiring
                    .observer
                    .rebalanced(Rebalance::Lost, &partitions);
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
            SourceEvent::Missing(topics) => self.wiring.observer.missing(topics),
            SourceEvent::Refused(why) => self.wiring.observer.refused(why),
            SourceEvent::HeldUp(why) => self.wiring.observer.held_up(why),
            SourceEvent::HighWatermarks(marks) => self.note_high(&marks),
            SourceEvent::Committed(offsets) => {
                self.commits_fail = false;
                if !offsets.is_empty()
                    && let Some(told) = self.wiring.first_commit.take()
                {
                    // Whoever listened has stopped caring only if the process is ending.
                    told.send(()).ok();
                }
            }
            SourceEvent::CommitFailed(reason) => {
                self.wiring.observer.commit_failed();
                // Once: a broker that is away would be told of with every commit.
                if !std::mem::replace(&mut self.commits_fail, true) {
                    tracing::warn!(
                        reason,
                        "a commit failed and is tried again with the next one"
                    );
                }
            }
            SourceEvent::Failed(error) => return Err(error.into()),
            SourceEvent::Stopped => return Ok(Next::Ended),
        }
        Ok(Next::Go)
    }

    fn assigned(&mut self, assigned: &[Assigned]) -> Result<(), Fatal> {
        let partitions: Vec<Partition> = assigned.iter().map(|it| it.partition).collect();
        self.wiring
            .observer
            .rebalanced(Rebalance::Assigned, &partitions);
        let mut first = Vec::new();
        for one in assigned {
            let table = &self.wiring.tables[usize::from(one.partition.table.0)];
            truncate::check(table, one.partition_count)?;
            let intake = Intake::new(one, Instant::now());
            if one.note.is_none() {
                let (next, note) = intake.first_commit(table);
                first.push((one.partition, next, note));
            }
            self.intakes.insert(one.partition, intake);
        }
        if !first.is_empty() {
            self.command(SourceCommand::Store(first));
        }
        // A pause that was meant for an assignment that was lost may have come to this one.
        self.command(SourceCommand::Resume(partitions.clone()));
        tracing::info!(
            partitions = partitions.len(),
            owned = self.intakes.len(),
            "partitions were assigned"
        );
        Ok(())
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
        if let Some(sink) = report.sink {
            self.pace.received(sink, report.received);
        }
        for ack in report.acks {
            self.acknowledge(ack)?;
        }
        if let (Some(number), Some(drain), Some(sink)) =
            (report.drained, &mut self.drain, report.sink)
        {
            drain.answered(number, sink);
        }
        Ok(Next::Go)
    }

    pub(super) fn acknowledge(&mut self, ack: Ack) -> Result<(), Fatal> {
        // An ack of a partition that is gone is late: it changes nothing.
        if let Some(intake) = self.intakes.get_mut(&ack.partition()) {
            intake.acknowledge(ack)?;
            self.touched = true;
        }
        Ok(())
    }

    fn tick(&mut self) -> Next {
        if std::mem::take(&mut self.touched) {
            let offsets = self.commits(|_| true, Intake::take_commit);
            if !offsets.is_empty() {
                self.command(SourceCommand::Store(offsets));
            }
            self.tell_lag();
        }
        Next::Go
    }

    /// What `commit` answers of each of the wanted partitions.
    pub(super) fn commits(
        &mut self,
        wanted: impl Fn(Partition) -> bool,
        commit: impl Fn(&mut Intake, &Table) -> Option<(NextOffset, CommitNote)>,
    ) -> Vec<(Partition, NextOffset, CommitNote)> {
        let tables = &self.wiring.tables;
        let intakes = self
            .intakes
            .iter_mut()
            .filter(|(partition, _)| wanted(**partition));
        let commits = intakes.filter_map(|(&partition, intake)| {
            let table = &tables[usize::from(partition.table.0)];
            commit(intake, table).map(|(next, note)| (partition, next, note))
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
        self.pace.holds(total);
        self.wiring.observer.held(total, self.budget.paused());
        if !steering.pause.is_empty() {
            self.command(SourceCommand::Pause(steering.pause));
        }
        if !steering.resume.is_empty() {
            self.command(SourceCommand::Resume(steering.resume));
        }
    }

    fn note_high(&mut self, marks: &[(Partition, i64)]) {
        let now = Instant::now();
        for (partition, high) in marks {
            if let Some(intake) = self.intakes.get_mut(partition) {
                intake.ends_at(*high, now);
            }
        }
        self.tell_lag();
    }

    fn tell_lag(&mut self) {
        for (&partition, intake) in &self.intakes {
            self.wiring.observer.lag(partition, intake.lag());
        }
    }

    pub(super) fn command(&self, command: SourceCommand) {
        // The poll thread ends before us only after saying so.
        drop(self.wiring.source.commands.send(command));
    }
}
