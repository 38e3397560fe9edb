//! What goes on while the workload runs: an application reads, versions and lags are watched.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;
use checker::cache::Reader;
use checker::{Report, Sampler, Stores, compare};
use instance::{Endpoint, Metrics};
use workload::Session;

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(250);

/// What was seen.
#[derive(Default)]
pub(crate) struct Watch {
    /// The worst lag in seconds, per store.
    pub(crate) worst: BTreeMap<String, f64>,
    /// The versions that were looked at.
    pub(crate) sampler: Sampler,
    /// The last scrape.
    pub(crate) metrics: Metrics,
    /// The last one before the workload began.
    pub(crate) before: Metrics,
}

impl Watch {
    /// Waits until the stores hold what is there before the workload, so that what is counted are the
    /// changes that follow, and servers that have just been started have done most of it once; the
    /// last comparison either way.
    pub(crate) async fn begin(
        &mut self,
        stores: &Stores,
        program: &Endpoint,
        patience: Duration,
    ) -> Result<Report> {
        let report = self.until_equal(stores, program, patience).await?;
        self.before = program.metrics().await?;
        self.worst.clear();
        Ok(report)
    }

    /// Runs the workload with a reader of the cache beside it.
    pub(crate) async fn during(
        &mut self,
        session: &mut Session,
        stores: &Stores,
        program: &Endpoint,
    ) -> Result<()> {
        let mut reader = Reader::connect(&stores.targets).await?;
        tokio::select! {
            done = session.run() => { done?; }
            failed = reader.run() => failed?,
            failed = self.look_on(stores, program) => failed?,
        }
        // A page is read once more after the last change: what it caches must be swept, too.
        reader.round(50).await
    }

    /// Waits until nothing lags and nothing differs; the last comparison either way.
    pub(crate) async fn until_equal(
        &mut self,
        stores: &Stores,
        program: &Endpoint,
        patience: Duration,
    ) -> Result<Report> {
        let start = Instant::now();
        loop {
            self.look(stores, program).await?;
            let late = start.elapsed() > patience;
            if late || self.metrics.caught_up() {
                let report = compare(stores).await?;
                if late || report.is_equal() {
                    return Ok(report);
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn look_on(&mut self, stores: &Stores, program: &Endpoint) -> Result<()> {
        loop {
            self.look(stores, program).await?;
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn look(&mut self, stores: &Stores, program: &Endpoint) -> Result<()> {
        self.sampler.sample(stores).await?;
        self.metrics = program.metrics().await?;
        for (store, lag) in self.metrics.largest("cdc_lag_seconds", "target") {
            let worst = self.worst.entry(store).or_default();
            *worst = worst.max(lag);
        }
        Ok(())
    }
}
