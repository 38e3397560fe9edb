//! The pipeline between a source and a sink that the test plays.

use std::sync::{Arc, mpsc as std_mpsc};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

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

/// Far more than a channel takes, and less than records wait for an ack.
const MOMENT: Duration = Duration::from_millis(100);

/// What is on either side of a pipeline with a budget of 1 MiB.
struct Played {
    events: mpsc::Sender<SourceEvent>,
    commands: std_mpsc::Receiver<SourceCommand>,
    inbox: mpsc::UnboundedReceiver<ToSink<Document>>,
    reports: mpsc::UnboundedSender<Report>,
    next: i64,
}

impl Played {
    async fn start() -> Self {
        let (events, to_pipeline) = mpsc::channel(4);
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
            drain_timeout: Duration::from_secs(1),
            observer: Box::new(()),
            first_commit: None,
            stop: CancellationToken::new(),
        };
        tokio::spawn(Pipeline::new(wiring).run());
        let assigned = Assigned {
            partition: PARTITION,
            generation: 1,
            start: NextOffset::given(0),
            note: None,
            as_of: None,
            partition_count: 1,
            high: 1,
        };
        let assigned = SourceEvent::Assigned(vec![assigned]);
        events.send(assigned).await.unwrap();
        Self {
            events,
            commands,
            inbox,
            reports: report_to,
            next: 0,
        }
    }

    /// The source delivers a record of so many bytes.
    async fn deliver(&mut self, bytes: usize) {
        let text = "x".repeat(bytes);
        let value = format!(
            r#"{{"after":{{"id":1,"text":"{text}"}},"source":{{"schema":"public","table":"items"}},"op":"c"}}"#
        );
        let record = Record {
            partition: PARTITION,
            generation: 1,
            offset: self.next,
            timestamp_ms: 0,
            key: Some(br#"{"id":1}"#),
            value: Some(value.as_bytes()),
            old_key: None,
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

    fn has_paused(&self) -> bool {
        let mut commands = self.commands.try_iter();
        commands.any(|it| matches!(it, SourceCommand::Pause(_)))
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
