//! Mutations that wait to be written, coalesced by target key. Pure.
//!
//! While a key is in flight its newer mutations wait and merge: a key is never in two first writes at
//! once. Each projection is a lane of its own, so that one blocked index holds up nobody else.

use std::collections::VecDeque;
use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use slab::Slab;
use smallvec::SmallVec;

use super::receipts::ReceiptId;
use crate::change::ProjectionId;
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
    /// Where its key stands in the buffer it was taken from.
    pub place: Place,
}

/// Where a key stands in its buffer while a mutation of it waits or is in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place(u32);

struct Slot<M: Mutation> {
    key: M::Key,
    hash: u64,
    waiting: Option<(M, Receipts)>,
    in_flight: bool,
}

/// Keys of one projection in the order in which they became ready.
#[derive(Debug)]
struct Lane {
    ready: VecDeque<(u64, Place)>,
    held: bool,
}

/// Waiting mutations of one sink.
///
/// Keys and mutations lie in a slab, and the hash table has nothing but their places: it stays in
/// the processor's cache beside whatever else the machine does, and who has a place needs no key.
pub struct Buffer<M: Mutation> {
    slots: Slab<Slot<M>>,
    places: HashTable<Place>,
    hasher: RandomState,
    lanes: Vec<Lane>,
    arrivals: u64,
    ready: usize,
}

impl<M: Mutation> Default for Buffer<M> {
    fn default() -> Self {
        Self {
            slots: Slab::new(),
            places: HashTable::new(),
            hasher: RandomState::default(),
            lanes: Vec::new(),
            arrivals: 0,
            ready: 0,
        }
    }
}

impl Place {
    fn of(index: usize) -> Self {
        Self(u32::try_from(index).expect("the budget bounds what waits"))
    }

    fn index(self) -> usize {
        self.0 as usize
    }
}

impl<M: Mutation> Buffer<M> {
    /// Adds a mutation; answers whether it was merged into one that waits already.
    pub fn push(&mut self, mutation: M, receipts: Receipts) -> bool {
        let hash = self.hasher.hash_one(mutation.key());
        let has_key = |place: &Place| self.slots[place.index()].key == *mutation.key();
        let Some(&place) = self.places.find(hash, has_key) else {
            self.insert(hash, mutation, receipts);
            return false;
        };
        match &mut self.slots[place.index()].waiting {
            Some((older, theirs)) => {
                older.merge(mutation);
                theirs.extend(receipts);
                true
            }
            in_flight => {
                *in_flight = Some((mutation, receipts));
                false
            }
        }
    }

    /// A mutation of a key of which none waits or is in flight.
    fn insert(&mut self, hash: u64, mutation: M, receipts: Receipts) {
        let lane = mutation.projection();
        let place = Place::of(self.slots.insert(Slot {
            key: mutation.key().clone(),
            hash,
            waiting: Some((mutation, receipts)),
            in_flight: false,
        }));
        let slots = &self.slots;
        let rehash = |place: &Place| slots[place.index()].hash;
        self.places.insert_unique(hash, place, rehash);
        self.enqueue(lane, place);
    }

    /// Takes the oldest ready mutations within the bounds; at least one if any is ready. They are
    /// in flight until [`Self::landed`] or [`Self::put_back`].
    pub fn take(&mut self, bounds: Batch) -> Vec<Waiting<M>> {
        let mut taken = Vec::with_capacity(self.ready.min(bounds.max_items));
        let mut bytes = 0;
        while taken.len() < bounds.max_items && bytes < bounds.max_bytes {
            let Some(place) = self.next_ready() else {
                break;
            };
            let slot = &mut self.slots[place.index()];
            let Some((mutation, receipts)) = slot.waiting.take() else {
                continue;
            };
            slot.in_flight = true;
            bytes += mutation.bytes();
            taken.push(Waiting {
                mutation,
                receipts,
                place,
            });
        }
        taken
    }

    /// The write of what was taken from this place has ended.
    pub fn landed(&mut self, place: Place) {
        let slot = &mut self.slots[place.index()];
        slot.in_flight = false;
        match &slot.waiting {
            Some((mutation, _)) => {
                let lane = mutation.projection();
                self.enqueue(lane, place);
            }
            None => {
                let slot = self.slots.remove(place.index());
                forget(&mut self.places, slot.hash, place);
            }
        }
    }

    /// The write of a mutation has failed for now: it waits again, with whatever came meanwhile
    /// merged into it.
    pub fn put_back(&mut self, failed: Waiting<M>) {
        let Waiting {
            mut mutation,
            mut receipts,
            place,
        } = failed;
        let slot = &mut self.slots[place.index()];
        if let Some((newer, theirs)) = slot.waiting.take() {
            mutation.merge(newer);
            receipts.extend(theirs);
        }
        slot.waiting = Some((mutation, receipts));
        self.landed(place);
    }

    /// Holds a projection's mutations back, or lets them go again.
    pub fn hold(&mut self, projection: ProjectionId, held: bool) {
        self.lane(projection).held = held;
    }

    /// Whether a mutation of the projection waits that could be taken, were it not held back.
    #[must_use]
    pub fn waits(&self, projection: ProjectionId) -> bool {
        let lane = self.lanes.get(usize::from(projection.0));
        lane.is_some_and(|lane| !lane.ready.is_empty())
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
        let places = &mut self.places;
        self.slots.retain(|index, slot| {
            if let Some((_, receipts)) = slot.waiting.take_if(|(_, it)| !keep(it)) {
                drop(&receipts);
            }
            let stays = slot.waiting.is_some() || slot.in_flight;
            if !stays {
                forget(places, slot.hash, Place::of(index));
            }
            stays
        });
        let slots = &self.slots;
        let waits = |place: Place| {
            slots
                .get(place.index())
                .is_some_and(|it| it.waiting.is_some())
        };
        for lane in &mut self.lanes {
            lane.ready.retain(|(_, place)| waits(*place));
        }
        self.ready = self.lanes.iter().map(|lane| lane.ready.len()).sum();
    }

    fn enqueue(&mut self, lane: ProjectionId, place: Place) {
        self.arrivals += 1;
        self.ready += 1;
        let arrival = self.arrivals;
        self.lane(lane).ready.push_back((arrival, place));
    }

    fn next_ready(&mut self) -> Option<Place> {
        let open = self
            .lanes
            .iter_mut()
            .filter(|lane| !lane.held && !lane.ready.is_empty());
        let oldest = open.min_by_key(|lane| lane.ready.front().map(|(arrival, _)| *arrival))?;
        self.ready -= 1;
        oldest.ready.pop_front().map(|(_, place)| place)
    }

    fn lane(&mut self, projection: ProjectionId) -> &mut Lane {
        let index = usize::from(projection.0);
        while self.lanes.len() <= index {
            self.lanes.push(Lane {
                ready: VecDeque::new(),
                held: false,
            });
        }
        &mut self.lanes[index]
    }
}

/// Takes a place out of the table.
fn forget(places: &mut HashTable<Place>, hash: u64, place: Place) {
    if let Ok(entry) = places.find_entry(hash, |it| *it == place) {
        entry.remove();
    }
}
