//! The metrics as observers of pipelines and sink tasks.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{PipelineMetrics, SinkMetrics};
use crate::change::{ProjectionId, TableId};
use crate::delivery::observer::Ended;
use crate::http::{GroupHealth, SinkHealth};
use crate::sink::Outage;
use crate::source::Partition;
use crate::{delivery, pipeline};

/// A sink's metrics and its share of the process's health.
pub struct SinkObserver {
    /// The counters.
    pub metrics: SinkMetrics,
    /// The sink's health.
    pub health: Arc<SinkHealth>,
}

impl delivery::Observer for SinkObserver {
    fn applied(&mut self, table: TableId, committed_at_ms: i64) {
        self.metrics.applied(table, committed_at_ms);
    }

    fn ended(&mut self, projection: ProjectionId, ended: Ended, count: u64) {
        self.metrics.ended(projection, ended, count);
    }

    fn wrote(&mut self, took: Duration) {
        self.metrics.wrote(took);
    }

    fn coalesced(&mut self, count: u64) {
        self.metrics.coalesced(count);
    }

    fn retried(&mut self, outage: &Outage, count: u64) {
        self.metrics.retried(outage, count);
    }

    fn dead_lettered(&mut self, kind: &str) {
        self.metrics.dead_lettered(kind);
    }

    fn outage(&mut self, outage: Option<&Outage>) {
        self.health.writes(outage);
    }

    fn oldest(&mut self, oldest: &HashMap<TableId, i64>) {
        self.metrics.oldest(oldest);
    }
}

/// A pipeline's metrics and its share of the process's health.
pub struct PipelineObserver {
    /// The counters.
    pub metrics: PipelineMetrics,
    /// The consumer group's health.
    pub health: Arc<GroupHealth>,
}

fn named(partitions: &[Partition]) -> impl Iterator<Item = (TableId, i32)> {
    partitions.iter().map(|it| (it.table, it.number))
}

impl pipeline::Observer for PipelineObserver {
    fn alive(&mut self) {
        self.health.beat(Instant::now());
    }

    fn records(&mut self, partition: Partition, outcome: &'static str, count: u64) {
        self.metrics.records(partition.table, outcome, count);
    }

    fn dead_lettered(&mut self, kind: &str) {
        self.metrics.dead_lettered(kind);
    }

    fn held(&mut self, bytes: u64, paused: usize) {
        self.metrics.held(bytes, paused);
    }

    fn lag(&mut self, partition: Partition, records: i64) {
        self.metrics.lag(partition.table, partition.number, records);
    }

    fn rebalanced(&mut self, kind: &'static str, partitions: &[Partition]) {
        if kind == "assigned" {
            self.health.joined(true);
            self.metrics.assigned();
        } else {
            self.health.joined(kind != "lost");
            self.metrics.left(kind, named(partitions));
        }
    }

    fn missing(&mut self, topics: Vec<String>) {
        self.health.missing(topics);
    }

    fn refused(&mut self, why: String) {
        self.health.refused(why);
    }

    fn commit_failed(&mut self) {
        self.metrics.commit_failed();
    }

    fn missing_before(&mut self, partition: Partition) {
        self.metrics.missing_before(partition.table);
    }
}
