//! Records as the pipeline gets them.

use std::sync::LazyLock;

use memchr::memmem::Finder;
use rdkafka::Message;
use rdkafka::message::{BorrowedMessage, Headers};

use super::{Generation, Partition};
use crate::envelope::{Input, OLD_KEY};

/// A record as it came from Kafka.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Where it lies.
    pub partition: Partition,
    /// The partition's assignment under which it was polled.
    pub generation: Generation,
    /// Its offset.
    pub offset: i64,
    /// Its timestamp in milliseconds since the Unix epoch; 0 where it has none.
    pub timestamp_ms: i64,
    /// The key.
    pub key: Option<&'a [u8]>,
    /// The value; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// The header [`OLD_KEY`]: the key before a primary-key change.
    pub old_key: Option<&'a [u8]>,
}

/// What is kept of a record besides its bytes, in bytes: its receipt, a mutation's slot in the buffer,
/// and what allocating them takes.
const KEPT_BESIDES: u64 = 512;

impl<'a> Record<'a> {
    /// What the record is charged to the budget, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let len = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len);
        KEPT_BESIDES + (len(self.key) + len(self.value)) as u64
    }

    /// What decoding takes of it.
    #[must_use]
    pub fn input(&self) -> Input<'a> {
        Input {
            key: self.key,
            value: self.value,
            offset: self.offset,
            timestamp_ms: self.timestamp_ms,
            old_key: self.old_key,
        }
    }

    /// What a message is.
    pub(super) fn of(
        partition: Partition,
        generation: Generation,
        message: &'a BorrowedMessage<'_>,
    ) -> Self {
        Self {
            partition,
            generation,
            offset: message.offset(),
            timestamp_ms: message.timestamp().to_millis().unwrap_or(0),
            key: message.key(),
            value: message.payload(),
            old_key: old_key(message),
        }
    }
}

/// The header that the create of a primary-key change has (Debezium). librdkafka allocates to answer
/// that a record has no headers, as nearly all: it is asked only of what may be a create.
fn old_key<'a>(message: &'a BorrowedMessage<'_>) -> Option<&'a [u8]> {
    message.payload().filter(|it| may_be_create(it))?;
    let mut headers = message.headers()?.iter();
    headers.find(|it| it.key == OLD_KEY)?.value
}

/// Whether a value has the text `c` somewhere, as the `op` of a create is, written in either way.
fn may_be_create(value: &[u8]) -> bool {
    static WAYS: LazyLock<[Finder<'static>; 2]> =
        LazyLock::new(|| [br#""c""#.as_slice(), br"\u0063"].map(Finder::new));
    WAYS.iter().any(|it| it.find(value).is_some())
}

/// Records whose bytes lie one after the other in one buffer: they cross to another thread, and
/// allocated one by one here they would have to be freed one by one there.
#[derive(Debug, Default)]
pub struct Records {
    bytes: Vec<u8>,
    heads: Vec<Head>,
}

/// A record without its bytes, and how many of them are which part.
#[derive(Debug)]
struct Head {
    record: Record<'static>,
    key: Option<usize>,
    value: Option<usize>,
    old_key: Option<usize>,
}

impl Records {
    /// None yet, and room for so many and so many bytes.
    pub(super) fn with_capacity(records: usize, bytes: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(bytes),
            heads: Vec::with_capacity(records),
        }
    }

    /// Copies a record behind the others.
    pub fn push(&mut self, record: &Record<'_>) {
        let mut copy = |bytes: Option<&[u8]>| {
            let bytes = bytes?;
            self.bytes.extend_from_slice(bytes);
            Some(bytes.len())
        };
        self.heads.push(Head {
            key: copy(record.key),
            value: copy(record.value),
            old_key: copy(record.old_key),
            record: Record {
                key: None,
                value: None,
                old_key: None,
                ..*record
            },
        });
    }

    /// How many, and how many bytes, at most so many.
    pub(super) fn room(&self, bytes: usize) -> (usize, usize) {
        (self.heads.len(), self.bytes.len().min(bytes))
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.heads.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    /// The records in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = Record<'_>> {
        let mut rest = self.bytes.as_slice();
        let mut next = move |len: Option<usize>| rest.split_off(..len?);
        self.heads.iter().map(move |head| Record {
            key: next(head.key),
            value: next(head.value),
            old_key: next(head.old_key),
            ..head.record
        })
    }
}

impl<'a> FromIterator<Record<'a>> for Records {
    fn from_iter<I: IntoIterator<Item = Record<'a>>>(records: I) -> Self {
        let mut all = Self::default();
        records.into_iter().for_each(|it| all.push(&it));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::TableId;

    #[test]
    fn records_come_out_as_they_went_in() {
        let record = |key, value, old_key| Record {
            partition: Partition {
                table: TableId(1),
                number: 2,
            },
            generation: 3,
            offset: 4,
            timestamp_ms: 5,
            key,
            value,
            old_key,
        };
        let (a, b, empty) = (Some(b"a".as_slice()), Some(b"bb".as_slice()), Some(&[][..]));
        let all = [
            record(a, b, None),
            record(b, None, None),
            record(None, empty, a),
            record(empty, a, b),
        ];
        let records = Records::from_iter(all);
        assert_eq!(records.len(), 4);
        assert!(records.iter().eq(all));
    }

    #[test]
    fn a_create_is_asked_for_its_headers_however_its_op_is_written() {
        for create in [r#"{"op":"c"}"#, r#"{"op" : "c"}"#, r#"{"op":"\u0063"}"#] {
            assert!(may_be_create(create.as_bytes()), "{create}");
        }
        for other in [r#"{"op":"u","color":"cc"}"#, r#"{"op":"r"}"#, ""] {
            assert!(!may_be_create(other.as_bytes()), "{other}");
        }
    }
}
