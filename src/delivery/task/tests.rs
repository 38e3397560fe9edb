//! A truncate among its neighbours, and what a partition that is taken away leaves behind, with a
//! store in memory.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::change::{Change, Op, ProjectionId, Row, TableId, Version};
use crate::config::Batch;
use crate::delivery::doubles;
use crate::delivery::observer::Observer;
use crate::delivery::{Inlet, Order, Projectors, Report, SinkTask, Truncate, Wiring, inlet};
use crate::pipeline::ledger::{Ack, ENTRY_COST, Ledger};
use crate::projector::{Mutation, ProjectError, Projector};
use crate::sink::memory::{Fault, Gate, Memory};
use crate::sink::{Outage, OutageKind, Rejection, SinkError};
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

    fn bytes(&self) -> usize {
        1
    }
}

struct Copy;

impl Projector for Copy {
    type Mutation = Put;

    fn project(&self, change: &Change, out: &mut Vec<Put>) -> Result<(), ProjectError> {
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
        let (dead_letters, reader) = doubles::stopping(Arc::default());
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
            fence: Arc::new(fence),
            dead_letters,
            reader,
            tables: Arc::default(),
            projections: Arc::new(["truncated".to_owned(), "other".to_owned()]),
            observer: Box::new(Outages(outages)),
            inbox,
            reports: report_to,
        };
        tokio::spawn(SinkTask::new(wiring).run());
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

    fn deliver(&mut self, partition: Partition, offset: i64, id: &str, ack: Ack) {
        self.take(partition, offset, id, ack);
        self.inlet.hand_over();
    }

