//! The pipeline between a source and a sink that the test plays.

use std::sync::{Arc, mpsc as std_mpsc};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::run::TICK;
use super::{Pipeline, Wiring};
use crate::change::{ProjectionId, TableId};
use crate::config::{self, Table};
use crate::delivery::{Projectors, Report, ToSink, doubles, inlet};
use crate::projector::document::{Document, DocumentProjector};
use crate::source::{
    Assigned, NextOffset, Partition, Record, Records, SourceCommand, SourceEvent, SourceHandle,
};

const PARTITION: Partition = Partition {
    table: TableId(0),
    number: 0,
};

const OTHER: Partition = Partition {
    number: 1,
    ..PARTITION
};

/// Far more than a channel takes, and less than records wait for an ack.
const MOMENT: Duration = Duration::from_millis(100);

/// How long a drain may take.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// What is on either side of a pipeline with a budget of 1 MiB.
struct Played {
    events: mpsc::Sender<SourceEvent>,
    commands: std_mpsc::Receiver<SourceCommand>,
    inbox: mpsc::UnboundedReceiver<ToSink<Document>>,
    reports: mpsc::UnboundedSender<Report>,
    stop: CancellationToken,
    next: i64,
}

impl Played {
    /// A pipeline that runs and has a partition.
    async fn start() -> Self {
        let (pipeline, played) = Self::wire(4);
        tokio::spawn(pipeline.run());
        played.assign(PARTITION).await;
        played
    }

    async fn assign(&self, partition: Partition) {
        let assigned = SourceEvent::Assigned(vec![assigned(partition)]);
        self.events.send(assigned).await.unwrap();
    }

    /// A pipeline before which so many events may wait.
    fn wire(events: usize) -> (Pipeline, Self) {
        let (events, to_pipeline) = mpsc::channel(events);
        let (from_pipeline, commands) = std_mpsc::channel();
        let (inlet, inbox) = inlet(Arc::new(Projectors::new(1, [projector()])));
        let (report_to, reports) = mpsc::unbounded_channel();
        let tables: Arc<[Table]> = Arc::new([Table::named("items")]);
        let (dead_letters, _) = doubles::stopping(Arc::clone(&tables));
        let wiring = Wiring {
            tables,
            sinks: vec![inlet],
            source: SourceHandle {
                events: to_pipeline,
                commands: from_pipeline,
            },
            reports,
            report_to: report_to.clone(),
            dead_letters,
            budget: 1 << 20,
            drain_timeout: DRAIN_TIMEOUT,
            observer: Box::new(()),
            first_commit: None,
            stop: CancellationToken::new(),
        };
        let played = Self {
            events,
            commands,
            inbox,
            reports: report_to,
            stop: wiring.stop.clone(),
            next: 0,
        };
        (Pipeline::new(wiring), played)
    }

    /// The source delivers a record of so many bytes.
    async fn deliver(&mut self, bytes: usize) {
        self.deliver_of(PARTITION, bytes).await;
    }

    async fn deliver_of(&mut self, partition: Partition, bytes: usize) {
        let text = "x".repeat(bytes);
        let value = format!(
            r#"{{"after":{{"id":1,"text":"{text}"}},"source":{{"schema":"public","table":"items"}},"op":"c"}}"#
        );
        let record = Record {
            key: Some(br#"{"id":1}"#),
            value: Some(value.as_bytes()),
            ..empty(partition, self.next)
        };
        self.next += 1;
        let records = SourceEvent::Records(Records::from_iter([record]));
        self.events.send(records).await.unwrap();
    }

    /// What comes to the sink within a moment.
    async fn arrives(&mut self) -> Option<ToSink<Document>> {
        timeout(MOMENT, self.inbox.recv()).await.ok().flatten()
    }

    /// The sink has written it.
    fn acknowledge(&self, message: ToSink<Document>) {
        let ToSink::Changes(projected) = message else {
            panic!("only changes are delivered");
        };
        let report = Report {
            acks: projected.deliveries.into_iter().map(|it| it.ack).collect(),
            ..Report::default()
        };
        self.reports.send(report).unwrap();
    }

    /// Waits for a command that is what is looked for.
    async fn until<T>(&self, wanted: impl Fn(SourceCommand) -> Option<T>) -> T {
        let told = async {
            loop {
                if let Some(told) = self.commands.try_iter().find_map(&wanted) {
                    return told;
                }
                tokio::time::sleep(MOMENT / 10).await;
            }
        };
        timeout(2 * DRAIN_TIMEOUT, told).await.expect("it is told")
    }

    fn has_paused(&self) -> bool {
        let mut commands = self.commands.try_iter();
        commands.any(|it| matches!(it, SourceCommand::Pause(_)))
    }
}

fn assigned(partition: Partition) -> Assigned {
    Assigned {
        partition,
        generation: 1,
        start: NextOffset::given(0),
        note: None,
        is_compacted: false,
        as_of: None,
        partition_count: 2,
        high: 1,
    }
}

/// A record that concerns no sink.
fn empty(partition: Partition, offset: i64) -> Record<'static> {
    Record {
        partition,
        generation: 1,
        offset,
        timestamp_ms: 0,
        key: None,
        value: None,
        old_key: None,
    }
}

