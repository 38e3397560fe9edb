//! What happens before a group may begin: every store is prepared, its markers are held against
//! the group's commits (D15), and afterwards they are brought up to date.
//!
//! A store or a broker that is away is waited for.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, try_join_all};
use tokio::time::Instant;

use super::start::{Expected, Verdict, decide, is_forgotten, refusal};
use crate::change::ProjectionId;
use crate::config::{Config, OnPoison, ProjectionKind, Table};
use crate::error::Fatal;
use crate::sink::{Found, Marker, Sink, SinkError};
use crate::source::admin::{Admin, MISSING_DEAD_LETTERS};

/// How long to wait before a store or broker that is away is asked again.
const PAUSE: Duration = Duration::from_secs(1);

/// How long until one that is still away is told of again.
const TELL_AGAIN: Duration = Duration::from_secs(60);

/// How long after the group's first commit those of other topics are looked for again, and how long
/// after the look before in the end.
const FIRST_LOOK: Duration = Duration::from_secs(5);
const LAST_LOOK: Duration = Duration::from_secs(60);

/// A store seen without its mutations.
pub(super) trait Store: Send + Sync {
    fn prepare(&self) -> BoxFuture<'_, Result<Vec<Found>, SinkError>>;
    fn mark<'a>(&'a self, marker: &'a Marker) -> BoxFuture<'a, Result<(), SinkError>>;
    fn ping(&self) -> BoxFuture<'_, Result<(), SinkError>>;
}

impl<S: Sink> Store for S {
    fn prepare(&self) -> BoxFuture<'_, Result<Vec<Found>, SinkError>> {
        Box::pin(Sink::prepare(self))
    }

    fn mark<'a>(&'a self, marker: &'a Marker) -> BoxFuture<'a, Result<(), SinkError>> {
        Box::pin(Sink::mark(self, marker))
    }

    fn ping(&self) -> BoxFuture<'_, Result<(), SinkError>> {
        Box::pin(Sink::ping(self))
    }
}

/// A store and its name.
pub(super) type NamedStore = (String, Arc<dyn Store>);

/// The gate of one group.
pub(super) struct Gate {
    pub(super) config: Arc<Config>,
    pub(super) group: String,
    pub(super) stores: Vec<NamedStore>,
    /// Projections whose state the operator vouches for (`--adopt`).
    pub(super) adopted: Vec<String>,
}

/// What a group that may begin is to know.
pub(super) struct Passed {
    pub(super) unstarted: Unstarted,
    /// Topics on which the group has no commits any more, though it has filled their stores.
    pub(super) filled: BTreeSet<String>,
}

/// Markers to be written as started after the group's first commits; some are already.
pub(super) struct Unstarted {
    gate: Gate,
    markers: Vec<(ProjectionId, NamedStore, Marker)>,
}

impl Gate {
    /// Comes back when the group may begin. Nothing is marked before everything is admitted.
    pub(super) async fn pass(self) -> Result<Passed, Fatal> {
        let mut markers = Vec::new();
        let mut filled = BTreeSet::new();
        let mut refused = Vec::new();
        // At once, so that each one that is away is told of.
        let stores = self.stores.iter();
        let prepared = stores.map(|store| patiently(&store.0, || store.1.prepare()));
        for (store, found) in self.stores.iter().zip(try_join_all(prepared).await?) {
            for found in found {
                let Some(id) = self.projection(&found.projection) else {
                    continue;
                };
                match self.admit(id, &found).await? {
                    Ok(None) => {}
                    Ok(Some(marker)) => {
                        if marker.started {
                            filled.extend(self.topics(id));
                        }
                        markers.push((id, store.clone(), marker));
                    }
                    Err(reason) => refused.push((found.projection, reason)),
                }
            }
        }
        if !refused.is_empty() {
            return Err(Fatal::Mismatch(refusal(&self.group, &refused)));
        }
        self.look_for_dead_letters();
        for (_, (name, store), marker) in &markers {
            patiently(name, || store.mark(marker)).await?;
        }
        let unstarted = Unstarted {
            gate: self,
            markers,
        };
        Ok(Passed { unstarted, filled })
    }

    /// Says so if there is no dead-letter topic: a record that can never be applied would hold up its
    /// partition.
    fn look_for_dead_letters(&self) {
        let (config, group) = (Arc::clone(&self.config), self.group.clone());
        // Nobody waits for it, and a broker that does not answer is waited for elsewhere.
        tokio::task::spawn_blocking(move || {
            let OnPoison::DeadLetter { topic } = &config.on_poison else {
                return;
            };
            let admin = Admin::new(&config.source, &group).ok();
            let partitions = admin.and_then(|it| it.partitions(topic).ok());
            if partitions.is_some_and(|it| it.is_empty()) {
                tracing::warn!(topic, "the dead-letter topic is {MISSING_DEAD_LETTERS}");
            }
        });
    }

