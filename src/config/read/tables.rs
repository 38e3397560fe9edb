//! Reads `tables`, and the names of their topics.

use std::collections::BTreeMap;

use super::super::merged::{Node, Say};
use super::super::mistake::did_you_mean;
use super::super::{OnTruncate, Table};

/// What Debezium names topics without a RegexRouter.
const TOPIC: &str = "{prefix}.{schema}.{table}";

/// The upper 15 bits of a version, which is a positive 63-bit number (D3).
const MAX_EPOCH: u64 = (1 << 15) - 1;

const KEYS: &[&str] = &[
    "schema",
    "table",
    "topic",
    "key",
    "replica_identity",
    "json",
    "epoch",
    "on_truncate",
];

/// Each table under its name, in the order of names; `None` where it has mistakes.
pub(super) type Tables = Vec<(String, Option<Table>)>;

/// Reads them all.
pub(super) fn read(node: &Node<'_>, source: &Node<'_>) -> Tables {
    let topics = Topics::read(source);
    let entries = node.clone().required().entries();
    if node.is_mapping() && entries.is_empty() {
        node.refuse("at least one table is needed");
    }
    let tables: Vec<_> = entries
        .into_iter()
        .map(|(name, node)| (read_table(&name, &node, &topics), name, node))
        .collect();
    refuse_shared(&tables);
    tables
        .into_iter()
        .map(|(table, name, _)| (name, table))
        .collect()
}

fn read_table(name: &str, node: &Node<'_>, topics: &Topics<'_>) -> Option<Table> {
    node.known_keys(KEYS);
    let schema = node
        .key("schema")
        .text()
        .unwrap_or_else(|| "public".to_owned());
    let table = node.key("table").text().unwrap_or_else(|| name.to_owned());
    let topic = topics.topic(node, &schema, &table);
    let key = read_key(node);
    let identities = [("default", false), ("full", true)];
    let truncates = [
        ("stop", OnTruncate::Stop),
        ("ignore", OnTruncate::Ignore),
        ("apply", OnTruncate::Apply),
    ];
    let epoch = node.key("epoch").number(0..=MAX_EPOCH).unwrap_or(0);
    // What Postgres does unless it is told otherwise.
    let full_identity = node
        .key("replica_identity")
        .choice(&identities)
        .unwrap_or(false);
    let json = node
        .key("json")
        .texts()
        .into_iter()
        .map(|(column, _)| column)
        .collect();
    // A truncate that is neither applied nor noticed would leave every store wrong (D11).
    let on_truncate = node
        .key("on_truncate")
        .choice(&truncates)
        .unwrap_or(OnTruncate::Stop);
    Some(Table {
        name: name.to_owned(),
        schema,
        table,
        topic: topic?,
        key: key?,
        full_identity,
        json,
        epoch: u16::try_from(epoch).expect("the number is below 2^15"),
        on_truncate,
    })
}

fn read_key(node: &Node<'_>) -> Option<Vec<String>> {
    if node.is_present() && !node.is_mapping() {
        return None;
    }
    let key = node.key("key");
    if !key.is_present() {
        key.refuse(
            Say::from(
                "the table has no `key`: its changes could not be told apart or put in order",
            )
            .help(
                "write the primary key's columns, `key: [id]`; for a table without one, set \
                     the connector's `message.key.columns` and name those columns",
            ),
        );
        return None;
    }
    let mut columns = Vec::new();
    for (column, at) in key.texts() {
        if columns.contains(&column) {
            at.refuse(format!("the key column `{column}` is there twice"));
        }
        columns.push(column);
    }
    if columns.is_empty() {
        key.refuse("the key needs at least one column");
        return None;
    }
    Some(columns)
}

/// A bare tombstone is attributed by its topic (D4), and `source.schema` and `source.table` decide
/// for everything else.
fn refuse_shared(tables: &[(Option<Table>, String, Node<'_>)]) {
    let (mut topics, mut identities) = (BTreeMap::new(), BTreeMap::new());
    for (table, name, node) in tables {
        let Some(table) = table else { continue };
        if let Some(other) = topics.insert(&table.topic, name) {
            node.refuse_key(
                Say::from(format!(
                    "`{name}` and `{other}` share the topic {}; a tombstone could not be told to \
                     belong to either",
                    table.topic
                ))
                .help(
                    "give each table a topic of its own in the connector, and name it with `topic`",
                ),
            );
        }
        if let Some(other) = identities.insert((&table.schema, &table.table), name) {
            node.refuse_key(format!(
                "`{name}` and `{other}` are the same table, {}.{}",
                table.schema, table.table
            ));
        }
    }
}

/// How topics are named.
struct Topics<'a> {
    node: Node<'a>,
    /// `None` where it has a mistake.
    template: Option<String>,
    prefix: Option<String>,
}

impl<'a> Topics<'a> {
    fn read(source: &Node<'a>) -> Self {
        let node = source.key("topic");
        let template = match node.is_present() {
            true => node.parse(topic_template),
            false => Some(TOPIC.to_owned()),
        };
        let prefix = source.key("prefix").text();
        Self {
            node,
            template,
            prefix,
        }
    }

    fn topic(&self, node: &Node<'_>, schema: &str, table: &str) -> Option<String> {
        let own = node.key("topic");
        if own.is_present() {
            return own.text().inspect(|topic| check_topic(&own, topic));
        }
        let template = self.template.as_deref()?;
        if template.contains("{prefix}") && self.prefix.is_none() {
            node.refuse_key(
                Say::from(format!(
                    "the topic of `{table}` is not known: `{template}` needs `source.prefix`"
                ))
                .help("set `source.prefix` to the connector's topic.prefix, or `source.topic`"),
            );
            return None;
        }
        let prefix = self.prefix.as_deref().unwrap_or_default();
        let topic = template.replace("{prefix}", prefix);
        let topic = topic.replace("{schema}", schema).replace("{table}", table);
        check_topic(
            if self.node.is_present() {
                &self.node
            } else {
                node
            },
            &topic,
        );
        Some(topic)
    }
}

fn topic_template(text: &str) -> Result<String, String> {
    let known = ["prefix", "schema", "table"];
    for part in text.split('{').skip(1) {
        let name = part.split_once('}').map_or(part, |(name, _)| name);
        if !known.contains(&name) {
            let hint = did_you_mean(name, known);
            return Err(format!(
                "`{{{name}}}` is none of {{prefix}}, {{schema}}, {{table}}{hint}"
            ));
        }
    }
    Ok(text.to_owned())
}

/// Kafka's rule for names of topics.
pub(super) fn check_topic(at: &Node<'_>, topic: &str) {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if topic.len() > 249 || !topic.chars().all(allowed) || matches!(topic, "" | "." | "..") {
        at.refuse(format!(
            "`{topic}` cannot be a topic: letters, digits, `.`, `_` and `-`, at most 249"
        ));
    }
}
