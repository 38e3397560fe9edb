//! Two ends of each sink: an inlet, where the pipeline task projects changes, and a task that
//! coalesces, batches, retries, and says when a record is done.
//!
//! Errors never cross back to the pipeline: a sink task goes on until it succeeds, is told to drop
//! a partition, or finds something fatal. No mutation ever waits for another record to arrive.

pub mod attempt;
pub mod backoff;
mod bounds;
pub mod buffer;
pub mod dead_letter;
#[cfg(test)]
pub(crate) mod doubles;
pub mod grave;
mod inlet;
mod isolate;
mod obituary;
pub mod observer;
mod projectors;
pub mod receipts;
mod second;
mod task;
mod truncation;
mod undertaker;

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::change::Version;
use crate::pipeline::ledger::{Ack, Applied};
use crate::source::Partition;

pub use inlet::{Inlet, inlet};
pub use observer::Observer;
pub use projectors::{Failed, Projectors};
pub use task::{SinkTask, Wiring};

/// Changes for one sink, in the order of each partition.
#[derive(Debug)]
pub struct Projected<M> {
    /// The changes.
    pub deliveries: Vec<Delivery>,
    /// What they mean, one change's after the other's.
    pub mutations: Vec<M>,
}

impl<M> Default for Projected<M> {
    fn default() -> Self {
        Self {
            deliveries: Vec::new(),
            mutations: Vec::new(),
        }
    }
}

/// One change for one sink, with the promise to answer for it.
#[derive(Debug)]
pub struct Delivery {
    /// How many mutations it became.
    pub mutations: u32,
    /// Poison: for these it becomes one dead letter each.
    pub failed: Failed,
    /// When it was committed, in milliseconds since the Unix epoch.
    pub committed_at_ms: i64,
    /// Since when its record is known to be in Kafka.
    pub known_since: Instant,
    /// To be given back when the sink is done with it.
    pub ack: Ack,
}

/// A truncate of a table for one sink, with the promise to answer for it (D11).
#[derive(Debug)]
pub struct Truncate {
    /// What is older goes.
    pub version: Version,
    /// When it was written to Kafka, in milliseconds since the Unix epoch.
    pub committed_at_ms: i64,
    /// To be given back when the sink is done with it; its partition is the table's only one.
    pub ack: Ack,
}

/// What comes to a sink task. Unbounded channels carry it: whatever is sent is covered by the
/// budget already.
#[derive(Debug)]
pub enum ToSink<M> {
    /// Changes to be applied.
    Changes(Projected<M>),
    /// Something else to be done.
    Order(Order),
}

/// Tells a drain from the next one, which may begin before the first one's answers have come.
pub type DrainNumber = u32;

/// What the pipeline tells a sink task.
#[derive(Debug)]
pub enum Order {
    /// Delete what all earlier changes of the table left, before any later one is applied.
    Truncate(Truncate),
    /// Answer [`Report::drained`] with the number when nothing of these partitions is open, or at
    /// once while the store is in outage or dead letters cannot be written.
    Drain(DrainNumber, Vec<Partition>),
    /// Forget what belongs to these partitions.
    Drop(Vec<Partition>),
}

/// What a sink task tells the pipeline, or the pipeline itself of a record that cannot be decoded.
#[derive(Debug, Default)]
pub struct Report {
    /// Which sink, by its index, if it is one.
    pub sink: Option<usize>,
    /// Changes that it has taken in since its last report.
    pub received: usize,
    /// Records that the store holds, whose acks come later.
    pub applied: Vec<Applied>,
    /// Records that are done.
    pub acks: Vec<Ack>,
    /// The answer to [`Order::Drain`].
    pub drained: Option<DrainNumber>,
    /// The process must stop.
    pub fatal: Option<crate::error::Fatal>,
}

/// Where sink tasks report to.
pub type Reports = mpsc::UnboundedSender<Report>;
