//! Builds pipelines from the configuration: the only place that knows every part.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::gate::{Gate, NamedStore, Passed, Store};
use super::run::{Pipeline, Wiring};
use super::{Stores, store};
use crate::change::{ProjectionId, TableId};
use crate::config::{self, Batch, Config, ProjectionKind, Table};
use crate::delivery::dead_letter::DeadLetters;
use crate::delivery::{self, Inlet, Projectors, Report, SinkTask};
use crate::error::{Fatal, in_full};
use crate::http::Health;
use crate::metrics::Metrics;
use crate::projector::Projector;
use crate::projector::cache::CacheProjector;
use crate::projector::document::DocumentProjector;
use crate::projector::graph::GraphProjector;
use crate::sink::memory::Null;
use crate::sink::redis::RedisSink;
use crate::sink::{Sink, SinkError};
use crate::source::reread::Reader;
use crate::source::{self, Fence, settings};
use crate::template::TemplateError;

/// How often a store is asked whether it answers, for readiness.
const PING: Duration = Duration::from_secs(5);

/// What all pipelines of a process share.
#[derive(Clone)]
pub struct Process {
    /// The configuration.
    pub config: Arc<Config>,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// What liveness and readiness answer from.
    pub health: Arc<Health>,
    /// Asks for an orderly stop.
    pub stop: CancellationToken,
    /// Projections whose state the operator vouches for.
    pub adopted: Vec<String>,
    /// Where mutations end.
    pub stores: Stores,
}

impl Process {
    /// Runs every group until it is asked to stop; the first that fails stops the others in order.
    ///
    /// # Errors
    /// The first group's [`Fatal`].
    pub async fn run(&self) -> Result<(), Fatal> {
        let mut groups = JoinSet::new();
        for (group, sinks) in self.config.groups() {
            let process = self.clone();
            tracing::info!(group, ?sinks, "starting");
            groups.spawn(async move {
                let ended = process.run_group(&group, &sinks).await;
                (group, ended)
            });
        }
        let several = groups.len() > 1;
        let mut outcome = Ok(());
        while let Some(ended) = groups.join_next().await {
            let bug = |error: JoinError| (String::new(), Err(Fatal::Bug(error.to_string())));
            let (group, ended) = ended.unwrap_or_else(bug);
            if let Err(fatal) = &ended {
                if several {
                    let reason = in_full(fatal);
                    tracing::error!(
                        group,
                        reason,
                        "a group has failed; all stop, the others in order"
                    );
                }
                self.stop.cancel();
            }
            outcome = outcome.and(ended);
        }
        outcome
    }

    async fn run_group(&self, group: &str, sinks: &[String]) -> Result<(), Fatal> {
        let session_timeout = settings::session_timeout(&self.config.source);
        let fence = Arc::new(Fence::new(session_timeout));
        let (report_to, reports) = mpsc::unbounded_channel();
        let parts = Parts::new(self, group, Arc::clone(&fence), report_to)?;
        let mut inlets = Vec::new();
        let mut stores = Vec::new();
        for name in sinks {
            let (inlet, store) = parts.sink(inlets.len(), name)?;
            inlets.push(inlet);
            stores.push(store);
        }
        self.watch(&stores);
        let gate = Gate {
            config: Arc::clone(&self.config),
            group: group.to_owned(),
            stores,
            adopted: self.adopted.clone(),
        };
        let Passed { unstarted, filled } = tokio::select! {
            passed = gate.pass() => passed?,
            () = self.stop.cancelled() => return Ok(()),
        };
        let (first_commit, committed) = oneshot::channel();
        tokio::spawn(async move {
            if committed.await.is_ok()
                && let Err(error) = unstarted.start().await
            {
                tracing::warn!(%error, "the stores' markers were not brought up to date; the next start does it");
            }
        });
        let tables = Arc::clone(&parts.tables);
        let source = source::spawn(&self.config.source, group, tables, fence, filled)?;
        let wiring = Wiring {
            tables: Arc::clone(&parts.tables),
            sinks: inlets,
            source,
            reports,
            report_to: parts.report_to.clone(),
            dead_letters: parts.dead_letters.clone(),
            budget: self.config.budget,
            drain_timeout: self.config.drain_timeout,
            observer: Box::new(self.metrics.pipeline(
                &self.config,
                group,
                self.health.group(group),
            )),
            first_commit: Some(first_commit),
            stop: self.stop.clone(),
        };
        Pipeline::new(wiring).run().await
    }

    /// Asks each store now and then whether it answers, for readiness.
    fn watch(&self, stores: &[NamedStore]) {
        for (name, store) in stores {
            let health = self.health.sink(name);
            let store = Arc::clone(store);
            tokio::spawn(async move {
                loop {
                    match store.ping().await {
                        Ok(()) => health.answers(None),
                        Err(SinkError::Outage(outage)) => health.answers(Some(&outage)),
                        // Said where it stops the process.
                        Err(
                            SinkError::Refused(_) | SinkError::TooMuch(_) | SinkError::Fatal(_),
                        ) => {}
                    }
                    tokio::time::sleep(PING).await;
                }
            });
        }
    }
}

/// What the sink tasks of one group share.
struct Parts<'a> {
    process: &'a Process,
    tables: Arc<[Table]>,
    projections: Arc<[String]>,
    fence: Arc<Fence>,
    reader: Reader,
    dead_letters: DeadLetters,
    report_to: mpsc::UnboundedSender<Report>,
}

/// A store with its projectors, and how it is written to.
struct Built<P, S> {
    sink: S,
    projectors: Vec<(TableId, ProjectionId, P)>,
    batch: Batch,
    in_flight: usize,
}

