//! Reads document projections: the index, its settings, and the fields.

use std::collections::BTreeSet;
use std::fmt::Display;

use super::super::merged::{Node, Say};
use super::super::mistake::did_you_mean;
use super::super::{Document, Field, IndexSettings, ProjectionKind};
use crate::change::TableId;

/// What Elasticsearch keeps about a document itself and refuses within it.
const METADATA_FIELDS: [&str; 12] = [
    "_doc_count",
    "_field_names",
    "_id",
    "_ignored",
    "_index",
    "_nested_path",
    "_routing",
    "_seq_no",
    "_source",
    "_tier",
    "_type",
    "_version",
];

/// Reads a document projection.
pub(super) fn document(
    node: &Node<'_>,
    from: Option<TableId>,
    when: Option<String>,
) -> Option<ProjectionKind> {
    let index = node.key("index");
    index.known_keys(&["alias", "settings"]);
    let alias = index.key("alias").required();
    let alias = alias.text().inspect(|name| check_alias(&alias, name));
    let settings = index.key("settings");
    let settings = settings.is_present().then(|| index_settings(&settings));
    let fields = node.key("fields");
    let fields = fields.is_present().then(|| read_fields(&fields));
    let (from, alias, settings) = (from?, alias?, settings.flatten());
    Some(ProjectionKind::Document(Document {
        from,
        alias,
        settings,
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
    let content = match serde_json::from_str(&text) {
        Ok(content @ serde_json::Value::Object(_)) => content,
        Ok(_) => {
            node.refuse(format!(
                "the index settings {} are no JSON object",
                path.display()
            ));
            return None;
        }
        Err(error) => {
            node.refuse(format!(
                "the index settings {} are not JSON: {error}",
                path.display()
            ));
            return None;
        }
    };
    check_settings(node, &path.display(), &content);
    Some(IndexSettings { path, content })
}

/// What Elasticsearch would say too late: when the index is made, or of each document.
fn check_settings(node: &Node<'_>, path: &impl Display, content: &serde_json::Value) {
    let known = ["settings", "mappings", "aliases"];
    for name in content.as_object().into_iter().flat_map(|it| it.keys()) {
        if !known.contains(&name.as_str()) {
            let hint = did_you_mean(name, known);
            node.refuse(
                Say::from(format!(
                    "`{name}` in {path} is nothing that an index is created with{hint}"
                ))
                .help("known there: settings, mappings, aliases"),
            );
        }
    }
    let required = content.pointer("/mappings/_routing/required");
    if required.is_some_and(|it| *it != false && it != "false") {
        node.refuse(
            Say::from(format!(
                "`_routing.required` in {path}: documents come without a routing, and Elasticsearch \
                 would refuse every one"
            ))
            .help("leave it out"),
        );
    }
}

fn read_fields(node: &Node<'_>) -> Vec<Field> {
    let mut names = BTreeSet::new();
    let items = node.items();
    if node.is_list() && items.is_empty() {
        node.refuse(Say::from("no fields").help("leave `fields` out for all columns"));
    }
    let mut read = Vec::new();
    for item in items {
        for (name, source, at) in field_sources(&item) {
            check_field(&at, &name);
            if !names.insert(name.clone()) {
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
                .help(format!(
                    "write `{{name: {column}}}`; a column whose own name has a dot cannot be named, only \
                     taken along without `fields`"
                )),
        );
    }
    vec![(column.clone(), column, item.clone())]
}

fn check_field(at: &Node<'_>, name: &str) {
    if METADATA_FIELDS.contains(&name) {
        at.refuse(
            Say::from(format!(
                "Elasticsearch keeps `{name}` for itself and would refuse every document"
            ))
            .help("give the field another name, `{name: column}`"),
        );
    }
}

/// Elasticsearch's rule for names of indices and aliases, less the number that is added.
fn check_alias(at: &Node<'_>, alias: &str) {
    let forbidden = |c: char| c.is_uppercase() || c.is_whitespace() || "\\/*?\"<>|,#:".contains(c);
    if alias.contains(forbidden) || alias.starts_with(['-', '_', '+', '.']) || alias.len() > 240 {
        at.refuse(format!(
            "`{alias}` cannot be an alias: small letters, digits, `.`, `_` and `-`, beginning with a \
             letter or digit"
        ));
    }
}
