//! Records that can never be applied are put aside, with their original bytes, and only then
//! acknowledged (D9).
//!
//! The bytes are read again from Kafka by position, so nobody has to keep them in the meantime.
//! Headers are Kafka Connect's `__connect.errors.*`, which consoles already show, and our own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::sync::Semaphore;

use super::grave::{Grave, Remains, Topic, Unburied};
use super::obituary::Obituaries;
use crate::change::Version;
use crate::config::{OnPoison, Source, Table};
use crate::error::Fatal;
use crate::source::reread::{Original, Reader};
use crate::source::{Fence, Generation, Partition, SourceError};

/// Why a letter goes without its record.
const TOO_LARGE: &str = "the record is larger than the dead-letter topic takes";

/// The longest wait before a dead letter is sent again.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Records that are held again at the same time: the budget knows nothing of them. They are read by
/// one thread, so more would not be faster.
const AT_ONCE: usize = 16;

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
    /// The assignment under which it was read.
    pub generation: Generation,
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

/// What became of a dead letter.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Buried {
    /// The broker has acknowledged it.
    Safe,
    /// It is not: the record's partition was taken from us meanwhile, and whoever has it now buries
    /// the record.
    NotOurs,
}

/// Is told why a dead letter cannot be written, and `None` when one was.
pub type Told = Arc<dyn Fn(Option<String>) + Send + Sync>;

/// Puts records aside, as `on_poison` says. Cheap to clone.
#[derive(Clone)]
pub struct DeadLetters {
    pipeline: String,
    tables: Arc<[Table]>,
    policy: Policy,
    fence: Arc<Fence>,
    told: Told,
    /// Whether the last one that was tried could not be written.
    is_barred: Arc<AtomicBool>,
    obituaries: Arc<Mutex<Obituaries>>,
}

#[derive(Clone)]
enum Policy {
    Stop,
    Write(Post),
}

/// What takes a record from its topic to the dead letters.
#[derive(Clone)]
struct Post {
    grave: Arc<dyn Grave>,
    /// The topic's name, for the log.
    topic: String,
    reader: Reader,
    at_once: Arc<Semaphore>,
}

impl DeadLetters {
    /// Prepares the producer; connects to nothing yet.
    ///
    /// # Errors
    /// [`SourceError`] when librdkafka refuses the settings or a secret cannot be read.
    pub fn new(
        pipeline: &str,
        source: &Source,
        (tables, fence): (Arc<[Table]>, Arc<Fence>),
        on_poison: &OnPoison,
        reader: Reader,
    ) -> Result<Self, SourceError> {
        Ok(match on_poison {
            OnPoison::Stop => Self::of(pipeline, tables, Policy::Stop, fence),
            OnPoison::DeadLetter { topic } => {
                let grave = Topic::new(source, topic)?;
                Self::into_grave(pipeline, (tables, fence), (topic, grave), reader)
            }
        })
    }

    /// Writes to a grave of this name.
    pub fn into_grave(
        pipeline: &str,
        (tables, fence): (Arc<[Table]>, Arc<Fence>),
        (topic, grave): (&str, impl Grave),
        reader: Reader,
    ) -> Self {
        let post = Post {
            grave: Arc::new(grave),
            topic: topic.to_owned(),
            reader,
            at_once: Arc::new(Semaphore::new(AT_ONCE)),
        };
        Self::of(pipeline, tables, Policy::Write(post), fence)
    }

    fn of(pipeline: &str, tables: Arc<[Table]>, policy: Policy, fence: Arc<Fence>) -> Self {
        Self {
            pipeline: pipeline.to_owned(),
            tables,
            policy,
            fence,
            told: Arc::new(drop),
            is_barred: Arc::default(),
            obituaries: Arc::default(),
        }
    }

    /// Who is told whether dead letters can be written.
    #[must_use]
    pub fn telling(self, told: Told) -> Self {
        Self { told, ..self }
    }

    /// Whether dead letters cannot be written now.
    #[must_use]
    pub fn is_barred(&self) -> bool {
        self.is_barred.load(Ordering::Relaxed)
    }

