//! Stores that live in memory: [`Memory`] for tests of what stands above a sink, [`Null`] to
//! measure it.
//!
//! [`Memory`] keeps the version of every target, refuses older ones like the real stores do, and
//! plays a script of faults, one for each write. It is part of the crate so that production code
//! needs no hooks for tests.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::stream::{self, Stream};
use tokio::sync::{Semaphore, watch};

use super::{Found, Marker, Outage, Outcome, Rejection, Sink, SinkError};
use crate::change::{ProjectionId, Version};
use crate::projector::Mutation;

/// What the next write of a [`Memory`] does.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Nothing: the write works. Holds a place in the script.
    Pass,
    /// The attempt fails as a whole, nothing is applied.
    Fail(SinkError),
    /// The store applies everything, but the caller is told this outage instead.
    LoseReply(Outage),
    /// Every item of the attempt is answered so, nothing is applied.
    Items(Outage),
    /// The first item of the attempt is answered so, the others are applied.
    First(Outage),
    /// The attempt waits until the [`Gate`] opens, then works if the store is up.
    Hold(Gate),
}

/// Holds writes back until it is opened; clones share one gate.
#[derive(Debug, Clone)]
pub struct Gate(Arc<Semaphore>);

impl Default for Gate {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }
}

impl Gate {
    /// Lets all writes through that wait or will wait here.
    pub fn open(&self) {
        self.0.close();
    }

    /// Waits until it is open.
    pub async fn pass(&self) {
        // The semaphore has no permits: its closing is what ends the wait.
        drop(self.0.acquire().await);
    }
}

/// One mutation that a [`Memory`] was asked to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record<K> {
    /// The target.
    pub key: K,
    /// The version that was asked for.
    pub version: Version,
    /// The projection that asked.
    pub projection: ProjectionId,
    /// What it was answered; `None` when the reply was lost.
    pub outcome: Option<Outcome>,
}

/// A store in memory. Clones share it, so a test keeps one while a sink task owns the other.
pub struct Memory<M: Mutation> {
    shared: Arc<Shared<M::Key>>,
    delete: Option<Delete<M>>,
    again_after: Option<Duration>,
    most: Option<(usize, SinkError)>,
}

/// Makes the delete of a target at a version.
pub type Delete<M> = fn(&<M as Mutation>::Key, Version) -> M;

/// How many targets a page of [`Sink::older`] has.
const PAGE: usize = 2;

struct Shared<K> {
    state: Mutex<State<K>>,
    /// Counts attempts at their start and at their end, so that tests wait on what happened.
    started: watch::Sender<usize>,
    ended: watch::Sender<usize>,
}

struct State<K> {
    versions: HashMap<K, (Version, ProjectionId)>,
    log: Vec<Record<K>>,
    script: VecDeque<Fault>,
    rejects: HashMap<(K, Version), Rejection>,
    found: Vec<Found>,
    down: Option<SinkError>,
}

impl<M: Mutation> Clone for Memory<M> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            delete: self.delete,
            again_after: self.again_after,
            most: self.most.clone(),
        }
    }
}

impl<M: Mutation> Memory<M> {
    /// An empty store that knows these projections and holds no marker of them.
    #[must_use]
    pub fn new(projections: &[&str]) -> Self {
        let found = projections.iter().map(|name| Found {
            projection: (*name).to_owned(),
            marker: None,
        });
        let state = State {
            versions: HashMap::new(),
            log: Vec::new(),
            script: VecDeque::new(),
            rejects: HashMap::new(),
            found: found.collect(),
            down: None,
        };
        Self {
            shared: Arc::new(Shared {
                state: Mutex::new(state),
                started: watch::Sender::new(0),
                ended: watch::Sender::new(0),
            }),
            delete: None,
            again_after: None,
            most: None,
        }
    }

    /// A store that can also be truncated. It keeps the version of what was deleted, so deleted
    /// targets are deleted again, which changes nothing.
    #[must_use]
    pub fn with_deletes(self, delete: Delete<M>) -> Self {
        let delete = Some(delete);
        Self { delete, ..self }
    }

    /// A store that wants everything to be written a second time after so long.
    #[must_use]
    pub fn with_second_writes(self, after: Duration) -> Self {
        let again_after = Some(after);
        Self {
            again_after,
            ..self
        }
    }

    /// A store that answers this to more than so many mutations together.
    #[must_use]
    pub fn with_most(self, most: usize, to_more: SinkError) -> Self {
        let most = Some((most, to_more));
        Self { most, ..self }
    }

    /// Appends to the script; each write takes one fault from its front.
    pub fn script(&self, faults: impl IntoIterator<Item = Fault>) {
        self.state().script.extend(faults);
    }

    /// Answers this version of this target with a rejection, however often it comes.
    pub fn reject(&self, key: M::Key, version: Version, rejection: Rejection) {
        self.state().rejects.insert((key, version), rejection);
    }

    /// Makes every call fail from now on, until it is called with `None`.
    pub fn set_down(&self, error: Option<SinkError>) {
        self.state().down = error;
    }

    /// The version that the store holds of a target.
    #[must_use]
    pub fn version(&self, key: &M::Key) -> Option<Version> {
        self.state().versions.get(key).map(|(version, _)| *version)
    }

    /// Everything that was asked, in order, with what was answered.
    #[must_use]
    pub fn log(&self) -> Vec<Record<M::Key>> {
        self.state().log.clone()
    }

    /// The markers as they are now.
    #[must_use]
    pub fn markers(&self) -> Vec<Found> {
        self.state().found.clone()
    }

    /// How many attempts have begun.
    #[must_use]
    pub fn attempts(&self) -> usize {
        *self.shared.started.borrow()
    }

