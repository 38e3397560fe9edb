//! What one pipeline, that is one consumer group, counts.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use super::{KAFKA, Metrics};
use crate::change::TableId;
use crate::config::Config;

const COMMIT_FAILED: &str = "commit_failed";
const UNDECODABLE: &str = "undecodable";

/// The metrics of one consumer group, its handles resolved or found once.
pub struct PipelineMetrics {
    pipeline: String,
    group: String,
    /// The configured name and the topic of each table, by id.
    tables: Vec<(String, String)>,
    /// By table and outcome; there are few outcomes, and each is found once.
    events: HashMap<(TableId, &'static str), IntCounter, RandomState>,
    event_families: IntCounterVec,
    in_flight: IntGauge,
    paused: IntGauge,
    lags: HashMap<(TableId, i32), IntGauge>,
    lag_families: IntGaugeVec,
    rebalances: IntCounterVec,
    errors: IntCounterVec,
    dead_letters: IntCounterVec,
    missing_before: IntCounterVec,
}

impl Metrics {
    /// The metrics of a consumer group.
    #[must_use]
    pub fn pipeline(&self, config: &Config, group: &str) -> PipelineMetrics {
        for kind in [COMMIT_FAILED, UNDECODABLE] {
            self.errors
                .with_label_values(&[&self.pipeline, KAFKA, kind]);
        }
        let tables = config.tables.iter();
        PipelineMetrics {
            pipeline: self.pipeline.clone(),
            group: String::from(group),
            tables: tables
                .map(|table| (table.name.clone(), table.topic.clone()))
                .collect(),
            events: HashMap::default(),
            event_families: self.events.clone(),
            in_flight: self.in_flight.with_label_values(&[group]),
            paused: self.paused.with_label_values(&[group]),
            lags: HashMap::new(),
            lag_families: self.consumer_lag.clone(),
            rebalances: self.rebalances.clone(),
            errors: self.errors.clone(),
            dead_letters: self.dead_letters.clone(),
            missing_before: self.missing_before.clone(),
        }
    }
}

impl PipelineMetrics {
    /// So many records of a table were this: `change`, or the reason for ignoring them.
    pub fn records(&mut self, table: TableId, outcome: &'static str, count: u64) {
        let counter = self.events.entry((table, outcome)).or_insert_with(|| {
            let (name, _) = &self.tables[usize::from(table.0)];
            let labels = [self.group.as_str(), name, outcome];
            self.event_families.with_label_values(&labels)
        });
        counter.inc_by(count);
    }

    /// A record that cannot be decoded became a dead letter, for this kind of reason.
    pub fn dead_lettered(&self, kind: &str) {
        self.dead_letters.with_label_values(&[KAFKA, kind]).inc();
        self.error(UNDECODABLE);
    }

    /// Bytes charged to the budget, and partitions paused.
    pub fn held(&self, bytes: u64, paused: usize) {
        self.in_flight.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        self.paused.set(i64::try_from(paused).unwrap_or(i64::MAX));
    }

    /// Records of a partition that are not acknowledged yet.
    pub fn lag(&mut self, table: TableId, partition: i32, records: i64) {
        let gauge = self.lags.entry((table, partition)).or_insert_with(|| {
            let (_, topic) = &self.tables[usize::from(table.0)];
            let partition = partition.to_string();
            let labels = [self.group.as_str(), topic, &partition];
            self.lag_families.with_label_values(&labels)
        });
        gauge.set(records);
    }

    /// Partitions came to us (`assigned`).
    pub fn assigned(&self) {
        self.rebalanced("assigned");
    }

    /// Partitions left us (`revoked`, `lost`): their lag is another's to tell.
    pub fn left(&mut self, kind: &str, partitions: impl IntoIterator<Item = (TableId, i32)>) {
        self.rebalanced(kind);
        for (table, partition) in partitions {
            if self.lags.remove(&(table, partition)).is_none() {
                continue;
            }
            let (_, topic) = &self.tables[usize::from(table.0)];
            let labels = [self.group.as_str(), topic, &partition.to_string()];
            let removed = self.lag_families.remove_label_values(&labels);
            debug_assert!(removed.is_ok(), "it was made by `lag`");
        }
    }

    fn rebalanced(&self, kind: &str) {
        self.rebalances
            .with_label_values(&[&self.group, kind])
            .inc();
    }

    /// A commit failed.
    pub fn commit_failed(&self) {
        self.error(COMMIT_FAILED);
    }

    /// An update of a table with full replica identity came without its old row.
    pub fn missing_before(&self, table: TableId) {
        let (name, _) = &self.tables[usize::from(table.0)];
        self.missing_before
            .with_label_values(&[&self.group, name])
            .inc();
    }

    fn error(&self, kind: &str) {
        self.errors
            .with_label_values(&[&self.pipeline, KAFKA, kind])
            .inc();
    }
}
