//! What can never be applied: found among the records behind a rejected mutation, and put aside.

use std::sync::Arc;

use tokio::time::Instant;

use super::{Ending, SinkTask};
use crate::change::{ProjectionId, Version};
use crate::clock::now_ms;
use crate::delivery::buffer::Waiting;
use crate::delivery::dead_letter::{DeadLetter, Stage, Target};
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
        let rejection = Rejection::new(error.kind(), error);
        self.bury(receipt, (Stage::Project, projection), rejection);
    }

    pub(super) fn rejected(&mut self, waiting: Waiting<P::Mutation>, rejection: Rejection) {
        if let [receipt] = waiting.receipts[..] {
            self.buffer.landed(waiting.place);
            let projection = waiting.mutation.projection();
            return self.bury(receipt, (Stage::Write, projection), rejection);
        }
        let wiring = &self.wiring;
        let isolation = Isolation {
            sink: Arc::clone(&wiring.sink),
            projectors: Arc::clone(&wiring.projectors),
            tables: Arc::clone(&wiring.tables),
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
            let verdicts = isolation.run(waiting.mutation.key(), &suspects).await;
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
            Err(Interrupted::Fatal(reason)) => return self.fail(reason),
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
                Verdict::Guilty(rejection) => {
                    self.bury(receipt, (Stage::Write, projection), rejection);
                }
                Verdict::Applied => {
                    self.applied(receipt, now_ms());
                    self.done(receipt);
                }
                // Its receipt is worth nothing any more; the drop that follows forgets it.
                Verdict::Replaced => self.book.abandon(receipt),
            }
        }
    }

    fn bury(
        &mut self,
        receipt: ReceiptId,
        (stage, projection): (Stage, ProjectionId),
        rejection: Rejection,
    ) {
        let ack = self.book.ack(receipt);
        let table = &self.wiring.tables[usize::from(ack.partition().table.0)];
        self.wiring.observer.dead_lettered(&rejection.kind);
        self.wiring
            .observer
            .ended(projection, Ended::DeadLettered, 1);
        let letter = DeadLetter {
            partition: ack.partition(),
            offset: ack.offset(),
            stage,
            target: Some(Target {
                sink: self.wiring.name.clone(),
                projection: self.wiring.projections[usize::from(projection.0)].clone(),
                version: Version::new(table.epoch, ack.offset()),
            }),
            kind: rejection.kind,
            reason: rejection.reason,
        };
        let dead_letters = self.wiring.dead_letters.clone();
        self.burials.push(Box::pin(async move {
            dead_letters.bury(letter).await?;
            Ok(receipt)
        }));
    }

    pub(super) fn buried(&mut self, buried: Result<ReceiptId, Fatal>) {
        match buried {
            Ok(receipt) => {
                self.applied(receipt, now_ms());
                self.done(receipt);
            }
            Err(fatal) => self.report.fatal = Some(fatal),
        }
    }
}
