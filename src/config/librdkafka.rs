//! Which of librdkafka's settings a configuration may set.
//!
//! Everything may be set but what is configured elsewhere and what would break a guarantee. Names
//! and values are checked by librdkafka itself, which does so without a connection.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::{KafkaError, KafkaResult};

use super::Protocol;

/// librdkafka's default of `session.timeout.ms`, and the brokers' under KIP-848.
pub const SESSION_TIMEOUT: Duration = Duration::from_secs(45);

/// librdkafka's default of `max.poll.interval.ms`.
pub(super) const MAX_POLL_INTERVAL: Duration = Duration::from_secs(300);

/// What every client starts from: a broker that comes back is found within a second, not within ten.
pub const RECONNECT_BACKOFF_MAX: (&str, &str) = ("reconnect.backoff.max.ms", "1000");

/// Why the setting is refused, if it is.
pub(super) fn refusal(name: &str, value: &str, protocol: Protocol) -> Option<String> {
    let reason = elsewhere(name)
        .or_else(|| secret(name))
        .or_else(|| producer(name))
        .or_else(|| guarantee(name, value))
        .or_else(|| wrong_protocol(name, protocol));
    reason
        .map(str::to_owned)
        .or_else(|| unknown_to_librdkafka(name, value))
}

fn elsewhere(name: &str) -> Option<&'static str> {
    Some(match name {
        "bootstrap.servers" | "metadata.broker.list" => "set `source.brokers`",
        "group.id" => "set `source.group`",
        "group.protocol" => "set `source.protocol`",
        "security.protocol" => "set `source.security.protocol`",
        "sasl.mechanism" | "sasl.mechanisms" => "set `source.security.mechanism`",
        "sasl.username" => "set `source.security.username`",
        "ssl.ca.location" => "set `source.security.ca`",
        "statistics.interval.ms" => "distributary sets it, its metrics need the statistics",
        _ => return None,
    })
}

fn secret(name: &str) -> Option<&'static str> {
    Some(match name {
        "sasl.password" => "set `source.security.password`, which names a file or a variable",
        "ssl.key.password"
        | "ssl.keystore.password"
        | "ssl.key.pem"
        | "sasl.oauthbearer.client.secret"
        | "sasl.oauthbearer.client.credentials.client.secret"
        | "sasl.oauthbearer.assertion.private.key.passphrase"
        | "sasl.oauthbearer.assertion.private.key.pem" => {
            "a secret does not belong into a configuration file"
        }
        _ => return None,
    })
}

/// What only a producer reads (`P` in librdkafka's CONFIGURATION.md). The only producer is that of
/// dead letters, whose own settings an alias such as `request.required.acks` would undo.
fn producer(name: &str) -> Option<&'static str> {
    let is_a_producers = matches!(
        name,
        "acks"
            | "batch.num.messages"
            | "batch.size"
            | "compression.codec"
            | "compression.level"
            | "compression.type"
            | "delivery.report.only.error"
            | "delivery.timeout.ms"
            | "enable.gapless.guarantee"
            | "enable.idempotence"
            | "linger.ms"
            | "message.send.max.retries"
            | "message.timeout.ms"
            | "msg_order_cmp"
            | "partitioner"
            | "produce.offset.report"
            | "queue.buffering.backpressure.threshold"
            | "queue.buffering.max.kbytes"
            | "queue.buffering.max.messages"
            | "queue.buffering.max.ms"
            | "queuing.strategy"
            | "request.required.acks"
            | "request.timeout.ms"
            | "retries"
            | "sticky.partitioning.linger.ms"
            | "transaction.timeout.ms"
            | "transactional.id"
    );
    is_a_producers.then_some(
        "it is a producer's, and a dead letter must be acknowledged by every replica before its \
         record is committed",
    )
}

