//! What is counted of one pipeline, that is one consumer group, and what its health is told.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use foldhash::fast::RandomState;
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use super::{KAFKA, Metrics};
use crate::change::TableId;
use crate::config::Config;
use crate::http::GroupHealth;
use crate::pipeline::{Observer, Rebalance};
use crate::source::Partition;

const COMMIT_FAILED: &str = "commit_failed";
const UNDECODABLE: &str = "undecodable";

/// Counts for one consumer group, its handles resolved or found once, and tells its health.
pub struct PipelineObserver {
    health: Arc<GroupHealth>,
    pipeline: String,
    group: String,
    /// The configured name and the topic of each table, by id.
    tables: Vec<(String, String)>,
    /// By table and outcome; there are few outcomes, and each is found once.
    events: HashMap<(TableId, &'static str), IntCounter, RandomState>,
    event_families: IntCounterVec,
    in_flight: IntGauge,
    paused: IntGauge,
    lags: HashMap<Partition, IntGauge>,
    lag_families: IntGaugeVec,
    rebalances: IntCounterVec,
    errors: IntCounterVec,
    dead_letters: IntCounterVec,
    missing_before: IntCounterVec,
}

impl Metrics {
    /// The observer of a consumer group.
    #[must_use]
    pub fn pipeline(
        &self,
        config: &Config,
        group: &str,
        health: Arc<GroupHealth>,
    ) -> PipelineObserver {
        for kind in [COMMIT_FAILED, UNDECODABLE] {
            self.errors
                .with_label_values(&[&self.pipeline, KAFKA, kind]);
        }
        let tables = config.tables.iter();
        PipelineObserver {
            health,
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

impl Observer for PipelineObserver {
    fn alive(&mut self) {
        self.health.beat(Instant::now());
    }

    fn record(&mut self, partition: Partition, outcome: &'static str) {
        let key = (partition.table, outcome);
        let counter = self.events.entry(key).or_insert_with(|| {
            let (name, _) = &self.tables[usize::from(partition.table.0)];
            let labels = [self.group.as_str(), name, outcome];
            self.event_families.with_label_values(&labels)
        });
        counter.inc();
    }

    fn dead_lettered(&mut self, kind: &str) {
        self.dead_letters.with_label_values(&[KAFKA, kind]).inc();
        self.error(UNDECODABLE);
    }

    fn held(&mut self, bytes: u64, paused: usize) {
        self.in_flight.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        self.paused.set(i64::try_from(paused).unwrap_or(i64::MAX));
    }

    fn lag(&mut self, partition: Partition, records: i64) {
        let gauge = self.lags.entry(partition).or_insert_with(|| {
            let (_, topic) = &self.tables[usize::from(partition.table.0)];
            let number = partition.number.to_string();
            let labels = [self.group.as_str(), topic, &number];
            self.lag_families.with_label_values(&labels)
        });
        gauge.set(records);
    }

    fn rebalanced(&mut self, kind: Rebalance, partitions: &[Partition]) {
        self.rebalances
            .with_label_values(&[self.group.as_str(), kind.as_str()])
            .inc();
        self.health.joined(kind != Rebalance::Lost);
        if kind != Rebalance::Assigned {
            self.forget(partitions);
        }
    }

    fn missing(&mut self, topics: Vec<String>) {
        self.health.missing(topics);
    }

    fn refused(&mut self, why: String) {
        self.health.refused(why);
    }

    fn held_up(&mut self, by: String) {
        self.health.held_up(by);
    }

    fn commit_failed(&mut self) {
        self.error(COMMIT_FAILED);
    }

    fn missing_before(&mut self, partition: Partition) {
        let (name, _) = &self.tables[usize::from(partition.table.0)];
        self.missing_before
            .with_label_values(&[&self.group, name])
            .inc();
    }
}

impl PipelineObserver {
    /// The lag of partitions that have left is another's to tell.
    fn forget(&mut self, partitions: &[Partition]) {
        for partition in partitions {
            if self.lags.remove(partition).is_none() {
                continue;
            }
            let (_, topic) = &self.tables[usize::from(partition.table.0)];
            let labels = [self.group.as_str(), topic, &partition.number.to_string()];
            let removed = self.lag_families.remove_label_values(&labels);
            debug_assert!(removed.is_ok(), "it was made by `lag`");
        }
    }

    fn error(&self, kind: &str) {
        self.errors
            .with_label_values(&[&self.pipeline, KAFKA, kind])
            .inc();
    }
}
