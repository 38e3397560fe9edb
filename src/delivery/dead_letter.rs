//! Records that can never be applied are put aside, with their original bytes, and only then
//! acknowledged (D9).
//!
//! The bytes are read again from Kafka by position, so nobody has to keep them in the meantime.
//! Headers are Kafka Connect's `__connect.errors.*`, which consoles already show, and our own.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};

use crate::change::Version;
use crate::config::{OnPoison, Source, Table};
use crate::error::Fatal;
use crate::source::reread::{Original, Reader};
use crate::source::{Partition, SourceError, settings};

/// How long the broker may take to acknowledge one dead letter before it is sent again.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);

/// Where a record failed, in Kafka Connect's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Its bytes are no change.
    Decode,
    /// A projection cannot use it.
    Project,
    /// A store can never take it.
    Write,
}

impl Stage {
    fn as_str(self) -> &'static str {
        match self {
            Self::Decode => "VALUE_CONVERTER",
            Self::Project => "TRANSFORMATION",
            Self::Write => "TASK_PUT",
        }
    }
}

/// A record that can never be applied, and why.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    /// Its partition.
    pub partition: Partition,
    /// Its offset.
    pub offset: i64,
    /// Where it failed.
    pub stage: Stage,
    /// The sink and projection it failed for; `None` when it cannot be decoded.
    pub target: Option<Target>,
    /// A name of the error with few distinct values.
    pub kind: String,
    /// A sentence, without the row's values.
    pub reason: String,
}

/// What a record failed for.
#[derive(Clone, Debug)]
pub struct Target {
    /// The sink's name.
    pub sink: String,
    /// The projection's name.
    pub projection: String,
    /// The change's version.
    pub version: Version,
}

/// Puts records aside, as `on_poison` says. Cheap to clone.
#[derive(Clone)]
pub struct DeadLetters {
    pipeline: String,
    tables: Arc<[Table]>,
    policy: Policy,
}

#[derive(Clone)]
enum Policy {
    Stop,
    Write {
        topic: String,
        producer: FutureProducer,
        reader: Reader,
    },
}

impl DeadLetters {
    /// Prepares the producer; connects to nothing yet.
    ///
    /// # Errors
    /// [`SourceError`] when librdkafka refuses the settings or a secret cannot be read.
    pub fn new(
        pipeline: &str,
        source: &Source,
        tables: Arc<[Table]>,
        on_poison: &OnPoison,
        reader: Reader,
    ) -> Result<Self, SourceError> {
        let policy = match on_poison {
            OnPoison::Stop => Policy::Stop,
            OnPoison::DeadLetter { topic } => {
                let mut settings = settings::producer(source)?;
                let producer = settings
                    .set("message.timeout.ms", SEND_TIMEOUT.as_millis().to_string())
                    .create()
                    .map_err(SourceError::Settings)?;
                Policy::Write {
                    topic: topic.clone(),
                    producer,
                    reader,
                }
            }
        };
        Ok(Self {
            pipeline: pipeline.to_owned(),
            tables,
            policy,
        })
    }

    /// Puts a record aside; comes back when the broker has acknowledged it, however long that
    /// takes.
    ///
    /// # Errors
    /// [`Fatal::Poison`] under `on_poison: stop`.
    pub async fn bury(&self, letter: DeadLetter) -> Result<(), Fatal> {
        let Policy::Write {
            topic,
            producer,
            reader,
        } = &self.policy
        else {
            return Err(self.stop(letter));
        };
        let mut waits = ExponentialBuilder::default()
            .with_max_delay(Duration::from_secs(5))
            .with_jitter()
            .without_max_times()
            .build();
        let mut warned = false;
        loop {
            let outcome = match reader.read(letter.partition, letter.offset).await {
                Ok(original) => self.send(topic, producer, &letter, &original).await,
                Err(reason) => Err(reason),
            };
            let Err(reason) = outcome else { return Ok(()) };
            if !warned {
                let dead_letter_topic = topic;
                tracing::warn!(
                    dead_letter_topic,
                    reason,
                    "a dead letter cannot be written; its partition is not committed until it is"
                );
                warned = true;
            }
            tokio::time::sleep(waits.next().unwrap_or(SEND_TIMEOUT)).await;
        }
    }

    fn stop(&self, letter: DeadLetter) -> Fatal {
        let target = letter.target.map_or(String::new(), |it| {
            format!(" by sink `{}` for projection `{}`", it.sink, it.projection)
        });
        Fatal::Poison {
            topic: self.topic(letter.partition).to_owned(),
            partition: letter.partition.number,
            offset: letter.offset,
            target,
            reason: letter.reason,
        }
    }

    async fn send(
        &self,
        topic: &str,
        producer: &FutureProducer,
        letter: &DeadLetter,
        original: &Original,
    ) -> Result<(), String> {
        match self.produce(topic, producer, letter, original).await {
            Err(KafkaError::MessageProduction(RDKafkaErrorCode::MessageSizeTooLarge)) => {
                let without = original
                    .without_payload("the record is larger than the dead-letter topic takes");
                let sent = self.produce(topic, producer, letter, &without).await;
                sent.map_err(|error| error.to_string())
            }
            sent => sent.map_err(|error| error.to_string()),
        }
    }

    async fn produce(
        &self,
        topic: &str,
        producer: &FutureProducer,
        letter: &DeadLetter,
        original: &Original,
    ) -> Result<(), KafkaError> {
        let mut record: FutureRecord<'_, [u8], [u8]> =
            FutureRecord::to(topic).headers(self.headers(letter, original));
        if let Some(key) = &original.key {
            record = record.key(key);
        }
        if let Some(value) = &original.value {
            record = record.payload(value);
        }
        producer
            .send(record, SEND_TIMEOUT)
            .await
            .map(|_| ())
            .map_err(|(error, _)| error)
    }

    fn headers(&self, letter: &DeadLetter, original: &Original) -> OwnedHeaders {
        let mut headers =
            original
                .headers
                .iter()
                .fold(OwnedHeaders::new(), |headers, (key, value)| {
                    headers.insert(Header {
                        key,
                        value: value.as_deref(),
                    })
                });
        let mut named = |key: &str, value: &str| {
            headers = std::mem::take(&mut headers).insert(Header {
                key,
                value: Some(value),
            });
        };
        named("__connect.errors.topic", self.topic(letter.partition));
        named(
            "__connect.errors.partition",
            &letter.partition.number.to_string(),
        );
        named("__connect.errors.offset", &letter.offset.to_string());
        named("__connect.errors.connector.name", &self.pipeline);
        named("__connect.errors.stage", letter.stage.as_str());
        named("__connect.errors.exception.class.name", &letter.kind);
        named("__connect.errors.exception.message", &letter.reason);
        if let Some(target) = &letter.target {
            named("distributary.sink", &target.sink);
            named("distributary.projection", &target.projection);
            named("distributary.version", &target.version.to_string());
        }
        if let Some(why) = &original.payload_missing {
            named("distributary.payload.missing", why);
        }
        headers
    }

    fn topic(&self, partition: Partition) -> &str {
        &self.tables[usize::from(partition.table.0)].topic
    }
}
