//! What one partition must remember to tell a row that leaves its key from the row that took it.
//!
//! Two rows may swap their keys in one transaction (a deferrable key, which Postgres replicates
//! only under full identity). Debezium then writes for one of the keys, all with one `txId`: the
//! `c` of the row that moved in, the `d` of the row that moved out, and its tombstone. Applied in
//! that order they would delete a live row. The `before` image of the `d` tells: it is not the row
//! that moved in. A row that moves in and out again in one transaction (by way of a temporary key)
//! looks the same but for that image, so headers alone could not tell.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use crate::change::Op;

/// The memory of one partition. Feed it every record of the partition in order, by decoding with
/// it; after an assignment some records before the committed offset too, whose changes are dropped.
#[derive(Debug, Default)]
pub struct KeyMoves {
    /// The transaction that the rows below moved in.
    tx_id: Option<u64>,
    /// The key's record text, and the fingerprint of the row that moved in to it.
    moved_in: HashMap<Arc<String>, u64>,
    hasher: RandomState,
    /// The key of the `d` that was the record before this one.
    deleted: Option<Arc<String>>,
}

/// What the memory asks about a record of a row.
pub(super) struct Seen<'a> {
    pub(super) op: Op,
    /// The record key's text.
    pub(super) key: &'a Arc<String>,
    /// `source.txId`; none on rows of an incremental snapshot.
    pub(super) tx_id: Option<u64>,
    /// Whether the row had another key before.
    pub(super) moved: bool,
    /// The text of the images' columns, where they can be trusted.
    pub(super) before: Option<&'a str>,
    pub(super) after: Option<&'a str>,
}

impl KeyMoves {
    /// Begins the next record; the key's text if the one before it was a `d`, whose tombstone says
    /// nothing new.
    pub(super) fn take_deleted(&mut self) -> Option<Arc<String>> {
        self.deleted.take()
    }

    /// Takes note of a record; whether it is about a row that has lost its key to another.
    pub(super) fn row_has_left(&mut self, seen: &Seen<'_>) -> bool {
        self.deleted = (seen.op == Op::Delete).then(|| Arc::clone(seen.key));
        if seen.tx_id.is_some() && seen.tx_id != self.tx_id {
            self.tx_id = seen.tx_id;
            self.moved_in.clear();
        }
        if seen.op == Op::Create && seen.moved {
            if let Some(after) = seen.after {
                let image = self.hasher.hash_one(after);
                self.moved_in.insert(Arc::clone(seen.key), image);
            }
            return false;
        }
        self.moved_in.contains_key(&**seen.key) && self.is_another_row(seen)
    }

    fn is_another_row(&mut self, seen: &Seen<'_>) -> bool {
        let image = |text: Option<&str>| text.map(|text| self.hasher.hash_one(text));
        let (before, after) = (image(seen.before), image(seen.after));
        let resident = self.moved_in.get(&**seen.key).copied();
        let another = before.is_some() && before != resident;
        match (another, after) {
            // The row that moved in was changed: it is still the one that lives here.
            (false, Some(after)) => {
                self.moved_in.insert(Arc::clone(seen.key), after);
            }
            // One of the two has gone, so the other one is alone here.
            (_, None) => {
                self.moved_in.remove(&**seen.key);
            }
            (true, Some(_)) => {}
        }
        another
    }
}
