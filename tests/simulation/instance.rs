//! One process of the program: the real pipeline and sink tasks, connected to the simulated world.

use std::marker::PhantomData;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use distributary::change::{ProjectionId, TableId};
use distributary::config::{Batch, Cache, Document, Invalidation, Node, NodePattern, Property};
use distributary::delivery::dead_letter::DeadLetters;
use distributary::delivery::{self, Inlet, Projectors, Report, SinkTask};
use distributary::error::Fatal;
use distributary::pipeline::{self, Pipeline};
use distributary::projector::Projector;
use distributary::projector::cache::CacheProjector;
use distributary::projector::document::DocumentProjector;
use distributary::projector::graph::GraphProjector;
use distributary::source::reread::Reader;
use distributary::source::{Fence, Partition, SourceHandle};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::client::Client;
use super::graph::properties;
use super::group::SESSION;
use super::letters::Post;
use super::link::{Link, Store};
use super::process::Process;
use super::rows::{CACHE, GRAPH, ITEMS, SEARCH, USERS, tables};
use super::world::World;

/// How long a drain is waited for.
const DRAIN: Duration = Duration::from_secs(2);

/// A process and how it ended, once it has.
pub(super) struct Instance {
    pub(super) process: Arc<Process>,
    pub(super) stop: CancellationToken,
    pub(super) ended: Arc<Mutex<Option<Result<(), Fatal>>>>,
}

/// What a sink task needs beside its projectors.
struct Parts {
    world: Arc<World>,
    process: Arc<Process>,
    fence: Arc<Fence>,
    reader: Reader,
    dead_letters: DeadLetters,
    report_to: mpsc::UnboundedSender<Report>,
}

impl Instance {
    pub(super) fn start(world: &Arc<World>, number: usize) -> Self {
        let process = Arc::new(Process::new(world, number));
        let fence = Arc::new(Fence::new(SESSION));
        let post = Post {
            world: Arc::clone(world),
            process: Arc::clone(&process),
        };
        let reader = Reader::of(post.clone());
        let letters = ("letters", post);
        let ours = (tables(), Arc::clone(&fence));
        let dead_letters = DeadLetters::into_grave("shop", ours, letters, reader.clone());
        let (report_to, reports) = mpsc::unbounded_channel();
        let parts = Parts {
            world: Arc::clone(world),
            process: Arc::clone(&process),
            fence: Arc::clone(&fence),
            reader,
            dead_letters: dead_letters.clone(),
            report_to: report_to.clone(),
        };
        let (events_in, events) = mpsc::channel(4);
        let (commands, commands_out) = std::sync::mpsc::channel();
        let client = Client::new((world, &process, &fence), events_in, commands_out);
        let stop = CancellationToken::new();
        let wiring = pipeline::Wiring {
            tables: tables(),
            sinks: parts.sinks(),
            source: SourceHandle { events, commands },
            reports,
            report_to,
            dead_letters,
            budget: world.settings.budget,
            drain_timeout: DRAIN,
            observer: Box::new(Watch(Arc::clone(&process))),
            first_commit: None,
            stop: stop.clone(),
        };
        process.spawn("client", client.run(), |()| {});
        let ended = Arc::<Mutex<_>>::default();
        let told = Arc::clone(&ended);
        process.spawn("pipeline", Pipeline::new(wiring).run(), move |outcome| {
            *told.lock().unwrap() = Some(outcome);
        });
        Self {
            process,
            stop,
            ended,
        }
    }
}

impl Parts {
    fn sinks(&self) -> Vec<Box<dyn Inlet>> {
        let tables = [(ITEMS, "items"), (USERS, "users")];
        let documents = tables.map(|(table, name)| {
            let id = ProjectionId(table.0);
            (
                table,
                id,
                DocumentProjector::new(id, name, &document(table)).unwrap(),
            )
        });
        let keys = tables.map(|(table, name)| {
            let id = ProjectionId(2 + table.0);
            (
                table,
                id,
                CacheProjector::new(id, &cache(table), name).unwrap(),
            )
        });
        let nodes = tables.map(|(table, name)| {
            let id = ProjectionId(4 + table.0);
            (
                table,
                id,
                GraphProjector::node(id, name, &node(table)).unwrap(),
            )
        });
        vec![
            self.sink::<_, super::documents::Documents>("search", documents),
            self.sink::<_, super::cache::Cache>("cache", keys),
            self.sink::<_, super::graph::Graph>("graph", nodes),
        ]
    }

    fn sink<P, S>(&self, name: &str, projectors: [(TableId, ProjectionId, P); 2]) -> Box<dyn Inlet>
    where
        S: Store,
        P: Projector<Mutation = S::Mutation>,
    {
        let projectors = Arc::new(Projectors::new(2, projectors));
        let (inlet, inbox) = delivery::inlet(Arc::clone(&projectors));
        let settings = &self.world.settings;
        let wiring = delivery::Wiring {
            index: S::SINK,
            name: name.to_owned(),
            sink: Arc::new(Link::<S> {
                world: Arc::clone(&self.world),
                process: Arc::clone(&self.process),
                store: PhantomData,
            }),
            projectors,
            batch: Batch {
                max_items: settings.batch,
                max_bytes: 4_000,
            },
            in_flight: match S::SINK {
                SEARCH => settings.in_flight,
                _ => 2,
            },
            fence: Arc::clone(&self.fence),
            dead_letters: self.dead_letters.clone(),
            reader: self.reader.clone(),
            tables: tables(),
            projections: PROJECTIONS.map(str::to_owned).into(),
            observer: Box::new(()),
            inbox,
            reports: self.report_to.clone(),
        };
        self.process
            .spawn("sink", SinkTask::new(wiring).run(), |()| {});
        inlet
    }
}

const PROJECTIONS: [&str; 6] = [
    "item documents",
    "user documents",
    "item keys",
    "user keys",
    "item nodes",
    "user nodes",
];

const _: () = assert!(SEARCH == 0 && CACHE == 1 && GRAPH == 2);

fn document(from: TableId) -> Document {
    Document {
        from,
        alias: "documents".to_owned(),
        settings: None,
        fields: None,
        when: None,
    }
}

fn cache(from: TableId) -> Cache {
    let keys: &[&str] = if from == ITEMS {
        &["item:{{ key.id }}"]
    } else {
        &["user:{{ key.id }}", "slug:{{ either.slug }}"]
    };
    let invalidate = keys.iter().map(|key| Invalidation {
        key: (*key).to_owned(),
        when: None,
    });
    Cache {
        from,
        invalidate: invalidate.collect(),
    }
}

fn node(from: TableId) -> Node {
    let property = |name: &&str| Property {
        name: (*name).to_owned(),
        column: (*name).to_owned(),
    };
    Node {
        from,
        node: NodePattern {
            label: "Row".to_owned(),
            key: vec![property(&"id")],
            properties: properties(from).iter().map(property).collect(),
        },
        when: None,
    }
}

/// Watches what the pipeline says of itself.
struct Watch(Arc<Process>);

impl pipeline::Observer for Watch {
    fn held(&mut self, bytes: u64, paused: usize) {
        *self.0.held.lock().unwrap() = (bytes, paused);
    }

    fn lag(&mut self, partition: Partition, records: i64) {
        self.0.lag.lock().unwrap().insert(partition, records);
    }

    fn rebalanced(&mut self, kind: pipeline::Rebalance, partitions: &[Partition]) {
        if kind != pipeline::Rebalance::Assigned {
            self.0
                .lag
                .lock()
                .unwrap()
                .retain(|it, _| !partitions.contains(it));
        }
    }
}