fn projector() -> (TableId, ProjectionId, DocumentProjector) {
    let document = config::Document {
        from: TableId(0),
        alias: "items".to_owned(),
        settings: None,
        fields: None,
        when: None,
    };
    let projector = DocumentProjector::new(ProjectionId(0), "items", &document);
    (TableId(0), ProjectionId(0), projector.unwrap())
}

#[tokio::test(start_paused = true)]
async fn with_little_of_the_budget_left_records_wait_for_an_ack_and_no_partition_is_paused() {
    let mut played = Played::start().await;
    played.deliver(800 << 10).await;
    let first = played.arrives().await.expect("there is room");
    played.deliver(1 << 10).await;
    assert!(played.arrives().await.is_none(), "it does not wait");
    played.acknowledge(first);
    assert!(played.arrives().await.is_some(), "it waits on");
    assert!(!played.has_paused());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_answer_is_waited_for_until_the_budget_is_spent_and_then_paused() {
    let mut played = Played::start().await;
    played.deliver(800 << 10).await;
    assert!(played.arrives().await.is_some(), "there is room");
    played.deliver(300 << 10).await;
    let late = timeout(Duration::from_secs(5), played.inbox.recv()).await;
    assert!(late.expect("it waits for ever").is_some());
    tokio::time::sleep(MOMENT).await;
    assert!(played.has_paused());
}

#[tokio::test(start_paused = true)]
async fn records_wait_while_the_sink_has_much_to_take_in() {
    let mut played = Played::start().await;
    let mut given = 0;
    let waits = loop {
        played.deliver(1).await;
        match played.arrives().await {
            Some(changes) => played.acknowledge(changes),
            None => break true,
        }
        given += 1;
        if given > 10_000 {
            break false;
        }
    };
    assert!(waits, "{given} changes lie before the sink");
    let report = Report {
        sink: Some(0),
        received: given,
        ..Report::default()
    };
    played.reports.send(report).unwrap();
    assert!(played.arrives().await.is_some(), "it waits on");
}

#[tokio::test(start_paused = true)]
async fn a_sink_is_told_since_when_a_record_is_known_to_be_in_kafka() {
    let mut played = Played::start().await;
    let mut known_since = Vec::new();
    for offset in 0..4 {
        played.deliver(1).await;
        let Some(ToSink::Changes(projected)) = played.arrives().await else {
            panic!("a change is delivered");
        };
        known_since.push(projected.deliveries[0].known_since);
        tokio::time::sleep(Duration::from_secs(1)).await;
        if offset == 0 {
            // One record was there at the assignment, and three are a second later.
            let ends = SourceEvent::HighWatermarks(vec![(PARTITION, 3)]);
            played.events.send(ends).await.unwrap();
        }
    }
    let [first, second, third, fourth] = known_since[..] else {
        panic!("{known_since:?}");
    };
    assert!(second - first >= Duration::from_secs(1));
    assert_eq!(second, third);
    assert!(fourth > third, "it is new");
}

#[tokio::test(start_paused = true)]
async fn partitions_that_are_given_up_are_committed_as_far_as_each_has_come() {
    let mut played = Played::start().await;
    played.assign(OTHER).await;
    played.deliver_of(PARTITION, 1).await;
    let first = played.arrives().await.expect("it is delivered");
    played.deliver_of(OTHER, 1).await;
    let second = played.arrives().await.expect("it is delivered");
    let revoking = SourceEvent::Revoking(vec![PARTITION, OTHER]);
    played.events.send(revoking).await.unwrap();
    played.acknowledge(first);
    // Meanwhile its watermark is told, to a poll thread that has given it up.
    tokio::time::sleep(3 * MOMENT).await;
    played.acknowledge(second);
    let released = played.until(|command| match command {
        SourceCommand::Release(offsets) => Some(offsets),
        _ => None,
    });
    let mut released: Vec<_> = released.await.into_iter().map(|it| (it.0, it.1)).collect();
    released.sort();
    let to = |offset| NextOffset::after(offset);
    assert_eq!(released, [(PARTITION, to(0)), (OTHER, to(1))]);
}

#[tokio::test(start_paused = true)]
async fn a_revoke_in_the_middle_of_a_stop_does_not_put_off_its_end() {
    let mut played = Played::start().await;
    played.deliver(1).await;
    assert!(played.arrives().await.is_some(), "it is never acknowledged");
    let begun = tokio::time::Instant::now();
    played.stop.cancel();
    tokio::time::sleep(DRAIN_TIMEOUT / 2).await;
    let revoking = SourceEvent::Revoking(vec![PARTITION]);
    played.events.send(revoking).await.unwrap();
    let is_stop = |it| matches!(it, SourceCommand::Stop(_)).then_some(());
    played.until(is_stop).await;
    assert!(begun.elapsed() < DRAIN_TIMEOUT + 2 * MOMENT);
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_an_earlier_drain_does_not_end_a_stop() {
    let mut played = Played::start().await;
    played.deliver(1).await;
    assert!(played.arrives().await.is_some(), "it is never acknowledged");
    let revoking = SourceEvent::Revoking(vec![PARTITION]);
    played.events.send(revoking).await.unwrap();
    tokio::time::sleep(MOMENT).await;
    let begun = tokio::time::Instant::now();
    played.stop.cancel();
    tokio::time::sleep(MOMENT).await;
    let answer = Report {
        sink: Some(0),
        drained: Some(1),
        ..Report::default()
    };
    played.reports.send(answer).unwrap();
    let is_stop = |it| matches!(it, SourceCommand::Stop(_)).then_some(());
    played.until(is_stop).await;
    assert!(begun.elapsed() >= DRAIN_TIMEOUT, "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_assignment_ends_a_pause_that_was_meant_for_an_earlier_one() {
    let played = Played::start().await;
    let resumed = played.until(|command| match command {
        SourceCommand::Resume(partitions) => Some(partitions),
        _ => None,
    });
    assert_eq!(resumed.await, [PARTITION]);
}

#[tokio::test]
async fn watermarks_are_told_while_records_never_cease_to_come() {
    const BATCHES: i64 = 4_000;
    const RECORDS: i64 = 50;
    let (pipeline, played) = Played::wire(BATCHES as usize + 2);
    let tell = |event| played.events.try_send(event).unwrap();
    tell(SourceEvent::Assigned(vec![assigned(PARTITION)]));
    for first in (0..BATCHES).map(|batch| batch * RECORDS) {
        let records = (first..first + RECORDS).map(|offset| empty(PARTITION, offset));
        tell(SourceEvent::Records(records.collect()));
    }
    tell(SourceEvent::Stopped);
    let begun = std::time::Instant::now();
    pipeline.run().await.unwrap();
    assert!(begun.elapsed() > 2 * TICK, "{:?}", begun.elapsed());
    let watermarks = played
        .commands
        .try_iter()
        .filter_map(|command| match command {
            SourceCommand::Store(offsets) => Some(offsets[0].1),
            _ => None,
        });
    // The first one is the start.
    assert!(watermarks.count() > 1);
}
