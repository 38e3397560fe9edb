//! What one partition must remember to tell a row that leaves its key from the row that took it.
//!
//! Two rows may swap their keys in one transaction (a deferrable key, which Postgres replicates
//! only under full identity). Debezium then writes for one of the keys, all with one `txId`: the
//! `c` of the row that moved in, the `d` of the row that moved out, and its tombstone. Applied in
//! that order they would delete a live row. The `before` image of the `d` tells: it is not the row
//! that moved in. Headers cannot tell: a row that moves in and out again in one transaction (by way
//! of a temporary key) has the same ones, and its `d` must be applied.
//!
//! An image can be made up, though, where the record is older than the table's full identity: all
//! but its key is null or a type's zero then, unless a column has a default of its own. Until an
//! update or a delete has shown that old rows are sent, such an image does not tell a row from
//! itself: rows pass through a key under default identity, too, where two swap theirs by way of a
//! temporary one. What is left to be wrong: a row of nothing but zeros whose key another one takes
//! before it goes, where no old row with values came before, and a made-up image with a default.
//!
//! A row is told from another one by its values, so whatever may have changed it unseen (records
//! that compaction has removed, or that cannot be read) takes it out of the memory. Rows of equal
//! values cannot be told apart at all: two that swap their keys leave the same records as one that
//! goes there and back.

use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher;
use std::ops::Range;

use foldhash::fast::RandomState;

use crate::change::Op;

/// Rows of one transaction that are remembered, at 24 bytes each. Beyond it only rows that changed
/// their key are: bulk loads insert many, and rarely where another row still is.
const INSERTS_KEPT: usize = 4_096;

/// The memory of one partition. Feed it every record of the partition in order, by decoding with
/// it; after an assignment some records before the committed offset too, whose changes are dropped.
#[derive(Debug, Default)]
pub struct KeyMoves {
    /// Whether records may be removed from the middle of the log.
    is_compacted: bool,
    /// The offset after that of the last record of any kind.
    next: Option<i64>,
    /// The transaction that the rows below came in.
    tx_id: Option<u64>,
    /// By the hash of a key's text: the row that took the key in this transaction.
    residents: HashMap<u64, Fingerprint, RandomState>,
    /// Whether an update has come with its old row, or a delete with values: images are real.
    images_are_real: bool,
    hasher: RandomState,
    /// The key of the `d` that was the record before this one.
    deleted: Option<Box<str>>,
    /// The offset at which the transaction's first row took a key of another.
    moved_at: Option<i64>,
    /// The offset of the record before this one.
    last: i64,
    /// From the first such row to the end, the transactions before that had one and may not be
    /// committed yet.
    past: VecDeque<Range<i64>>,
}

/// A row image's columns and their text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fingerprint {
    columns: usize,
    text: u64,
}

/// What the memory asks about a record of a row.
pub(super) struct Seen<'a> {
    pub(super) offset: i64,
    pub(super) op: Op,
    /// The record key's text.
    pub(super) key: &'a str,
    /// `source.txId`; none on rows of an incremental snapshot.
    pub(super) tx_id: Option<u64>,
    /// Whether the row had another key before.
    pub(super) moved: bool,
    /// How many columns the images have, and the text of these; only where they can be trusted.
    pub(super) before: Option<(usize, &'a str)>,
    /// Whether `before` may be made up, see [`super::blank`].
    pub(super) before_is_blank: bool,
    pub(super) after: Option<(usize, &'a str)>,
}

impl KeyMoves {
    /// The memory of a partition of such a log.
    #[must_use]
    pub fn of_log(is_compacted: bool) -> Self {
        Self {
            is_compacted,
            ..Self::default()
        }
    }

    /// A record of this key cannot be read, so nothing is known of its row.
    pub(super) fn forget(&mut self, key: &str) {
        let key = self.hasher.hash_one(key);
        self.residents.remove(&key);
    }

    /// Begins the next record; the key's text if the one before it was a `d`, whose tombstone says
    /// nothing new. A gap in a compacted log is records that are gone and were not seen, so that
    /// what is remembered of rows may be old; in another one it is a transaction's marker.
    pub(super) fn begin(&mut self, offset: i64) -> Option<Box<str>> {
        let next = self.next.replace(offset + 1);
        if self.is_compacted && next.is_some_and(|next| next != offset) {
            self.forget_rows();
            self.deleted = None;
        }
        self.deleted.take()
    }

    /// Takes note of a record; whether it is about a row that has lost its key to another.
    pub(super) fn row_has_left(&mut self, seen: &Seen<'_>) -> bool {
        self.deleted = (seen.op == Op::Delete).then(|| seen.key.into());
        if seen.tx_id.is_some() && seen.tx_id != self.tx_id {
            self.tx_id = seen.tx_id;
            self.forget_rows();
            let moved_at = self.moved_at.take();
            self.past.extend(moved_at.map(|first| first..self.last + 1));
        }
        self.last = seen.offset;
        self.images_are_real |= match seen.op {
            Op::Update => seen.before.is_some(),
            Op::Delete => seen.before.is_some() && !seen.before_is_blank,
            _ => false,
        };
        let comes = seen.op == Op::Create && seen.after.is_some();
        if self.residents.is_empty() && !comes {
            return false;
        }
        let key = self.hasher.hash_one(seen.key);
        let resident = self.residents.get(&key).copied();
        let leaves = match (resident, self.fingerprint(seen.before)) {
            // Images of different columns (the table was altered meanwhile) cannot be compared.
            (Some(image), Some(old)) => {
                self.images_are_real && image.columns == old.columns && image != old
            }
            _ => false,
        };
        if !leaves {
            match self.fingerprint(seen.after) {
                None => drop(self.residents.remove(&key)),
                Some(image) => {
                    let room = seen.moved || self.residents.len() < INSERTS_KEPT;
                    if resident.is_some() || (comes && room) {
                        self.residents.insert(key, image);
                        if seen.moved {
                            self.moved_at.get_or_insert(seen.offset);
                        }
                    }
                }
            }
        }
        leaves
    }

    /// Where one has to begin to look who is to go on at `next`, where a transaction that moved keys
    /// is cut through there.
    pub fn since(&mut self, next: i64) -> Option<i64> {
        while self.past.front().is_some_and(|it| it.end <= next) {
            self.past.pop_front();
        }
        let past = self.past.front().map(|it| it.start);
        past.or(self.moved_at).filter(|&first| first < next)
    }

    /// What a transaction with many moved keys took is not kept for the small ones after it.
    fn forget_rows(&mut self) {
        if self.residents.capacity() > 2 * INSERTS_KEPT {
            self.residents = HashMap::default();
        } else {
            self.residents.clear();
        }
    }

    fn fingerprint(&self, image: Option<(usize, &str)>) -> Option<Fingerprint> {
        image.map(|(columns, text)| Fingerprint {
            columns,
            text: self.hasher.hash_one(text),
        })
    }
}
