//! A record as the pipeline gets it.

use rdkafka::Message;
use rdkafka::message::{BorrowedMessage, Headers};

use super::{Generation, Partition};
use crate::envelope::OLD_KEY;

/// A record as it came from Kafka, its bytes copied once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Where it lies.
    pub partition: Partition,
    /// The partition's assignment under which it was polled.
    pub generation: Generation,
    /// Its offset.
    pub offset: i64,
    /// Its timestamp in milliseconds since the Unix epoch; 0 where it has none.
    pub timestamp_ms: i64,
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    /// The header [`OLD_KEY`]: the key before a primary-key change.
    pub old_key: Option<Vec<u8>>,
}

/// What is kept of a record besides its bytes, in bytes: its change with the places of its columns,
/// its receipt, a mutation's slot in the buffer, and what allocating them takes.
const KEPT_BESIDES: u64 = 512;

impl Record {
    /// What the record is charged to the budget, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let len = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
        KEPT_BESIDES + (len(&self.key) + len(&self.value)) as u64
    }

    /// Copies a message.
    pub(super) fn of(
        partition: Partition,
        generation: Generation,
        message: &BorrowedMessage<'_>,
    ) -> Self {
        let key = message.key().map(<[u8]>::to_vec);
        let value = message.payload().map(with_room);
        // They lie behind the value, which is in the processor's cache now.
        let old_key = old_key(message);
        Self {
            partition,
            generation,
            offset: message.offset(),
            timestamp_ms: message.timestamp().to_millis().unwrap_or(0),
            key,
            value,
            old_key,
        }
    }
}

/// A copy with room for the values that decoding appends in another form.
fn with_room(payload: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(payload.len() + payload.len() / 8);
    value.extend_from_slice(payload);
    value
}

/// The header that the create of a primary-key change has (Debezium).
fn old_key(message: &BorrowedMessage<'_>) -> Option<Vec<u8>> {
    let mut headers = message.headers()?.iter();
    let header = headers.find(|it| it.key == OLD_KEY)?;
    header.value.map(<[u8]>::to_vec)
}
