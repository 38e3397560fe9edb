//! What graph projections must agree on: labels, merge keys, and the steps of derived paths.

use std::collections::{BTreeMap, BTreeSet};

use super::super::merged::{Node, Say};
use super::super::mistake::did_you_mean;
use super::super::{Derived, NodePattern, Projection, ProjectionKind, Property, Relationship};
use super::projections::Placed;
use super::sinks::{Sinks, address};
use super::tables::Tables;

/// What is known of the graph in one database, to which several sinks may write.
#[derive(Default)]
struct Graph<'a> {
    /// The merge key of each label that a node projection fills, and the projection.
    labels: BTreeMap<&'a str, (BTreeSet<&'a str>, &'a str)>,
    /// Each relationship projection's sink, which alone tells it to those that follow from it.
    steps: BTreeSet<(&'a str, Step<'a>)>,
    /// Each derived relationship, and the projection.
    derived: BTreeMap<Step<'a>, &'a str>,
}

/// Start, type and end.
type Step<'a> = (&'a str, &'a str, &'a str);

/// Checks all graph projections against each other, database by database.
pub(super) fn check(placed: &[Placed<'_>], tables: &Tables, sinks: &Sinks) {
    let mut graphs: BTreeMap<String, Graph<'_>> = BTreeMap::new();
    for (at, projection) in placed {
        let Some(projection) = projection else {
            continue;
        };
        let graph = graphs.entry(address(sinks, &projection.sink)).or_default();
        match &projection.kind {
            ProjectionKind::Node(node) => {
                check_key(
                    at,
                    &node.node,
                    tables[usize::from(node.from.0)]
                        .1
                        .as_ref()
                        .map(|it| &it.key[..]),
                );
                add_label(graph, at, projection, &node.node);
            }
            ProjectionKind::Relationship(it) => {
                let step = (&*it.start.label, &*it.kind, &*it.end.label);
                graph.steps.insert((&projection.sink, step));
            }
            ProjectionKind::Derived(it) => add_derived(graph, at, projection, it),
            _ => {}
        }
    }
    // A projection that could not be read may be what another one refers to.
    let complete = placed.iter().all(|(_, projection)| projection.is_some());
    for (at, projection) in placed {
        let Some(Projection { sink, kind, .. }) = projection else {
            continue;
        };
        let Some(graph) = graphs.get(&address(sinks, sink)) else {
            continue;
        };
        match kind {
            ProjectionKind::Relationship(it) => check_ends(at, it, graph, complete),
            ProjectionKind::Derived(it) => check_derived(at, (sink, it), graph, complete),
            _ => {}
        }
    }
}

fn names(properties: &[Property]) -> BTreeSet<&str> {
    properties.iter().map(|it| it.name.as_str()).collect()
}

fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names
        .into_iter()
        .map(|it| format!("`{it}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// One row is one node, so the merge key is the table's key (D15).
fn check_key(at: &Node<'_>, node: &NodePattern, key: Option<&[String]>) {
    let Some(key) = key else { return };
    let merged: BTreeSet<_> = node.key.iter().map(|it| it.column.as_str()).collect();
    let wanted: BTreeSet<_> = key.iter().map(String::as_str).collect();
    if merged != wanted {
        let found = if merged.is_empty() {
            "nothing".to_owned()
        } else {
            list(merged)
        };
        at.key("node").refuse(
            Say::from(format!(
                "the merge key of `{}` must be the table's key, {}; marked with `!` is {found}",
                node.label,
                list(wanted.iter().copied())
            ))
            .help("mark each column of the table's key, `{!id}`, and nothing else"),
        );
    }
}

fn add_label<'a>(
    graph: &mut Graph<'a>,
    at: &Node<'_>,
    projection: &'a Projection,
    node: &'a NodePattern,
) {
    let new = (names(&node.key), projection.name.as_str());
    if let Some((_, other)) = graph.labels.insert(&node.label, new) {
        at.key("node").refuse(format!(
            "`{other}` fills the label `{}` already; two tables' keys would overwrite each other",
            node.label
        ));
    }
}

/// Each would delete what only the other's path leads to.
fn add_derived<'a>(
    graph: &mut Graph<'a>,
    at: &Node<'_>,
    projection: &'a Projection,
    derived: &'a Derived,
) {
    let made = (&*derived.start, &*derived.kind, &*derived.end);
    if let Some(other) = graph.derived.insert(made, &projection.name) {
        let (start, kind, end) = made;
        at.key("derive").refuse(
            Say::from(format!(
                "`{other}` derives (:{start})-[:{kind}]->(:{end}) already; each would delete the other's"
            ))
            .help("give each path a type of its own"),
        );
    }
}

fn check_ends(at: &Node<'_>, relationship: &Relationship, graph: &Graph<'_>, complete: bool) {
    let at = at.key("relationship");
    for end in [&relationship.start, &relationship.end] {
        if !end.properties.is_empty() {
            at.refuse(
                Say::from(format!(
                    "an end names merge keys only, and {} of `{}` is not marked as one",
                    list(names(&end.properties)),
                    end.label
                ))
                .help("mark what the node is found by, `{!id: column}`, and leave the rest out"),
            );
            continue;
        }
        if end.key.is_empty() {
            at.refuse(format!(
                "the end `{}` does not say which node: add `{{!id: column}}`",
                end.label
            ));
            continue;
        }
        match graph.labels.get(end.label.as_str()) {
            Some((key, other)) if *key != names(&end.key) => at.refuse(format!(
                "`{}` is found by {}, as `{other}` says, and this end names {}",
                end.label,
                list(key.iter().copied()),
                list(names(&end.key))
            )),
            None if complete => at.warn(
                Say::from(format!(
                    "no projection fills the label `{}`{}: its nodes stay stubs with nothing but their key",
                    end.label,
                    did_you_mean(&end.label, graph.labels.keys().copied())
                ))
                .help(format!("add a projection with `node: \"(:{} {{…}})\"`", end.label)),
            ),
            _ => {}
        }
    }
}

fn check_derived(
    at: &Node<'_>,
    (sink, derived): (&str, &Derived),
    graph: &Graph<'_>,
    complete: bool,
) {
    let (first, last) = (&derived.path[0], &derived.path[derived.path.len() - 1]);
    if (&first.from, &last.to) != (&derived.start, &derived.end) {
        at.key("path").refuse(format!(
            "the path leads from `{}` to `{}`, and the relationship from `{}` to `{}`",
            first.from, last.to, derived.start, derived.end
        ));
    }
    let own = graph.steps.iter().any(|(_, step)| step.1 == derived.kind);
    if own {
        at.key("derive").refuse(format!(
            "`{}` is the type of a relationship that rows make; a derived one needs a type of its own",
            derived.kind
        ));
    }
    for step in &derived.path {
        let made = (&*step.from, &*step.kind, &*step.to);
        if !graph.steps.contains(&(sink, made)) && complete {
            let of_sink = graph.steps.iter().filter(|(it, _)| *it == sink);
            let known = of_sink.map(|(_, (a, kind, b))| format!("(:{a})-[:{kind}]->(:{b})"));
            at.key("path").refuse(
                Say::from(format!(
                    "no projection of this sink makes (:{})-[:{}]->(:{})",
                    step.from, step.kind, step.to
                ))
                .help(format!(
                    "there are {}",
                    known.collect::<Vec<_>>().join(", ")
                )),
            );
        }
    }
}
