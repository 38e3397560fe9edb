//! What librdkafka complained of last: why a broker is not reached, or does not let us in. Its errors
//! say less ("broker transport failure"), and its log is for its developers.

use std::sync::{Mutex, PoisonError};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;

/// Keeps the last complaint of one client. The context of clients that need no other.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    last: Mutex<Option<String>>,
}

impl Complaints {
    /// A line of librdkafka's log.
    pub(super) fn hear(&self, level: RDKafkaLogLevel, line: &str) {
        let is_complaint = matches!(
            level,
            RDKafkaLogLevel::Emerg
                | RDKafkaLogLevel::Alert
                | RDKafkaLogLevel::Critical
                | RDKafkaLogLevel::Error
        );
        if is_complaint {
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) =
                Some(words(line).to_owned());
        }
    }

    /// The last complaint.
    pub(super) fn last(&self) -> Option<String> {
        let last = self.last.lock();
        last.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The line without the name of librdkafka's thread.
fn words(line: &str) -> &str {
    match line.split_once("]: ") {
        Some((thread, words)) if thread.starts_with("[thrd:") => words,
        _ => line,
    }
}

impl ClientContext for Complaints {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.hear(level, message);
        tracing::debug!(target: "librdkafka", facility, message, ?level);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", %error, reason);
    }
}

impl ConsumerContext for Complaints {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_error_is_kept_without_the_name_of_a_thread() {
        let complaints = Complaints::default();
        assert_eq!(complaints.last(), None);
        complaints.hear(RDKafkaLogLevel::Error, "[thrd:main]: no luck [1]: really");
        complaints.hear(RDKafkaLogLevel::Warning, "only a warning");
        assert_eq!(complaints.last().as_deref(), Some("no luck [1]: really"));
    }
}
