//! What becomes of the records of one partition before they reach the sinks: looked at, decoded,
//! tracked, and handed out by table.

use tokio::time::Instant;

use super::horizon::Horizon;
use super::ledger::{Ack, Acks, Ledger, LedgerError};
use super::route::Route;
use crate::change::Change;
use crate::config::{OnTruncate, Table};
use crate::envelope::{DecodeError, Decoded, Decoder, Ignored, KeyMoves};
use crate::error::Fatal;
use crate::source::{Assigned, CommitNote, NextOffset, Record, start};

/// A partition that is ours.
#[derive(Debug)]
pub(super) struct Intake {
    pub(super) ledger: Ledger,
    moves: KeyMoves,
    start: NextOffset,
    note: Option<CommitNote>,
    as_of: Option<i64>,
    partitions: i32,
    /// One past the log's last record, as last told.
    high: i64,
    horizon: Horizon,
}

/// What one record turned out to be.
pub(super) enum Taken<'a> {
    /// It lies below the start or is one we have: nothing to do.
    Seen,
    /// Tracked, and of no concern to any sink.
    Ignored(&'static str),
    /// A change for each sink that gave an ack, and since when it is known to be in the log.
    Change(Change<'a>, Acks, Instant),
    /// The table was truncated: an ack for each sink that is to apply it, otherwise one.
    Truncate(Acks),
    /// It cannot be decoded.
    Undecodable(DecodeError, Ack),
}

/// Why a record stops the process.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The topic is not the one that was committed (D3).
    Recreated(String),
    /// A bug.
    Ledger(LedgerError),
}

impl Intake {
    pub(super) fn new(assigned: &Assigned, now: Instant) -> Self {
        let last = assigned.note.as_ref().and_then(|note| note.last);
        Self {
            ledger: Ledger::new(
                assigned.partition,
                assigned.generation,
                assigned.start,
                last,
            ),
            moves: KeyMoves::of_log(assigned.is_compacted),
            start: assigned.start,
            note: assigned.note.clone(),
            as_of: assigned.as_of,
            partitions: assigned.partition_count,
            high: assigned.high,
            horizon: Horizon::new(assigned.high, now),
        }
    }

    /// The log's end was told.
    pub(super) fn ends_at(&mut self, high: i64, now: Instant) {
        self.high = high;
        self.horizon.advance(high, self.ledger.tracked(), now);
    }

    /// How many records are not done.
    pub(super) fn lag(&self) -> i64 {
        (self.high - self.ledger.watermark().get()).max(0)
    }

    /// The watermark to commit, if it has moved.
    pub(super) fn take_commit(&mut self, table: &Table) -> Option<(NextOffset, CommitNote)> {
        let next = self.ledger.take_watermark()?;
        Some((next, self.note_at(next, table)))
    }

    /// The watermark to commit when the partition is given up, told before or not: what was told
    /// meanwhile came to a poll thread that had already given it up.
    pub(super) fn last_commit(&mut self, table: &Table) -> Option<(NextOffset, CommitNote)> {
        let next = self.ledger.watermark();
        let is_new = next > self.start || self.note.is_none();
        is_new.then(|| (next, self.note_at(next, table)))
    }

    fn note_at(&mut self, next: NextOffset, table: &Table) -> CommitNote {
        CommitNote {
            last: self.ledger.last(),
            since: self.moves.since(next.get()),
            ..self.note(table)
        }
    }

    /// The note of a first commit, before anything was done.
    pub(super) fn first_commit(&self, table: &Table) -> (NextOffset, CommitNote) {
        (self.start, self.note(table))
    }

    fn note(&self, table: &Table) -> CommitNote {
        CommitNote {
            epoch: table.epoch,
            partitions: self.partitions,
            last: None,
            as_of: self.as_of,
            since: None,
        }
    }

    /// Takes one record in.
    pub(super) fn take<'a>(
        &mut self,
        record: &Record<'a>,
        table: &Table,
        decoder: &mut Decoder,
        (route, now): (&Route, Instant),
    ) -> Result<Taken<'a>, Refusal> {
        if record.generation != self.ledger.generation() {
            return Ok(Taken::Seen);
        }
        let (offset, timestamp_ms) = (record.offset, record.timestamp_ms);
        let bytes = route.charge(record.bytes());
        let id = record.partition.table;
        if offset < self.start.get() {
            self.recognise(record, table)?;
            // Decoded only to remember the moved keys of a transaction that the commit cut through.
            drop(decoder.decode(id, &mut self.moves, record.input()));
            return Ok(Taken::Seen);
        }
        if offset < self.ledger.tracked().get() {
            return Ok(Taken::Seen);
        }
        let decoded = decoder.decode(id, &mut self.moves, record.input());
        let acks = match &decoded {
            Ok(Decoded::Change(_)) => route.fan_out(),
            Ok(Decoded::Ignored(_)) => 0,
            Ok(Decoded::Truncate(_)) if table.on_truncate == OnTruncate::Apply => route.fan_out(),
            Ok(Decoded::Truncate(_)) | Err(_) => 1,
        };
        let tracked = self.ledger.track(offset, timestamp_ms, bytes, acks);
        let mut acks = tracked.map_err(Refusal::Ledger)?;
        Ok(match decoded {
            Ok(Decoded::Change(change)) => {
                Taken::Change(change, acks, self.horizon.known_since(offset, now))
            }
            Ok(Decoded::Ignored(reason)) => Taken::Ignored(Ignored::as_str(reason)),
            Ok(Decoded::Truncate(_)) => Taken::Truncate(acks),
            Err(error) => Taken::Undecodable(error, acks.next().expect("one ack was asked for")),
        })
    }

    /// Takes an ack back.
    ///
    /// # Errors
    /// [`Fatal::Bug`]: the ledger's rules are broken.
    pub(super) fn acknowledge(&mut self, ack: Ack) -> Result<(), Fatal> {
        let taken = self.ledger.acknowledge(ack);
        taken.map_err(|error| Fatal::Bug(error.to_string()))
    }

    /// Holds the last record below the commit against the one that was there when it was made.
    fn recognise(&self, record: &Record<'_>, table: &Table) -> Result<(), Refusal> {
        match self.note.as_ref().and_then(|note| note.last) {
            Some((offset, timestamp_ms))
                if offset == record.offset && timestamp_ms != record.timestamp_ms =>
            {
                let number = record.partition.number;
                Err(Refusal::Recreated(start::recreated(table, number, offset)))
            }
            _ => Ok(()),
        }
    }
}
