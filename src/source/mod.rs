//! Where records come from: one OS thread that polls Kafka, and the values it exchanges with the
//! pipeline.
//!
//! Only this module knows Kafka. It never decodes a record and never decides what may be
//! committed: it stores the offsets it is told to. Events go up, commands come down, both are
//! plain values over channels, so a test may stand in for either side.

pub mod admin;
mod compaction;
mod complaints;
pub mod fence;
pub mod offset;
pub mod renewed;
pub mod reread;
pub mod start;

mod commands;
mod context;
mod held_up;
mod kafka;
mod owned;
mod password;
mod policy;
mod rebalance;
mod record;
pub mod settings;
mod signs;
mod unseen;

use rdkafka::types::RDKafkaErrorCode;
use tokio::sync::mpsc;

use crate::change::TableId;

pub use fence::Fence;
pub use kafka::spawn;
pub use offset::{CommitNote, NextOffset};
pub use record::{Record, Records};

/// One partition of a table's topic. A topic belongs to exactly one table, so this names the
/// partition everywhere in the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Partition {
    /// The table whose topic it is.
    pub table: TableId,
    /// Kafka's partition number.
    pub number: i32,
}

/// Counts the assignments of a pipeline; each partition carries the one that brought it. What was
/// begun under an earlier generation of a partition neither commits nor writes any more.
pub type Generation = u32;

/// A partition that was given to us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assigned {
    /// Which.
    pub partition: Partition,
    /// The assignment's generation.
    pub generation: Generation,
    /// Where processing begins. Records below it are delivered first where they exist: they are
    /// only looked at (D3's identity, D4's moved keys), never tracked.
    pub start: NextOffset,
    /// What the commit that `start` comes from says; `None` on a first start.
    pub note: Option<CommitNote>,
    /// Whether records may be removed from the middle of its log.
    pub is_compacted: bool,
    /// See [`CommitNote::as_of`]; `None` where the topic is not compacted.
    pub as_of: Option<i64>,
    /// How many partitions the topic has.
    pub partition_count: i32,
    /// One past the last record that may be read.
    pub high: i64,
}

/// What the poll thread tells the pipeline.
#[derive(Debug)]
pub enum SourceEvent {
    /// Records in the order of each partition.
    Records(Records),
    /// Partitions were given to us.
    Assigned(Vec<Assigned>),
    /// Partitions are to be given up: answer with [`SourceCommand::Release`] when they are
    /// drained.
    Revoking(Vec<Partition>),
    /// Partitions are gone already: drop what belongs to them, commit nothing.
    Lost(Vec<Partition>),
    /// Everything below this offset was delivered, and no record lies between the last one
    /// delivered and it: transaction markers leave such gaps.
    End(Partition, NextOffset),
    /// These topics are not there, or may not be read; all others are.
    Missing(Vec<String>),
    /// No broker lets us in, and what was said last.
    Refused(String),
    /// A rebalance waits for an answer of the brokers, and nothing is read until it comes; which.
    HeldUp(String),
    /// High watermarks as the brokers last told them.
    HighWatermarks(Vec<(Partition, i64)>),
    /// The broker took commits.
    Committed(Vec<(Partition, NextOffset)>),
    /// A commit failed; librdkafka tries again with the next one.
    CommitFailed(String),
    /// The process must stop; see the error.
    Failed(SourceError),
    /// The thread has left the group and ended; the last event.
    Stopped,
}

/// What the pipeline tells the poll thread.
#[derive(Debug)]
pub enum SourceCommand {
    /// Remember these offsets for the next commit.
    Store(Vec<(Partition, NextOffset, CommitNote)>),
    /// Stop fetching these partitions.
    Pause(Vec<Partition>),
    /// Fetch them again.
    Resume(Vec<Partition>),
    /// The answer to [`SourceEvent::Revoking`]: commit these offsets and give the partitions up.
    Release(Vec<(Partition, NextOffset, CommitNote)>),
    /// Commit these offsets, leave the group and end.
    Stop(Vec<(Partition, NextOffset, CommitNote)>),
}

/// The pipeline's end of the channels.
#[derive(Debug)]
pub struct SourceHandle {
    /// From the poll thread.
    pub events: mpsc::Receiver<SourceEvent>,
    /// To the poll thread, which looks at it between two polls.
    pub commands: std::sync::mpsc::Sender<SourceCommand>,
}

/// Why the source cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// librdkafka refused the settings.
    #[error("librdkafka refuses the settings of `source`")]
    Settings(#[source] rdkafka::error::KafkaError),
    /// The consumer met an error it cannot recover from.
    #[error("the Kafka consumer cannot go on; restart the process, it continues from its commits")]
    Consumer(#[source] rdkafka::error::KafkaError),
    /// The log holds records that cannot be taken out of it. librdkafka would ask for them for ever.
    #[error(
        "Kafka sends records that cannot be read: {0}. Look which topic it is in librdkafka's lines \
         of the log, and whether its producer compresses them in a way that this build knows; \
         `distributary offsets reset` with `--to-offset` skips them"
    )]
    Unreadable(RDKafkaErrorCode),
    /// What is committed does not belong to the topic as it is now (D3).
    #[error("{0}")]
    Mismatch(String),
    /// A secret could not be read.
    #[error("{0}")]
    Secret(String),
    /// Kafka does not let us in, or does not answer, and the password is another by now. librdkafka
    /// cannot be told.
    #[error(
        "Kafka does not answer us, and `source.security.password` has changed meanwhile: the next start reads it"
    )]
    Rotated,
}
