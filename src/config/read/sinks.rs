//! Reads `sinks`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use redis::IntoConnectionInfo;
use url::Url;

use super::super::merged::{Node, Say};
use super::super::{Batch, Credentials, Elasticsearch, Neo4j, Redis, Sink, units};
use super::{checked_name, secret};

const MIB: u64 = 1 << 20;

/// A bulk request of 5 to 15 MB is where Elasticsearch stops getting faster.
const ELASTICSEARCH_BATCH: Batch = Batch {
    max_items: 5000,
    max_bytes: 8 << 20,
};

/// The second request is built and sent while the first is applied; more only queue in the store.
const IN_FLIGHT: u64 = 2;

/// Deletes are remembered for longer than any retry or frozen owner lasts (D6).
const GC_DELETES: Duration = Duration::from_secs(6 * 3600);

/// A session (45 s) and a request (30 s): an owner that nobody knows to be gone may still write for
/// so long, and a delete that is forgotten by then is undone.
const MIN_GC_DELETES: Duration = Duration::from_secs(75);

/// A year. More is a slip of the pen, and keeps every delete's version in the index.
const MAX_GC_DELETES: Duration = Duration::from_secs(31_557_600);

/// One pipeline of this size keeps other clients of a single-threaded Redis waiting for below 1 ms.
const REDIS_BATCH: Batch = Batch {
    max_items: 1000,
    max_bytes: 1 << 20,
};

/// Longer than a reader takes from its miss to the refill with the old value (D7).
const SECOND_UNLINK_AFTER: Duration = Duration::from_secs(1);

/// Until then neither offset nor budget is free.
const MAX_SECOND_UNLINK_AFTER: Duration = Duration::from_secs(3600);

/// Fewer rows pay a transaction's price too often, more hold locks for too long.
const NEO4J_BATCH: Batch = Batch {
    max_items: 2000,
    max_bytes: 4 << 20,
};

/// Neo4j's port where an address has none.
const BOLT: u16 = 7687;

/// The store that a projection needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Store {
    Elasticsearch,
    Redis,
    Neo4j,
}

impl Store {
    /// The word for `type`.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Elasticsearch => "elasticsearch",
            Self::Redis => "redis",
            Self::Neo4j => "neo4j",
        }
    }
}

/// Each sink under its name: its store, and itself unless it has mistakes.
pub(super) type Sinks = BTreeMap<String, (Option<Store>, Option<Sink>)>;

/// Reads them all.
pub(super) fn read(node: &Node<'_>) -> Sinks {
    let entries = node.clone().required().entries();
    if node.is_mapping() && entries.is_empty() {
        node.refuse("at least one sink is needed");
    }
    let sink = |(name, node): (String, Node<'_>)| {
        if let Err(message) = checked_name(&name) {
            node.refuse_key(message);
        }
        (name, read_sink(&node))
    };
    entries.into_iter().map(sink).collect()
}

/// Where a sink's documents or nodes lie: sinks of one address write to the same store, whatever
/// they are called. A name under which no such sink could be read stands for itself.
pub(super) fn address(sinks: &Sinks, name: &str) -> String {
    match sinks.get(name) {
        Some((_, Some(Sink::Elasticsearch(it)))) => place(&it.url),
        // Neo4j's databases are the same in any case of letters.
        Some((_, Some(Sink::Neo4j(it)))) => {
            format!("{}/{}", place(&it.uri), it.database.to_lowercase())
        }
        _ => name.to_owned(),
    }
}

/// Host, port and path; a port has one protocol, so the scheme says no more.
fn place(url: &str) -> String {
    let Ok(url) = Url::parse(url) else {
        return url.to_owned();
    };
    let host = url.host_str().unwrap_or_default().to_lowercase();
    let port = url.port_or_known_default().unwrap_or(BOLT);
    format!("{host}:{port}{}", url.path().trim_end_matches('/'))
}

fn read_sink(node: &Node<'_>) -> (Option<Store>, Option<Sink>) {
    let stores = [Store::Elasticsearch, Store::Redis, Store::Neo4j].map(|it| (it.word(), it));
    let store = node.key("type").required().choice(&stores);
    let sink = match store {
        Some(Store::Elasticsearch) => elasticsearch(node).map(Sink::Elasticsearch),
        Some(Store::Redis) => redis(node).map(Sink::Redis),
        Some(Store::Neo4j) => neo4j(node).map(Sink::Neo4j),
        None => None,
    };
    (store, sink)
}

fn elasticsearch(node: &Node<'_>) -> Option<Elasticsearch> {
    node.known_keys(&[
        "type",
        "url",
        "api_key",
        "username",
        "password",
        "ca",
        "gc_deletes",
        "batch",
        "in_flight",
    ]);
    let url = url(
        &node.key("url"),
        &["http", "https"],
        "username` and `password",
    );
    let api_key = node.key("api_key");
    let basic = credentials(node);
    if api_key.is_present() && node.key("username").is_present() {
        api_key.refuse_key("`api_key` and `username` exclude each other");
    }
    let credentials = secret(&api_key).map(Credentials::ApiKey).or(basic);
    let in_flight = node.key("in_flight").number(1..=16).unwrap_or(IN_FLIGHT);
    Some(Elasticsearch {
        credentials,
        ca: authority(node, url.as_deref(), "https"),
        gc_deletes: node
            .key("gc_deletes")
            .duration_within(MIN_GC_DELETES..=MAX_GC_DELETES)
            .unwrap_or(GC_DELETES),
        // Elasticsearch refuses requests above 100 MB (http.max_content_length).
        batch: batch(&node.key("batch"), ELASTICSEARCH_BATCH, 90 * MIB),
        in_flight: usize::try_from(in_flight).expect("the number is at most 16"),
        url: url?,
    })
}

