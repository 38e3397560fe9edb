//! Stands in for the poll thread and librdkafka: the same answers to the same commands, from the
//! simulated group and log. What it does follows `src/source/`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Duration;

use distributary::source::start::{Commit, Commits, Facts, decide};
use distributary::source::{
    Assigned, CommitNote, Fence, Generation, NextOffset, Partition, Records, SourceCommand,
    SourceEvent,
};
use tokio::sync::mpsc::Sender;

use super::group::{Call, SESSION};
use super::process::Process;
use super::rows::{partition_count, tables};
use super::stored::Stored;
use super::world::World;

/// How far below the start records are read again. So little that a note's `since` matters.
const LOOK_BACK: i64 = 2;
/// How often what is stored is committed.
const COMMIT_EVERY: Duration = Duration::from_millis(500);
const WATERMARKS_EVERY: Duration = Duration::from_secs(1);

/// A partition that is ours.
struct Owned {
    generation: Generation,
    start: NextOffset,
    position: i64,
    delivered: i64,
}

/// See the module.
pub(super) struct Client {
    world: Arc<World>,
    process: Arc<Process>,
    fence: Arc<Fence>,
    events: Sender<SourceEvent>,
    commands: Receiver<SourceCommand>,
    member: Option<u64>,
    owned: BTreeMap<Partition, Owned>,
    generation: Generation,
    assigning: Option<Vec<Partition>>,
    revoking: Option<Vec<Partition>>,
    /// Watermarks that came when their partitions were being given up.
    late: BTreeMap<Partition, NextOffset>,
    paused: BTreeSet<Partition>,
    stored: Stored,
    commit_at: Duration,
    watermarks_at: Duration,
    polled: Duration,
    /// No heartbeat is sent before.
    heartbeat_at: Duration,
}

impl Client {
    pub(super) fn new(
        (world, process, fence): (&Arc<World>, &Arc<Process>, &Arc<Fence>),
        events: Sender<SourceEvent>,
        commands: Receiver<SourceCommand>,
    ) -> Self {
        Self {
            world: Arc::clone(world),
            process: Arc::clone(process),
            fence: Arc::clone(fence),
            events,
            commands,
            member: None,
            owned: BTreeMap::new(),
            generation: 0,
            assigning: None,
            revoking: None,
            late: BTreeMap::new(),
            paused: BTreeSet::new(),
            stored: Stored::new(world, process),
            commit_at: Duration::ZERO,
            watermarks_at: Duration::ZERO,
            polled: world.now(),
            heartbeat_at: Duration::ZERO,
        }
    }

    pub(super) async fn run(mut self) {
        loop {
            self.process.step().await;
            loop {
                match self.commands.try_recv() {
                    Ok(SourceCommand::Stop(offsets)) => return self.leave(offsets).await,
                    Ok(command) => self.obey(command).await,
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return self.leave(Vec::new()).await,
                }
            }
            let quiet = self.poll().await;
            let now = self.world.now();
            if now - self.polled > SESSION {
                // It learns that it was expelled from its next heartbeat: not at once, but within
                // the third of a session that the fence stays closed for.
                self.heartbeat_at = now + Duration::from_millis(fastrand::u64(..700));
            }
            self.polled = now;
            self.fence.beat();
            if quiet {
                self.tell_ends().await;
            }
            if now >= self.heartbeat_at {
                self.heartbeat().await;
            }
            self.begin().await;
            self.in_background().await;
            let idle = if self.paused.is_empty() { 200 } else { 50 };
            let wait = if quiet { idle } else { fastrand::u64(..60) };
            tokio::time::sleep(Duration::from_millis(wait)).await;
        }
    }

    async fn obey(&mut self, command: SourceCommand) {
        match command {
            SourceCommand::Store(offsets) => {
                let owned = |it: &Partition| self.owned.get(it);
                let may = |it: &Partition, next| owned(it).is_some_and(|owned| next >= owned.start);
                let (stored, late): (Vec<_>, Vec<_>) =
                    offsets.into_iter().partition(|it| may(&it.0, it.1));
                self.stored.put(stored);
                let revoking = self.revoking.iter().flatten();
                let revoking: BTreeSet<_> = revoking.collect();
                let late = late.iter().filter(|it| revoking.contains(&it.0));
                self.late.extend(late.map(|it| (it.0, it.1)));
            }
            SourceCommand::Pause(partitions) => {
                let owned = partitions.iter().filter(|it| self.owned.contains_key(it));
                self.paused.extend(owned);
            }
            SourceCommand::Resume(partitions) => {
                self.paused.retain(|it| !partitions.contains(it));
            }
            SourceCommand::Release(offsets) => {
                if let Some(list) = self.revoking.take() {
                    list.iter().for_each(|&it| self.fence.close(it));
                    self.hold_against_late(&offsets);
                    self.commit_now(offsets).await;
                    self.unassign(&list);
                }
            }
            SourceCommand::Stop(_) => unreachable!("taken before"),
        }
    }