    fn take(&mut self, partition: Partition, offset: i64, id: &str, ack: Ack) {
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
        assert!(self.inlet.take(&change, ack).is_none());
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

    /// Takes reports until everything of a table below `next` is acknowledged.
    async fn until_done(&mut self, partition: Partition, next: i64) {
        while self.ledgers[&partition.table].watermark() < NextOffset::given(next) {
            let report = self.report().await;
            assert!(report.fatal.is_none(), "{:?}", report.fatal);
            for ack in report.acks {
                let ledger = self.ledgers.get_mut(&ack.partition().table).unwrap();
                ledger.acknowledge(ack).unwrap();
            }
        }
    }

    /// Waits until the task answers that it has nothing of the partitions it was told to drain.
    async fn until_drained(&mut self) {
        while !self.report().await.drained {}
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
    Outage {
        kind: OutageKind::Unreachable,
        reason: "scripted".to_owned(),
    }
}

#[tokio::test]
async fn a_truncate_deletes_what_came_before_it_and_nothing_else() {
    let mut bench = Bench::new();
    for (offset, id) in (0..).zip(["1", "2", "3", "4", "5"]) {
        bench.change(TRUNCATED, offset, id);
        bench.change(OTHER, offset, id);
    }
    bench.truncate(5);
    bench.change(TRUNCATED, 6, "1");
    bench.change(TRUNCATED, 7, "6");
    bench.until_done(TRUNCATED, 8).await;
    bench.until_done(OTHER, 5).await;
    let held = |partition| ["1", "2", "5", "6"].map(|id| bench.version(partition, id));
    assert_eq!(held(TRUNCATED), [Some(6), Some(5), Some(5), Some(7)]);
    assert_eq!(held(OTHER), [Some(0), Some(1), Some(4), None]);
}

#[tokio::test]
async fn a_truncate_waits_for_earlier_writes_and_later_ones_wait_for_it() {
    let mut bench = Bench::new();
    let (gate, began) = (Gate::default(), bench.store.clone());
    bench.store.script([Fault::Hold(gate.clone())]);
    bench.change(TRUNCATED, 0, "1");
    began.until_started(1).await;
    bench.truncate(1);
    bench.change(TRUNCATED, 2, "1");
    bench.truncate(3);
    bench.change(TRUNCATED, 4, "2");
    // The table beside it goes on, which shows that the rest has had its chance, too.
    bench.change(OTHER, 0, "9");
    bench.until_done(OTHER, 1).await;
    assert_eq!(bench.version(TRUNCATED, "1"), None);
    gate.open();
    bench.until_done(TRUNCATED, 5).await;
    let asked = bench.store.log();
    let asked = asked.iter().filter(|it| it.projection == ProjectionId(0));
    let asked: Vec<_> = asked.map(|it| (&*it.key.1, it.version.get())).collect();
    let expected = [("1", 0), ("1", 1), ("1", 2), ("1", 3), ("2", 4)];
    assert_eq!(asked, expected);
}

#[tokio::test]
async fn a_truncate_is_tried_again_until_the_store_is_back_and_acknowledged_only_then() {
    let mut bench = Bench::new();
    for (offset, id) in (0..).zip(["1", "2", "3", "4", "5"]) {
        bench.change(TRUNCATED, offset, id);
    }
    bench.until_done(TRUNCATED, 5).await;
    let fail = |error| Fault::Fail(SinkError::Outage(error));
    bench.store.script([
        fail(outage()),
        Fault::LoseReply(outage()),
        Fault::Items(outage()),
    ]);
    bench.truncate(5);
    bench.until_done(TRUNCATED, 6).await;
    for id in ["1", "2", "3", "4", "5"] {
        assert_eq!(bench.version(TRUNCATED, id), Some(5));
    }
}

#[tokio::test]
async fn a_partition_that_is_taken_away_takes_its_truncate_along() {
    let mut bench = Bench::new();
    bench.change(TRUNCATED, 0, "1");
    bench.until_done(TRUNCATED, 1).await;
    bench.store.set_down(Some(SinkError::Outage(outage())));
    bench.truncate(1);
    bench.change(TRUNCATED, 2, "2");
    bench.inlet.order(Order::Drop(vec![TRUNCATED]));
    bench.store.set_down(None);
    bench.change(OTHER, 0, "1");
    bench.until_done(OTHER, 1).await;
    let ledger = &bench.ledgers[&TRUNCATED.table];
    assert_eq!(ledger.watermark(), NextOffset::given(1));
    assert_eq!(bench.version(TRUNCATED, "2"), None);
}

#[tokio::test]
async fn an_outage_is_over_when_nothing_is_left_that_could_show_its_end() {
    let mut bench = Bench::new();
    bench.store.set_down(Some(SinkError::Outage(outage())));
    bench.change(OTHER, 0, "1");
    bench.until_outage(true).await;
    bench.inlet.order(Order::Drop(vec![OTHER]));
    bench.until_outage(false).await;
}

#[tokio::test]
async fn an_outage_that_a_last_write_of_a_partition_taken_away_meets_does_not_last() {
    let mut bench = Bench::new();
    let gate = Gate::default();
    bench.store.script([Fault::Hold(gate.clone())]);
    bench.change(OTHER, 0, "1");
    bench.store.until_started(1).await;
    bench.inlet.order(Order::Drop(vec![OTHER]));
    bench.store.set_down(Some(SinkError::Outage(outage())));
    // Its answer says that the task has taken the order before, too.
    bench.inlet.order(Order::Drain(vec![OTHER]));
    bench.until_drained().await;
    gate.open();
    bench.until_outage(true).await;
    bench.until_outage(false).await;
}

#[tokio::test]
async fn an_outage_lasts_while_a_write_that_may_show_its_end_is_under_way() {
    let mut bench = Bench::new();
    let gate = Gate::default();
    let fails = Fault::Fail(SinkError::Outage(outage()));
    bench.store.script([fails, Fault::Hold(gate.clone())]);
    bench.change(OTHER, 0, "1");
    bench.store.until_started(2).await;
    bench.inlet.order(Order::Drop(vec![TRUNCATED]));
    // Its answer says that the task has taken the order before, too.
    bench.inlet.order(Order::Drain(vec![TRUNCATED]));
    bench.until_drained().await;
    assert!(*bench.in_outage.borrow());
    gate.open();
    bench.until_outage(false).await;
}

#[tokio::test]
async fn a_store_that_takes_some_of_a_batch_and_fails_others_is_in_an_outage() {
    let mut bench = Bench::new();
    let gate = Gate::default();
    bench
        .store
        .script([Fault::First(outage()), Fault::Hold(gate.clone())]);
    for (offset, id) in (0..).zip(["1", "2"]) {
        let ack = bench.track(OTHER, offset);
        bench.take(OTHER, offset, id, ack);
    }
    bench.inlet.hand_over();
    bench.store.until_started(2).await;
    assert!(*bench.in_outage.borrow());
    gate.open();
    bench.until_outage(false).await;
    bench.until_done(OTHER, 2).await;
}

#[tokio::test]
async fn an_outage_after_contention_is_told() {
    let mut bench = Bench::new();
    let contention = Outage {
        kind: OutageKind::Contention,
        ..outage()
    };
    let fails = |outage| Fault::Fail(SinkError::Outage(outage));
    bench.store.script([fails(contention), fails(outage())]);
    bench.change(OTHER, 0, "1");
    bench.until_outage(true).await;
    bench.until_outage(false).await;
}

#[tokio::test]
async fn a_store_that_answers_with_a_rejection_is_out_of_its_outage() {
    let mut bench = Bench::new();
    let rejection = Rejection {
        kind: "scripted".to_owned(),
        reason: "scripted".to_owned(),
    };
    let key = (OTHER.table, "1".to_owned());
    bench.store.reject(key, Version::new(0, 0), rejection);
    bench.store.set_down(Some(SinkError::Outage(outage())));
    bench.change(OTHER, 0, "1");
    bench.until_outage(true).await;
    bench.store.set_down(None);
    bench.until_outage(false).await;
}

#[tokio::test]
async fn a_record_that_a_cache_is_told_of_once_more_is_not_held_for_the_other_stores() {
    let mut bench = Bench::new();
    let ledger = bench.ledgers.get_mut(&OTHER.table).unwrap();
    let mut acks = ledger.track(0, 0, 1000, 2).unwrap();
    let (ours, mut the_caches) = (acks.next().unwrap(), acks.next().unwrap());
    ledger.applied(&the_caches.applied());
    bench.deliver(OTHER, 0, "1", ours);
    let report = loop {
        let report = bench.report().await;
        if !report.acks.is_empty() {
            break report;
        }
    };
    let ledger = bench.ledgers.get_mut(&OTHER.table).unwrap();
    for ack in report.acks {
        ledger.acknowledge(ack).unwrap();
    }
    assert_eq!(ledger.held(), ENTRY_COST);
    ledger.acknowledge(the_caches).unwrap();
    assert_eq!(ledger.held(), 0);
}
