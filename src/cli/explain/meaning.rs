//! What a change means to one projection, in words that a person knows from its store.

use crate::change::{Change, ProjectionId, Value, label};
use crate::config::{NodePattern, Projection, ProjectionKind, Property, Relationship};
use crate::projector::cache::{CacheKey, CacheProjector};
use crate::projector::document::{self, Document, DocumentProjector};
use crate::projector::graph::{self, GraphMutation, GraphProjector, Json};
use crate::projector::{Mutation as _, ProjectError, Projector};

/// What a projection makes of a change.
///
/// # Errors
/// When it can never make anything of it.
pub(super) fn of(
    id: ProjectionId,
    projection: &Projection,
    table: &str,
    change: &Change<'_>,
) -> Result<Vec<String>, ProjectError> {
    const COMPILES: &str = "the configuration was validated";
    let lines = match &projection.kind {
        ProjectionKind::Document(it) => {
            let projector = DocumentProjector::new(id, table, it).expect(COMPILES);
            lines(&projector, change, |made| document(&it.alias, made))
        }
        ProjectionKind::Cache(it) => {
            let projector = CacheProjector::new(id, it, table).expect(COMPILES);
            lines(&projector, change, unlink)
        }
        ProjectionKind::Node(it) => {
            let projector = GraphProjector::node(id, table, it).expect(COMPILES);
            lines(&projector, change, |made| node(&it.node, made))
        }
        ProjectionKind::Relationship(it) => {
            let projector = GraphProjector::relationship(id, table, it).expect(COMPILES);
            lines(&projector, change, |made| relationship(it, made))
        }
        // It follows from relationships, not from a change.
        ProjectionKind::Derived(_) => Ok(Vec::new()),
    }?;
    Ok(match lines.is_empty() {
        true => vec!["nothing".to_owned()],
        false => lines,
    })
}

fn lines<P: Projector>(
    projector: &P,
    change: &Change<'_>,
    say: impl Fn(&P::Mutation) -> String,
) -> Result<Vec<String>, ProjectError> {
    let mut made = Vec::new();
    projector.project(change, &mut made)?;
    Ok(made.iter().map(say).collect())
}

fn document(alias: &str, document: &Document) -> String {
    let id = &document.key.id;
    match &document.action {
        document::Action::Index(body) => format!("index {alias}/{id}\n{}", body.as_str()),
        document::Action::Delete => format!("delete {alias}/{id}"),
        document::Action::Partial(partial) => {
            let missing: Vec<&str> = partial.missing.iter().map(AsRef::as_ref).collect();
            let missing = missing.join(", ");
            let rest = match partial.since {
                None => format!("with what the document there has of: {missing}"),
                Some(_) => format!("without what was not sent: {missing}"),
            };
            format!("index {alias}/{id}, {rest}\n{}", partial.known.as_str())
        }
    }
}

fn unlink(key: &CacheKey) -> String {
    format!("UNLINK {}", key.key())
}

fn node(pattern: &NodePattern, made: &GraphMutation) -> String {
    match &made.action {
        graph::Action::UpsertNode { key, properties } => {
            let merged = reference(pattern, key);
            format!("merge {merged}{}", set(&pattern.properties, properties))
        }
        graph::Action::DeleteNode { key } => format!(
            "delete {}, or leave a stub while other rows' relationships hold it",
            reference(pattern, key)
        ),
        _ => unreachable!("a node's projector makes nodes"),
    }
}

fn relationship(pattern: &Relationship, made: &GraphMutation) -> String {
    let kind = &pattern.kind;
    match &made.action {
        graph::Action::UpsertRelationship {
            start,
            end,
            properties,
        } => format!(
            "merge {}-[:{kind}]->{}{}",
            reference(&pattern.start, start),
            reference(&pattern.end, end),
            set(&pattern.properties, properties)
        ),
        graph::Action::DeleteRelationship => format!("delete the row's [:{kind}]"),
        _ => unreachable!("a relationship's projector makes relationships"),
    }
}

/// `(:Label {id: 1})`.
fn reference(pattern: &NodePattern, key: &[Json]) -> String {
    let key = pattern.key.iter().zip(key);
    let key: Vec<String> = key
        .map(|(it, json)| format!("{}: {json}", it.name))
        .collect();
    format!("(:{} {{{}}})", pattern.label, key.join(", "))
}

fn set(names: &[Property], properties: &graph::Properties) -> String {
    let mut lines = String::new();
    for (property, json) in names.iter().zip(&properties.values) {
        let value = json.as_deref().unwrap_or(match properties.since {
            None => "as it is: the value was not sent",
            Some(_) => "nothing: the value was not sent",
        });
        lines.push_str(&format!("\n{} = {value}", property.name));
    }
    lines
}

/// A JSON object of a row's columns.
pub(super) fn object<'a>(columns: impl Iterator<Item = (&'a str, Value<'a>)>) -> String {
    let members: Vec<String> = columns
        .map(|(name, value)| format!("{}{}", label(name), value.json().unwrap_or("null")))
        .collect();
    format!("{{{}}}", members.join(","))
}
