//! The dead-letter topic: takes one record and says when the broker has acknowledged it.
//!
//! Knows nothing of why a record is dead; see [`super::dead_letter`] for what is written.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};

use crate::config::Source;
use crate::error::in_full;
use crate::source::renewed::Renewed;
use crate::source::{SourceError, settings};

/// How long one dead letter, which may be large, may take on its way before it is sent again.
pub(super) const SEND_TIMEOUT: Duration = Duration::from_secs(60);

/// One record for the dead-letter topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remains {
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value.
    pub value: Option<Vec<u8>>,
    /// Its headers.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

/// Why a dead letter was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unburied {
    /// The topic takes no records of this size, ever.
    TooLarge,
    /// Not now.
    Failed(String),
}

/// Where dead letters go: a topic, or a test's list.
pub trait Grave: Send + Sync + 'static {
    /// Comes back when the record is safe, or with the reason why it is not.
    fn take(&self, remains: Remains) -> BoxFuture<'_, Result<(), Unburied>>;
}

/// A topic of Kafka.
pub(super) struct Topic {
    name: String,
    producer: Renewed<FutureProducer>,
}

impl Topic {
    /// Prepares the producer; connects to nothing yet.
    pub(super) fn new(source: &Source, name: &str) -> Result<Self, SourceError> {
        let producer = Renewed::new(Arc::new(source.clone()), settings::producer);
        drop(producer.get(producer_of)?);
        Ok(Self {
            name: name.to_owned(),
            producer,
        })
    }

    async fn bury(&self, remains: Remains) -> Result<(), Unburied> {
        let producer = self.producer.get(producer_of);
        let producer = producer.map_err(|error| Unburied::Failed(in_full(&error)))?;
        let sent = self.send(&producer, remains).await;
        if matches!(sent, Err(Unburied::Failed(_))) {
            self.producer.failed();
        }
        // Whoever lets go of it last, once there is another, waits for librdkafka's threads.
        tokio::task::spawn_blocking(move || drop(producer));
        sent
    }

    async fn send(&self, producer: &FutureProducer, remains: Remains) -> Result<(), Unburied> {
        let headers = remains.headers.iter();
        let headers = headers.fold(OwnedHeaders::new(), |headers, (key, value)| {
            let value = value.as_deref();
            headers.insert(Header { key, value })
        });
        let mut record: FutureRecord<'_, [u8], [u8]> =
            FutureRecord::to(&self.name).headers(headers);
        if let Some(key) = &remains.key {
            record = record.key(key);
        }
        if let Some(value) = &remains.value {
            record = record.payload(value);
        }
        let sent = producer.send(record, SEND_TIMEOUT).await;
        sent.map(|_| ()).map_err(|(error, _)| match error {
            KafkaError::MessageProduction(RDKafkaErrorCode::MessageSizeTooLarge) => {
                Unburied::TooLarge
            }
            error => Unburied::Failed(error.to_string()),
        })
    }
}

fn producer_of(mut settings: ClientConfig) -> Result<FutureProducer, SourceError> {
    settings
        .set("message.timeout.ms", SEND_TIMEOUT.as_millis().to_string())
        .create()
        .map_err(SourceError::Settings)
}

impl Grave for Topic {
    fn take(&self, remains: Remains) -> BoxFuture<'_, Result<(), Unburied>> {
        Box::pin(self.bury(remains))
    }
}
