//! A store like Neo4j: a write is one transaction, and what was not sent stays as it is.

use std::collections::BTreeMap;
use std::time::Duration;

use distributary::change::{TableId, Version};
use distributary::projector::graph::{Action, GraphMutation, Properties};
use distributary::sink::{Outcome, SinkError};
use serde_json::Value;

use super::documents::rejection;
use super::link::{Store, table};
use super::rows::{GRAPH, columns};
use super::truth::Permitted;
use super::world::State;

/// A node or, without values, its tombstone.
pub(super) struct Held {
    pub(super) version: i64,
    pub(super) values: Option<Vec<Option<Value>>>,
}

/// See the module.
#[derive(Default)]
pub(super) struct Graph(pub(super) BTreeMap<(TableId, u64), Held>);

/// The properties of a table's nodes, in order: all columns but the key.
pub(super) fn properties(table: TableId) -> &'static [&'static str] {
    &columns(table)[1..]
}

impl Held {
    /// Whether the node is what it may be.
    pub(super) fn is(
        &self,
        permitted: Option<&Permitted<'_>>,
        (table, id): (TableId, u64),
    ) -> bool {
        let (Some(values), Some(permitted)) = (&self.values, permitted) else {
            return self.values.is_none() && permitted.is_none();
        };
        let id = Value::from(id);
        permitted.is(|name| {
            let place = properties(table).iter().position(|it| *it == name);
            place.map_or(Some(&id), |place| values[place].as_ref())
        })
    }
}

fn filled(held: Option<&Held>, properties: &Properties) -> Vec<Option<Value>> {
    let since = properties.since.map_or(0, Version::get);
    let held = held.filter(|it| it.version >= since);
    let held = held.and_then(|it| it.values.as_ref());
    let sent = properties.values.iter().enumerate();
    sent.map(|(index, value)| match value {
        Some(json) => Some(serde_json::from_str(json).unwrap()),
        None => held.and_then(|it| it[index].clone()),
    })
    .collect()
}

fn is_poison(mutation: &GraphMutation) -> bool {
    let Action::UpsertNode { properties, .. } = &mutation.action else {
        return false;
    };
    let mut values = properties.values.iter().flatten();
    values.any(|it| it.contains("poison-graph"))
}

impl Store for Graph {
    const SINK: usize = GRAPH;
    const ATOMIC: bool = true;
    type Mutation = GraphMutation;
    type Request = GraphMutation;

    fn of(state: &mut State) -> &mut Self {
        &mut state.graph
    }

    fn complete(&self, mutation: &GraphMutation) -> GraphMutation {
        mutation.clone()
    }

    fn apply(
        state: &mut State,
        _: Duration,
        requests: &[GraphMutation],
        broken: &mut Vec<String>,
    ) -> Result<Vec<Outcome>, SinkError> {
        if requests.iter().any(is_poison) {
            return Err(SinkError::Refused(rejection()));
        }
        let State { graph, truth, .. } = state;
        let outcome = |it: &GraphMutation| {
            let (table, id) = (table(it.key.projection), Self::row(it).unwrap());
            let held = graph.0.get(&(table, id));
            let version = it.version.get();
            if held.is_some_and(|held| held.version > version) {
                return Outcome::Stale;
            }
            let values = match &it.action {
                Action::UpsertNode { properties, .. } => Some(filled(held, properties)),
                _ => None,
            };
            let is_whole = !values.iter().flatten().any(Option::is_none);
            let held = Held { version, values };
            let permitted = truth.at(GRAPH, (table, id), version);
            if !held.is(permitted.as_ref(), (table, id)) {
                broken.push(format!(
                    "node {table:?} {id} at {version} became {:?}, the row was {permitted:?}",
                    held.values
                ));
            }
            graph.0.insert((table, id), held);
            match is_whole {
                true => Outcome::Written,
                false => Outcome::Incomplete,
            }
        };
        Ok(requests.iter().map(outcome).collect())
    }

    fn row(mutation: &GraphMutation) -> Option<u64> {
        let id = mutation.key.row.trim_matches(['[', ']']);
        id.parse().ok()
    }
}
