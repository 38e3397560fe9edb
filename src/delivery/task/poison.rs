//! What can never be applied: found among the records behind a rejected mutation, and put aside.

use std::sync::Arc;

use tokio::time::Instant;

use super::{Burial, Ending, SinkTask};
use crate::change::ProjectionId;
use crate::clock::now_ms;
use crate::delivery::buffer::{Place, Waiting};
use crate::delivery::dead_letter::{Buried, Stage};
use crate::delivery::isolate::{Interrupted, Isolation, Suspect, Verdict};
use crate::delivery::observer::Ended;
use crate::delivery::receipts::ReceiptId;
use crate::error::Fatal;
use crate::projector::{Mutation, ProjectError, Projector};
use crate::sink::{Rejection, Sink};

impl<P, S> SinkTask<P, S>
where
    P: Projector,
    S: Sink<Mutation = P::Mutation>,
{
    pub(super) fn bury_unprojected(
        &mut self,
        receipt: ReceiptId,
        projection: ProjectionId,
        error: &ProjectError,
    ) {
        // However often it is read, it cannot be projected: newer ones need not wait for its burial.
        let rejection = Rejection::new(error.kind(), error);
        self.bury((receipt, None), (Stage::Project, projection), rejection);
    }

    pub(super) fn rejected(&mut self, waiting: Waiting<P::Mutation>, rejection: Rejection) {
        let projection = waiting.mutation.projection();
        if let [receipt] = waiting.receipts[..] {
            let record = (receipt, Some(waiting.place));
            return self.bury(record, (Stage::Write, projection), rejection);
        }
        let wiring = &self.wiring;
        let isolation = Isolation {
            sink: Arc::clone(&wiring.sink),
            projectors: Arc::clone(&wiring.projectors),
            undertaker: self.undertaker.clone(),
            reader: wiring.reader.clone(),
            fence: Arc::clone(&wiring.fence),
        };
        let suspects: Vec<Suspect> = waiting
            .receipts
            .iter()
            .map(|&it| self.suspect(it))
            .collect();
        let begun = Instant::now();
        let job = tokio::spawn(async move {
            let key = waiting.mutation.key();
            let verdicts = isolation.run(key, projection, &suspects).await;
            Ending::Isolated {
                waiting,
                verdicts,
                begun,
            }
        });
        self.watch(job);
    }

    pub(super) fn suspect(&self, receipt: ReceiptId) -> Suspect {
        let ack = self.book.ack(receipt);
        Suspect {
            partition: ack.partition(),
            generation: ack.generation(),
            offset: ack.offset(),
        }
    }

    pub(super) fn sentence(
        &mut self,
        waiting: Waiting<P::Mutation>,
        verdicts: Result<Vec<Verdict>, Interrupted>,
        begun: Instant,
    ) {
        let projection = waiting.mutation.projection();
        let verdicts = match verdicts {
            Ok(verdicts) => verdicts,
            Err(Interrupted::Fatal(fatal)) => {
                self.report.fatal = Some(fatal);
                return;
            }
            Err(Interrupted::Away(outage)) => {
                // An outage like any other; when it is over, the mutation is rejected again.
                self.held_back(projection, &outage, Instant::now());
                self.wiring.observer.retried(&outage, 1);
                return self.buffer.put_back(waiting);
            }
        };
        self.took_some(projection, begun);
        self.buffer.landed(waiting.place);
        for (&receipt, verdict) in waiting.receipts.iter().zip(verdicts) {
            match verdict {
                Verdict::Guilty(kind) => {
                    self.condemned(projection, &kind);
                    self.settled(receipt);
                }
                Verdict::Applied => self.settled(receipt),
                // Its receipt is worth nothing any more; the drop that follows forgets it.
                Verdict::Replaced => self.book.abandon(receipt),
            }
        }
    }

    /// Buries a record, and frees its key, where it has a place, when that is done.
    fn bury(
        &mut self,
        (receipt, place): (ReceiptId, Option<Place>),
        cause: (Stage, ProjectionId),
        rejection: Rejection,
    ) {
        self.condemned(cause.1, &rejection.kind);
        let record = self.suspect(receipt);
        let undertaker = self.undertaker.clone();
        self.burials.push(Box::pin(async move {
            let buried = undertaker.bury(record, cause, rejection).await?;
            Ok((receipt, place, buried))
        }));
    }

    fn condemned(&mut self, projection: ProjectionId, kind: &str) {
        let observer = &mut self.wiring.observer;
        observer.dead_lettered(kind);
        observer.ended(projection, Ended::DeadLettered, 1);
    }

    pub(super) fn buried(&mut self, buried: Result<Burial, Fatal>) {
        match buried {
            Ok((receipt, place, buried)) => {
                if let Some(place) = place {
                    self.buffer.landed(place);
                }
                match buried {
                    Buried::Safe => self.settled(receipt),
                    Buried::NotOurs => self.book.abandon(receipt),
                }
            }
            Err(fatal) => self.report.fatal = Some(fatal),
        }
    }

    /// There is nothing more to do for one mutation of the record.
    fn settled(&mut self, receipt: ReceiptId) {
        self.applied(receipt, now_ms());
        self.done(receipt);
    }
}
