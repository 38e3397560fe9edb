//! Reads `projections`: what each makes of a table in a sink.

use std::collections::BTreeMap;

use super::super::merged::{Node, Say};
use super::super::mistake::did_you_mean;
use super::super::pattern::{self, PatternError};
use super::super::{
    Cache, Derived, Document, Field, IndexSettings, Invalidation, Node as NodeKind, Projection,
    ProjectionKind, Relationship, Table,
};
use super::graph;
use super::sinks::{Sinks, Store};
use super::tables::Tables;
use crate::change::TableId;

/// What a projection can make.
static KINDS: [Kind; 5] = [
    Kind {
        word: "index",
        store: Store::Elasticsearch,
        keys: &["from", "fields", "when"],
    },
    Kind {
        word: "invalidate",
        store: Store::Redis,
        keys: &["from"],
    },
    Kind {
        word: "node",
        store: Store::Neo4j,
        keys: &["from", "when"],
    },
    Kind {
        word: "relationship",
        store: Store::Neo4j,
        keys: &["from", "when"],
    },
    Kind {
        word: "derive",
        store: Store::Neo4j,
        keys: &["path"],
    },
];

/// How a kind of projection is recognised, and what it may say.
struct Kind {
    /// The key that every projection of the kind has, and no other.
    word: &'static str,
    store: Store,
    /// Its further keys besides `name` and `sink`.
    keys: &'static [&'static str],
}

/// A projection, if it could be read, and where it stands.
pub(super) type Placed<'a> = (Node<'a>, Option<Projection>);

/// What projections refer to.
struct Names<'a> {
    tables: &'a Tables,
    sinks: &'a Sinks,
}

/// The table that feeds a projection; `None` where the table itself has mistakes.
#[derive(Clone, Copy)]
struct From<'a> {
    id: TableId,
    table: Option<&'a Table>,
}

/// Reads them all.
pub(super) fn read(node: &Node<'_>, tables: &Tables, sinks: &Sinks) -> Option<Vec<Projection>> {
    let node = node.clone().required();
    let items = node.items();
    if node.is_present() && items.is_empty() {
        node.refuse("at least one projection is needed");
    }
    let names = Names { tables, sinks };
    let placed: Vec<Placed<'_>> = items
        .into_iter()
        .map(|item| (item.clone(), read_one(&item, &names)))
        .collect();
    refuse_duplicates(&placed);
    graph::check(&placed, tables);
    placed
        .into_iter()
        .map(|(_, projection)| projection)
        .collect()
}

fn read_one(node: &Node<'_>, names: &Names<'_>) -> Option<Projection> {
    if !node.is_mapping() {
        node.refuse("expected a projection, `{name: …, sink: …, …}`");
        return None;
    }
    let name = node.key("name").required().text();
    let kind = kind(node);
    let sink = sink(
        &node.key("sink").required(),
        names.sinks,
        kind.map(|it| it.store),
    );
    let kind = match kind?.word {
        "derive" => derived(node).map(ProjectionKind::Derived),
        word => fed(word, node, from(&node.key("from").required(), names.tables)),
    };
    Some(Projection {
        name: name?,
        sink: sink?,
        kind: kind?,
    })
}