fn redis(node: &Node<'_>) -> Option<Redis> {
    node.known_keys(&[
        "type",
        "url",
        "username",
        "password",
        "ca",
        "second_unlink_after",
        "batch",
    ]);
    let url = url(&node.key("url"), &["redis", "rediss"], "password");
    // Its client knows what may follow the address: the number of a database.
    if let Some(Err(error)) = url.as_deref().map(IntoConnectionInfo::into_connection_info) {
        node.key("url")
            .refuse(format!("this is no address of Redis: {error}"));
    }
    // Redis before version 6 knows a password and no user.
    let password = node.key("password");
    let username = node.key("username").text();
    if username.is_some() && !password.is_present() {
        password.refuse("`username` without `password`");
    }
    let credentials = secret(&password).map(|password| Credentials::Basic {
        username: username.unwrap_or_else(|| "default".to_owned()),
        password,
    });
    let after = node
        .key("second_unlink_after")
        .duration_within(Duration::ZERO..=MAX_SECOND_UNLINK_AFTER)
        .unwrap_or(SECOND_UNLINK_AFTER);
    Some(Redis {
        credentials,
        ca: authority(node, url.as_deref(), "rediss"),
        second_unlink_after: after,
        batch: batch(&node.key("batch"), REDIS_BATCH, 64 * MIB),
        url: url?,
    })
}

fn neo4j(node: &Node<'_>) -> Option<Neo4j> {
    node.known_keys(&[
        "type",
        "uri",
        "database",
        "username",
        "password",
        "create_constraints",
        "batch",
    ]);
    let schemes = [
        "bolt",
        "bolt+s",
        "bolt+ssc",
        "neo4j",
        "neo4j+s",
        "neo4j+ssc",
    ];
    let uri = url(&node.key("uri"), &schemes, "username` and `password");
    let password = node.key("password").required();
    let username = node.key("username").required().text();
    let password = secret(&password);
    Some(Neo4j {
        // The database that every Neo4j has, and the only one of the community edition.
        database: node
            .key("database")
            .text()
            .unwrap_or_else(|| "neo4j".to_owned()),
        create_constraints: node.key("create_constraints").flag().unwrap_or(true),
        batch: batch(&node.key("batch"), NEO4J_BATCH, 64 * MIB),
        uri: uri?,
        username: username?,
        password: password?,
    })
}

fn credentials(node: &Node<'_>) -> Option<Credentials> {
    let (username, password) = (node.key("username"), node.key("password"));
    match (username.is_present(), password.is_present()) {
        (true, false) => password.refuse("`username` without `password`"),
        (false, true) => username.refuse("`password` without `username`"),
        _ => {}
    }
    let (username, password) = (username.text(), secret(&password));
    Some(Credentials::Basic {
        username: username?,
        password: password?,
    })
}

/// The certificate authority, which has a meaning with an encrypted connection only.
fn authority(node: &Node<'_>, url: Option<&str>, encrypted: &str) -> Option<PathBuf> {
    let ca = node.key("ca");
    let is_plain = url.is_some_and(|it| !it.starts_with(&format!("{encrypted}://")));
    if ca.is_present() && is_plain {
        ca.refuse_key(
            Say::from("`ca` has no meaning without TLS")
                .help(format!("write `url: {encrypted}://…`")),
        );
    }
    ca.file()
}

/// A URL without user information, which would put a password into logs.
fn url(node: &Node<'_>, schemes: &[&str], instead: &str) -> Option<String> {
    let node = node.clone().required();
    let text = node.text()?;
    match units::url(&text, schemes) {
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            node.conceal();
            node.refuse(
                Say::from("a URL that holds a user or password would end up in logs").help(
                    format!("set `{instead}`; a password is `{{file: path}}` or `{{env: NAME}}`"),
                ),
            );
            None
        }
        Ok(url) if url.query().is_some() => {
            node.conceal();
            node.refuse(
                Say::from("a URL's query has no meaning here, and would end up in logs")
                    .help(format!("leave out what follows the `?`; set `{instead}`")),
            );
            None
        }
        Ok(_) => Some(text),
        Err(message) => {
            if text.contains(['@', '?']) {
                node.conceal();
            }
            node.refuse(message);
            None
        }
    }
}

fn batch(node: &Node<'_>, default: Batch, max_bytes: u64) -> Batch {
    if node.is_present() {
        node.known_keys(&["max_items", "max_bytes"]);
    }
    let items = node.key("max_items").number(1..=100_000);
    let bytes = node.key("max_bytes");
    let size = bytes.size().inspect(|size| {
        if !(1024..=max_bytes).contains(size) {
            bytes.refuse(format!(
                "expected a size from 1KiB to {}MiB",
                max_bytes / MIB
            ));
        }
    });
    let or = |value: Option<u64>, default| {
        value
            .and_then(|it| usize::try_from(it).ok())
            .unwrap_or(default)
    };
    Batch {
        max_items: or(items, default.max_items),
        max_bytes: or(size, default.max_bytes),
    }
}
