//! The second seam that people extend: a sink is a store for one model.
//!
//! A sink makes one attempt and says what came of each mutation. It never retries, never drops and
//! never decides about dead letters: that is delivery's work, the same for every store. Wrappers
//! (metrics, faults) are sinks around a sink, not flags.

pub mod elasticsearch;
pub mod memory;
pub mod neo4j;
pub mod redis;

use std::future::Future;
use std::time::Duration;

use futures_util::stream::{self, Stream};

use crate::change::{ProjectionId, Version};
use crate::projector::Mutation;

/// Applies mutations of one model to one store.
pub trait Sink: Send + Sync + 'static {
    /// The model's mutation.
    type Mutation: Mutation;

    /// Makes one attempt to apply a batch. Keys are unique within a batch; several batches may be
    /// under way at once, never with a key in common but for second writes (see
    /// [`Self::again_after`]). May be repeated at will: versions make it
    /// idempotent. Must end by itself: every wait in it has a deadline.
    ///
    /// Answers one [`Outcome`] for each mutation, in the same order.
    ///
    /// # Errors
    /// [`SinkError`] when nothing can be said of single mutations.
    fn write(
        &self,
        batch: &[Self::Mutation],
    ) -> impl Future<Output = Result<Vec<Outcome>, SinkError>> + Send;

    /// The same, if it is still admitted when nothing is left to wait for before it is sent (D13);
    /// otherwise nothing is sent, or nothing more, and the answer is `None`. To be overridden by a
    /// sink whose write waits for its turn, or sends more than one request.
    ///
    /// # Errors
    /// As for [`Self::write`].
    fn write_if(
        &self,
        batch: &[Self::Mutation],
        admits: impl Fn() -> bool + Send + Sync,
    ) -> impl Future<Output = Result<Option<Vec<Outcome>>, SinkError>> + Send {
        async move {
            if !admits() {
                return Ok(None);
            }
            self.write(batch).await.map(Some)
        }
    }

    /// Asks the store whether it answers; what readiness shows.
    ///
    /// # Errors
    /// [`SinkError`] when it does not, or refuses us.
    fn ping(&self) -> impl Future<Output = Result<(), SinkError>> + Send;

    /// Creates what the projections need (indices, constraints) where it is missing, and answers
    /// the markers found, one for each projection that keeps state in this store.
    ///
    /// A projection whose index had to be created has no marker yet.
    ///
    /// # Errors
    /// [`SinkError::Fatal`] when what is there cannot be used, with the remedy; others are retried.
    fn prepare(&self) -> impl Future<Output = Result<Vec<Found>, SinkError>> + Send;

    /// Writes the marker of a projection.
    ///
    /// # Errors
    /// [`SinkError`] as for [`Sink::write`].
    fn mark(&self, marker: &Marker) -> impl Future<Output = Result<(), SinkError>> + Send;

    /// A second write of the same mutation is wanted this much later, unless its change had been in
    /// Kafka for as long before the first; see D7. `None` for most stores.
    fn again_after(&self) -> Option<Duration> {
        None
    }

    /// Finds what a truncate leaves behind (D11): pages of deletes, each at version `below`, of all
    /// that the store holds of a projection with a lower version. The caller writes each page like
    /// any batch before it asks for the next, and asks once everything older is written. Nothing
    /// for stores that cannot tell what they hold of a table.
    ///
    /// # Errors
    /// [`SinkError`] as for [`Sink::write`]; the stream ends with it.
    fn older(
        &self,
        _projection: ProjectionId,
        _below: Version,
    ) -> impl Stream<Item = Result<Vec<Self::Mutation>, SinkError>> + Send {
        stream::empty()
    }
}

/// What [`Sink::prepare`] found of one projection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The projection's name.
    pub projection: String,
    /// Its marker; `None` where the store holds nothing of it.
    pub marker: Option<Marker>,
}

/// Says in the store what filled it, so that a partial store is never taken for a whole one (D15).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Marker {
    /// The pipeline's name.
    pub pipeline: String,
    /// The consumer group whose commits belong to this state.
    pub group: String,
    /// The projection's name.
    pub projection: String,
    /// A hash of everything in the projection that decides what is written.
    pub fingerprint: String,
    /// Whether the group's first commits are known to follow. `false` between the first start and
    /// its first commits, so that a crash in between is no false alarm.
    pub started: bool,
}

/// What came of one mutation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The store holds it.
    Written,
    /// The store holds it without some column that was not sent and that nothing had (D5).
    Incomplete,
    /// The store holds a newer version already: success.
    Stale,
    /// The store can never take it.
    Rejected(Rejection),
    /// Not now: the item is retried.
    Failed(Outage),
}

/// Why a store can never take a mutation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The store's own name of the error, such as `mapper_parsing_exception`: few distinct values,
    /// fit for a metric's label.
    pub kind: String,
    /// The store's explanation, as far as it holds no row values.
    pub reason: String,
}

/// Why a store cannot take mutations now. An outage is never poison (D9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outage {
    /// What kind, as a metric's label.
    pub kind: OutageKind,
    /// What the store or the network said.
    pub reason: String,
}

impl Rejection {
    /// A rejection of this kind, and why.
    pub fn new(kind: impl Into<String>, reason: impl ToString) -> Self {
        Self {
            kind: kind.into(),
            reason: reason.to_string(),
        }
    }
}

impl Outage {
    /// An outage of this kind, and what was said.
    pub fn new(kind: OutageKind, reason: impl ToString) -> Self {
        let reason = reason.to_string();
        Self { kind, reason }
    }
}

/// Kinds of outages: what a person would do differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OutageKind {
    /// No connection, or it broke, or no answer in time.
    Unreachable,
    /// The store is busy (429, 503, a full disk, out of memory).
    Overloaded,
    /// The store refuses writes (read-only, closed or missing index).
    Blocked,
    /// The store refuses the credentials; they are read again before the next attempt.
    Refused,
    /// A rival transaction won (deadlock and its like).
    Contention,
}

impl OutageKind {
    /// The metric's label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Overloaded => "overloaded",
            Self::Blocked => "blocked",
            Self::Refused => "refused",
            Self::Contention => "contention",
        }
    }
}

/// Why a whole attempt came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SinkError {
    /// The store cannot take it now: hold, back off, try again, for ever.
    #[error("{}: {}", .0.kind.as_str(), .0.reason)]
    Outage(Outage),
    /// The store refused the batch as a whole for good, with an error that it does not pin to an
    /// item: it is halved until the culprit stands alone.
    #[error("{}: {}", .0.kind, .0.reason)]
    Refused(Rejection),
    /// The batch is more than the store takes at once (too large, or too slow): it is halved, and
    /// the next ones are smaller.
    #[error("{}: {}", .0.kind, .0.reason)]
    TooMuch(Rejection),
    /// The process must stop: going on would break a promise. The text says what to do.
    #[error("{0}")]
    Fatal(String),
}