fn kind(node: &Node<'_>) -> Option<&'static Kind> {
    let found: Vec<_> = KINDS
        .iter()
        .filter(|kind| node.key(kind.word).is_present())
        .collect();
    match found[..] {
        [kind] => {
            node.known_keys(&[&["name", "sink", kind.word], kind.keys].concat());
            Some(kind)
        }
        [] => {
            refuse_no_kind(node);
            None
        }
        [first, second, ..] => {
            node.key(second.word).refuse_key(format!(
                "`{}` and `{}` exclude each other; make two projections of it",
                first.word, second.word
            ));
            None
        }
    }
}

/// Most likely the key is misspelt; then that is the one mistake.
fn refuse_no_kind(node: &Node<'_>) {
    let words = KINDS.each_ref().map(|kind| kind.word);
    let further = KINDS.iter().flat_map(|kind| kind.keys);
    let known: Vec<_> = ["name", "sink"]
        .iter()
        .chain(&words)
        .chain(further)
        .copied()
        .collect();
    node.known_keys(&known);
    if node
        .entries()
        .iter()
        .all(|(key, _)| known.contains(&key.as_str()))
    {
        node.refuse(format!(
            "it does not say what to make: one of `{}`",
            words.join("`, `")
        ));
    }
}

fn sink(node: &Node<'_>, sinks: &Sinks, wanted: Option<Store>) -> Option<String> {
    let name = node.text()?;
    match (sinks.get(&name), wanted) {
        (None, _) => {
            let hint = did_you_mean(&name, sinks.keys().map(String::as_str));
            node.refuse(format!("there is no sink `{name}`{hint}"));
            None
        }
        (Some((Some(store), _)), Some(wanted)) if *store != wanted => {
            node.refuse(format!(
                "`{name}` is a sink of type {}, and this projection needs one of type {}",
                store.word(),
                wanted.word()
            ));
            None
        }
        _ => Some(name),
    }
}

fn from<'a>(node: &Node<'_>, tables: &'a Tables) -> Option<From<'a>> {
    let name = node.text()?;
    let Some(index) = tables.iter().position(|(it, _)| *it == name) else {
        let hint = did_you_mean(&name, tables.iter().map(|(name, _)| name.as_str()));
        node.refuse(format!("there is no table `{name}`{hint}"));
        return None;
    };
    Some(From {
        id: TableId(u16::try_from(index).ok()?),
        table: tables[index].1.as_ref(),
    })
}

/// The kinds that a table feeds. What does not depend on the table is checked without it too.
fn fed(word: &str, node: &Node<'_>, from: Option<From<'_>>) -> Option<ProjectionKind> {
    let value = node.key(word);
    let when = || node.key("when").text();
    match word {
        "index" => document(&value, node, from),
        "invalidate" => {
            let invalidate = value
                .items()
                .iter()
                .map(invalidation)
                .collect::<Option<Vec<_>>>();
            Some(ProjectionKind::Cache(Cache {
                from: from?.id,
                invalidate: invalidate?,
            }))
        }
        "node" => {
            let pattern = patterned(&value, pattern::node);
            let (pattern, when) = (pattern?, when());
            Some(ProjectionKind::Node(NodeKind {
                from: from?.id,
                node: pattern,
                when,
            }))
        }
        _ => {
            let pattern = patterned(&value, pattern::relationship);
            let (pattern, when) = (pattern?, when());
            Some(ProjectionKind::Relationship(Relationship {
                from: from?.id,
                start: pattern.start,
                kind: pattern.kind,
                properties: pattern.properties,
                end: pattern.end,
                when,
            }))
        }
    }
}

fn document(index: &Node<'_>, node: &Node<'_>, from: Option<From<'_>>) -> Option<ProjectionKind> {
    index.known_keys(&["alias", "settings"]);
    let alias = index.key("alias").required().text();
    let settings = index.key("settings");
    let settings = settings.is_present().then(|| index_settings(&settings));
    let fields = node.key("fields");
    let fields = fields.is_present().then(|| read_fields(&fields));
    let when = node.key("when").text();
    Some(ProjectionKind::Document(Document {
        from: from?.id,
        alias: alias?,
        settings: settings.flatten(),
        fields,
        when,
    }))
}

fn index_settings(node: &Node<'_>) -> Option<IndexSettings> {
    let path = node.file()?;
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => {
            node.refuse(format!(
                "the index settings {} cannot be read: {error}",
                path.display()
            ));
            return None;
        }
    };
    match serde_json::from_str(&text) {
        Ok(content @ serde_json::Value::Object(_)) => Some(IndexSettings { path, content }),
        Ok(_) => {
            node.refuse(format!(
                "the index settings {} are no JSON object",
                path.display()
            ));
            None
        }
        Err(error) => {
            node.refuse(format!(
                "the index settings {} are not JSON: {error}",
                path.display()
            ));
            None
        }
    }
}

