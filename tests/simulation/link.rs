//! The way from one process to one store, and everything that goes wrong on it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use distributary::change::{ProjectionId, TableId};
use distributary::projector::Mutation;
use distributary::sink::{Found, Marker, Outage, OutageKind, Outcome, Sink, SinkError};

use super::cache::SECOND_AFTER;
use super::process::Process;
use super::rows;
use super::world::{State, World};

/// After which the client gives up waiting for an answer.
const TIMEOUT: Duration = Duration::from_secs(1);

/// A store, as far as one write is concerned.
pub(super) trait Store: Send + 'static {
    /// The sink's index.
    const SINK: usize;
    /// Whether a write is taken as a whole or not at all.
    const ATOMIC: bool;
    type Mutation: Mutation + Clone + Sync;
    /// A mutation as it is sent: completed from what the store held when it was read.
    type Request: Send + 'static;

    fn of(state: &mut State) -> &mut Self;

    fn complete(&self, mutation: &Self::Mutation) -> Self::Request;

    /// Applies what was sent; whatever breaks a promise goes to `broken`.
    ///
    /// # Errors
    /// When the store refuses the whole.
    fn apply(
        state: &mut State,
        now: Duration,
        requests: &[Self::Request],
        broken: &mut Vec<String>,
    ) -> Result<Vec<Outcome>, SinkError>;

    /// The row that a mutation is about, where that can be told.
    fn row(mutation: &Self::Mutation) -> Option<u64>;
}

/// Projections alternate between the tables; see `instance`.
pub(super) fn table(projection: ProjectionId) -> TableId {
    TableId(projection.0 % 2)
}

/// One process' connection to a store.
pub(super) struct Link<S> {
    pub(super) world: Arc<World>,
    pub(super) process: Arc<Process>,
    pub(super) store: std::marker::PhantomData<fn() -> S>,
}

/// What becomes of one write.
enum Fate {
    /// It works, but for these items.
    Works(Vec<bool>),
    /// Nothing arrives.
    Fails(OutageKind),
    /// It is applied up to here, and the answer is lost.
    Cut(usize),
    /// It is applied long after the client has stopped waiting.
    Late(Duration),
    /// It works, and the answer has another length.
    Miscounted,
}

impl<S: Store> Link<S> {
    fn fate(&self, items: usize) -> Fate {
        if self.world.lock().outages[S::SINK] > self.world.now() {
            return Fate::Fails(OutageKind::Blocked);
        }
        if !self.world.strikes(0.25) {
            return Fate::Works(vec![false; items]);
        }
        match fastrand::u32(..6) {
            0 => Fate::Fails(OutageKind::Unreachable),
            1 => Fate::Fails(OutageKind::Contention),
            2 if S::ATOMIC => Fate::Cut(items),
            2 => Fate::Cut(fastrand::usize(..=items)),
            3 => Fate::Late(TIMEOUT + Duration::from_millis(fastrand::u64(..4_000))),
            4 if !S::ATOMIC => Fate::Miscounted,
            _ if S::ATOMIC => Fate::Fails(OutageKind::Overloaded),
            _ => Fate::Works((0..items).map(|_| fastrand::bool()).collect()),
        }
    }

    async fn send(&self, batch: &[S::Mutation]) -> Result<Vec<Outcome>, SinkError> {
        let fate = self.fate(batch.len());
        self.wait(60).await;
        let requests: Vec<_> = {
            let mut state = self.world.lock();
            let store = S::of(&mut state);
            batch.iter().map(|it| store.complete(it)).collect()
        };
        if !S::ATOMIC {
            self.wait(60).await;
        }
        match fate {
            Fate::Fails(kind) => Err(outage(kind)),
            Fate::Works(fails) => self.apply_some(requests, &fails),
            Fate::Cut(until) => {
                drop(apply::<S>(&self.world, &requests[..until]));
                Err(outage(OutageKind::Unreachable))
            }
            Fate::Late(after) => {
                let world = Arc::clone(&self.world);
                tokio::spawn(async move {
                    tokio::time::sleep(after).await;
                    drop(apply::<S>(&world, &requests));
                });
                tokio::time::sleep(TIMEOUT).await;
                Err(outage(OutageKind::Unreachable))
            }
            Fate::Miscounted => {
                let mut outcomes = apply::<S>(&self.world, &requests)?;
                outcomes.pop();
                Ok(outcomes)
            }
        }
    }