    fn projection(&self, name: &str) -> Option<ProjectionId> {
        let mut projections = (0..).map(ProjectionId).zip(&self.config.projections);
        projections
            .find(|(_, it)| it.name == name)
            .map(|(id, _)| id)
    }

    /// The marker to write before the group begins, if any, or why it may not.
    async fn admit(
        &self,
        id: ProjectionId,
        found: &Found,
    ) -> Result<Result<Option<Marker>, String>, Fatal> {
        let expected = Expected {
            projection: found.projection.clone(),
            group: self.group.clone(),
            fingerprint: self.config.fingerprint(id),
            has_commits: self.has_commits(id).await?,
        };
        let adopted = self.adopted.contains(&found.projection);
        let verdict = if adopted {
            Ok(Verdict::Begin)
        } else {
            decide(&expected, found)
        };
        // Started it stays, so that who dies before the first commits is not taken for new.
        let marker = found.marker.as_ref();
        let started = marker.is_some_and(|it| is_forgotten(&expected, it));
        Ok(verdict.map(|verdict| match verdict {
            Verdict::GoOn => None,
            Verdict::Begin => Some(Marker {
                pipeline: self.config.pipeline.clone(),
                group: expected.group,
                projection: expected.projection,
                fingerprint: expected.fingerprint,
                started,
            }),
        }))
    }

    /// Whether the group has committed anything on the topics that feed the projection.
    async fn has_commits(&self, id: ProjectionId) -> Result<bool, Fatal> {
        let topics = self.topics(id);
        let mut told = Told::default();
        loop {
            let (source, group) = (self.config.source.clone(), self.group.clone());
            let topics = topics.clone();
            let asked = tokio::task::spawn_blocking(move || {
                let admin = Admin::new(&source, &group)?;
                let mut any = false;
                for topic in topics {
                    let partitions = admin.partitions(&topic);
                    let commits = partitions.and_then(|it| admin.commits(&topic, &it));
                    match commits {
                        Ok(commits) => any |= commits.iter().any(Option::is_some),
                        Err(error) => return Ok(Err(error)),
                    }
                }
                Ok(Ok(any))
            });
            match asked.await.map_err(|error| Fatal::Bug(error.to_string()))? {
                Err(error) => return Err(Fatal::Source(error)),
                Ok(Ok(any)) => return Ok(any),
                Ok(Err(error)) => {
                    if told.is_due() {
                        tracing::warn!(%error, "waiting for a Kafka broker to say what the group has committed");
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    fn topics(&self, id: ProjectionId) -> Vec<String> {
        let config = &self.config;
        let table_topic = |table: &Table| table.topic.clone();
        match &config.projection(id).kind {
            // A derived relationship follows from others, whose topics are those of its steps.
            ProjectionKind::Derived(derived) => {
                let steps = config.projections.iter().filter_map(|it| match &it.kind {
                    ProjectionKind::Relationship(step)
                        if derived.path.iter().any(|it| it.kind == step.kind) =>
                    {
                        Some(table_topic(config.table(step.from)))
                    }
                    _ => None,
                });
                steps.collect()
            }
            kind => kind
                .from()
                .map(|id| table_topic(config.table(id)))
                .into_iter()
                .collect(),
        }
    }
}

impl Unstarted {
    /// Says in the stores that the group's commits are there, for each projection once they are: a
    /// table without a row has no topic yet. Nothing breaks when the process ends before this: the
    /// next start finds commits and begins likewise.
    pub(super) async fn start(mut self) -> Result<(), Fatal> {
        let mut pause = FIRST_LOOK;
        loop {
            let mut left = Vec::new();
            for (id, store, mut marker) in self.markers {
                if self.gate.has_commits(id).await? {
                    marker.started = true;
                    patiently(&store.0, || store.1.mark(&marker)).await?;
                } else {
                    left.push((id, store, marker));
                }
            }
            if left.is_empty() {
                return Ok(());
            }
            self.markers = left;
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LAST_LOOK);
        }
    }
}

/// When it was last told that something is away.
#[derive(Default)]
struct Told(Option<Instant>);

impl Told {
    /// Whether it is to be told now.
    fn is_due(&mut self) -> bool {
        let is_due = self.0.is_none_or(|at| at.elapsed() >= TELL_AGAIN);
        if is_due {
            self.0 = Some(Instant::now());
        }
        is_due
    }
}

async fn patiently<'a, T>(
    name: &str,
    ask: impl Fn() -> BoxFuture<'a, Result<T, SinkError>>,
) -> Result<T, Fatal> {
    let mut told = Told::default();
    loop {
        match ask().await {
            Ok(answer) => return Ok(answer),
            Err(SinkError::Outage(outage)) => {
                if told.is_due() {
                    let (kind, reason) = (outage.kind.as_str(), outage.reason);
                    tracing::warn!(sink = name, kind, reason, "waiting for the store");
                }
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => {
                return Err(Fatal::Store {
                    sink: name.to_owned(),
                    reason: error.to_string(),
                });
            }
        }
    }
}
