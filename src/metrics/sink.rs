//! What is counted of one sink task, and what its health is told.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use foldhash::fast::RandomState;
use prometheus::{Gauge, Histogram, IntCounter, IntCounterVec};

use super::{CAUGHT_UP, Metrics, SOURCE, age_seconds};
use crate::change::{ProjectionId, TableId};
use crate::config::Config;
use crate::delivery::Observer;
use crate::delivery::observer::Ended;
use crate::http::SinkHealth;
use crate::sink::{Outage, OutageKind};

/// The kinds of outages that alarm. Contention is the daily life of a database with rivals.
const ALARMING: [OutageKind; 4] = [
    OutageKind::Unreachable,
    OutageKind::Overloaded,
    OutageKind::Blocked,
    OutageKind::Refused,
];

const DEAD_LETTER: &str = "dead_letter";

/// Counts for one sink, its handles resolved, and tells its health.
pub struct SinkObserver {
    health: Arc<SinkHealth>,
    pipeline: String,
    target: String,
    tables: HashMap<TableId, TableMetrics, RandomState>,
    mutations: HashMap<ProjectionId, [IntCounter; Ended::ALL.len()], RandomState>,
    write: Histogram,
    coalesced: IntCounter,
    last_sync: Gauge,
    last_sync_seconds: Gauge,
    retries: IntCounterVec,
    errors: IntCounterVec,
    dead_letters: IntCounterVec,
}

struct TableMetrics {
    oldest_ms: Arc<AtomicI64>,
    latency: Histogram,
}

impl Metrics {
    /// The observer of the sink of that name: its projections and the tables that feed them.
    ///
    /// Every series starts at zero, because `increase()` does not see a counter's first value.
    #[must_use]
    pub fn sink(&self, config: &Config, name: &str, health: Arc<SinkHealth>) -> SinkObserver {
        let mut tables = HashMap::default();
        let mut mutations = HashMap::default();
        for (index, projection) in (0..).zip(&config.projections) {
            if projection.sink != name {
                continue;
            }
            let counter = |ended: Ended| {
                let labels = [name, &projection.name, ended.as_str()];
                self.mutations.with_label_values(&labels)
            };
            mutations.insert(ProjectionId(index), Ended::ALL.map(counter));
            if let Some(table) = projection.kind.from() {
                tables
                    .entry(table)
                    .or_insert_with(|| self.table(name, &config.table(table).name));
            }
        }
        let kinds = ALARMING.iter().map(|kind| kind.as_str());
        for kind in kinds.chain([DEAD_LETTER]) {
            self.errors.with_label_values(&[&self.pipeline, name, kind]);
        }
        SinkObserver {
            health,
            pipeline: self.pipeline.clone(),
            target: String::from(name),
            tables,
            mutations,
            write: self.write.with_label_values(&[name]),
            coalesced: self.coalesced.with_label_values(&[name]),
            last_sync: self.last_sync.with_label_values(&[SOURCE, name]),
            last_sync_seconds: self.last_sync_seconds.with_label_values(&[SOURCE, name]),
            retries: self.retries.clone(),
            errors: self.errors.clone(),
            dead_letters: self.dead_letters.clone(),
        }
    }

    fn table(&self, target: &str, table: &str) -> TableMetrics {
        TableMetrics {
            oldest_ms: self.lag(target, table),
            latency: self.latency.with_label_values(&[target, table]),
        }
    }
}

impl Observer for SinkObserver {
    fn applied(&mut self, table: TableId, committed_at_ms: i64, since_ms: i64) {
        if let Some(table) = self.tables.get(&table) {
            let seconds = age_seconds(since_ms, committed_at_ms);
            table.latency.observe(seconds);
        }
        let seconds = age_seconds(since_ms, 0);
        self.last_sync.set(seconds);
        self.last_sync_seconds.set(seconds);
    }

    fn ended(&mut self, projection: ProjectionId, ended: Ended, count: u64) {
        if let Some(counters) = self.mutations.get(&projection) {
            counters[ended as usize].inc_by(count);
        }
    }

    fn wrote(&mut self, took: Duration) {
        self.write.observe(took.as_secs_f64());
    }

    fn coalesced(&mut self, count: u64) {
        self.coalesced.inc_by(count);
    }

    fn retried(&mut self, outage: &Outage, count: u64) {
        let kind = outage.kind.as_str();
        self.retries
            .with_label_values(&[&self.target, kind])
            .inc_by(count);
        if ALARMING.contains(&outage.kind) {
            self.error(kind);
        }
    }

    fn dead_lettered(&mut self, kind: &str) {
        self.dead_letters
            .with_label_values(&[&self.target, kind])
            .inc();
        self.error(DEAD_LETTER);
    }

    fn outage(&mut self, outage: Option<&Outage>) {
        self.health.writes(outage);
    }

    fn oldest(&mut self, oldest: &HashMap<TableId, i64>) {
        for (id, table) in &self.tables {
            let oldest = oldest.get(id).copied().unwrap_or(CAUGHT_UP);
            table.oldest_ms.store(oldest, Ordering::Relaxed);
        }
    }
}

impl SinkObserver {
    fn error(&self, kind: &str) {
        self.errors
            .with_label_values(&[&self.pipeline, &self.target, kind])
            .inc();
    }
}
