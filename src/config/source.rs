//! The Kafka side: brokers, group, security, and the tables whose topics are read. Plain data.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::Secret;

/// The Kafka side.
#[derive(Debug, Clone)]
pub struct Source {
    /// `host:port` of some brokers.
    pub brokers: Vec<String>,
    /// The consumer group; with [`Groups::PerSink`] the prefix of one group for each sink.
    pub group: String,
    /// How progress is divided.
    pub groups: Groups,
    /// Which rebalance protocol the group speaks.
    pub protocol: Protocol,
    /// TLS and SASL; plain text when absent.
    pub security: Option<Security>,
    /// Further librdkafka settings, already checked against those that would break a guarantee.
    pub properties: BTreeMap<String, String>,
}

/// One group for all sinks, or one for each (D1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Groups {
    /// All sinks behind one group: the slowest decides the commit.
    Shared,
    /// A group for each sink, `<group>.<sink>`.
    PerSink,
}

/// The group's rebalance protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// The classic protocol; cooperative-sticky unless `properties` names another assignor.
    Classic,
    /// KIP-848, Kafka 4 and later.
    Consumer,
}

/// How the connection to Kafka is protected.
#[derive(Debug, Clone)]
pub struct Security {
    /// `ssl`, `sasl_ssl` or `sasl_plaintext`.
    pub protocol: String,
    /// The SASL mechanism, `plain`, `scram-sha-256` or `scram-sha-512`.
    pub mechanism: Option<String>,
    /// The SASL user.
    pub username: Option<String>,
    /// The SASL password.
    pub password: Option<Secret>,
    /// A PEM file of the certificate authority.
    pub ca: Option<PathBuf>,
}

/// One table of Postgres, known by the name that the configuration gives it.
#[derive(Debug, Clone)]
pub struct Table {
    /// The configuration's name.
    pub name: String,
    /// Postgres' schema, `source.schema` of the envelope.
    pub schema: String,
    /// Postgres' table, `source.table` of the envelope.
    pub table: String,
    /// The topic.
    pub topic: String,
    /// The columns of the record key.
    pub key: Vec<String>,
    /// Whether `before` images can be trusted.
    pub full_identity: bool,
    /// Columns whose JSON text becomes a JSON value.
    pub json: Vec<String>,
    /// The life of the topic: the upper bits of versions.
    pub epoch: u16,
    /// What a truncate does.
    pub on_truncate: OnTruncate,
}

impl Table {
    /// What to do about an update that lacks its old row.
    #[must_use]
    pub fn old_row_advice(&self) -> String {
        format!(
            "the record is older than the table's replica identity, or run ALTER TABLE {} REPLICA \
             IDENTITY FULL",
            self.sql_name()
        )
    }

    /// `schema.table`, as SQL names it.
    #[must_use]
    pub fn sql_name(&self) -> String {
        format!("{}.{}", identifier(&self.schema), identifier(&self.table))
    }
}

#[cfg(test)]
impl Table {
    /// A table of this name in tests, whose key is its `id`.
    pub(crate) fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            schema: "public".to_owned(),
            table: name.to_owned(),
            topic: format!("{name}-events"),
            key: vec!["id".to_owned()],
            full_identity: false,
            json: Vec::new(),
            epoch: 0,
            on_truncate: OnTruncate::Stop,
        }
    }
}

/// A name as it stands in SQL: in quotes, unless Postgres would take it for the same without
/// (PostgreSQL's manual, "Identifiers and Key Words").
fn identifier(name: &str) -> String {
    let is_plain = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '_';
    let begins = name.starts_with(|it: char| is_plain(it) && !it.is_ascii_digit());
    if begins && name.chars().all(is_plain) {
        return name.to_owned();
    }
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::identifier;

    #[test]
    fn a_name_that_postgres_would_fold_or_not_take_is_quoted() {
        for (name, written) in [
            ("order_items2", "order_items2"),
            ("Order", "\"Order\""),
            ("2nd", "\"2nd\""),
            ("a\"b c", "\"a\"\"b c\""),
        ] {
            assert_eq!(identifier(name), written);
        }
    }
}

/// What a truncate does (D11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnTruncate {
    /// Stop with exit code 65 and say the ways past it.
    Stop,
    /// Count it and go on.
    Ignore,
    /// Delete everything of an older version; only on topics of one partition.
    Apply,
}
