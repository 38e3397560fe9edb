//! Keeps a replaced owner from writing (D13).
//!
//! Shared by the poll thread, which knows what is ours, and the sink tasks, which ask immediately
//! before each send. It never blocks for long: one short lock, no I/O. Its clock is tokio's, so that
//! a simulation may turn it; outside a runtime that is the system's.

use std::collections::HashMap;
use std::sync::RwLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::{Generation, Partition};

/// Who may write now.
#[derive(Debug)]
pub struct Fence {
    owned: RwLock<HashMap<Partition, Generation>>,
    started: Instant,
    last_poll_ms: AtomicU64,
    /// Nothing is admitted before this moment (ms since `started`).
    closed_until_ms: AtomicU64,
    session: Duration,
}

impl Fence {
    /// A fence that admits nothing yet. `session` is the group's session timeout: who has not
    /// polled for so long must assume that another owns its partitions.
    #[must_use]
    pub fn new(session: Duration) -> Self {
        Self {
            owned: RwLock::default(),
            started: Instant::now(),
            last_poll_ms: AtomicU64::new(0),
            closed_until_ms: AtomicU64::new(0),
            session,
        }
    }

    /// The partition is ours under this generation.
    pub fn open(&self, partition: Partition, generation: Generation) {
        self.owned
            .write()
            .expect("no panic under this lock")
            .insert(partition, generation);
    }

    /// The partition is no longer ours.
    pub fn close(&self, partition: Partition) {
        self.owned
            .write()
            .expect("no panic under this lock")
            .remove(&partition);
    }

    /// Nothing is ours any more, what was being given up included.
    pub fn close_all(&self) {
        self.owned
            .write()
            .expect("no panic under this lock")
            .clear();
    }

    /// The poll thread has polled. After a pause longer than the session (a stopped process) the
    /// fence stays closed for a while: the group may have moved on, and librdkafka learns that only
    /// with its next heartbeat. A machine that was suspended is not noticed, for this clock stood
    /// still with it; what it sends then loses by its version.
    pub fn beat(&self) {
        let now = self.now_ms();
        let pause = now.saturating_sub(self.last_poll_ms.swap(now, Ordering::Relaxed));
        if pause > self.session_ms() {
            self.closed_until_ms
                .store(now + self.session_ms() / 3, Ordering::Relaxed);
        }
    }

    /// Whether a write of this partition and generation may be sent now.
    #[must_use]
    pub fn admits(&self, partition: Partition, generation: Generation) -> bool {
        self.is_awake() && self.owns(partition, generation)
    }

    /// Whether the partition is still ours under this generation, whatever the clock says.
    #[must_use]
    pub fn owns(&self, partition: Partition, generation: Generation) -> bool {
        self.owned
            .read()
            .expect("no panic under this lock")
            .get(&partition)
            == Some(&generation)
    }

    /// Whether the poll thread has polled within the session.
    fn is_awake(&self) -> bool {
        let now = self.now_ms();
        now.saturating_sub(self.last_poll_ms.load(Ordering::Relaxed)) <= self.session_ms()
            && now >= self.closed_until_ms.load(Ordering::Relaxed)
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn session_ms(&self) -> u64 {
        u64::try_from(self.session.as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::TableId;

    const P: Partition = Partition {
        table: TableId(0),
        number: 1,
    };

    #[test]
    fn only_the_current_generation_of_an_owned_partition_is_admitted() {
        let fence = Fence::new(Duration::from_secs(45));
        assert!(!fence.admits(P, 1));
        fence.open(P, 2);
        assert!(!fence.admits(P, 1));
        assert!(fence.admits(P, 2));
        fence.close(P);
        assert!(!fence.admits(P, 2));
    }

    #[test]
    fn an_owner_that_was_paused_past_its_session_writes_nothing_even_after_it_polls_again() {
        let fence = Fence::new(Duration::ZERO);
        fence.open(P, 1);
        std::thread::sleep(Duration::from_millis(5));
        assert!(!fence.admits(P, 1), "it has not polled");
        let paused = Fence::new(Duration::from_millis(30));
        paused.open(P, 1);
        std::thread::sleep(Duration::from_millis(60));
        paused.beat();
        assert!(
            !paused.admits(P, 1),
            "the group may have moved on while it slept"
        );
    }
}
