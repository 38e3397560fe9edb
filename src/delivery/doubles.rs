//! What tests of pipelines and sink tasks put in the place of Kafka.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::dead_letter::DeadLetters;
use crate::config::{Groups, OnPoison, Protocol, Source, Table};
use crate::source::Partition;
use crate::source::reread::{Original, Originals, Reader};

/// Nothing is rejected, so nothing is read again.
struct Nothing;

impl Originals for Nothing {
    fn read(&self, _: Partition, _: i64) -> BoxFuture<'_, Result<Original, String>> {
        Box::pin(async { Err("nothing is here".to_owned()) })
    }
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
    let letters = DeadLetters::new("shop", &source, tables, &OnPoison::Stop, reader.clone());
    (letters.expect("nothing to connect to"), reader)
}
