//! The way down: what becomes of the records that were polled.
//!
//! The hot path. An event may cost the program 4 µs of CPU; `BENCHMARKS.md` (null store) has what it
//! costs. A sampling profile finds a fifth of it in librdkafka's thread, most of that the kernel's
//! copying, a fifth on the poll thread, a third in decoding (see `envelope`), a twenty-fifth in
//! projecting, a tenth in the sink task, and a twentieth in allocating. Fewer instructions alone do
//! not help much: a quarter less of them was 6 % less CPU. What is waited for is memory, since each
//! record passes three threads: what touches less of it, or touches it in order, helps (see
//! `delivery::buffer`), and so does what hands less over (`delivery::inlet`: a tenth less CPU than
//! when the sink task projected) and what is not freed elsewhere than it was allocated
//! (`source::Records`: a quarter less CPU of these tasks than when each record was).

use tokio::time::Instant;

use super::intake::{Refusal, Taken};
use super::ledger::{Ack, Acks};
use super::run::Pipeline;
use super::truncate;
use crate::change::Version;
use crate::config::OnTruncate;
use crate::delivery::dead_letter::{Buried, DeadLetter, Stage};
use crate::delivery::{Order, Report, Truncate};
use crate::envelope::DecodeError;
use crate::error::Fatal;
use crate::source::{Partition, Records};

impl Pipeline {
    pub(super) fn take_records(&mut self, records: &Records) -> Result<(), Fatal> {
        if self.stopping {
            return Ok(());
        }
        let now = Instant::now();
        for record in records.iter() {
            let (partition, offset) = (record.partition, record.offset);
            let timestamp_ms = record.timestamp_ms;
            let Some(intake) = self.intakes.get_mut(&partition) else {
                continue;
            };
            let table = usize::from(partition.table.0);
            let route = &self.routes[table];
            let configured = &self.wiring.tables[table];
            let taken = intake.take(&record, configured, &mut self.decoder, (route, now));
            match taken.map_err(refusal)? {
                Taken::Seen => {}
                Taken::Ignored(reason) => self.wiring.observer.record(partition, reason),
                Taken::Change(change, acks, known_since) => {
                    self.wiring.observer.record(partition, "change");
                    if self
                        .old_rows
                        .is_missing(&change, &self.wiring.tables[table])
                    {
                        self.wiring.observer.missing_before(partition);
                    }
                    for (&sink, ack) in route.sinks.iter().zip(acks) {
                        let inlet = &mut self.wiring.sinks[sink];
                        if let Some(ack) = inlet.take(&change, ack, known_since) {
                            intake.acknowledge(ack)?;
                        }
                    }
                }
                Taken::Truncate(acks) => {
                    // What was gathered came before it.
                    self.hand_out();
                    self.truncated((partition, offset, timestamp_ms), acks)?;
                }
                Taken::Undecodable(error, ack) => self.bury(&error, offset, ack),
            }
        }
        self.touched = true;
        self.hand_out();
        Ok(())
    }

    /// Gives each sink what was projected for it.
    fn hand_out(&mut self) {
        for (sink, inlet) in self.wiring.sinks.iter_mut().enumerate() {
            self.pace.gave(sink, inlet.hand_over());
        }
    }

    fn truncated(
        &mut self,
        (partition, offset, timestamp_ms): (Partition, i64, i64),
        acks: Acks,
    ) -> Result<(), Fatal> {
        let index = usize::from(partition.table.0);
        let table = &self.wiring.tables[index];
        self.wiring.observer.record(partition, "truncate");
        match table.on_truncate {
            OnTruncate::Stop => return Err(truncate::stopped(table, partition.number, offset)),
            OnTruncate::Ignore => {
                tracing::warn!(
                    table = table.name,
                    "the table was truncated; ignored, as configured"
                );
                for ack in acks {
                    self.acknowledge(ack)?;
                }
            }
            OnTruncate::Apply => {
                tracing::info!(table = table.name, offset, "the table was truncated");
                let version = Version::new(table.epoch, offset);
                for (&sink, ack) in self.routes[index].sinks.iter().zip(acks) {
                    let truncate = Truncate {
                        version,
                        committed_at_ms: timestamp_ms,
                        ack,
                    };
                    self.wiring.sinks[sink].order(Order::Truncate(truncate));
                }
            }
        }
        Ok(())
    }

    fn bury(&mut self, error: &DecodeError, offset: i64, ack: Ack) {
        let partition = ack.partition();
        self.wiring.observer.record(partition, "undecodable");
        self.wiring.observer.dead_lettered(error.kind());
        let letter = DeadLetter {
            partition,
            generation: ack.generation(),
            offset,
            stage: Stage::Decode,
            target: None,
            kind: error.kind().to_owned(),
            reason: error.to_string(),
        };
        let dead_letters = self.wiring.dead_letters.clone();
        let reports = self.wiring.report_to.clone();
        tokio::spawn(async move {
            let buried = tokio::spawn(async move { dead_letters.bury(letter).await }).await;
            let buried = buried.unwrap_or_else(|panic| Err(Fatal::Bug(panic.to_string())));
            let report = match buried {
                Ok(Buried::Safe) => Report {
                    acks: vec![ack],
                    ..Report::default()
                },
                Ok(Buried::NotOurs) => return,
                Err(fatal) => Report {
                    fatal: Some(fatal),
                    ..Report::default()
                },
            };
            // Nobody listens any more only when the process is about to end.
            drop(reports.send(report));
        });
    }
}

fn refusal(refusal: Refusal) -> Fatal {
    match refusal {
        Refusal::Recreated(reason) => Fatal::Mismatch(reason),
        Refusal::Ledger(error) => Fatal::Bug(error.to_string()),
    }
}