fn guarantee(name: &str, value: &str) -> Option<&'static str> {
    Some(match name {
        "enable.auto.commit" | "auto.commit.enable" | "auto.commit.interval.ms" => {
            "an offset is committed when every store has acknowledged, not by a timer"
        }
        "enable.auto.offset.store" | "offset.store.method" => {
            "an offset is stored when every store has acknowledged, not when it is read"
        }
        "auto.offset.reset" | "topic.auto.offset.reset" => {
            "a missing offset must stop the program, or changes would be skipped silently"
        }
        "enable.partition.eof" => {
            "the end of a partition must be seen, or the lag would never reach zero behind \
             transaction markers"
        }
        "isolation.level" if value != "read_committed" => {
            "changes of aborted transactions would reach the stores"
        }
        "allow.auto.create.topics" if value != "false" => {
            "a misspelt topic would be created instead of reported"
        }
        "topic.blacklist" => "the changes of a topic that is not seen would be missing silently",
        "partition.assignment.strategy" if mixes_assignors(value) => {
            "cooperative and eager assignors must not be mixed in one group; name one"
        }
        _ => return None,
    })
}

fn mixes_assignors(value: &str) -> bool {
    value.split(',').count() > 1 && value.split(',').any(|it| it.trim() == "cooperative-sticky")
}

/// With `group.protocol=consumer` librdkafka refuses to create a client that sets these.
fn wrong_protocol(name: &str, protocol: Protocol) -> Option<&'static str> {
    let classic = matches!(
        name,
        "session.timeout.ms"
            | "heartbeat.interval.ms"
            | "partition.assignment.strategy"
            | "group.protocol.type"
    );
    (classic && protocol == Protocol::Consumer)
        .then_some("with `protocol: consumer` the broker decides this")
}

fn unknown_to_librdkafka(name: &str, value: &str) -> Option<String> {
    let checked = ClientConfig::new().set(name, value).create_native_config();
    checked.err().map(|error| match error {
        KafkaError::ClientConfig(_, reason, ..) => reason,
        other => other.to_string(),
    })
}

/// Why librdkafka refuses these settings together, if it does. It says so only when it makes a
/// client: here one that has no broker to connect to, and reads no certificate because it has no TLS.
pub(super) fn refusal_together(
    properties: &BTreeMap<String, String>,
    protocol: Protocol,
) -> Option<String> {
    let mut settings = ClientConfig::new();
    settings.set(RECONNECT_BACKOFF_MAX.0, RECONNECT_BACKOFF_MAX.1);
    settings.extend(properties.clone());
    settings.set("group.id", "distributary");
    if protocol == Protocol::Consumer {
        settings.set("group.protocol", "consumer");
    }
    let made: KafkaResult<BaseConsumer> = settings.create();
    made.err().map(|error| match error {
        KafkaError::ClientCreation(reason) => reason,
        other => other.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harmless_settings_pass_and_those_that_break_a_guarantee_do_not() {
        let refused = |name, value| refusal(name, value, Protocol::Classic);
        assert_eq!(refused("fetch.wait.max.ms", "50"), None);
        assert_eq!(refused("isolation.level", "read_committed"), None);
        assert_eq!(
            refused("partition.assignment.strategy", "range,roundrobin"),
            None
        );
        for (name, value) in [
            ("enable.auto.commit", "true"),
            ("enable.auto.offset.store", "true"),
            ("auto.offset.reset", "earliest"),
            ("group.id", "other"),
            ("isolation.level", "read_uncommitted"),
            ("enable.partition.eof", "false"),
            ("partition.assignment.strategy", "range,cooperative-sticky"),
            ("sasl.password", "x"),
            ("topic.blacklist", "users"),
            ("request.required.acks", "0"),
            ("transactional.id", "x"),
            ("delivery.report.only.error", "true"),
            ("sasl.oauthbearer.client.credentials.client.secret", "x"),
        ] {
            assert!(refused(name, value).is_some(), "{name}");
        }
    }

    #[test]
    fn librdkafka_is_asked_about_names_and_values() {
        let refused = |name, value| refusal(name, value, Protocol::Classic).unwrap();
        assert!(refused("fetch.wait.max", "50").contains("fetch.wait.max"));
        assert!(refused("fetch.wait.max.ms", "soon").contains("fetch.wait.max.ms"));
    }

    #[test]
    fn the_session_belongs_to_the_broker_under_the_consumer_protocol() {
        assert!(refusal("session.timeout.ms", "30000", Protocol::Consumer).is_some());
        assert!(refusal("session.timeout.ms", "30000", Protocol::Classic).is_none());
    }
}
