//! Reads single records again by position: for dead letters, which carry the original bytes, and
//! for applying the records behind a rejected mutation one by one.
//!
//! [`Reader`] is the handle, `Originals` the seam behind it; in production a thread of its own
//! with a consumer outside any group, started when it is first needed.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use rdkafka::Message;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer, DefaultConsumerContext};
use rdkafka::error::KafkaResult;
use rdkafka::message::{BorrowedMessage, Headers};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokio::sync::oneshot;

use super::renewed::Renewed;
use super::{Partition, SourceError, settings};
use crate::config::{Source, Table};
use crate::envelope::{Input, OLD_KEY};
use crate::error::in_full;

/// How long one read may take before the caller tries again.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// A record as it lies in Kafka.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Original {
    /// Its timestamp in milliseconds.
    pub timestamp_ms: i64,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value.
    pub value: Option<Vec<u8>>,
    /// Its headers.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// Why key and value are not here, when they are not.
    pub missing: Option<Missing>,
}

/// Why a record comes without its key and value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// It is beyond the ends of its topic: it has expired, or the topic was made again.
    #[error("the record is no longer in its topic")]
    Expired,
    /// Compaction has removed it: a later record of its key is there.
    #[error("the record was removed by compaction")]
    Compacted,
}

impl Original {
    /// What decoding takes of the record at `offset`.
    #[must_use]
    pub fn input(&self, offset: i64) -> Input<'_> {
        let mut headers = self.headers.iter();
        let old_key = headers.find(|(name, _)| name == OLD_KEY);
        Input {
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            offset,
            timestamp_ms: self.timestamp_ms,
            old_key: old_key.and_then(|(_, value)| value.as_deref()),
        }
    }
}

struct Request {
    partition: Partition,
    offset: i64,
    answer: oneshot::Sender<Result<Original, String>>,
}

/// Where records are read again: Kafka, or a test's log.
pub trait Originals: Send + Sync + 'static {
    /// What [`Reader::read`] promises.
    fn read(&self, partition: Partition, offset: i64) -> BoxFuture<'_, Result<Original, String>>;
}

/// Reads records by position. Cheap to clone.
#[derive(Clone)]
pub struct Reader(Arc<dyn Originals>);

impl Reader {
    /// A reader of these tables' topics; connects to nothing yet.
    #[must_use]
    pub fn new(source: Arc<Source>, tables: Arc<[Table]>) -> Self {
        let requests = Renewed::new(source, settings::reader);
        Self::of(Kafka { tables, requests })
    }

    /// A reader of something that stands in for Kafka.
    pub fn of(originals: impl Originals) -> Self {
        Self(Arc::new(originals))
    }

    /// The record at this position. One that is no longer in Kafka comes without payload.
    ///
    /// # Errors
    /// A sentence when Kafka does not answer; try again.
    pub async fn read(&self, partition: Partition, offset: i64) -> Result<Original, String> {
        self.0.read(partition, offset).await
    }
}

struct Kafka {
    tables: Arc<[Table]>,
    /// To the reading thread, which ends with the last sender.
    requests: Renewed<Sender<Request>>,
}

impl Originals for Kafka {
    fn read(&self, partition: Partition, offset: i64) -> BoxFuture<'_, Result<Original, String>> {
        Box::pin(async move {
            let (answer, answered) = oneshot::channel();
            let request = Request {
                partition,
                offset,
                answer,
            };
            let requests = self.requests.get(|settings| self.start(&settings));
            let requests = requests.map_err(|error| in_full(&error))?;
            requests.send(request).map_err(|_| self.gone())?;
            let read = answered.await.map_err(|_| self.gone())?;
            if read.is_err() {
                self.requests.failed();
            }
            read
        })
    }
}

impl Kafka {
    fn start(&self, settings: &ClientConfig) -> Result<Sender<Request>, SourceError> {
        let consumer: BaseConsumer = settings.create().map_err(SourceError::Settings)?;
        let (sender, receiver) = channel();
        let tables = Arc::clone(&self.tables);
        std::thread::Builder::new()
            .name("kafka-reread".to_owned())
            .spawn(move || serve(&consumer, &tables, &receiver))
            .expect("a process can start one thread");
        Ok(sender)
    }

    /// The next request starts another thread.
    fn gone(&self) -> String {
        self.requests.gone();
        "the reading thread has ended".to_owned()
    }
}

fn serve(
    consumer: &BaseConsumer<DefaultConsumerContext>,
    tables: &[Table],
    requests: &Receiver<Request>,
) {
    for request in requests {
        let topic = &tables[usize::from(request.partition.table.0)].topic;
        let read = read(consumer, topic, &request).unwrap_or_else(|error| Err(error.to_string()));
        // A caller that was dropped with its partition no longer wants the answer.
        drop(request.answer.send(read));
    }
}

fn read(
    consumer: &BaseConsumer<DefaultConsumerContext>,
    topic: &str,
    request: &Request,
) -> KafkaResult<Result<Original, String>> {
    let number = request.partition.number;
    let (low, high) = consumer.fetch_watermarks(topic, number, READ_TIMEOUT)?;
    if !(low..high).contains(&request.offset) {
        return Ok(Ok(missing(Missing::Expired)));
    }
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, number, Offset::Offset(request.offset))?;
    consumer.assign(&list)?;
    let deadline = Instant::now() + READ_TIMEOUT;
    while Instant::now() < deadline {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) if message.offset() == request.offset => {
                return Ok(Ok(original(&message)));
            }
            // The next one is all there is.
            Some(Ok(message)) if message.offset() > request.offset => {
                return Ok(Ok(missing(Missing::Compacted)));
            }
            Some(Err(error)) => return Err(error),
            _ => {}
        }
    }
    Ok(Err(format!(
        "no answer from Kafka within {READ_TIMEOUT:?} when a record was read again"
    )))
}

fn missing(why: Missing) -> Original {
    Original {
        missing: Some(why),
        ..Original::default()
    }
}

fn original(message: &BorrowedMessage<'_>) -> Original {
    let headers = message.headers().map(|headers| {
        headers
            .iter()
            .map(|it| (it.key.to_owned(), it.value.map(<[u8]>::to_vec)))
            .collect()
    });
    Original {
        timestamp_ms: message.timestamp().to_millis().unwrap_or(0),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        headers: headers.unwrap_or_default(),
        missing: None,
    }
}
