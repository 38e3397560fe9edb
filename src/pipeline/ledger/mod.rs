//! What has been polled and is not yet done, in the order of each partition.
//!
//! Every record is tracked, the ignored ones too: an offset left out would look like one that
//! Kafka never delivered and be committed past. Acknowledgements arrive in any order; only the
//! contiguous watermark goes out. Pure: no clock, no I/O.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use crate::source::{Generation, NextOffset, Partition};

/// What a tracked record costs at least until the watermark passes it, in bytes (D10).
pub const ENTRY_COST: u64 = 64;

/// One sink's promise to say when a record is done. Not `Clone`, consumed by
/// [`Ledger::acknowledge`]; an ack that is dropped is never taken for a success: the watermark
/// stays where it is until the process restarts.
#[must_use = "a record whose ack is dropped is never committed"]
#[derive(Debug, PartialEq, Eq)]
pub struct Ack {
    partition: Partition,
    generation: Generation,
    sequence: u64,
    offset: i64,
    applied: bool,
}

impl Ack {
    /// The record's partition.
    #[must_use]
    pub fn partition(&self) -> Partition {
        self.partition
    }

    /// The assignment under which it was polled.
    #[must_use]
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// The record's offset.
    #[must_use]
    pub fn offset(&self) -> i64 {
        self.offset
    }

    /// A receipt that the store holds the record although the ack is still to come (D7); until then
    /// the sink keeps so many bytes of it. The ack then no longer says so.
    pub fn applied(&mut self, kept: u64) -> Applied {
        self.applied = true;
        Applied {
            partition: self.partition,
            generation: self.generation,
            sequence: self.sequence,
            kept: u32::try_from(kept).unwrap_or(u32::MAX),
        }
    }
}

/// The acks of one record, one for each sink it goes to, made as they are taken.
#[must_use = "a record whose acks are not handed out is never committed"]
#[derive(Debug)]
pub struct Acks {
    partition: Partition,
    generation: Generation,
    sequence: u64,
    offset: i64,
    left: u16,
}

impl Iterator for Acks {
    type Item = Ack;

    fn next(&mut self) -> Option<Ack> {
        self.left = self.left.checked_sub(1)?;
        Some(Ack {
            partition: self.partition,
            generation: self.generation,
            sequence: self.sequence,
            offset: self.offset,
            applied: false,
        })
    }
}

/// Says that one sink holds a record that it will acknowledge later.
#[must_use = "a record stays charged to the budget until the ledger is told that the sink holds it"]
#[derive(Debug, PartialEq, Eq)]
pub struct Applied {
    partition: Partition,
    generation: Generation,
    sequence: u64,
    kept: u32,
}

impl Applied {
    /// The record's partition.
    #[must_use]
    pub fn partition(&self) -> Partition {
        self.partition
    }
}

/// A misuse of the ledger: a bug, answered by stopping (exit code 70) and replaying.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum LedgerError {
    /// A record arrived that does not lie behind the last one.
    #[error("offset {offset} was tracked after everything below {next:?}")]
    Backwards {
        /// The record's offset.
        offset: i64,
        /// What was tracked before.
        next: NextOffset,
    },
    /// More acks than sinks.
    #[error("offset {0} was acknowledged more often than it was handed out")]
    TooManyAcks(i64),
}

#[derive(Debug)]
struct Entry {
    next: NextOffset,
    timestamp_ms: i64,
    /// Sinks that have not said that they hold it.
    unapplied: u16,
    /// Sinks that have not acknowledged it.
    pending: u16,
    /// What it is charged to the budget now.
    bytes: u32,
    /// What sinks keep of it that hold it already.
    kept: u32,
}

/// One partition under one assignment.
#[derive(Debug)]
pub struct Ledger {
    partition: Partition,
    generation: Generation,
    entries: VecDeque<Entry>,
    /// The sequence number of the first entry.
    first: u64,
    /// Where tracking has got to.
    tracked: NextOffset,
    /// Where the watermark has got to.
    watermark: NextOffset,
    /// The last record below the watermark.
    last: Option<(i64, i64)>,
    /// The watermark when it was last taken.
    taken: NextOffset,
    held: u64,
}

impl Ledger {
    /// A ledger that begins at `start`; `last` is the last record below it, where known.
    #[must_use]
    pub fn new(
        partition: Partition,
        generation: Generation,
        start: NextOffset,
        last: Option<(i64, i64)>,
    ) -> Self {
        Self {
            partition,
            generation,
            entries: VecDeque::new(),
            first: 0,
            tracked: start,
            watermark: start,
            last,
            taken: start,
            held: 0,
        }
    }

    /// The assignment it belongs to.
    #[must_use]
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// Where tracking has got to.
    #[must_use]
    pub fn tracked(&self) -> NextOffset {
        self.tracked
    }

