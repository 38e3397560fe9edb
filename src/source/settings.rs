//! librdkafka's settings: the user's, then ours, which win wherever a guarantee depends on them.

use std::time::Duration;

use rdkafka::config::ClientConfig;

use super::SourceError;
use crate::config::{Protocol, RECONNECT_BACKOFF_MAX, SESSION_TIMEOUT, Source};

/// The most that librdkafka can be told, in bytes.
const LARGEST_RECORD: &str = "1000000000";

/// librdkafka's own queue of fetched records, in KiB (D10).
const QUEUE_KIB: &str = "16384";

/// Settings of `source.properties` that mean nothing to other clients, which would warn of them.
const CONSUMER_ONLY: [&str; 8] = [
    "group.instance.id",
    "session.timeout.ms",
    "heartbeat.interval.ms",
    "max.poll.interval.ms",
    "partition.assignment.strategy",
    "fetch.wait.max.ms",
    "queued.max.messages.kbytes",
    "fetch.queue.backoff.ms",
];

/// Settings that every client shares: brokers, security, the user's properties.
///
/// # Errors
/// [`SourceError::Secret`] when the password cannot be read.
pub fn client(source: &Source) -> Result<ClientConfig, SourceError> {
    let mut settings = ClientConfig::new();
    settings
        .set("bootstrap.servers", source.brokers.join(","))
        .set("client.id", "distributary")
        .set("socket.keepalive.enable", "true")
        .set(RECONNECT_BACKOFF_MAX.0, RECONNECT_BACKOFF_MAX.1);
    if let Some(security) = &source.security {
        settings.set("security.protocol", &security.protocol);
        let mechanism = security.mechanism.as_ref().map(|it| it.to_uppercase());
        let ca = security.ca.as_ref().map(|it| it.display().to_string());
        for (name, value) in [
            ("sasl.mechanism", mechanism),
            ("sasl.username", security.username.clone()),
            ("ssl.ca.location", ca),
        ] {
            if let Some(value) = value {
                settings.set(name, value);
            }
        }
        if let Some(password) = &security.password {
            let password = password
                .read()
                .map_err(|error| SourceError::Secret(error.to_string()))?;
            settings.set(
                "sasl.password",
                secrecy::ExposeSecret::expose_secret(&password),
            );
        }
    }
    for (name, value) in &source.properties {
        settings.set(name, value);
    }
    Ok(settings)
}

/// Settings of the group's consumer.
///
/// # Errors
/// [`SourceError::Secret`] when the password cannot be read.
pub fn consumer(source: &Source, group: &str) -> Result<ClientConfig, SourceError> {
    let mut settings = client(source)?;
    let mut default = |name: &str, value: &str| {
        if settings.get(name).is_none() {
            settings.set(name, value);
        }
    };
    default("queued.max.messages.kbytes", QUEUE_KIB);
    // The default of a second makes gaps whenever the queue was full for a moment.
    default("fetch.queue.backoff.ms", "10");
    default("fetch.wait.max.ms", "100");
    default("topic.metadata.refresh.interval.ms", "30000");
    if source.protocol == Protocol::Classic {
        default("partition.assignment.strategy", "cooperative-sticky");
        default(
            "session.timeout.ms",
            &SESSION_TIMEOUT.as_millis().to_string(),
        );
    } else {
        settings.set("group.protocol", "consumer");
    }
    settings
        .set("group.id", group)
        // Watermarks are stored by hand and committed in the background, where the commit
        // callback says what came of it (manual asynchronous commits report nothing).
        .set("enable.auto.offset.store", "false")
        .set("enable.auto.commit", "true")
        .set("auto.commit.interval.ms", "500")
        // An offset that is not there is never answered with silence (D2).
        .set("auto.offset.reset", "error")
        // Tells where a partition ends although transaction markers lie behind the last record.
        .set("enable.partition.eof", "true")
        .set("isolation.level", "read_committed")
        .set("statistics.interval.ms", "1000");
    Ok(settings)
}

/// Settings of a consumer outside any group: to look at offsets, or to read a record again.
///
/// # Errors
/// [`SourceError::Secret`] when the password cannot be read.
pub fn reader(source: &Source) -> Result<ClientConfig, SourceError> {
    let mut settings = client(source)?;
    settings
        // librdkafka wants a group for `assign`, but nothing is ever committed under this name.
        .set("group.id", "distributary-reader")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error")
        .set("isolation.level", "read_committed")
        .set("queued.max.messages.kbytes", "1024")
        .set("fetch.wait.max.ms", "50");
    settings.remove("group.protocol");
    Ok(settings)
}

/// Settings of a client that neither reads nor writes: to ask how topics are configured.
///
/// # Errors
/// [`SourceError::Secret`] when the password cannot be read.
pub fn admin(source: &Source) -> Result<ClientConfig, SourceError> {
    let mut settings = client(source)?;
    CONSUMER_ONLY.iter().for_each(|name| {
        settings.remove(name);
    });
    Ok(settings)
}

/// Settings of the producer of dead letters: acknowledged by every replica, never twice.
///
/// # Errors
/// [`SourceError::Secret`] when the password cannot be read.
pub fn producer(source: &Source) -> Result<ClientConfig, SourceError> {
    let mut settings = admin(source)?;
    settings
        // What a topic takes of a record's size is for its broker to say; librdkafka would refuse more
        // than a megabyte by itself.
        .set("message.max.bytes", LARGEST_RECORD)
        // Not idempotent: a letter may come twice, and a producer that may not have an id yet would
        // be broken for good.
        .set("acks", "all")
        .set("linger.ms", "5");
    Ok(settings)
}

/// How long the group waits for a silent member; what the fence works with.
#[must_use]
pub fn session_timeout(source: &Source) -> Duration {
    let configured = source.properties.get("session.timeout.ms");
    let configured = configured.and_then(|text| text.parse().ok());
    configured.map_or(SESSION_TIMEOUT, Duration::from_millis)
}