    /// Waits until so many attempts have begun.
    pub async fn until_started(&self, attempts: usize) {
        reach(&self.shared.started, attempts).await;
    }

    /// Waits until so many attempts have ended.
    pub async fn until_ended(&self, attempts: usize) {
        reach(&self.shared.ended, attempts).await;
    }

    fn state(&self) -> MutexGuard<'_, State<M::Key>> {
        let state = self.shared.state.lock();
        state.unwrap_or_else(PoisonError::into_inner)
    }

    fn older_page(&self, projection: ProjectionId, below: Version) -> Vec<M> {
        let Some(delete) = self.delete else {
            return Vec::new();
        };
        let state = self.state();
        let older = state
            .versions
            .iter()
            .filter(|(_, held)| held.0 < below && held.1 == projection);
        older
            .take(PAGE)
            .map(|(key, _)| delete(key, below))
            .collect()
    }

    fn up(&self) -> Result<(), SinkError> {
        self.state().down.clone().map_or(Ok(()), Err)
    }

    async fn attempt(&self, batch: &[M]) -> Result<Vec<Outcome>, SinkError> {
        self.up()?;
        if let Some((most, to_more)) = &self.most
            && batch.len() > *most
        {
            return Err(to_more.clone());
        }
        let fault = self.state().script.pop_front();
        match fault.unwrap_or(Fault::Pass) {
            Fault::Pass => Ok(self.apply(batch, true)),
            Fault::Hold(gate) => {
                gate.pass().await;
                self.up()?;
                Ok(self.apply(batch, true))
            }
            Fault::Fail(error) => Err(error),
            Fault::Items(outage) => Ok(vec![Outcome::Failed(outage); batch.len()]),
            Fault::First(outage) => {
                let others = batch.get(1..).unwrap_or_default();
                let mut outcomes = self.apply(others, true);
                outcomes.insert(0, Outcome::Failed(outage));
                Ok(outcomes)
            }
            Fault::LoseReply(outage) => {
                self.apply(batch, false);
                Err(SinkError::Outage(outage))
            }
        }
    }

    fn apply(&self, batch: &[M], replied: bool) -> Vec<Outcome> {
        let mut state = self.state();
        let outcomes: Vec<_> = batch.iter().map(|mutation| state.apply(mutation)).collect();
        for (mutation, outcome) in batch.iter().zip(&outcomes) {
            state.log.push(Record {
                key: mutation.key().clone(),
                version: mutation.version(),
                projection: mutation.projection(),
                outcome: replied.then(|| outcome.clone()),
            });
        }
        outcomes
    }
}

impl<K: Eq + std::hash::Hash + Clone> State<K> {
    fn apply<M: Mutation<Key = K>>(&mut self, mutation: &M) -> Outcome {
        let target = (mutation.key().clone(), mutation.version());
        if let Some(rejection) = self.rejects.get(&target) {
            return Outcome::Rejected(rejection.clone());
        }
        let (key, version) = target;
        match self.versions.get(&key) {
            Some((held, _)) if *held > version => Outcome::Stale,
            _ => {
                self.versions.insert(key, (version, mutation.projection()));
                Outcome::Written
            }
        }
    }
}

async fn reach(counter: &watch::Sender<usize>, count: usize) {
    let mut seen = counter.subscribe();
    let reached = seen.wait_for(|now| *now >= count).await;
    reached.expect("the store holds the sender for as long as it is borrowed");
}

impl<M: Mutation> Sink for Memory<M> {
    type Mutation = M;

    async fn write(&self, batch: &[M]) -> Result<Vec<Outcome>, SinkError> {
        self.shared.started.send_modify(|count| *count += 1);
        let answer = self.attempt(batch).await;
        self.shared.ended.send_modify(|count| *count += 1);
        answer
    }

    async fn ping(&self) -> Result<(), SinkError> {
        std::future::ready(self.up()).await
    }

    fn again_after(&self) -> Option<Duration> {
        self.again_after
    }

    fn older(
        &self,
        projection: ProjectionId,
        below: Version,
    ) -> impl Stream<Item = Result<Vec<M>, SinkError>> + Send {
        stream::unfold(self, move |store| async move {
            let page = store.up().map(|()| store.older_page(projection, below));
            match page {
                Ok(page) if page.is_empty() => None,
                page => Some((page, store)),
            }
        })
    }

    async fn prepare(&self) -> Result<Vec<Found>, SinkError> {
        let found = self.up().map(|()| self.markers());
        std::future::ready(found).await
    }

    async fn mark(&self, marker: &Marker) -> Result<(), SinkError> {
        std::future::ready(self.up()).await?;
        let mut state = self.state();
        let known = |found: &&mut Found| found.projection == marker.projection;
        let found = state.found.iter_mut().find(known);
        found.map_or_else(
            || {
                Err(SinkError::Fatal(format!(
                    "no projection `{}`",
                    marker.projection
                )))
            },
            |found| {
                found.marker = Some(marker.clone());
                Ok(())
            },
        )
    }
}

/// A store that takes everything and keeps nothing: measures what stands above it.
pub struct Null<M>(PhantomData<fn(M)>);

impl<M> Default for Null<M> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<M: Mutation> Sink for Null<M> {
    type Mutation = M;

    async fn write(&self, batch: &[M]) -> Result<Vec<Outcome>, SinkError> {
        std::future::ready(Ok(vec![Outcome::Written; batch.len()])).await
    }

    async fn ping(&self) -> Result<(), SinkError> {
        std::future::ready(Ok(())).await
    }

    async fn prepare(&self) -> Result<Vec<Found>, SinkError> {
        std::future::ready(Ok(Vec::new())).await
    }

    async fn mark(&self, _: &Marker) -> Result<(), SinkError> {
        std::future::ready(Ok(())).await
    }
}