impl<P, S> Built<P, S> {
    fn new(
        sink: S,
        projectors: Vec<(TableId, ProjectionId, P)>,
        batch: Batch,
        in_flight: usize,
    ) -> Self {
        Self {
            sink,
            projectors,
            batch,
            in_flight,
        }
    }
}

impl<'a> Parts<'a> {
    fn new(
        process: &'a Process,
        group: &str,
        fence: Arc<Fence>,
        report_to: mpsc::UnboundedSender<Report>,
    ) -> Result<Self, Fatal> {
        let config = &process.config;
        let health = process.health.group(group);
        let tables: Arc<[Table]> = config.tables.clone().into();
        let source = Arc::new(config.source.clone());
        let reader = Reader::new(Arc::clone(&source), Arc::clone(&tables));
        let dead_letters = DeadLetters::new(
            &config.pipeline,
            &source,
            (Arc::clone(&tables), Arc::clone(&fence)),
            &config.on_poison,
            reader.clone(),
        )?
        .telling(Arc::new(move |why| health.unburied(why)));
        let projections = config
            .projections
            .iter()
            .map(|it| it.name.clone())
            .collect();
        Ok(Self {
            process,
            tables,
            projections,
            fence,
            reader,
            dead_letters,
            report_to,
        })
    }

    fn sink(&self, index: usize, name: &str) -> Result<(Box<dyn Inlet>, NamedStore), Fatal> {
        let config = &self.process.config;
        let refused = |error: SinkError| Fatal::Store {
            sink: name.to_owned(),
            reason: error.to_string(),
        };
        match &config.sinks[name] {
            config::Sink::Elasticsearch(it) => {
                let sink = store::elasticsearch(config, name, it).map_err(refused)?;
                let projectors = self.projectors(name, |id, table, kind| match kind {
                    ProjectionKind::Document(it) => Some(DocumentProjector::new(id, table, it)),
                    _ => None,
                })?;
                let built = Built::new(sink, projectors, it.batch, it.in_flight);
                Ok(self.spawn(index, name, built))
            }
            config::Sink::Redis(it) => {
                let sink = RedisSink::new(it).map_err(refused)?;
                let projectors = self.projectors(name, |id, table, kind| match kind {
                    ProjectionKind::Cache(it) => Some(CacheProjector::new(id, it, table)),
                    _ => None,
                })?;
                // One pipeline is put together while the other is answered.
                let built = Built::new(sink, projectors, it.batch, 2);
                Ok(self.spawn(index, name, built))
            }
            config::Sink::Neo4j(it) => {
                let sink = store::neo4j(config, name, it);
                let projectors = self.projectors(name, |id, table, kind| match kind {
                    ProjectionKind::Node(it) => Some(GraphProjector::node(id, table, it)),
                    ProjectionKind::Relationship(it) => {
                        Some(GraphProjector::relationship(id, table, it))
                    }
                    _ => None,
                })?;
                let built = Built::new(sink, projectors, it.batch, 2);
                Ok(self.spawn(index, name, built))
            }
        }
    }

    /// The projectors of a sink, made by `make` from each of its projections.
    fn projectors<P: Projector>(
        &self,
        sink: &str,
        make: impl Fn(ProjectionId, &str, &ProjectionKind) -> Option<Result<P, TemplateError>>,
    ) -> Result<Vec<(TableId, ProjectionId, P)>, Fatal> {
        let mut made = Vec::new();
        for (index, projection) in (0..).zip(&self.process.config.projections) {
            let Some(table) = projection.kind.from().filter(|_| projection.sink == sink) else {
                continue;
            };
            let id = ProjectionId(index);
            let name = self.process.config.table(table).sql_name();
            if let Some(projector) = make(id, &name, &projection.kind) {
                let projector = projector.map_err(|error| Fatal::Store {
                    sink: sink.to_owned(),
                    reason: format!("projection `{}`: {error}", projection.name),
                })?;
                made.push((table, id, projector));
            }
        }
        Ok(made)
    }

    fn spawn<P, S>(
        &self,
        index: usize,
        name: &str,
        built: Built<P, S>,
    ) -> (Box<dyn Inlet>, NamedStore)
    where
        P: Projector,
        S: Sink<Mutation = P::Mutation>,
    {
        match self.process.stores {
            Stores::Configured => self.spawn_task(index, name, built),
            Stores::Null => {
                let Built {
                    projectors,
                    batch,
                    in_flight,
                    ..
                } = built;
                let built = Built::new(Null::default(), projectors, batch, in_flight);
                self.spawn_task(index, name, built)
            }
        }
    }

    fn spawn_task<P, S>(
        &self,
        index: usize,
        name: &str,
        built: Built<P, S>,
    ) -> (Box<dyn Inlet>, NamedStore)
    where
        P: Projector,
        S: Sink<Mutation = P::Mutation>,
    {
        let Built {
            sink,
            projectors,
            batch,
            in_flight,
        } = built;
        let projectors = Arc::new(Projectors::new(self.tables.len(), projectors));
        let (inlet, inbox) = delivery::inlet(Arc::clone(&projectors));
        let sink = Arc::new(sink);
        let store: Arc<dyn Store> = Arc::<S>::clone(&sink);
        let wiring = delivery::Wiring {
            index,
            name: name.to_owned(),
            sink,
            projectors,
            batch,
            in_flight,
            fence: Arc::clone(&self.fence),
            dead_letters: self.dead_letters.clone(),
            reader: self.reader.clone(),
            tables: Arc::clone(&self.tables),
            projections: Arc::clone(&self.projections),
            observer: Box::new(self.process.metrics.sink(
                &self.process.config,
                name,
                self.process.health.sink(name),
            )),
            inbox,
            reports: self.report_to.clone(),
        };
        SinkTask::new(wiring).spawn();
        (inlet, (name.to_owned(), store))
    }
}
