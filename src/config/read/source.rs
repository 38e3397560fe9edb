//! Reads `source`.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::merged::{Node, Say};
use super::super::{COMMIT_DEADLINE, Groups, Protocol, Security, Source, librdkafka, units};
use super::secret;

const KEYS: &[&str] = &[
    "brokers",
    "group",
    "groups",
    "topic",
    "prefix",
    "protocol",
    "security",
    "properties",
];

/// Reads it all.
pub(super) fn read(node: &Node<'_>, drain_timeout: Duration) -> Option<Source> {
    node.known_keys(KEYS);
    let brokers = brokers(node);
    let group = node.key("group").required().parse(group_name);
    let groups = node.key("groups");
    let groups = groups.choice(&[("shared", Groups::Shared), ("per_sink", Groups::PerSink)]);
    let protocol = node.key("protocol");
    let protocol = protocol
        .choice(&[
            ("classic", Protocol::Classic),
            ("consumer", Protocol::Consumer),
        ])
        // Every broker speaks the classic one; KIP-848 needs Kafka 4.
        .unwrap_or(Protocol::Classic);
    let security = node.key("security");
    let security = security.is_present().then(|| read_security(&security));
    let properties = properties(&node.key("properties"), protocol, drain_timeout);
    Some(Source {
        brokers,
        group: group?,
        groups: groups.unwrap_or(Groups::Shared),
        protocol,
        security: security.flatten(),
        properties,
    })
}

fn group_name(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("expected the name of a consumer group, found white space".to_owned()),
        _ => Ok(text.to_owned()),
    }
}

fn brokers(node: &Node<'_>) -> Vec<String> {
    let node = node.key("brokers").required();
    let brokers = node.texts();
    // A text may be a list of nothing, too: `[]` or `,` from outside.
    let is_list = node.is_list() || node.quiet_text().is_some_and(|it| !it.is_empty());
    if brokers.is_empty() && is_list {
        node.refuse("at least one broker is needed");
    }
    for (broker, at) in &brokers {
        if broker.contains('@') {
            at.conceal();
            at.refuse(
                Say::from("a broker is `host:port`, without a user and password")
                    .help("set `source.security`"),
            );
        } else if let Err(message) = units::broker(broker) {
            at.refuse(message);
        }
    }
    brokers.into_iter().map(|(broker, _)| broker).collect()
}

fn read_security(node: &Node<'_>) -> Option<Security> {
    node.known_keys(&["protocol", "mechanism", "username", "password", "ca"]);
    let protocols = ["ssl", "sasl_ssl", "sasl_plaintext"].map(|it| (it, it.to_owned()));
    let mechanisms = ["plain", "scram-sha-256", "scram-sha-512"].map(|it| (it, it.to_owned()));
    let protocol = node.key("protocol").required().choice(&protocols);
    let security = Security {
        mechanism: node.key("mechanism").choice(&mechanisms),
        username: node.key("username").text(),
        password: secret(&node.key("password")),
        ca: node.key("ca").file(),
        protocol: protocol?,
    };
    check_security(node, &security);
    Some(security)
}

fn check_security(node: &Node<'_>, security: &Security) {
    let sasl = security.protocol.starts_with("sasl_");
    for name in ["mechanism", "username", "password"] {
        let node = node.key(name);
        if sasl {
            let _present = node.required();
        } else if node.is_present() {
            node.refuse_key(
                Say::from(format!("`{name}` has no meaning with `protocol: ssl`"))
                    .help("write `protocol: sasl_ssl`"),
            );
        }
    }
    if security.protocol == "sasl_plaintext" {
        if security.ca.is_some() {
            node.key("ca").refuse_key("`ca` has no meaning without TLS");
        }
        if security.mechanism.as_deref() == Some("plain") {
            node.key("mechanism").warn(
                Say::from("the password crosses the network in clear text")
                    .help("use `protocol: sasl_ssl`, or a scram mechanism"),
            );
        }
    }
}

fn properties(
    node: &Node<'_>,
    protocol: Protocol,
    drain_timeout: Duration,
) -> BTreeMap<String, String> {
    let properties = node.text_map();
    for (name, (value, at)) in &properties {
        if let Some(reason) = librdkafka::refusal(name, value, protocol) {
            // A misspelt name may be that of a secret; the reason says enough of other values.
            at.conceal();
            at.refuse_key(format!("`{name}` cannot be set here: {reason}"));
        }
    }
    let own = |name| {
        properties
            .get(name)
            .and_then(|(value, at)| Some((value.parse().ok()?, at)))
    };
    for mut limit in limits(protocol) {
        let at = match own(limit.name) {
            Some((ms, at)) => {
                limit.after = Duration::from_millis(ms);
                at.clone()
            }
            None => node.whole().root().key("drain_timeout"),
        };
        check_drain(&at, drain_timeout, &limit);
    }
    let properties: BTreeMap<_, _> = properties
        .into_iter()
        .map(|(name, (value, _))| (name, value))
        .collect();
    // What is wrong by itself is wrong together, too.
    if !properties.is_empty()
        && node.whole().is_sound()
        && let Some(reason) = librdkafka::refusal_together(&properties, protocol)
    {
        node.refuse_key(format!("librdkafka refuses these settings: {reason}"));
    }
    properties
}

/// What a drain must have ended before.
struct Limit {
    name: &'static str,
    after: Duration,
    /// What happens then.
    why: &'static str,
    help: &'static str,
}

fn limits(protocol: Protocol) -> [Limit; 2] {
    const RAISE: &str = "lower `drain_timeout`, or raise the limit in `source.properties`";
    [
        Limit {
            name: "max.poll.interval.ms",
            after: librdkafka::MAX_POLL_INTERVAL,
            why: "the broker gives the partitions away",
            help: RAISE,
        },
        Limit {
            name: "session.timeout.ms",
            after: librdkafka::SESSION_TIMEOUT,
            why: "an owner counts as replaced and writes no more",
            help: match protocol {
                Protocol::Classic => RAISE,
                Protocol::Consumer => {
                    "lower `drain_timeout`; only with `protocol: classic` can this limit be raised, \
                     in `source.properties`"
                }
            },
        },
    ]
}

/// A revoke waits for what is in flight and then commits; after the limit both are in vain (D14).
fn check_drain(at: &Node<'_>, drain_timeout: Duration, limit: &Limit) {
    if drain_timeout.saturating_add(COMMIT_DEADLINE) < limit.after {
        return;
    }
    let [drain, commit, after] =
        [drain_timeout, COMMIT_DEADLINE, limit.after].map(humantime::format_duration);
    at.refuse(
        Say::from(format!(
            "`drain_timeout` ({drain}) and the commit after it ({commit}) must stay below {} \
             ({after}), after which {}",
            limit.name, limit.why
        ))
        .help(limit.help),
    );
}
