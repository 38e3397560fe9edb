//! The promises, held against what the stores really have.

use std::ops::Range;

use distributary::source::Partition;

use super::documents;
use super::rows::{CACHE, GRAPH, Record, SEARCH, What, partitions};
use super::world::State;

/// What is not done of the records that a commit passes.
pub(super) fn commit(
    state: &State,
    partition: Partition,
    range: Range<i64>,
    twice: bool,
) -> Vec<String> {
    let records = state.log.from(partition, range.start).iter();
    let passed = records.take_while(|it| it.offset < range.end);
    passed
        .filter_map(|record| undone(state, partition, record, twice))
        .collect()
}

fn undone(state: &State, partition: Partition, record: &Record, twice: bool) -> Option<String> {
    let offset = record.offset;
    let is_buried = |sink| state.letters.0.contains_key(&(partition, offset, sink));
    match &record.what {
        What::Nothing => None,
        What::Undecodable => (!is_buried(None))
            .then(|| format!("{partition:?} was committed past {offset}, which was not buried")),
        What::Change { id, cache_keys, .. } => {
            let row = (partition.table, *id);
            let documents = state.documents.0.get(&row).map_or(-1, |it| it.version);
            let graph = state.graph.0.get(&row).map_or(-1, |it| it.version);
            let stays = |key: &String| !state.cache.has_lost(key, record.at, twice);
            let missing = [
                (SEARCH, documents < offset && !is_buried(Some(SEARCH))),
                (GRAPH, graph < offset && !is_buried(Some(GRAPH))),
                (CACHE, cache_keys.iter().any(stays)),
            ];
            let sink = missing.iter().find(|(_, missing)| *missing)?.0;
            Some(format!(
                "{partition:?} was committed past {offset}, which sink {sink} does not have"
            ))
        }
    }
}

/// Whether everything was committed to the end.
pub(super) fn is_done(state: &State) -> bool {
    partitions().all(|it| state.group.committed(it) == state.log.high(it))
}

/// What is wrong when everything is said to be done.
pub(super) fn at_rest(state: &State) -> Vec<String> {
    let mut wrong = Vec::new();
    for (table, id) in state.truth.rows() {
        let row = |sink| state.truth.at_rest(sink, (table, id), &state.letters);
        let held = state.documents.0.get(&(table, id));
        let (held, permitted) = (held.and_then(|it| it.body.as_ref()), row(SEARCH));
        if !documents::is(held, permitted.as_ref()) {
            wrong.push(format!(
                "document {table:?} {id} is {held:?}, the row {permitted:?}"
            ));
        }
        let held = state.graph.0.get(&(table, id));
        let permitted = row(GRAPH);
        let is = held.map_or(permitted.is_none(), |it| {
            it.is(permitted.as_ref(), (table, id))
        });
        if !is {
            let values = held.map(|it| &it.values);
            wrong.push(format!(
                "node {table:?} {id} is {values:?}, the row {permitted:?}"
            ));
        }
    }
    wrong.extend(unburied(state));
    wrong
}

/// Poison that nothing newer has made good has to be among the dead letters.
fn unburied(state: &State) -> Vec<String> {
    let mut missing = Vec::new();
    let records = state.log.records.iter();
    let records =
        records.flat_map(|(partition, records)| records.iter().map(|it| (*partition, it)));
    for (partition, record) in records {
        let offset = record.offset;
        let mut sinks = Vec::new();
        match &record.what {
            What::Undecodable => sinks.push(None),
            What::Change { id, poison, .. } => {
                let is_last = state.truth.last(partition.table, *id) == offset;
                let poisoned = (0..poison.len()).filter(|&sink| is_last && poison[sink]);
                sinks.extend(poisoned.map(Some));
            }
            What::Nothing => {}
        }
        let unburied = sinks.into_iter().map(|sink| (partition, offset, sink));
        missing.extend(unburied.filter(|it| !state.letters.0.contains_key(it)));
    }
    let tell = |letter| format!("{letter:?} was never buried");
    missing.into_iter().map(tell).collect()
}
