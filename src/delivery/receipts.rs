//! Which records a sink task still owes an answer for.
//!
//! A record's mutations end one by one; its ack goes out with the last of them.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use slab::Slab;
use tokio::time::Instant;

use crate::change::TableId;
use crate::pipeline::ledger::{Ack, Applied};
use crate::source::Partition;

/// Names a record within a sink task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiptId(u32);

#[derive(Debug)]
struct Receipt {
    ack: Ack,
    committed_at_ms: i64,
    /// Mutations whose first write has not succeeded.
    unapplied: u32,
    /// Mutations that have not ended.
    pending: u32,
    known_since: Instant,
    /// Bytes of mutations that are kept after they were written, to be written once more.
    kept: Option<u64>,
    /// The partition was taken from us: the ack is worth nothing.
    dropped: bool,
}

/// The open receipts of one sink task.
#[derive(Debug, Default)]
pub struct ReceiptBook {
    open: Slab<Receipt>,
    by_partition: HashMap<Partition, usize, RandomState>,
}

impl ReceiptBook {
    /// Opens a receipt for a record that became `mutations` mutations (at least one).
    /// For the two times see [`Delivery`](super::Delivery).
    pub fn open(
        &mut self,
        ack: Ack,
        committed_at_ms: i64,
        known_since: Instant,
        mutations: u32,
    ) -> ReceiptId {
        *self.by_partition.entry(ack.partition()).or_default() += 1;
        let receipt = Receipt {
            ack,
            committed_at_ms,
            unapplied: mutations,
            pending: mutations,
            known_since,
            kept: None,
            dropped: false,
        };
        ReceiptId(u32::try_from(self.open.insert(receipt)).expect("the budget bounds receipts"))
    }

    /// Since when the record is known to be in Kafka.
    #[must_use]
    pub fn known_since(&self, id: ReceiptId) -> Instant {
        self.open[id.0 as usize].known_since
    }

    /// One mutation is kept when it is in the store; so many bytes of it are charged to this record.
    pub fn keeps(&mut self, id: ReceiptId, bytes: u64) {
        *self.open[id.0 as usize].kept.get_or_insert_default() += bytes;
    }

    /// One mutation is in the store. Answers the record's table and commit time when it was the
    /// record's last one.
    pub fn applied(&mut self, id: ReceiptId) -> Option<(TableId, i64)> {
        let receipt = &mut self.open[id.0 as usize];
        receipt.unapplied -= 1;
        (receipt.unapplied == 0 && !receipt.dropped)
            .then(|| (receipt.ack.partition().table, receipt.committed_at_ms))
    }

    /// The notice to the ledger that the record is in the store, where something is kept of it: its
    /// ack no longer says so.
    pub fn notice(&mut self, id: ReceiptId) -> Option<Applied> {
        let receipt = &mut self.open[id.0 as usize];
        let kept = size_of::<Receipt>() as u64 + receipt.kept?;
        Some(receipt.ack.applied(kept))
    }

    /// One mutation has ended. Answers the ack when it was the record's last one and the ack is
    /// still worth something.
    pub fn done(&mut self, id: ReceiptId) -> Option<Ack> {
        let receipt = &mut self.open[id.0 as usize];
        receipt.pending -= 1;
        if receipt.pending > 0 {
            return None;
        }
        let receipt = self.open.remove(id.0 as usize);
        if receipt.dropped {
            return None;
        }
        self.forget_one(receipt.ack.partition());
        Some(receipt.ack)
    }

    /// One mutation has ended whose record is no longer ours, so that its ack is worth nothing.
    pub fn abandon(&mut self, id: ReceiptId) {
        if let Some(ack) = self.done(id) {
            tracing::debug!(offset = ack.offset(), "the ack of a partition that is gone");
        }
    }

    /// The partition and generation a receipt belongs to, and its offset.
    pub fn ack(&self, id: ReceiptId) -> &Ack {
        &self.open[id.0 as usize].ack
    }

    /// The partition is no longer ours: its receipts are worth nothing.
    pub fn drop_partition(&mut self, partition: Partition) {
        for (_, receipt) in &mut self.open {
            receipt.dropped |= receipt.ack.partition() == partition;
        }
        self.by_partition.remove(&partition);
    }

    /// Whether the receipt belongs to a partition that was dropped.
    #[must_use]
    pub fn is_dropped(&self, id: ReceiptId) -> bool {
        self.open[id.0 as usize].dropped
    }

    /// Whether nothing of these partitions is open.
    #[must_use]
    pub fn is_clear(&self, partitions: &[Partition]) -> bool {
        partitions
            .iter()
            .all(|it| !self.by_partition.contains_key(it))
    }

    /// How many records of a partition are open.
    #[must_use]
    pub fn open_of(&self, partition: Partition) -> usize {
        self.by_partition.get(&partition).copied().unwrap_or(0)
    }

    /// Whether nothing at all is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_partition.is_empty()
    }

    /// For each table the commit time (ms) of its oldest record that the store does not hold yet.
    #[must_use]
    pub fn oldest(&self) -> HashMap<TableId, i64> {
        let mut oldest = HashMap::new();
        let waiting = self
            .open
            .iter()
            .map(|(_, it)| it)
            .filter(|it| it.unapplied > 0 && !it.dropped);
        for receipt in waiting {
            let entry = oldest
                .entry(receipt.ack.partition().table)
                .or_insert(i64::MAX);
            *entry = receipt.committed_at_ms.min(*entry);
        }
        oldest
    }

    fn forget_one(&mut self, partition: Partition) {
        if let Some(count) = self.by_partition.get_mut(&partition) {
            *count -= 1;
            if *count == 0 {
                self.by_partition.remove(&partition);
            }
        }
    }
}
