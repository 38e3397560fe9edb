//! One comparison of everything, and comparing until nothing differs.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::report::Report;
use crate::targets::Stores;
use crate::{cache, documents, graph};

/// How long to wait before looking again.
const PAUSE: Duration = Duration::from_millis(500);

/// Compares all stores with one snapshot of Postgres. Meaningful when nothing is being written.
///
/// # Errors
/// Where a server cannot be asked; a difference is no error.
pub async fn compare(stores: &Stores) -> Result<Report> {
    // The rollback ends what a comparison that was cancelled half-way may have left open: with its
    // old snapshot the next one would compare with the past.
    let begin = "ROLLBACK; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    stores.postgres.batch_execute(begin).await?;
    let sections = sections(stores).await;
    stores.postgres.batch_execute("ROLLBACK").await?;
    Ok(Report {
        sections: sections?,
    })
}

/// Compares again and again until nothing differs or `patience` is over; the last report either way.
///
/// # Errors
/// Where a server cannot be asked.
pub async fn until_equal(stores: &Stores, patience: Duration) -> Result<Report> {
    let start = Instant::now();
    loop {
        let report = compare(stores).await?;
        if report.is_equal() || start.elapsed() > patience {
            return Ok(report);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn sections(stores: &Stores) -> Result<Vec<crate::Section>> {
    let mut sections = documents::compare(stores).await?;
    sections.push(cache::compare(stores).await?);
    sections.extend(graph::compare(stores).await?);
    Ok(sections)
}
