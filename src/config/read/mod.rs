//! Reads the merged document into the tree, section by section.
//!
//! Each section gives what it can and records what it cannot, so that one run finds every mistake.
//! Nothing here uses the network or reads a secret; the only files read are the indices' settings.

mod documents;
mod expressions;
mod graph;
mod projections;
mod sinks;
mod source;
mod tables;

use std::net::SocketAddr;
use std::time::Duration;

use super::merged::{Merged, Node, Say};
use super::{Config, OnPoison, Secret, Sink};
use tables::Tables;

/// Enough for every store to have a batch in flight and one growing; far below a pod's memory.
const BUDGET: u64 = 64 << 20;

/// A smaller budget holds less than one full batch of common rows.
const MIN_BUDGET: u64 = 1 << 20;

/// More than a machine's memory is no bound on it.
const MAX_BUDGET: u64 = 1 << 40;

/// Loopback: who wants to be scraped from elsewhere says so.
const LISTEN: &str = "127.0.0.1:9464";

/// Below Kubernetes' grace period of 30 s, and with the commit below the session timeout of 45 s.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(25);

/// The first step of every path.
pub(super) const KEYS: &[&str] = &[
    "pipeline",
    "source",
    "tables",
    "sinks",
    "projections",
    "on_poison",
    "dead_letter",
    "budget",
    "http",
    "drain_timeout",
];

/// Reads the whole configuration; `None` only when a mistake is recorded.
pub(super) fn config(merged: &Merged) -> Option<Config> {
    let root = merged.root();
    root.known_keys(KEYS);
    let pipeline = root.key("pipeline").required().parse(checked_name);
    let drain_timeout = root
        .key("drain_timeout")
        .duration()
        .unwrap_or(DRAIN_TIMEOUT);
    let source_node = root.key("source").required();
    let present = source_node.is_present();
    let source = present
        .then(|| source::read(&source_node, drain_timeout))
        .flatten();
    let tables = tables::read(&root.key("tables"), &source_node);
    let sinks = sinks::read(&root.key("sinks"));
    let projections = projections::read(&root.key("projections"), &tables, &sinks);
    let on_poison = on_poison(&root, &tables);
    let listen = root.key("http");
    listen.known_keys(&["listen"]);
    let listen = listen.key("listen").parse(listen_address);
    let budget = budget(&root.key("budget"));
    // Nothing is read below: what is missing here would keep its mistakes from being found.
    Some(Config {
        pipeline: pipeline?,
        source: source?,
        tables: tables
            .into_iter()
            .map(|(_, table)| table)
            .collect::<Option<_>>()?,
        sinks: sinks.into_iter().map(named).collect::<Option<_>>()?,
        projections: projections?,
        on_poison: on_poison?,
        budget,
        listen: listen.unwrap_or_else(|| LISTEN.parse().expect("the default is an address")),
        drain_timeout,
    })
}

fn named(
    (name, (_, sink)): (String, (Option<sinks::Store>, Option<Sink>)),
) -> Option<(String, Sink)> {
    Some((name, sink?))
}

fn listen_address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| format!("expected an address and port such as `0.0.0.0:9464`, found `{text}`"))
}

fn budget(node: &Node<'_>) -> u64 {
    let size = node.size().inspect(|size| {
        if *size < MIN_BUDGET {
            node.refuse("the budget must be at least 1MiB, or no batch could grow");
        }
        if *size > MAX_BUDGET {
            node.refuse("the budget must be at most 1TiB, or it would bound no machine's memory");
        }
    });
    size.unwrap_or(BUDGET)
}

fn on_poison(root: &Node<'_>, tables: &Tables) -> Option<OnPoison> {
    let (policy, letters) = (root.key("on_poison"), root.key("dead_letter"));
    letters.known_keys(&["topic"]);
    let node = letters.key("topic");
    let topic = node.text();
    if let Some(topic) = &topic {
        tables::check_topic(&node, topic);
        if tables
            .iter()
            .flat_map(|(_, table)| table)
            .any(|table| table.topic == *topic)
        {
            node.refuse(format!(
                "`{topic}` is the topic of a table; dead letters need their own"
            ));
        }
    }
    let stop = policy
        .choice(&[("dead_letter", false), ("stop", true)])
        .unwrap_or(false);
    if stop {
        if letters.is_present() {
            letters.warn("`dead_letter` is not used with `on_poison: stop`");
        }
        return Some(OnPoison::Stop);
    }
    if !node.is_present() {
        policy.refuse(
            Say::from("a record that can never be applied has nowhere to go").help(
                "set `dead_letter: {topic: …}`, or `on_poison: stop` to stop at such a record",
            ),
        );
    }
    Some(OnPoison::DeadLetter { topic: topic? })
}

/// A name that becomes a label of metrics and part of group names.
fn checked_name(name: &str) -> Result<String, String> {
    if name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
    {
        return Ok(name.to_owned());
    }
    Err(format!(
        "`{name}` cannot be a name: letters, digits, `.`, `_` and `-` only"
    ))
}

/// `{file: path}` or `{env: NAME}`; a secret itself is refused, and kept out of what is shown.
fn secret(node: &Node<'_>) -> Option<Secret> {
    if !node.is_present() {
        return None;
    }
    if !node.is_mapping() {
        node.conceal();
        node.refuse(
            Say::from("a secret does not belong into the configuration")
                .help("name where it is kept: `{file: path}` or `{env: NAME}`"),
        );
        return None;
    }
    node.known_keys(&["file", "env"]);
    let (file, variable) = (node.key("file"), node.key("env"));
    match (file.is_present(), variable.is_present()) {
        (true, false) => file.file().map(Secret::File),
        (false, true) => variable.text().map(Secret::Env),
        (true, true) if file.layer() != variable.layer() => {
            refuse_both(node, &file, &variable);
            None
        }
        _ => {
            node.refuse("expected one of `file: path` and `env: NAME`");
            None
        }
    }
}

/// Layers are merged key by key, so the other kind of secret from a layer below is still there.
fn refuse_both(node: &Node<'_>, file: &Node<'_>, variable: &Node<'_>) {
    let mut both = [(file.layer(), "file"), (variable.layer(), "env")];
    both.sort();
    let [((_, below), lower), ((_, above), upper)] = both;
    node.refuse(
        Say::from(format!(
            "a secret is kept in one place, and `{lower}` is set in {below}, `{upper}` in {above}"
        ))
        .help(format!("write `{lower}: null` beside `{upper}` in {above}")),
    );
}