    /// What is done of a partition when it is given up is committed, as far as it was ever told.
    fn hold_against_late(&mut self, offsets: &[(Partition, NextOffset, CommitNote)]) {
        for (partition, told) in std::mem::take(&mut self.late) {
            let released = offsets.iter().find(|it| it.0 == partition).map(|it| it.1);
            if released < Some(told) {
                self.world.broken(format!(
                    "{partition:?} was done to {told:?} and is released at {released:?}"
                ));
            }
        }
    }

    /// Fetches and delivers; answers whether there was nothing.
    async fn poll(&mut self) -> bool {
        if self.revoking.is_some() || self.assigning.is_some() {
            return true;
        }
        let mut room = fastrand::usize(1..24);
        let mut records = Records::default();
        {
            let state = self.world.lock();
            for (&partition, owned) in &mut self.owned {
                if self.paused.contains(&partition) {
                    continue;
                }
                for record in state.log.from(partition, owned.position).iter().take(room) {
                    owned.position = record.offset + 1;
                    owned.delivered = owned.delivered.max(owned.position);
                    records.push(&record.delivered(partition, owned.generation));
                }
                room = room.saturating_sub(records.len());
            }
        }
        let quiet = records.is_empty();
        if !quiet {
            self.tell(SourceEvent::Records(records)).await;
        }
        quiet
    }

    async fn tell_ends(&mut self) {
        if self.revoking.is_some() || self.assigning.is_some() {
            return;
        }
        let mut ends = Vec::new();
        {
            let state = self.world.lock();
            for (&partition, owned) in &mut self.owned {
                let high = state.log.high(partition);
                let is_end = state.log.from(partition, owned.position).is_empty();
                if is_end && high > owned.delivered && !self.paused.contains(&partition) {
                    owned.delivered = high;
                    ends.push((partition, high));
                }
            }
        }
        for (partition, high) in ends {
            self.tell(SourceEvent::End(partition, NextOffset::given(high)))
                .await;
        }
    }

    async fn heartbeat(&mut self) {
        // Telling may have waited for the pipeline, while other members went on.
        let now = self.world.now();
        let Some(member) = self.member else {
            let joined = self.world.lock().group.join(now);
            self.process.member.store(joined, Ordering::Relaxed);
            let process = self.process.number;
            self.world
                .note(format_args!("process {process} joins as member {joined}"));
            self.member = Some(joined);
            return;
        };
        let calls = self.world.lock().group.heartbeat(member, now);
        let Some(calls) = calls else {
            return self.lose().await;
        };
        for call in calls {
            self.world
                .note(format_args!("member {member} is told: {call:?}"));
            match call {
                Call::Assign(list) => self.assigning = Some(list),
                Call::Revoke(list) => self.give_up(list).await,
            }
        }
    }

    async fn give_up(&mut self, list: Vec<Partition>) {
        self.assigning = None;
        self.late.clear();
        let partitions = self.disown(&list);
        if partitions.is_empty() {
            self.tell(SourceEvent::Lost(partitions)).await;
            return self.unassign(&list);
        }
        self.revoking = Some(list);
        self.tell(SourceEvent::Revoking(partitions)).await;
    }

    /// The group has gone on without us.
    async fn lose(&mut self) {
        self.world.note(format_args!(
            "process {} has lost its membership",
            self.process.number
        ));
        self.member = None;
        self.assigning = None;
        if let Some(list) = self.revoking.take() {
            list.iter().for_each(|&it| self.fence.close(it));
            self.tell(SourceEvent::Lost(list)).await;
        }
        let all: Vec<Partition> = self.owned.keys().copied().collect();
        let lost = self.disown(&all);
        lost.iter().for_each(|&it| self.fence.close(it));
        self.stored.clear();
        self.tell(SourceEvent::Lost(lost)).await;
    }

