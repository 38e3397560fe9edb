//! A sink task between a pipeline that the test plays and a store in memory.

mod outages;
mod poison;
mod truncates;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::change::{Change, Op, ProjectionId, Row, TableId, Version};
use crate::config::{Batch, Table};
use crate::delivery::doubles::{self, Crypt};
use crate::delivery::observer::Observer;
use crate::delivery::{Inlet, Order, Projectors, Report, SinkTask, Truncate, Wiring, inlet};
use crate::error::Fatal;
use crate::pipeline::ledger::{Ack, ENTRY_COST, Ledger};
use crate::projector::{Mutation, ProjectError, Projector};
use crate::sink::memory::{Fault, Gate, Memory};
use crate::sink::{Outage, OutageKind, Rejection, SinkError};
use crate::source::reread::Original;
use crate::source::{Fence, NextOffset, Partition};

/// A table with a truncate, and one beside it.
const TRUNCATED: Partition = Partition {
    table: TableId(0),
    number: 0,
};
const OTHER: Partition = Partition {
    table: TableId(1),
    number: 0,
};

/// A write or a delete: what counts is the version that the store holds afterwards.
#[derive(Clone, Debug)]
struct Put {
    key: (TableId, String),
    version: Version,
}

impl Mutation for Put {
    type Key = (TableId, String);

    fn key(&self) -> &Self::Key {
        &self.key
    }

    fn version(&self) -> Version {
        self.version
    }

    fn projection(&self) -> ProjectionId {
        ProjectionId(self.key.0.0)
    }

    fn merge(&mut self, newer: Self) {
        *self = newer;
    }

    /// Of one key nobody may ask.
    fn bytes(&self) -> usize {
        assert_ne!(self.key.1, "unspeakable");
        1
    }
}

struct Copy;

impl Projector for Copy {
    type Mutation = Put;

    fn project(&self, change: &Change<'_>, out: &mut Vec<Put>) -> Result<(), ProjectError> {
        let id = change.key.at(0).json().expect("keys are available");
        out.push(Put {
            key: (change.table, id.to_owned()),
            version: change.version,
        });
        Ok(())
    }
}

/// Tells whether the task holds its store to be in an outage.
struct Outages(watch::Sender<bool>);

impl Observer for Outages {
    fn outage(&mut self, outage: Option<&Outage>) {
        self.0.send_replace(outage.is_some());
    }
}

/// A sink task with its store, and the ledgers of both tables.
struct Bench {
    store: Memory<Put>,
    in_outage: watch::Receiver<bool>,
    inlet: Box<dyn Inlet>,
    reports: mpsc::UnboundedReceiver<Report>,
    ledgers: BTreeMap<TableId, Ledger>,
}

impl Bench {
    fn new() -> Self {
        let store = Memory::new(&[]).with_deletes(|key: &(TableId, String), version| Put {
            key: key.clone(),
            version,
        });
        Self::of(store)
    }

    fn of(store: Memory<Put>) -> Self {
        Self::burying(store, None)
    }

    /// Poison stops the process, unless there is a crypt for it.
    fn burying(store: Memory<Put>, crypt: Option<&Crypt>) -> Self {
        let (report_to, reports) = mpsc::unbounded_channel();
        let fence = Fence::new(Duration::from_secs(3600));
        fence.beat();
        let ledgers = [TRUNCATED, OTHER].map(|partition| {
            fence.open(partition, 1);
            let ledger = Ledger::new(partition, 1, NextOffset::given(0), None);
            (partition.table, ledger)
        });
        let projectors = [TableId(0), TableId(1)].map(|table| (table, ProjectionId(table.0), Copy));
        let projectors = Arc::new(Projectors::new(2, projectors));
        let (inlet, inbox) = inlet(Arc::clone(&projectors));
        let tables: Arc<[Table]> = ["truncated", "other"].map(Table::named).into();
        let fence = Arc::new(fence);
        let (dead_letters, reader) = match crypt {
            None => doubles::stopping(Arc::clone(&tables)),
            Some(crypt) => {
                let ours = (Arc::clone(&tables), Arc::clone(&fence));
                doubles::burying(ours, Original::default(), crypt)
            }
        };
        let (outages, in_outage) = watch::channel(false);
        let wiring = Wiring {
            index: 0,
            name: "memory".to_owned(),
            sink: Arc::new(store.clone()),
            projectors,
            batch: Batch {
                max_items: 3,
                max_bytes: 1 << 20,
            },
            in_flight: 2,
            fence,
            dead_letters,
            reader,
            tables,
            projections: Arc::new(["truncated".to_owned(), "other".to_owned()]),
            observer: Box::new(Outages(outages)),
            inbox,
            reports: report_to,
        };
        SinkTask::new(wiring).spawn();
        Self {
            store,
            in_outage,
            inlet,
            reports,
            ledgers: ledgers.into(),
        }
    }