fn read_fields(node: &Node<'_>) -> Vec<Field> {
    let mut fields: BTreeMap<String, ()> = BTreeMap::new();
    let items = node.items();
    if items.is_empty() {
        node.refuse(Say::from("no fields").help("leave `fields` out for all columns"));
    }
    let mut read = Vec::new();
    for item in items {
        for (name, source, at) in field_sources(&item) {
            if fields.insert(name.clone(), ()).is_some() {
                at.refuse(format!("the field `{name}` is there twice"));
            }
            let mut parts = source.split('.').map(str::to_owned);
            let column = parts.next().unwrap_or_default();
            let path: Vec<_> = parts.collect();
            if column.is_empty() || path.iter().any(String::is_empty) {
                at.refuse(format!(
                    "expected `column` or `column.member`, found `{source}`"
                ));
            }
            read.push(Field { name, column, path });
        }
    }
    read
}

/// `column`, or `{field: column}`, or `{field: column.member.of.its.json}`.
fn field_sources<'a>(item: &Node<'a>) -> Vec<(String, String, Node<'a>)> {
    if item.is_mapping() {
        let source = |(name, (source, at))| (name, source, at);
        return item.text_map().into_iter().map(source).collect();
    }
    let Some(column) = item.clone().required().text() else {
        return Vec::new();
    };
    if column.contains('.') {
        item.refuse(
            Say::from("a member of a column needs a name of its own")
                .help(format!("write `{{name: {column}}}`")),
        );
    }
    vec![(column.clone(), column, item.clone())]
}

fn invalidation(item: &Node<'_>) -> Option<Invalidation> {
    if !item.is_mapping() {
        return Some(Invalidation {
            key: item.clone().required().text()?,
            when: None,
        });
    }
    item.known_keys(&["key", "when"]);
    let (key, when) = (item.key("key").required().text(), item.key("when").text());
    Some(Invalidation { key: key?, when })
}

fn derived(node: &Node<'_>) -> Option<Derived> {
    let derive = node.key("derive");
    let shape = patterned(&derive, pattern::path);
    let path = patterned(&node.key("path").required(), pattern::path);
    let mut shape = shape?;
    if shape.len() != 1 {
        derive.refuse("expected one relationship, `(:A)-[:TYPE]->(:B)`; its path goes to `path`");
        return None;
    }
    let shape = shape.remove(0);
    Some(Derived {
        start: shape.from,
        kind: shape.kind,
        end: shape.to,
        path: path?,
    })
}

fn patterned<T>(node: &Node<'_>, parse: impl Fn(&str) -> Result<T, PatternError>) -> Option<T> {
    match parse(&node.text()?) {
        Ok(pattern) => Some(pattern),
        Err(error) => {
            node.refuse_part(error.offset, error.length, error.message);
            None
        }
    }
}

fn refuse_duplicates(placed: &[Placed<'_>]) {
    let (mut names, mut aliases) = (BTreeMap::new(), BTreeMap::new());
    for (node, _) in placed {
        if let Some(name) = node.key("name").quiet_text()
            && names.insert(name, ()).is_some()
        {
            node.key("name")
                .refuse(format!("another projection is named `{name}` already"));
        }
    }
    for (node, projection) in placed {
        let Some(Projection {
            name,
            sink,
            kind: ProjectionKind::Document(document),
        }) = projection
        else {
            continue;
        };
        if let Some(other) = aliases.insert((sink, &document.alias), name) {
            let message = format!("`{other}` writes the alias `{}` already", document.alias);
            node.key("index").key("alias").refuse(
                Say::from(message)
                    .help("two tables' keys would overwrite each other; use two aliases"),
            );
        }
    }
}
