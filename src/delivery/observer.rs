//! What a sink task tells whoever watches: metrics in production, a recorder in tests.

use std::collections::HashMap;
use std::time::Duration;

use crate::change::{ProjectionId, TableId};
use crate::sink::Outage;

/// How a mutation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ended {
    /// The store took it.
    Written,
    /// The store took it without some column, which nothing had (D5).
    Incomplete,
    /// The store holds a newer version.
    Stale,
    /// It went to the dead letters.
    DeadLettered,
}

impl Ended {
    /// Every end, in the order of their numbers.
    pub const ALL: [Self; 4] = [
        Self::Written,
        Self::Incomplete,
        Self::Stale,
        Self::DeadLettered,
    ];

    /// A fixed word for metric labels.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Written => "written",
            Self::Incomplete => "incomplete",
            Self::Stale => "stale",
            Self::DeadLettered => "dead_lettered",
        }
    }
}

/// Watches one sink task. Every method is called on the task, often: it must be quick.
pub trait Observer: Send {
    /// A record of `table`, committed in Postgres at this time (ms), is in the store since then (ms).
    fn applied(&mut self, _table: TableId, _committed_at_ms: i64, _since_ms: i64) {}
    /// So many mutations of a projection ended so.
    fn ended(&mut self, _projection: ProjectionId, _ended: Ended, _count: u64) {}
    /// A write was answered, well or not, and took so long; not told of what the fence kept back.
    fn wrote(&mut self, _took: Duration) {}
    /// So many mutations were merged into others that waited.
    fn coalesced(&mut self, _count: u64) {}
    /// So many mutations are tried again because of this.
    fn retried(&mut self, _outage: &Outage, _count: u64) {}
    /// A record became a dead letter, for this kind of reason.
    fn dead_lettered(&mut self, _kind: &str) {}
    /// The store went into an outage (`Some`) or came out of it (`None`).
    fn outage(&mut self, _outage: Option<&Outage>) {}
    /// For each table with records under way, the commit time (ms) of the oldest that the store
    /// does not hold yet. Called once a second.
    fn oldest(&mut self, _oldest: &HashMap<TableId, i64>) {}
}

/// Watches nothing.
impl Observer for () {}