    fn track(&mut self, partition: Partition, offset: i64) -> Ack {
        let ledger = self.ledgers.get_mut(&partition.table).unwrap();
        ledger.track(offset, 0, 1, 1).unwrap().next().unwrap()
    }

    fn change(&mut self, partition: Partition, offset: i64, id: &str) {
        let ack = self.track(partition, offset);
        self.deliver(partition, offset, id, ack);
    }

    /// Changes of these rows, handed over together.
    fn batch<'a>(&mut self, first: i64, ids: impl IntoIterator<Item = &'a str>) {
        for (offset, id) in (first..).zip(ids) {
            let ack = self.track(OTHER, offset);
            self.take(OTHER, offset, id, ack);
        }
        self.inlet.hand_over();
    }

    fn deliver(&mut self, partition: Partition, offset: i64, id: &str, ack: Ack) {
        self.take(partition, offset, id, ack);
        self.inlet.hand_over();
    }

    fn take(&mut self, partition: Partition, offset: i64, id: &str, ack: Ack) {
        self.take_known((partition, offset), id, ack, Instant::now());
    }

    fn take_known(
        &mut self,
        (partition, offset): (Partition, i64),
        id: &str,
        ack: Ack,
        known_since: Instant,
    ) {
        let change = Change {
            table: partition.table,
            op: Op::Update,
            key: Row::from_pairs(&[("id", id)]),
            before: None,
            after: Some(Row::from_pairs(&[("id", id)])),
            moved_from: None,
            version: Version::new(0, offset),
            committed_at_ms: 0,
        };
        assert!(self.inlet.take(&change, ack, known_since).is_none());
    }

    fn truncate(&mut self, offset: i64) {
        let truncate = Truncate {
            version: Version::new(0, offset),
            committed_at_ms: 0,
            ack: self.track(TRUNCATED, offset),
        };
        self.inlet.order(Order::Truncate(truncate));
    }

    async fn report(&mut self) -> Report {
        let report = tokio::time::timeout(Duration::from_secs(30), self.reports.recv());
        report.await.expect("in time").expect("the task runs")
    }

    /// Waits for records that are done, and takes their acks to the ledgers; their offsets.
    async fn until_acknowledged(&mut self) -> Vec<i64> {
        let acks = loop {
            let report = self.report().await;
            if !report.acks.is_empty() {
                break report.acks;
            }
        };
        let offsets = acks.iter().map(Ack::offset).collect();
        self.acknowledge(acks);
        offsets
    }

    fn acknowledge(&mut self, acks: Vec<Ack>) {
        for ack in acks {
            let ledger = self.ledgers.get_mut(&ack.partition().table).unwrap();
            ledger.acknowledge(ack).unwrap();
        }
    }

    /// Takes reports until everything of a table below `next` is acknowledged.
    async fn until_done(&mut self, partition: Partition, next: i64) {
        while self.ledgers[&partition.table].watermark() < NextOffset::given(next) {
            let report = self.report().await;
            assert!(report.fatal.is_none(), "{:?}", report.fatal);
            self.acknowledge(report.acks);
        }
    }

    /// Waits until the task answers that it has nothing of the partitions it was told to drain.
    async fn until_drained(&mut self) {
        while self.report().await.drained.is_none() {}
    }

    /// Waits until the task holds its store to be in an outage, or no longer.
    async fn until_outage(&mut self, is: bool) {
        let told = self.in_outage.wait_for(|it| *it == is);
        let told = tokio::time::timeout(Duration::from_secs(30), told).await;
        told.expect("in time").expect("the task runs");
    }

    fn version(&self, partition: Partition, id: &str) -> Option<i64> {
        let key = (partition.table, id.to_owned());
        self.store.version(&key).map(Version::get)
    }
}

fn outage() -> Outage {
    Outage::new(OutageKind::Unreachable, "scripted")
}

