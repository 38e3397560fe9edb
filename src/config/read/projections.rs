//! Reads `projections`: what each makes of a table in a sink.

use std::collections::BTreeMap;

use super::super::merged::{Merged, Node, Say};
use super::super::mistake::did_you_mean;
use super::super::pattern::{self, PatternError, RelationshipPattern};
use super::super::{
    Cache, Derived, Invalidation, Node as NodeKind, OnTruncate, Projection, ProjectionKind,
    Relationship, Table,
};
use super::documents::document;
use super::expressions::{key_condition, row_condition, template};
use super::graph;
use super::sinks::{Sinks, Store, address};
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
    if node.is_list() && items.is_empty() {
        node.refuse("at least one projection is needed");
    }
    let names = Names { tables, sinks };
    let placed: Vec<Placed<'_>> = items
        .into_iter()
        .map(|item| (item.clone(), read_one(&item, &names)))
        .collect();
    refuse_duplicates(&placed, sinks);
    graph::check(&placed, tables, sinks);
    refuse_truncated_caches(node.whole(), &placed, tables);
    warn_unused(node.whole(), &placed, &names);
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
    let table = from.and_then(|from| from.table);
    let from = from.map(|from| from.id);
    let value = node.key(word);
    let when = || row_condition(&node.key("when"), table);
    match word {
        "index" => document(node, from, when()),
        "invalidate" => cache(&value, from, table),
        "node" => {
            let (node, when) = (patterned(&value, pattern::node), when());
            Some(ProjectionKind::Node(NodeKind {
                from: from?,
                node: node?,
                when,
            }))
        }
        _ => {
            let (pattern, when) = (patterned(&value, pattern::relationship), when());
            let RelationshipPattern {
                start,
                kind,
                properties,
                end,
            } = pattern?;
            let from = from?;
            Some(ProjectionKind::Relationship(Relationship {
                from,
                start,
                kind,
                properties,
                end,
                when,
            }))
        }
    }
}

fn cache(node: &Node<'_>, from: Option<TableId>, table: Option<&Table>) -> Option<ProjectionKind> {
    let items = node.items();
    if node.is_list() && items.is_empty() {
        node.refuse("no key to invalidate");
    }
    let read: Vec<_> = items.iter().map(|item| invalidation(item, table)).collect();
    let invalidate = read.into_iter().collect::<Option<_>>()?;
    Some(ProjectionKind::Cache(Cache {
        from: from?,
        invalidate,
    }))
}

fn invalidation(item: &Node<'_>, table: Option<&Table>) -> Option<Invalidation> {
    if !item.is_mapping() {
        let key = template(&item.clone().required(), table)?;
        return Some(Invalidation { key, when: None });
    }
    item.known_keys(&["key", "when"]);
    let key = template(&item.key("key").required(), table);
    let when = key_condition(&item.key("when"), table);
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

fn refuse_duplicates(placed: &[Placed<'_>], sinks: &Sinks) {
    let (mut names, mut aliases) = (BTreeMap::new(), BTreeMap::new());
    for (node, _) in placed {
        if let Some(name) = node.key("name").quiet_text()
            && names.insert(name, ()).is_some()
        {
            node.key("name")
                .refuse(format!("another projection is named `{name}` already"));
        }
    }
    let documents = || {
        placed.iter().filter_map(|(node, projection)| {
            let projection = projection.as_ref()?;
            match &projection.kind {
                ProjectionKind::Document(it) => {
                    let place = address(sinks, &projection.sink);
                    Some((node, place, projection, it.alias.as_str()))
                }
                _ => None,
            }
        })
    };
    for (node, place, projection, alias) in documents() {
        if let Some(other) = aliases.insert((place, alias), &projection.name) {
            node.key("index").key("alias").refuse(
                Say::from(format!("`{other}` writes the alias `{alias}` already"))
                    .help("two tables' keys would overwrite each other; use two aliases"),
            );
        }
    }
    // The name of an index is none for an alias.
    for (node, place, _, alias) in documents() {
        if let Some(before) = alias.strip_suffix("-000001")
            && let Some(other) = aliases.get(&(place, before))
        {
            node.key("index").key("alias").refuse(
                Say::from(format!(
                    "`{alias}` is the index behind the alias of `{other}`"
                ))
                .help("use another alias"),
            );
        }
    }
}

/// The keys of a cache are made of rows, and a truncate brings none (D11).
fn refuse_truncated_caches(merged: &Merged, placed: &[Placed<'_>], tables: &Tables) {
    let projections = || placed.iter().flat_map(|(_, projection)| projection);
    for (index, (name, table)) in tables.iter().enumerate() {
        let is_applied = |it: &Table| it.on_truncate == OnTruncate::Apply;
        let is_fed = |it: &&Projection| matches!(&it.kind, ProjectionKind::Cache(cache) if usize::from(cache.from.0) == index);
        if table.as_ref().is_some_and(is_applied)
            && let Some(cache) = projections().find(is_fed)
        {
            let node = merged.root().key("tables").key(name).key("on_truncate");
            node.refuse(
                Say::from(format!(
                    "`{}` cannot apply a truncate of `{name}`: its keys are made of rows, and a \
                     truncate does not say which rows there were",
                    cache.name
                ))
                .help("write `stop`, or `ignore` where the cached values have a time to live"),
            );
        }
    }
}

/// What nothing refers to was probably meant to be used; told when nothing worse is to be told.
fn warn_unused(merged: &Merged, placed: &[Placed<'_>], names: &Names<'_>) {
    if !merged.is_sound() {
        return;
    }
    let projections = || {
        placed
            .iter()
            .filter_map(|(_, projection)| projection.as_ref())
    };
    for (index, (name, _)) in names.tables.iter().enumerate() {
        let feeds = |it: &Projection| it.kind.from().is_some_and(|id| usize::from(id.0) == index);
        if !projections().any(feeds) {
            let node = merged.root().key("tables").key(name);
            node.warn_key(format!("no projection reads the table `{name}`"));
        }
    }
    for name in names.sinks.keys() {
        if !projections().any(|it| it.sink == *name) {
            let node = merged.root().key("sinks").key(name);
            node.warn_key(format!("no projection writes to the sink `{name}`"));
        }
    }
}
