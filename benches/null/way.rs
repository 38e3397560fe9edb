//! The whole way: a pipeline and a sink task as the program builds them, with its metrics, and a
//! store that takes everything.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use distributary::change::{ProjectionId, TableId};
use distributary::config::{self, Batch, Config, Document, Projection, ProjectionKind};
use distributary::delivery::dead_letter::DeadLetters;
use distributary::delivery::observer::Ended;
use distributary::delivery::{self, Projectors, Reports, SinkTask, ToSink};
use distributary::http::Health;
use distributary::metrics::{Metrics, SinkObserver};
use distributary::pipeline::{Pipeline, Wiring};
use distributary::projector::document::{self, DocumentProjector};
use distributary::sink::{Found, Marker, Outage, Outcome, Sink, SinkError};
use distributary::source::reread::Reader;
use distributary::source::{self, Fence, Partition, SourceHandle};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::support::{cpu, event};
use crate::{feed, topic};

/// Events of one pass.
pub(crate) const EVENTS: u64 = 1_000_000;

const SINK: &str = "null";
const BATCH: Batch = Batch {
    max_items: 5_000,
    max_bytes: 8 << 20,
};

/// Where the events come from.
pub(crate) struct Source {
    config: Arc<Config>,
    is_memory: bool,
}

impl Source {
    /// A topic, read by a group of its own from the beginning.
    pub(crate) fn kafka(topic: &str) -> Self {
        Self {
            config: Arc::new(config(topic, topic::brokers())),
            is_memory: false,
        }
    }

    /// A thread of this process.
    pub(crate) fn memory() -> Self {
        Self {
            config: Arc::new(config("memory", "localhost:9092".to_owned())),
            is_memory: true,
        }
    }

    fn start(&self, fence: Arc<Fence>) -> SourceHandle {
        if self.is_memory {
            let partition = Partition {
                table: TableId(0),
                number: 0,
            };
            fence.open(partition, 1);
            return feed::start();
        }
        let (source, tables) = (&self.config.source, self.config.tables.clone());
        let spawned = source::spawn(source, &source.group, tables.into(), fence, BTreeSet::new());
        spawned.expect("good settings")
    }
}

/// Reads all events and waits until the store has every one of them. Answers the threads' processor
/// times at that moment: some of them end then.
pub(crate) async fn pass(source: Source) -> cpu::Threads {
    let config = &source.config;
    let (report_to, reports) = mpsc::unbounded_channel();
    let projectors = Arc::new(Projectors::new(1, [projector(config)]));
    let (inlet, inbox) = delivery::inlet(Arc::clone(&projectors));
    let shared = Shared::new(config, report_to);
    let task = SinkTask::new(shared.sink(config, projectors, inbox)).spawn();
    let group = &config.source.group;
    let all = shared.stop.clone();
    let pipeline = Wiring {
        tables: config.tables.clone().into(),
        sinks: vec![inlet],
        source: source.start(Arc::clone(&shared.fence)),
        reports,
        observer: Box::new(
            shared
                .metrics
                .pipeline(config, group, shared.health.group(group)),
        ),
        report_to: shared.report_to,
        dead_letters: shared.dead_letters,
        budget: config.budget,
        drain_timeout: config.drain_timeout,
        first_commit: None,
        stop: shared.stop,
    };
    let threads = tokio::spawn(async move {
        all.cancelled().await;
        cpu::of_threads()
    });
    let pipeline = tokio::spawn(Pipeline::new(pipeline).run());
    pipeline.await.expect("no panic").expect("nothing fails");
    task.await.expect("no panic");
    threads.await.expect("no panic")
}

/// What pipeline and sink task share.
struct Shared {
    metrics: Metrics,
    health: Health,
    fence: Arc<Fence>,
    stop: CancellationToken,
    reader: Reader,
    dead_letters: DeadLetters,
    report_to: Reports,
}

impl Shared {
    fn new(config: &Config, report_to: Reports) -> Self {
        let (source, tables) = (&config.source, &config.tables);
        let reader = Reader::new(Arc::new(source.clone()), tables.clone().into());
        let fence = Arc::new(Fence::new(Duration::from_secs(45)));
        let dead_letters = DeadLetters::new(
            &config.pipeline,
            source,
            (tables.clone().into(), Arc::clone(&fence)),
            &config.on_poison,
            reader.clone(),
        );
        Self {
            metrics: Metrics::new(&config.pipeline),
            health: Health::new(Duration::from_secs(60), &BTreeMap::new()),
            fence,
            stop: CancellationToken::new(),
            reader,
            dead_letters: dead_letters.expect("nothing to connect to"),
            report_to,
        }
    }

