//! What goes on while faults are dealt: rows change, an application reads through the cache, and
//! versions are watched.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;
use checker::cache::Reader;
use checker::{Sampler, Targets};
use tokio::task::JoinHandle;
use workload::Session;

/// Pause between two samples, and before an application connects again.
const PAUSE: Duration = Duration::from_millis(250);

/// A shop at work.
pub(crate) struct Shop {
    closing: Arc<AtomicBool>,
    changes: JoinHandle<Result<u64>>,
    sampler: JoinHandle<Result<Sampler>>,
    reader: JoinHandle<()>,
}

impl Shop {
    /// Opens it.
    pub(crate) fn open(session: Session, rate: f64, targets: &Targets) -> Self {
        let closing = Arc::new(AtomicBool::new(false));
        let (for_changes, for_sampler) = (Arc::clone(&closing), Arc::clone(&closing));
        Self {
            changes: tokio::spawn(change(session, rate, for_changes)),
            sampler: tokio::spawn(sample(targets.clone(), for_sampler)),
            reader: tokio::spawn(read(targets.clone())),
            closing,
        }
    }

    /// Nothing changes any more; says how many changes there were, and what was seen.
    pub(crate) async fn close(self) -> Result<(u64, Sampler)> {
        self.closing.store(true, Ordering::SeqCst);
        self.reader.abort();
        Ok((self.changes.await??, self.sampler.await??))
    }
}

async fn change(mut session: Session, rate: f64, closing: Arc<AtomicBool>) -> Result<u64> {
    let mut ticks = tokio::time::interval(Duration::from_secs_f64(1.0 / rate));
    while !closing.load(Ordering::SeqCst) {
        ticks.tick().await;
        session.change().await?;
    }
    Ok(session.summary().total())
}

async fn sample(targets: Targets, closing: Arc<AtomicBool>) -> Result<Sampler> {
    let stores = targets.connect().await?;
    let mut sampler = Sampler::default();
    while !closing.load(Ordering::SeqCst) {
        sampler.sample(&stores).await?;
        tokio::time::sleep(PAUSE).await;
    }
    Ok(sampler)
}

/// Reads until it is aborted; an application connects again when its cache was away.
async fn read(targets: Targets) {
    loop {
        if let Ok(mut reader) = Reader::connect(&targets).await {
            // It ends only with an error, and every fault of Redis is one.
            reader.run().await.ok();
        }
        tokio::time::sleep(PAUSE).await;
    }
}
