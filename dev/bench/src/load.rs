//! Which events a topic holds, in which order, and what the stores must hold afterwards.
//!
//! Events come in windows. Within a window each of its keys occurs the same number of times, shuffled:
//! so rows change while older changes of theirs still wait, as in a burst. Deletes hit keys of the
//! window before.

use rand::SeedableRng;
use std::collections::HashMap;

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::rows::{Rows, Table};

/// Events of one window at most. Far below what the program's budget holds.
const WINDOW: u32 = 30_000;
/// One event in so many is a delete, as Debezium writes one: a `d` and then a tombstone, which
/// counts as an event of its own.
const DELETES: u32 = 50;

/// What is done to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    /// The row appears.
    Create,
    /// The row changes.
    Update,
    /// The row goes.
    Delete,
    /// What follows a delete.
    Tombstone,
}

/// One record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Event {
    /// The row.
    pub(crate) key: u32,
    /// How many updates it has had with this one.
    pub(crate) revision: u16,
    /// What is done to it.
    pub(crate) op: Op,
}

/// What a topic looks like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// The topic's name.
    pub(crate) topic: &'static str,
    /// About so many events; deletes and their tombstones come on top.
    pub(crate) events: u32,
    /// Events of each key.
    pub(crate) repeats: u16,
    /// Partitions.
    pub(crate) partitions: i32,
    /// Whether each record brings its schema; only products have one.
    pub(crate) schemas: bool,
    /// What makes the rows.
    pub(crate) rows: Rows,
}

impl Shape {
    /// Products of 1 KB an event, on so many partitions.
    pub(crate) fn products(topic: &'static str, seed: u64, events: u32) -> Self {
        Self {
            topic,
            events,
            repeats: 1,
            partitions: 3,
            schemas: false,
            rows: Rows {
                table: Table::Products,
                number: 0,
                seed,
                text: 250,
            },
        }
    }

    /// The same with each key so many times; the old row travels along, so that rows are shorter.
    pub(crate) fn repeated(self, repeats: u16) -> Self {
        let rows = Rows {
            text: 0,
            ..self.rows
        };
        Self {
            repeats,
            rows,
            ..self
        }
    }
}

/// What is left of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Last {
    /// The row.
    pub(crate) key: u32,
    /// Its last revision.
    pub(crate) revision: u16,
    /// The offset of the record that said so: the version in a store.
    pub(crate) version: i64,
    /// Whether that record was its delete.
    pub(crate) deleted: bool,
}

impl Last {
    /// A row that was never heard of.
    const fn none(key: u32) -> Self {
        Self {
            key,
            revision: 0,
            version: -1,
            deleted: false,
        }
    }
}

/// The events of one topic.
#[derive(Debug)]
pub(crate) struct Load {
    /// What it looks like.
    pub(crate) shape: Shape,
    /// In order of production.
    pub(crate) events: Vec<Event>,
}

