//! A truncate on its way through one sink (D11): what is still to be swept, and what waits behind.
//!
//! The order that makes it exact: the table's earlier records settle first, then everything with a
//! lower version is deleted *at the truncate's version*, and only then its later records are
//! taken in. The topic has one partition, so earlier and later are known. Nothing of this is
//! remembered: a truncate that was cut short is swept again, and finds what is left.

use std::collections::VecDeque;
use std::pin::pin;

use futures_util::StreamExt;

use super::attempt::{Attempted, attempt};
use super::receipts::ReceiptId;
use super::{Delivery, Truncate};
use crate::change::{ProjectionId, Version};
use crate::sink::{Outage, Outcome, Rejection, Sink, SinkError};

/// One truncate that is being applied.
#[derive(Debug)]
pub(super) struct Truncation<M> {
    pub(super) receipt: ReceiptId,
    pub(super) version: Version,
    /// Projections of the table that are not swept yet; the first is next, or under way.
    pub(super) left: VecDeque<ProjectionId>,
    pub(super) under_way: bool,
    /// What came after it in its partition, in order.
    pub(super) behind: VecDeque<Behind<M>>,
}

/// What waits for a truncate.
#[derive(Debug)]
pub(super) enum Behind<M> {
    /// With its mutations.
    Change(Delivery, Vec<M>),
    Truncate(Truncate),
}

/// How the sweep of one projection ended.
#[derive(Debug)]
pub(super) enum Swept {
    /// Nothing older is left.
    Clean,
    /// The store is away; swept again when it is back.
    Away(Outage),
    /// We are no longer the owner.
    Replaced,
    /// The process must stop.
    Fatal(String),
}

/// Deletes what the store holds of a projection below a version; answers how many were deleted.
pub(super) async fn sweep<S: Sink>(
    sink: &S,
    projection: ProjectionId,
    below: Version,
    admits: impl Fn() -> bool + Send + Sync,
) -> (u64, Swept) {
    let mut deleted = 0;
    let mut pages = pin!(sink.older(projection, below));
    while let Some(page) = pages.next().await {
        let deletes = match page {
            Ok(deletes) => deletes,
            Err(SinkError::Outage(outage)) => return (deleted, Swept::Away(outage)),
            Err(SinkError::Refused(rejection) | SinkError::TooMuch(rejection)) => {
                return (deleted, refused(&rejection));
            }
            Err(SinkError::Fatal(reason)) => return (deleted, Swept::Fatal(reason)),
        };
        match attempt(sink, &deletes, &admits).await.attempted {
            Attempted::Outcomes(outcomes) => {
                let written = outcomes.iter().filter(|it| **it == Outcome::Written);
                deleted += written.count() as u64;
                if let Some(end) = outcomes.into_iter().find_map(unfinished) {
                    return (deleted, end);
                }
            }
            Attempted::Replaced(_) => return (deleted, Swept::Replaced),
            Attempted::Fatal(reason) => return (deleted, Swept::Fatal(reason)),
        }
    }
    (deleted, Swept::Clean)
}

fn unfinished(outcome: Outcome) -> Option<Swept> {
    match outcome {
        Outcome::Written | Outcome::Incomplete | Outcome::Stale => None,
        Outcome::Failed(outage) => Some(Swept::Away(outage)),
        Outcome::Rejected(rejection) => Some(refused(&rejection)),
    }
}

/// What the store holds it can delete; that it will not is nothing a dead letter would mend.
fn refused(rejection: &Rejection) -> Swept {
    Swept::Fatal(format!(
        "the store refuses to find or delete what a truncate is to delete ({}: {}); mend it, or \
         set `on_truncate: stop` and rebuild the projection",
        rejection.kind, rejection.reason
    ))
}
