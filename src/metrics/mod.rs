//! Every metric of the process: names, labels, and the text that Prometheus scrapes.
//!
//! One [`Metrics`] for a process, with a registry of its own, so that two in one test do not meet.
//! Nothing is looked up by label on the hot path: [`SinkObserver`] and [`PipelineObserver`] hold
//! the handles. Labels are names from the configuration and error kinds, never keys or values. The
//! surprising fact: `cdc_lag_seconds` is computed when it is scraped, so it goes on growing when
//! whoever reports to it hangs.

mod family;
mod pipeline;
mod sink;

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::core::Collector;
use prometheus::process_collector::ProcessCollector;
use prometheus::{
    Gauge, GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};

use crate::clock::now_ms;
use family::Family;
pub use pipeline::PipelineObserver;
pub use sink::SinkObserver;

/// What the label `source` says: there is one system of record.
const SOURCE: &str = "postgres";

/// The `target` of what goes wrong before any store is reached.
const KAFKA: &str = "kafka";

/// Seconds from commit to acknowledgement: a store answers in milliseconds, a backlog takes hours.
const LATENCY_BUCKETS: [f64; 16] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0,
    7200.0,
];

/// Seconds of one write: a bulk request is milliseconds, and every client has its time-out.
const WRITE_BUCKETS: [f64; 13] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0,
];

/// The process's metrics. Cheap to share, safe to update from everywhere.
pub struct Metrics {
    registry: Registry,
    pipeline: String,
    lags: Mutex<Vec<Lag>>,
    lag: GaugeVec,
    latency: HistogramVec,
    write: HistogramVec,
    consumer_lag: IntGaugeVec,
    errors: IntCounterVec,
    last_sync: GaugeVec,
    last_sync_seconds: GaugeVec,
    events: IntCounterVec,
    mutations: IntCounterVec,
    coalesced: IntCounterVec,
    retries: IntCounterVec,
    in_flight: IntGaugeVec,
    paused: IntGaugeVec,
    rebalances: IntCounterVec,
    dead_letters: IntCounterVec,
    missing_before: IntCounterVec,
    ready: IntGaugeVec,
    waiting_for: IntGaugeVec,
}

/// When the oldest change that a store does not hold yet was committed, and the gauge of its age.
struct Lag {
    /// Milliseconds since the Unix epoch; [`CAUGHT_UP`] when there is none.
    oldest_ms: Arc<AtomicI64>,
    gauge: Gauge,
}

const CAUGHT_UP: i64 = i64::MAX;

impl Metrics {
    /// The metrics of a process that runs this pipeline (the configuration's name for it).
    ///
    /// # Panics
    /// Never: the names below are valid and each is registered once.
    #[must_use]
    pub fn new(pipeline: &str) -> Self {
        let registry = Registry::new();
        let of = Families(&registry);
        let metrics = Self {
            pipeline: String::from(pipeline),
            lags: Mutex::default(),
            lag: of.gauges(&family::LAG),
            latency: of.histograms(&family::LATENCY, &LATENCY_BUCKETS),
            write: of.histograms(&family::WRITE, &WRITE_BUCKETS),
            consumer_lag: of.int_gauges(&family::CONSUMER_LAG),
            errors: of.counters(&family::ERRORS),
            last_sync: of.gauges(&family::LAST_SYNC),
            last_sync_seconds: of.gauges(&family::LAST_SYNC_SECONDS),
            events: of.counters(&family::EVENTS),
            mutations: of.counters(&family::MUTATIONS),
            coalesced: of.counters(&family::COALESCED),
            retries: of.counters(&family::RETRIES),
            in_flight: of.int_gauges(&family::IN_FLIGHT),
            paused: of.int_gauges(&family::PAUSED),
            rebalances: of.counters(&family::REBALANCES),
            dead_letters: of.counters(&family::DEAD_LETTERS),
            missing_before: of.counters(&family::MISSING_BEFORE),
            ready: of.int_gauges(&family::READY),
            waiting_for: of.int_gauges(&family::WAITING_FOR),
            registry: registry.clone(),
        };
        of.build_info();
        of.register(ProcessCollector::for_self());
        metrics
    }

    /// All metrics in Prometheus' text format, as they are now.
    ///
    /// # Errors
    /// When a family cannot be encoded, which would be a defect of ours.
    pub fn render(&self) -> Result<String, prometheus::Error> {
        let now = now_ms();
        for lag in self
            .lags
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
        {
            let oldest = lag.oldest_ms.load(Ordering::Relaxed);
            lag.gauge.set(age_seconds(now, oldest));
        }
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }

    /// What the process waits for before it is ready, as `/readyz` names it.
    pub fn waits_for<'a>(&self, what: impl IntoIterator<Item = &'a str>) {
        self.waiting_for.reset();
        let mut ready = 1;
        for what in what {
            self.waiting_for.with_label_values(&[what]).set(1);
            ready = 0;
        }
        self.ready.with_label_values::<&str>(&[]).set(ready);
    }

    /// A lag that is told in commit times and scraped as an age.
    fn lag(&self, target: &str, table: &str) -> Arc<AtomicI64> {
        let oldest_ms = Arc::new(AtomicI64::new(CAUGHT_UP));
        let gauge = self.lag.with_label_values(&[SOURCE, target, table]);
        let mut lags = self.lags.lock().unwrap_or_else(PoisonError::into_inner);
        lags.push(Lag {
            oldest_ms: Arc::clone(&oldest_ms),
            gauge,
        });
        oldest_ms
    }
}

/// Makes families and registers them.
struct Families<'a>(&'a Registry);

impl Families<'_> {
    fn register<C: Collector + 'static>(&self, collector: C) {
        let registered = self.0.register(Box::new(collector));
        registered.expect("each name is registered once");
    }

    fn made<C: Collector + Clone + 'static>(&self, made: prometheus::Result<C>) -> C {
        let family = made.expect("the names and labels are valid");
        self.register(family.clone());
        family
    }

    fn gauges(&self, of: &Family) -> GaugeVec {
        self.made(GaugeVec::new(Opts::new(of.name, of.help), of.labels))
    }

    fn int_gauges(&self, of: &Family) -> IntGaugeVec {
        self.made(IntGaugeVec::new(Opts::new(of.name, of.help), of.labels))
    }

    fn counters(&self, of: &Family) -> IntCounterVec {
        self.made(IntCounterVec::new(Opts::new(of.name, of.help), of.labels))
    }

    fn histograms(&self, of: &Family, buckets: &[f64]) -> HistogramVec {
        let options = HistogramOpts::new(of.name, of.help).buckets(buckets.to_vec());
        self.made(HistogramVec::new(options, of.labels))
    }

    fn build_info(&self) {
        let (_, librdkafka) = rdkafka::util::get_rdkafka_version();
        let commit = option_env!("DISTRIBUTARY_COMMIT").unwrap_or("unknown");
        let options = Opts::new("cdc_build_info", "What runs; always 1.")
            .const_label("version", env!("CARGO_PKG_VERSION"))
            .const_label("commit", commit)
            .const_label("librdkafka", librdkafka);
        self.made(IntGauge::with_opts(options)).set(1);
    }
}

/// How long before `now` something was; 0 for what Postgres' clock puts into our future.
#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds of an age stay far below 2^53"
)]
fn age_seconds(now_ms: i64, then_ms: i64) -> f64 {
    now_ms.saturating_sub(then_ms).max(0) as f64 / 1000.0
}

#[cfg(test)]
mod tests;