#[tokio::test]
async fn a_record_that_a_cache_is_told_of_once_more_is_not_held_for_the_other_stores() {
    let mut bench = Bench::new();
    let ledger = bench.ledgers.get_mut(&OTHER.table).unwrap();
    let mut acks = ledger.track(0, 0, 1000, 2).unwrap();
    let (ours, mut the_caches) = (acks.next().unwrap(), acks.next().unwrap());
    ledger.applied(&the_caches.applied(0));
    bench.deliver(OTHER, 0, "1", ours);
    bench.until_acknowledged().await;
    let ledger = bench.ledgers.get_mut(&OTHER.table).unwrap();
    assert_eq!(ledger.held(), ENTRY_COST);
    ledger.acknowledge(the_caches).unwrap();
    assert_eq!(ledger.held(), 0);
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn what_waits_for_its_second_write_is_charged_and_nothing_else_of_its_record() {
    let mut bench = Bench::of(Memory::new(&[]).with_second_writes(SECOND));
    let ledger = bench.ledgers.get_mut(&OTHER.table).unwrap();
    let ack = ledger.track(0, 0, 10_000, 1).unwrap().next().unwrap();
    bench.deliver(OTHER, 0, "1", ack);
    let applied = loop {
        let report = bench.report().await;
        assert!(report.acks.is_empty(), "{report:?}");
        if let Some(applied) = report.applied.into_iter().next() {
            break applied;
        }
    };
    let ledger = bench.ledgers.get_mut(&OTHER.table).unwrap();
    ledger.applied(&applied);
    let kept = ledger.held() - ENTRY_COST;
    assert!((64..1000).contains(&kept), "{kept} bytes");
    bench.until_done(OTHER, 1).await;
    assert_eq!(bench.ledgers[&OTHER.table].held(), 0);
    assert_eq!(bench.store.log().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_drain_hurries_the_second_writes_of_its_partitions_and_no_others() {
    let mut bench = Bench::of(Memory::new(&[]).with_second_writes(SECOND));
    bench.change(TRUNCATED, 0, "1");
    bench.change(OTHER, 0, "2");
    bench.store.until_ended(2).await;
    let begun = Instant::now();
    bench.inlet.order(Order::Drain(1, vec![TRUNCATED]));
    bench.change(TRUNCATED, 1, "3");
    bench.until_done(TRUNCATED, 2).await;
    assert!(begun.elapsed() < SECOND);
    bench.until_done(OTHER, 1).await;
    assert!(begun.elapsed() >= SECOND);
    assert_eq!(bench.store.log().len(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_the_store_cannot_take_in_time_is_made_smaller() {
    let no_answer = SinkError::Outage(outage());
    let mut bench = Bench::of(Memory::new(&[]).with_most(1, no_answer));
    bench.batch(0, ["1", "2", "3"]);
    bench.until_done(OTHER, 3).await;
}

#[tokio::test]
async fn a_store_that_takes_less_at_once_is_not_sent_too_much_each_time() {
    let too_much = SinkError::TooMuch(Rejection::new("scripted", "scripted"));
    let mut bench = Bench::of(Memory::new(&[]).with_most(1, too_much));
    bench.batch(0, ["1", "2", "3"]);
    bench.until_done(OTHER, 3).await;
    let (refused, taken) = (2, 3);
    assert_eq!(bench.store.attempts(), refused + taken);
    bench.batch(3, ["1", "2", "3"]);
    bench.until_done(OTHER, 6).await;
    assert_eq!(bench.store.attempts(), refused + 2 * taken);
}

#[tokio::test]
async fn a_task_that_panics_stops_the_process() {
    let mut bench = Bench::new();
    bench.change(OTHER, 0, "unspeakable");
    let fatal = bench.report().await.fatal;
    assert!(matches!(fatal, Some(Fatal::Bug(_))), "{fatal:?}");
}

#[tokio::test(start_paused = true)]
async fn a_change_that_was_in_kafka_for_longer_than_the_delay_is_written_once() {
    let mut bench = Bench::of(Memory::new(&[]).with_second_writes(SECOND));
    let millisecond = Duration::from_millis(1);
    let known = [(SECOND, 1), (SECOND - millisecond, 2), (Duration::ZERO, 2)];
    for (offset, (known_for, writes)) in (0..).zip(known) {
        let since = Instant::now();
        tokio::time::advance(known_for).await;
        let before = bench.store.log().len();
        let ack = bench.track(OTHER, offset);
        bench.take_known((OTHER, offset), "1", ack, since);
        bench.inlet.hand_over();
        bench.until_done(OTHER, offset + 1).await;
        let written = bench.store.log().len() - before;
        assert_eq!(written, writes, "known for {known_for:?}");
    }
}

#[tokio::test]
async fn a_drain_goes_on_for_the_partitions_that_are_not_lost_meanwhile() {
    let mut bench = Bench::new();
    let gate = Gate::default();
    bench.store.script([Fault::Hold(gate.clone())]);
    bench.change(TRUNCATED, 0, "1");
    bench.store.until_started(1).await;
    bench.inlet.order(Order::Drain(1, vec![TRUNCATED, OTHER]));
    bench.inlet.order(Order::Drop(vec![OTHER]));
    gate.open();
    bench.until_drained().await;
}