    fn sink(
        &self,
        config: &Config,
        projectors: Arc<Projectors<DocumentProjector>>,
        inbox: mpsc::UnboundedReceiver<ToSink<document::Document>>,
    ) -> delivery::Wiring<DocumentProjector, Null> {
        delivery::Wiring {
            index: 0,
            name: SINK.to_owned(),
            sink: Arc::new(Null),
            projectors,
            batch: BATCH,
            in_flight: 2,
            fence: Arc::clone(&self.fence),
            dead_letters: self.dead_letters.clone(),
            reader: self.reader.clone(),
            tables: config.tables.clone().into(),
            projections: Arc::new([SINK.to_owned()]),
            observer: Box::new(UntilAll {
                to_come: EVENTS,
                stop: self.stop.clone(),
                observer: self.metrics.sink(config, SINK, self.health.sink(SINK)),
            }),
            inbox,
            reports: self.report_to.clone(),
        }
    }
}

fn projector(config: &Config) -> (TableId, ProjectionId, DocumentProjector) {
    let ProjectionKind::Document(document) = &config.projections[0].kind else {
        unreachable!("it is one of documents");
    };
    let projector = DocumentProjector::new(ProjectionId(0), "products", document);
    (TableId(0), ProjectionId(0), projector.expect("it compiles"))
}

fn config(topic: &str, brokers: String) -> Config {
    let group = format!("{topic}-{:x}", fastrand::u64(..));
    let table = config::Table {
        topic: topic.to_owned(),
        ..event::table()
    };
    Config {
        pipeline: "bench".to_owned(),
        source: config::Source {
            brokers: vec![brokers],
            group,
            groups: config::Groups::Shared,
            protocol: config::Protocol::Classic,
            security: None,
            properties: BTreeMap::new(),
        },
        tables: vec![table],
        sinks: BTreeMap::new(),
        projections: vec![Projection {
            name: SINK.to_owned(),
            sink: SINK.to_owned(),
            kind: ProjectionKind::Document(Document {
                from: TableId(0),
                alias: "products".to_owned(),
                settings: None,
                fields: None,
                when: None,
            }),
        }],
        on_poison: config::OnPoison::Stop,
        budget: 64 << 20,
        listen: ([127, 0, 0, 1], 0).into(),
        drain_timeout: Duration::from_secs(10),
    }
}

/// Takes every mutation and does nothing.
struct Null;

impl Sink for Null {
    type Mutation = document::Document;

    async fn write(&self, batch: &[Self::Mutation]) -> Result<Vec<Outcome>, SinkError> {
        Ok(vec![Outcome::Written; batch.len()])
    }

    async fn ping(&self) -> Result<(), SinkError> {
        Ok(())
    }

    async fn prepare(&self) -> Result<Vec<Found>, SinkError> {
        Ok(Vec::new())
    }

    async fn mark(&self, _: &Marker) -> Result<(), SinkError> {
        Ok(())
    }
}

/// The program's own observer, and the end of the pass.
struct UntilAll {
    to_come: u64,
    stop: CancellationToken,
    observer: SinkObserver,
}

impl delivery::Observer for UntilAll {
    fn applied(&mut self, table: TableId, committed_at_ms: i64, since_ms: i64) {
        self.observer.applied(table, committed_at_ms, since_ms);
        self.to_come -= 1;
        if self.to_come == 0 {
            self.stop.cancel();
        }
    }

    fn ended(&mut self, projection: ProjectionId, ended: Ended, count: u64) {
        self.observer.ended(projection, ended, count);
    }

    fn coalesced(&mut self, count: u64) {
        self.observer.coalesced(count);
    }

    fn retried(&mut self, outage: &Outage, count: u64) {
        panic!("{count} mutations are tried again because of {outage:?}");
    }

    fn oldest(&mut self, oldest: &HashMap<TableId, i64>) {
        self.observer.oldest(oldest);
    }
}