    /// Applies those that do not fail, and answers for all.
    fn apply_some(
        &self,
        requests: Vec<S::Request>,
        fails: &[bool],
    ) -> Result<Vec<Outcome>, SinkError> {
        let sent = requests
            .into_iter()
            .zip(fails)
            .filter(|(_, fails)| !**fails);
        let sent: Vec<_> = sent.map(|(request, _)| request).collect();
        let mut outcomes = apply::<S>(&self.world, &sent)?.into_iter();
        let failed = || Outcome::Failed(simulated(OutageKind::Overloaded));
        let outcome = |fails: &bool| if *fails { None } else { outcomes.next() };
        Ok(fails
            .iter()
            .map(outcome)
            .map(|it| it.unwrap_or_else(failed))
            .collect())
    }

    /// A replaced owner sends nothing (D13), and none of these keys is in two writes at once.
    fn check(&self, batch: &[S::Mutation], hashes: &[u64]) {
        let member = self.process.member.load(Ordering::Relaxed);
        let state = self.world.lock();
        let mut rows = batch.iter().filter_map(|it| {
            let partition = rows::partition(table(it.projection()), S::row(it)?);
            Some((partition, it.version()))
        });
        let stray = rows.find(|(it, _)| state.group.owner(*it) != Some(member));
        drop(state);
        let number = self.process.number;
        if let Some((partition, version)) = stray {
            let how = format!(
                "process {number} sends {version} of {partition:?} to sink {}, which it lost",
                S::SINK
            );
            self.world.broken(how);
        }
        let mut in_flight = self.process.in_flight.lock().unwrap();
        if hashes.iter().any(|it| !in_flight.insert(*it)) {
            let how = format!(
                "process {number} has a key in two writes to sink {}",
                S::SINK
            );
            self.world.broken(how);
        }
    }

    async fn wait(&self, most: u64) {
        tokio::time::sleep(Duration::from_millis(fastrand::u64(..most))).await;
    }
}

fn apply<S: Store>(world: &World, requests: &[S::Request]) -> Result<Vec<Outcome>, SinkError> {
    let mut broken = Vec::new();
    let outcomes = S::apply(&mut world.lock(), world.now(), requests, &mut broken);
    broken.into_iter().for_each(|how| world.broken(how));
    let told = match &outcomes {
        Ok(outcomes) => format!("{:?}", outcomes.iter().map(short).collect::<String>()),
        Err(_) => "refused".to_owned(),
    };
    world.note(format_args!(
        "sink {} applies {} requests: {told}",
        S::SINK,
        requests.len()
    ));
    outcomes
}

fn short(outcome: &Outcome) -> char {
    match outcome {
        Outcome::Written => 'w',
        Outcome::Incomplete => 'i',
        Outcome::Stale => 's',
        Outcome::Rejected(_) => 'r',
        Outcome::Failed(_) => 'f',
    }
}

fn outage(kind: OutageKind) -> SinkError {
    SinkError::Outage(simulated(kind))
}

fn simulated(kind: OutageKind) -> Outage {
    Outage::new(kind, "simulated")
}

impl<S: Store> Sink for Link<S> {
    type Mutation = S::Mutation;

    async fn write(&self, batch: &[S::Mutation]) -> Result<Vec<Outcome>, SinkError> {
        let hash = |it: &S::Mutation| {
            let mut hasher = DefaultHasher::new();
            (S::SINK, it.key()).hash(&mut hasher);
            hasher.finish()
        };
        // A cache key's second write may meet the first one of its next change: both take it away.
        let counted = if S::SINK == rows::CACHE { &[] } else { batch };
        let hashes: Vec<u64> = counted.iter().map(hash).collect();
        self.check(batch, &hashes);
        // The process may be frozen or killed between the fence and the send, and before it sees
        // the answer.
        self.process.step().await;
        let outcomes = self.send(batch).await;
        self.process.step().await;
        let mut in_flight = self.process.in_flight.lock().unwrap();
        hashes.iter().for_each(|it| {
            in_flight.remove(it);
        });
        outcomes
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

    fn again_after(&self) -> Option<Duration> {
        let twice = S::SINK == rows::CACHE && self.world.settings.twice;
        twice.then_some(SECOND_AFTER)
    }
}
