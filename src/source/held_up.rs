//! A rebalance that a question to the brokers holds up. librdkafka reads nothing at all until the
//! rebalance is answered, so one that stays awaited has to be seen.

use std::time::{Duration, Instant};

use rdkafka::error::KafkaError;

use super::kafka::Poller;
use super::{SourceError, SourceEvent};

/// How long a question may stay awaited before it is said: a broker that restarts is nobody's
/// business.
const PATIENCE: Duration = Duration::from_secs(5);

/// An answer that did not come.
#[derive(Debug, thiserror::Error)]
#[error("no broker says {question}: {error}")]
pub(super) struct Awaited {
    question: String,
    error: KafkaError,
}

impl Awaited {
    /// What becomes of the error of this question.
    pub(super) fn to(question: impl Into<String>) -> impl FnOnce(KafkaError) -> Self {
        let question = question.into();
        move |error| Self { question, error }
    }
}

/// Since when a rebalance waits for an answer, and whether that was said.
#[derive(Debug, Default)]
pub(super) struct HeldUp {
    since: Option<Instant>,
    told: bool,
}

impl Poller {
    /// The question is asked again after the next poll, for ever. A password that was changed may be
    /// why nobody answers: connections that stand outlive it, and new ones do not.
    pub(super) fn held_up_by(&mut self, awaited: &Awaited) -> Result<(), SourceError> {
        let since = *self.held_up.since.get_or_insert_with(Instant::now);
        if since.elapsed() < PATIENCE {
            tracing::debug!(%awaited, "a rebalance waits for an answer");
            return Ok(());
        }
        self.password.check()?;
        if !std::mem::replace(&mut self.held_up.told, true) {
            tracing::warn!(
                %awaited,
                "a rebalance waits for an answer; no partition is read until it comes"
            );
        }
        self.tell(SourceEvent::HeldUp(awaited.to_string()));
        Ok(())
    }
}
