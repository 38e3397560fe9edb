//! The dead-letter topic, and reading records again.

use std::collections::BTreeMap;
use std::sync::Arc;

use distributary::delivery::grave::{Grave, Remains, Unburied};
use distributary::source::Partition;
use distributary::source::reread::{Missing, Original, Originals};
use futures_util::future::BoxFuture;

use super::process::Process;
use super::rows::{ITEMS, What};
use super::world::{State, World};

/// What a dead letter says: the record, and the sink that cannot take it.
pub(super) type Letter = (Partition, i64, Option<usize>);

/// How often each was written.
#[derive(Default)]
pub(super) struct Letters(pub(super) BTreeMap<Letter, usize>);

/// One process' way to the topics.
#[derive(Clone)]
pub(super) struct Post {
    pub(super) world: Arc<World>,
    pub(super) process: Arc<Process>,
}

impl Originals for Post {
    fn read(&self, partition: Partition, offset: i64) -> BoxFuture<'_, Result<Original, String>> {
        Box::pin(async move {
            self.process.step().await;
            if self.world.strikes(0.3) {
                return Err("no answer".to_owned());
            }
            let state = self.world.lock();
            let Some(record) = state.log.at(partition, offset) else {
                // It was delivered.
                let missing = Some(Missing::Compacted);
                return Ok(Original {
                    missing,
                    ..Original::default()
                });
            };
            Ok(Original {
                timestamp_ms: record.timestamp_ms,
                key: Some(record.key.clone()),
                value: record.value.clone(),
                headers: record.headers.clone(),
                missing: None,
            })
        })
    }
}

impl Grave for Post {
    fn take(&self, remains: Remains) -> BoxFuture<'_, Result<(), Unburied>> {
        Box::pin(async move {
            self.process.step().await;
            if self.world.strikes(0.2) {
                return Err(Unburied::Failed("no answer".to_owned()));
            }
            let letter = letter(&remains);
            let how = verify(&self.world.lock(), letter, &remains);
            how.into_iter().for_each(|how| self.world.broken(how));
            self.world.note(format_args!("dead letter {letter:?}"));
            *self.world.lock().letters.0.entry(letter).or_default() += 1;
            self.process.step().await;
            if self.world.strikes(0.2) {
                return Err(Unburied::Failed("the answer was lost".to_owned()));
            }
            Ok(())
        })
    }
}

fn letter(remains: &Remains) -> Letter {
    let header = |name: &str| {
        let found = remains.headers.iter().find(|(it, _)| it == name);
        found.map(|(_, value)| String::from_utf8(value.clone().unwrap()).unwrap())
    };
    let number = |name: &str| header(name).unwrap().parse::<i64>().unwrap();
    let sinks = ["search", "cache", "graph"];
    let sink = header("distributary.sink");
    assert_eq!(header("__connect.errors.topic").unwrap(), "items-events");
    let partition = Partition {
        table: ITEMS,
        number: i32::try_from(number("__connect.errors.partition")).unwrap(),
    };
    let sink = sink.map(|sink| sinks.iter().position(|it| *it == sink).unwrap());
    let offset = number("__connect.errors.offset");
    if sink.is_some() {
        assert_eq!(number("distributary.version"), offset, "its own version");
    }
    (partition, offset, sink)
}

/// Only poison is buried, as it was, and only for whom it is poison.
fn verify(state: &State, letter: Letter, remains: &Remains) -> Option<String> {
    let (partition, offset, sink) = letter;
    let Some(record) = state.log.at(partition, offset) else {
        return Some(format!("{letter:?} is no record"));
    };
    let is_due = match (&record.what, sink) {
        (What::Undecodable, None) => true,
        (What::Change { poison, .. }, Some(sink)) => poison[sink],
        _ => false,
    };
    let is_whole = remains.value == record.value && remains.key.as_ref() == Some(&record.key);
    (!is_due || !is_whole).then(|| format!("{letter:?} is no poison, or not as it was"))
}