    /// Puts a record aside; comes back when the broker has acknowledged it, however long that
    /// takes, or when its partition is no longer ours.
    ///
    /// # Errors
    /// [`Fatal::Poison`] under `on_poison: stop`.
    pub async fn bury(&self, letter: DeadLetter) -> Result<Buried, Fatal> {
        let Policy::Write(post) = &self.policy else {
            return Err(self.stop(letter));
        };
        let mut waits = ExponentialBuilder::default()
            .with_max_delay(LONGEST_WAIT)
            .with_jitter()
            .without_max_times()
            .build();
        let mut warned = false;
        while self.fence.owns(letter.partition, letter.generation) {
            let Err(reason) = self.attempt(post, &letter).await else {
                self.tell(None);
                self.say(&letter, &post.topic);
                return Ok(Buried::Safe);
            };
            self.tell(Some(reason.clone()));
            if !warned {
                tracing::warn!(
                    dead_letter_topic = post.topic,
                    reason,
                    "a dead letter cannot be written; its partition is not committed until it is"
                );
                warned = true;
            }
            tokio::time::sleep(waits.next().unwrap_or(LONGEST_WAIT)).await;
        }
        if warned {
            // Those that are still ours are soon tried again, and tell it again.
            self.tell(None);
        }
        Ok(Buried::NotOurs)
    }

    async fn attempt(&self, post: &Post, letter: &DeadLetter) -> Result<(), String> {
        let _permit = post.at_once.acquire().await;
        let original = post.reader.read(letter.partition, letter.offset).await?;
        self.send(&*post.grave, letter, original).await
    }

    fn tell(&self, why_not: Option<String>) {
        self.is_barred.store(why_not.is_some(), Ordering::Relaxed);
        (self.told)(why_not);
    }

    fn say(&self, letter: &DeadLetter, dead_letter_topic: &str) {
        let obituaries = self.obituaries.lock();
        let mut obituaries = obituaries.unwrap_or_else(PoisonError::into_inner);
        let Some(left_out) = obituaries.may_write(Instant::now()) else {
            return;
        };
        let target = letter.target.as_ref();
        tracing::warn!(
            topic = self.topic(letter.partition),
            partition = letter.partition.number,
            offset = letter.offset,
            sink = target.map(|it| it.sink.as_str()),
            projection = target.map(|it| it.projection.as_str()),
            kind = letter.kind,
            reason = letter.reason,
            dead_letter_topic,
            left_out,
            "a record that can never be applied was put aside"
        );
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
        grave: &dyn Grave,
        letter: &DeadLetter,
        original: Original,
    ) -> Result<(), String> {
        let missing = original.missing.map(|it| it.to_string());
        let whole = self.remains(letter, original, missing.as_deref());
        let mut sent = grave.take(whole).await;
        if sent == Err(Unburied::TooLarge) {
            let without = self.remains(letter, Original::default(), Some(TOO_LARGE));
            sent = grave.take(without).await;
        }
        sent.map_err(|unburied| match unburied {
            Unburied::TooLarge => "even without its payload it is too large".to_owned(),
            Unburied::Failed(reason) => reason,
        })
    }

    /// The letter with as much of the record as is there, and why the rest is missing.
    fn remains(&self, letter: &DeadLetter, original: Original, missing: Option<&str>) -> Remains {
        let mut headers = original.headers;
        let mut named = |key: &str, value: &str| {
            headers.push((key.to_owned(), Some(value.as_bytes().to_vec())));
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
        if let Some(why) = missing {
            named("distributary.payload.missing", why);
        }
        Remains {
            key: original.key,
            value: original.value,
            headers,
        }
    }

    fn topic(&self, partition: Partition) -> &str {
        &self.tables[usize::from(partition.table.0)].topic
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::TableId;
    use crate::delivery::doubles::{self, Crypt};

    #[tokio::test(start_paused = true)]
    async fn a_dead_letter_that_cannot_be_written_is_given_up_with_its_partition() {
        let partition = Partition {
            table: TableId(0),
            number: 0,
        };
        let fence = Arc::new(Fence::new(Duration::from_secs(3600)));
        fence.open(partition, 1);
        let tables: Arc<[Table]> = Arc::new([Table::named("items")]);
        let crypt = Crypt::barred();
        let ours = (tables, Arc::clone(&fence));
        let (letters, _) = doubles::burying(ours, Original::default(), &crypt);
        let letter = DeadLetter {
            partition,
            generation: 1,
            offset: 7,
            stage: Stage::Decode,
            target: None,
            kind: "scripted".to_owned(),
            reason: "scripted".to_owned(),
        };
        let burying = tokio::spawn({
            let letters = letters.clone();
            async move { letters.bury(letter).await }
        });
        crypt.until_asked(3).await;
        assert!(letters.is_barred());
        fence.close(partition);
        let buried = tokio::time::timeout(Duration::from_secs(60), burying).await;
        assert_eq!(buried.unwrap().unwrap().unwrap(), Buried::NotOurs);
        assert!(!letters.is_barred());
    }
}