impl Load {
    /// The events that this shape and its seed make.
    pub(crate) fn new(shape: Shape) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(shape.rows.seed);
        let mut load = Self {
            shape,
            events: Vec::new(),
        };
        let keys = shape.events / u32::from(shape.repeats);
        // At least three windows, or there would be no deletes.
        let window = WINDOW.min(shape.events / 3);
        let in_window = (window / u32::from(shape.repeats)).max(1);
        let mut first = 1;
        while first <= keys {
            let last = (first + in_window - 1).min(keys);
            load.window(first, last, in_window, &mut random);
            first = last + 1;
        }
        load
    }

    fn window(&mut self, first: u32, last: u32, in_window: u32, random: &mut ChaCha8Rng) {
        let repeats = self.shape.repeats;
        let updated = (first..=last).flat_map(|key| (0..repeats).map(move |_| (key, false)));
        let mut order: Vec<(u32, bool)> = updated.collect();
        if let Some(before) = first.checked_sub(in_window).filter(|it| *it > 0) {
            let deletes = (last - first + 1) * u32::from(repeats) / DELETES;
            // A stride through the window before: no key twice.
            let stride = (in_window / deletes.max(1)).max(1);
            let doomed = (before..first).step_by(stride as usize);
            order.extend(doomed.take(deletes as usize).map(|key| (key, true)));
        }
        order.shuffle(random);
        let mut seen = vec![0_u16; (last - first + 1) as usize];
        for (key, is_delete) in order {
            if is_delete {
                let revision = repeats - 1;
                for op in [Op::Delete, Op::Tombstone] {
                    self.events.push(Event { key, revision, op });
                }
                continue;
            }
            let revision = &mut seen[(key - first) as usize];
            let op = if *revision == 0 {
                Op::Create
            } else {
                Op::Update
            };
            self.events.push(Event {
                key,
                revision: *revision,
                op,
            });
            *revision += 1;
        }
    }

    /// The partition of a key.
    pub(crate) fn partition(&self, key: u32) -> i32 {
        i32::try_from(key).expect("few keys") % self.shape.partitions
    }

    /// Every event with its offset, in order of production.
    pub(crate) fn positions(&self) -> impl Iterator<Item = (Event, i64)> {
        let mut next = vec![0_i64; usize::try_from(self.shape.partitions).expect("some")];
        self.events.iter().map(move |&event| {
            let partition = usize::try_from(self.partition(event.key)).expect("some");
            let offset = next[partition];
            next[partition] += 1;
            (event, offset)
        })
    }

    /// Records of each partition.
    pub(crate) fn ends(&self) -> Vec<i64> {
        let mut ends = vec![0; usize::try_from(self.shape.partitions).expect("some")];
        for event in &self.events {
            ends[usize::try_from(self.partition(event.key)).expect("some")] += 1;
        }
        ends
    }

    /// Records.
    pub(crate) fn len(&self) -> u64 {
        self.events.len() as u64
    }

    /// What the stores must hold of each row, by key.
    pub(crate) fn last(&self) -> Vec<Last> {
        let keys = self.shape.events / u32::from(self.shape.repeats);
        let mut last: Vec<Last> = (1..=keys).map(Last::none).collect();
        for (event, version) in self.positions() {
            note(&mut last[(event.key - 1) as usize], event, version);
        }
        last
    }

    /// What a bare client writes that merges as much as one request holds: each key once among so
    /// many records, in the order of production. One element is one request.
    pub(crate) fn requests(&self, records: usize) -> Vec<Vec<Last>> {
        let mut requests = Vec::new();
        let mut positions = self.positions().peekable();
        while positions.peek().is_some() {
            let mut merged: Vec<Last> = Vec::new();
            let mut places = HashMap::new();
            for (event, version) in positions.by_ref().take(records) {
                let place = *places.entry(event.key).or_insert(merged.len());
                if place == merged.len() {
                    merged.push(Last::none(event.key));
                }
                note(&mut merged[place], event, version);
            }
            // A tombstone whose delete went with the records before says nothing new.
            merged.retain(|it| it.version >= 0);
            requests.push(merged);
        }
        requests
    }
}

fn note(last: &mut Last, event: Event, version: i64) {
    // The tombstone of a delete changes nothing any more.
    if event.op != Op::Tombstone {
        last.revision = event.revision;
        last.version = version;
        last.deleted = event.op == Op::Delete;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::envelope;

    fn shape(events: u32) -> Shape {
        Shape::products("a-topic", 7, events)
    }

    #[test]
    fn events_have_a_kilobyte_whatever_they_repeat() {
        for shape in [
            shape(3000),
            shape(3000).repeated(3),
            shape(3000).repeated(30),
        ] {
            let load = Load::new(shape);
            let mut text = String::new();
            for &event in &load.events {
                envelope::value(&load.shape.rows, event, None, &mut text);
            }
            let mean = text.len() / load.events.len();
            assert!((900..1100).contains(&mean), "{mean} bytes");
        }
    }

    #[test]
    fn a_key_occurs_as_often_as_it_should_and_one_event_in_fifty_is_a_delete() {
        let load = Load::new(shape(90_000).repeated(3));
        let count = |op| load.events.iter().filter(|it| it.op == op).count();
        assert_eq!(count(Op::Create), 30_000);
        assert_eq!(count(Op::Update), 60_000);
        // None in the first of three windows, which has no window before it.
        assert_eq!(count(Op::Delete), 60_000 / 50);
        assert_eq!(count(Op::Tombstone), count(Op::Delete));
    }

    #[test]
    fn what_is_left_is_what_the_last_record_of_a_key_says() {
        let load = Load::new(shape(90_000).repeated(3));
        for last in load.last() {
            let records = load.positions().filter(|(it, _)| it.key == last.key);
            let (event, offset) = records
                .filter(|(it, _)| it.op != Op::Tombstone)
                .last()
                .unwrap();
            assert_eq!((last.revision, last.version), (event.revision, offset));
            assert_eq!(last.deleted, event.op == Op::Delete);
            if last.key > 50 {
                break;
            }
        }
    }

    #[test]
    fn a_bare_client_writes_a_key_once_in_each_request_and_ends_where_the_topic_ends() {
        let load = Load::new(shape(60_000).repeated(30));
        let requests = load.requests(5000);
        let mut left = HashMap::new();
        for request in &requests {
            let keys: HashSet<u32> = request.iter().map(|it| it.key).collect();
            assert_eq!(keys.len(), request.len(), "a key is there more than once");
            left.extend(request.iter().map(|last| (last.key, *last)));
        }
        assert!(requests.concat().len() < load.events.len() / 4);
        for last in load.last() {
            assert_eq!(left[&last.key], last);
        }
    }
}