    /// Everything below this is done.
    #[must_use]
    pub fn watermark(&self) -> NextOffset {
        self.watermark
    }

    /// Bytes charged for what is not yet passed by the watermark.
    #[must_use]
    pub fn held(&self) -> u64 {
        self.held
    }

    /// Whether nothing is waiting for an ack.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.entries.is_empty()
    }

    /// Tracks a record that goes to `fan_out` sinks, and answers their acks; with none it is done.
    ///
    /// # Errors
    /// [`LedgerError::Backwards`] when the offset was tracked before.
    pub fn track(
        &mut self,
        offset: i64,
        timestamp_ms: i64,
        bytes: u64,
        fan_out: u16,
    ) -> Result<Acks, LedgerError> {
        if offset < self.tracked.get() {
            return Err(LedgerError::Backwards {
                offset,
                next: self.tracked,
            });
        }
        let sequence = self.first + self.entries.len() as u64;
        let bytes = if fan_out == 0 {
            ENTRY_COST
        } else {
            bytes.max(ENTRY_COST)
        };
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let next = NextOffset::after(offset);
        self.push(Entry {
            next,
            timestamp_ms,
            unapplied: fan_out,
            pending: fan_out,
            bytes,
            kept: 0,
        });
        Ok(Acks {
            partition: self.partition,
            generation: self.generation,
            sequence,
            offset,
            left: fan_out,
        })
    }

    /// Everything below `next` was delivered and nothing lies between the last record and it.
    pub fn end(&mut self, next: NextOffset) {
        if next > self.tracked {
            let filler = Entry {
                next,
                timestamp_ms: 0,
                unapplied: 0,
                pending: 0,
                bytes: 64,
                kept: 0,
            };
            self.push(filler);
        }
    }

    /// One sink holds the record: no more of its bytes are needed than what the sink keeps and its
    /// place.
    pub fn applied(&mut self, applied: &Applied) {
        if applied.generation == self.generation
            && let Some(entry) = entry(&mut self.entries, self.first, applied.sequence)
        {
            entry.unapplied = entry.unapplied.saturating_sub(1);
            entry.kept = entry.kept.saturating_add(applied.kept);
            self.held = charge(entry, self.held);
        }
    }

    /// One sink is done with a record. An ack of another generation changes nothing.
    ///
    /// # Errors
    /// [`LedgerError::TooManyAcks`]
    pub fn acknowledge(&mut self, ack: Ack) -> Result<(), LedgerError> {
        if ack.generation != self.generation {
            return Ok(());
        }
        let found = entry(&mut self.entries, self.first, ack.sequence);
        let Some(entry) = found.filter(|entry| entry.pending > 0) else {
            return Err(LedgerError::TooManyAcks(ack.offset));
        };
        entry.pending -= 1;
        if !ack.applied {
            entry.unapplied = entry.unapplied.saturating_sub(1);
        }
        if entry.pending == 0 {
            entry.kept = 0;
        }
        self.held = charge(entry, self.held);
        self.advance();
        Ok(())
    }

    /// The watermark, when it has moved since the last call.
    pub fn take_watermark(&mut self) -> Option<NextOffset> {
        let has_moved = self.watermark > self.taken;
        self.taken = self.watermark;
        has_moved.then_some(self.watermark)
    }

    /// The offset and timestamp of the last record below the watermark, where known.
    #[must_use]
    pub fn last(&self) -> Option<(i64, i64)> {
        self.last
    }

    fn push(&mut self, entry: Entry) {
        self.tracked = entry.next;
        self.held += u64::from(entry.bytes);
        self.entries.push_back(entry);
        self.advance();
    }

    fn advance(&mut self) {
        while let Some(entry) = self.entries.pop_front_if(|entry| entry.pending == 0) {
            self.first += 1;
            self.held -= u64::from(entry.bytes);
            self.watermark = entry.next;
            if entry.timestamp_ms > 0 {
                self.last = Some((entry.next.get() - 1, entry.timestamp_ms));
            }
        }
    }
}

fn entry(entries: &mut VecDeque<Entry>, first: u64, sequence: u64) -> Option<&mut Entry> {
    let index = usize::try_from(sequence.checked_sub(first)?).ok()?;
    entries.get_mut(index)
}

/// Charges the place and what is kept once every sink holds the record; answers what is held then.
fn charge(entry: &mut Entry, held: u64) -> u64 {
    if entry.unapplied > 0 {
        return held;
    }
    let place = u32::try_from(ENTRY_COST).expect("a small constant");
    let before = std::mem::replace(&mut entry.bytes, place.saturating_add(entry.kept));
    held - u64::from(before) + u64::from(entry.bytes)
}