    /// Finds where assigned partitions begin, unless the brokers do not answer.
    async fn begin(&mut self) {
        let Some(list) = self.assigning.take() else {
            return;
        };
        self.generation += 1;
        if self.world.strikes(0.2) {
            self.assigning = Some(list);
            return;
        }
        let mut begun = Vec::new();
        for partition in list {
            let assigned = self.assigned(partition);
            let (generation, start) = (assigned.generation, assigned.start);
            let since = assigned.note.as_ref().and_then(|it| it.since);
            let back = start.get() - LOOK_BACK;
            let owned = Owned {
                generation,
                start,
                position: since.map_or(back, |it| it.min(back)).max(0),
                delivered: start.get(),
            };
            self.owned.insert(partition, owned);
            self.fence.open(partition, generation);
            begun.push(assigned);
        }
        if let Some(member) = self.member {
            self.world.lock().group.begun(member);
        }
        self.tell(SourceEvent::Assigned(begun)).await;
    }

    fn assigned(&self, partition: Partition) -> Assigned {
        let state = self.world.lock();
        let commit = state.group.commit_of(partition).map(|(next, note)| Commit {
            next: *next,
            note: Some(note.clone()),
        });
        let facts = Facts {
            low: 0,
            high: state.log.high(partition),
            partitions: partition_count(partition.table),
        };
        let table = &tables()[usize::from(partition.table.0)];
        let numbers = (0..facts.partitions).map(|number| Partition {
            number,
            ..partition
        });
        let notes: Vec<_> = numbers
            .filter_map(|it| Some(state.group.commit_of(it)?.1.clone()))
            .collect();
        let of_topic = Commits {
            are_there: !notes.is_empty(),
            were_seen: !notes.is_empty(),
            notes,
        };
        let start = decide(table, partition.number, commit.as_ref(), (facts, &of_topic));
        Assigned {
            partition,
            generation: self.generation,
            start: start.expect("the log is the one that was committed"),
            note: commit.and_then(|it| it.note),
            is_compacted: self.world.settings.is_compacted,
            as_of: None,
            partition_count: facts.partitions,
            high: facts.high,
        }
    }

    async fn in_background(&mut self) {
        let now = self.world.now();
        if now >= self.commit_at {
            self.commit_at = now + COMMIT_EVERY;
            let event = match self.stored.commit(self.member).await {
                None => None,
                Some(Ok(taken)) => Some(SourceEvent::Committed(taken)),
                Some(Err(reason)) => Some(SourceEvent::CommitFailed(reason)),
            };
            if let Some(event) = event {
                self.tell(event).await;
            }
        }
        if now >= self.watermarks_at {
            self.watermarks_at = now + WATERMARKS_EVERY;
            let marks = {
                let state = self.world.lock();
                let owned = self.owned.keys();
                owned.map(|it| (*it, state.log.high(*it))).collect()
            };
            self.tell(SourceEvent::HighWatermarks(marks)).await;
        }
    }

    /// Commits these and what was stored before.
    async fn commit_now(&mut self, offsets: Vec<(Partition, NextOffset, CommitNote)>) {
        self.stored.put(offsets);
        // A failure is warned of and otherwise nothing: it is done again.
        drop(self.stored.commit(self.member).await);
    }

    async fn leave(&mut self, offsets: Vec<(Partition, NextOffset, CommitNote)>) {
        self.commit_now(offsets).await;
        self.fence.close_all();
        if let Some(member) = self.member {
            self.world.lock().group.leave(member);
        }
        self.world
            .note(format_args!("process {} leaves", self.process.number));
        self.tell(SourceEvent::Stopped).await;
    }

    fn unassign(&mut self, list: &[Partition]) {
        if let Some(member) = self.member {
            self.world.lock().group.release(member, list);
        }
        self.stored.forget(list);
    }

    fn disown(&mut self, list: &[Partition]) -> Vec<Partition> {
        let owned = list.iter().copied();
        let owned: Vec<_> = owned.filter(|it| self.owned.remove(it).is_some()).collect();
        self.paused.retain(|it| !owned.contains(it));
        owned
    }

    async fn tell(&mut self, event: SourceEvent) {
        // The pipeline has ended only when the process is about to.
        self.events.send(event).await.ok();
    }
}
