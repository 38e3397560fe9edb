//! What a pipeline tells whoever watches: metrics in production, a recorder in tests.

use crate::source::Partition;

/// What a rebalance did with partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rebalance {
    /// They came to us.
    Assigned,
    /// They left us, drained as far as that could be waited for.
    Revoked,
    /// They were somebody else's before we knew.
    Lost,
}

impl Rebalance {
    /// The metric's label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Assigned => "assigned",
            Self::Revoked => "revoked",
            Self::Lost => "lost",
        }
    }
}

/// Watches one pipeline. Called on the pipeline's task, so every method must be quick.
pub trait Observer: Send {
    /// The poll thread and the pipeline task both move.
    fn alive(&mut self) {}
    /// A record was one of these: `change`, a reason for ignoring, `truncate`, `undecodable`.
    fn record(&mut self, _partition: Partition, _outcome: &'static str) {}
    /// A record became a dead letter because it cannot be decoded.
    fn dead_lettered(&mut self, _kind: &str) {}
    /// Bytes charged to the budget, and partitions paused.
    fn held(&mut self, _bytes: u64, _paused: usize) {}
    /// How many records of a partition lie between the acknowledged watermark and the log's end.
    fn lag(&mut self, _partition: Partition, _records: i64) {}
    /// Partitions came to us or left us.
    fn rebalanced(&mut self, _kind: Rebalance, _partitions: &[Partition]) {}
    /// These topics are not there, or may not be read; all others are.
    fn missing(&mut self, _topics: Vec<String>) {}
    /// No broker lets us in, and why.
    fn refused(&mut self, _why: String) {}
    /// A rebalance waits for an answer of the brokers, and nothing is read until it comes; which.
    fn held_up(&mut self, _by: String) {}
    /// A commit failed.
    fn commit_failed(&mut self) {}
    /// An update of a table declared `replica_identity: full` came without its old row.
    fn missing_before(&mut self, _partition: Partition) {}
}

/// Watches nothing.
impl Observer for () {}
