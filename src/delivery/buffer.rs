//! Mutations that wait to be written, coalesced by target key. Pure.
//!
//! While a key is in flight its newer mutations wait and merge: a key is never in two writes at
//! once. Each projection is a lane of its own, so that one blocked index holds up nobody else.

use std::collections::{HashMap, VecDeque};

use foldhash::fast::RandomState;
use smallvec::SmallVec;

use super::receipts::ReceiptId;
use crate::config::Batch;
use crate::projector::Mutation;

/// The records that a mutation stands for.
pub type Receipts = SmallVec<[ReceiptId; 2]>;

/// A mutation and the records it stands for.
#[derive(Debug)]
pub struct Waiting<M> {
    /// What is to be written.
    pub mutation: M,
    /// The records it stands for, in order.
    pub receipts: Receipts,
}

#[derive(Debug)]
struct Slot<M> {
    waiting: Option<Waiting<M>>,
    in_flight: bool,
}

/// Keys of one projection in the order in which they became ready.
#[derive(Debug)]
struct Lane<K> {
    ready: VecDeque<(u64, K)>,
    held: bool,
}

/// Waiting mutations of one sink.
#[derive(Debug)]
pub struct Buffer<M: Mutation> {
    slots: HashMap<M::Key, Slot<M>, RandomState>,
    lanes: Vec<Lane<M::Key>>,
    arrivals: u64,
    ready: usize,
}

impl<M: Mutation> Default for Buffer<M> {
    fn default() -> Self {
        Self {
            slots: HashMap::default(),
            lanes: Vec::new(),
            arrivals: 0,
            ready: 0,
        }
    }
}

impl<M: Mutation> Buffer<M> {
    /// Adds a mutation; answers whether it was merged into one that waits already.
    pub fn push(&mut self, mutation: M, receipts: Receipts) -> bool {
        let key = mutation.key().clone();
        let lane = usize::from(mutation.projection().0);
        let slot = self.slots.entry(key).or_insert(Slot {
            waiting: None,
            in_flight: false,
        });
        if let Some(waiting) = &mut slot.waiting {
            waiting.mutation.merge(mutation);
            waiting.receipts.extend(receipts);
            return true;
        }
        let ready = (!slot.in_flight).then(|| mutation.key().clone());
        slot.waiting = Some(Waiting { mutation, receipts });
        if let Some(key) = ready {
            self.enqueue(lane, key);
        }
        false
    }

    /// Takes the oldest ready mutations within the bounds; at least one if any is ready. They are
    /// in flight until [`Self::landed`] or [`Self::put_back`].
    pub fn take(&mut self, bounds: Batch) -> Vec<Waiting<M>> {
        let mut taken = Vec::with_capacity(self.ready.min(bounds.max_items));
        let mut bytes = 0;
        while taken.len() < bounds.max_items && bytes < bounds.max_bytes {
            let Some(key) = self.next_ready() else { break };
            let Some(slot) = self.slots.get_mut(&key) else {
                continue;
            };
            let Some(waiting) = slot.waiting.take() else {
                continue;
            };
            slot.in_flight = true;
            bytes += waiting.mutation.bytes();
            taken.push(waiting);
        }
        taken
    }

    /// The write of a key has ended.
    pub fn landed(&mut self, key: &M::Key) {
        let Some(slot) = self.slots.get_mut(key) else {
            return;
        };
        slot.in_flight = false;
        match &slot.waiting {
            Some(waiting) => {
                let lane = usize::from(waiting.mutation.projection().0);
                self.enqueue(lane, key.clone());
            }
            None => {
                self.slots.remove(key);
            }
        }
    }

    /// The write of a mutation has failed for now: it waits again, with whatever came meanwhile
    /// merged into it.
    pub fn put_back(&mut self, mut failed: Waiting<M>) {
        let key = failed.mutation.key().clone();
        if let Some(newer) = self
            .slots
            .get_mut(&key)
            .and_then(|slot| slot.waiting.take())
        {
            failed.mutation.merge(newer.mutation);
            failed.receipts.extend(newer.receipts);
        }
        if let Some(slot) = self.slots.get_mut(&key) {
            slot.waiting = Some(failed);
        }
        self.landed(&key);
    }

    /// Holds a projection's mutations back, or lets them go again.
    pub fn hold(&mut self, projection: usize, held: bool) {
        self.lane(projection).held = held;
    }

    /// Whether [`Self::take`] would answer something.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.lanes
            .iter()
            .any(|lane| !lane.held && !lane.ready.is_empty())
    }

    /// Drops what waits for nobody: mutations all of whose receipts are to be dropped.
    pub fn retain(
        &mut self,
        mut keep: impl FnMut(&Receipts) -> bool,
        mut drop: impl FnMut(&Receipts),
    ) {
        self.slots.retain(|_, slot| {
            if slot
                .waiting
                .as_ref()
                .is_some_and(|waiting| !keep(&waiting.receipts))
            {
                slot.waiting
                    .take()
                    .iter()
                    .for_each(|waiting| drop(&waiting.receipts));
            }
            slot.waiting.is_some() || slot.in_flight
        });
        let slots = &self.slots;
        for lane in &mut self.lanes {
            lane.ready
                .retain(|(_, key)| slots.get(key).is_some_and(|slot| slot.waiting.is_some()));
        }
        self.ready = self.lanes.iter().map(|lane| lane.ready.len()).sum();
    }

    fn enqueue(&mut self, lane: usize, key: M::Key) {
        self.arrivals += 1;
        self.ready += 1;
        let arrival = self.arrivals;
        self.lane(lane).ready.push_back((arrival, key));
    }

    fn next_ready(&mut self) -> Option<M::Key> {
        let open = self
            .lanes
            .iter_mut()
            .filter(|lane| !lane.held && !lane.ready.is_empty());
        let oldest = open.min_by_key(|lane| lane.ready.front().map(|(arrival, _)| *arrival))?;
        self.ready -= 1;
        oldest.ready.pop_front().map(|(_, key)| key)
    }

    fn lane(&mut self, index: usize) -> &mut Lane<M::Key> {
        while self.lanes.len() <= index {
            self.lanes.push(Lane {
                ready: VecDeque::new(),
                held: false,
            });
        }
        &mut self.lanes[index]
    }
}
