//! What tests of pipelines and sink tasks put in the place of Kafka.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use tokio::sync::watch;

use super::dead_letter::DeadLetters;
use super::grave::{Grave, Remains, Unburied};
use crate::config::{Groups, OnPoison, Protocol, Source, Table};
use crate::sink::memory::Gate;
use crate::source::reread::{Original, Originals, Reader};
use crate::source::{Fence, Partition};

/// Nothing is rejected, so nothing is read again.
struct Nothing;

impl Originals for Nothing {
    fn read(&self, _: Partition, _: i64) -> BoxFuture<'_, Result<Original, String>> {
        Box::pin(async { Err("nothing is here".to_owned()) })
    }
}

/// A grave that takes what comes once its gate is open, or one that takes nothing.
#[derive(Clone)]
pub(crate) struct Crypt {
    /// How many dead letters have come, each as often as it was sent.
    pub(crate) asked: watch::Sender<usize>,
    pub(crate) gate: Gate,
    answer: Result<(), Unburied>,
}

impl Crypt {
    pub(crate) fn closed() -> Self {
        Self {
            asked: watch::Sender::new(0),
            gate: Gate::default(),
            answer: Ok(()),
        }
    }

    pub(crate) fn open() -> Self {
        let crypt = Self::closed();
        crypt.gate.open();
        crypt
    }

    pub(crate) fn barred() -> Self {
        let answer = Err(Unburied::Failed("scripted".to_owned()));
        Self {
            answer,
            ..Self::open()
        }
    }

    /// Waits until so many have come.
    pub(crate) async fn until_asked(&self, count: usize) {
        let mut asked = self.asked.subscribe();
        let reached = asked.wait_for(|it| *it >= count);
        let reached = tokio::time::timeout(Duration::from_secs(30), reached).await;
        reached.expect("in time").expect("the sender is here");
    }
}

impl Grave for Crypt {
    fn take(&self, _: Remains) -> BoxFuture<'_, Result<(), Unburied>> {
        self.asked.send_modify(|it| *it += 1);
        Box::pin(async {
            self.gate.pass().await;
            self.answer.clone()
        })
    }
}

/// A topic that has this for every record.
struct Always(Original);

impl Originals for Always {
    fn read(&self, _: Partition, _: i64) -> BoxFuture<'_, Result<Original, String>> {
        Box::pin(async { Ok(self.0.clone()) })
    }
}

/// Finds this for every record, and puts it into a crypt.
pub(crate) fn burying(
    (tables, fence): (Arc<[Table]>, Arc<Fence>),
    original: Original,
    crypt: &Crypt,
) -> (DeadLetters, Reader) {
    let reader = Reader::of(Always(original));
    let grave = ("letters", crypt.clone());
    let letters = DeadLetters::into_grave("shop", (tables, fence), grave, reader.clone());
    (letters, reader)
}

/// Poison would stop the process, and there is nothing to be read again.
pub(crate) fn stopping(tables: Arc<[Table]>) -> (DeadLetters, Reader) {
    let source = Source {
        brokers: Vec::new(),
        group: "shop".to_owned(),
        groups: Groups::Shared,
        protocol: Protocol::Classic,
        security: None,
        properties: BTreeMap::new(),
    };
    let reader = Reader::of(Nothing);
    let ours = (tables, Arc::new(Fence::new(Duration::from_secs(3600))));
    let letters = DeadLetters::new("shop", &source, ours, &OnPoison::Stop, reader.clone());
    (letters.expect("nothing to connect to"), reader)
}
