//! Puts aside what one sink can never apply.

use std::sync::Arc;

use super::dead_letter::{Buried, DeadLetter, DeadLetters, Stage, Target};
use super::isolate::Suspect;
use crate::change::{ProjectionId, Version};
use crate::config::Table;
use crate::error::Fatal;
use crate::sink::Rejection;

/// Buries records for one sink. Cheap to clone.
#[derive(Clone)]
pub(super) struct Undertaker {
    pub(super) sink: String,
    pub(super) tables: Arc<[Table]>,
    pub(super) projections: Arc<[String]>,
    pub(super) dead_letters: DeadLetters,
}

impl Undertaker {
    /// Comes back when the record is safe in the dead-letter topic. Until then no newer mutation of
    /// its key may be written: after a replay the store would call this record stale and nobody
    /// would learn of it, although a newer one without an unsent column may depend on it.
    ///
    /// # Errors
    /// [`Fatal::Poison`] under `on_poison: stop`.
    pub(super) async fn bury(
        &self,
        record: Suspect,
        (stage, projection): (Stage, ProjectionId),
        rejection: Rejection,
    ) -> Result<Buried, Fatal> {
        let Suspect {
            partition,
            generation,
            offset,
        } = record;
        let table = &self.tables[usize::from(partition.table.0)];
        let letter = DeadLetter {
            partition,
            generation,
            offset,
            stage,
            target: Some(Target {
                sink: self.sink.clone(),
                projection: self.projections[usize::from(projection.0)].clone(),
                version: Version::new(table.epoch, offset),
            }),
            kind: rejection.kind,
            reason: rejection.reason,
        };
        self.dead_letters.bury(letter).await
    }
}
