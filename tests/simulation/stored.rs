//! What is stored to be committed, as librdkafka keeps it: until it is committed or taken from us.

use std::collections::BTreeMap;
use std::sync::Arc;

use distributary::source::{CommitNote, NextOffset, Partition};

use super::process::Process;
use super::world::World;

/// See the module.
pub(super) struct Stored {
    world: Arc<World>,
    process: Arc<Process>,
    offsets: BTreeMap<Partition, (NextOffset, CommitNote)>,
}

impl Stored {
    pub(super) fn new(world: &Arc<World>, process: &Arc<Process>) -> Self {
        Self {
            world: Arc::clone(world),
            process: Arc::clone(process),
            offsets: BTreeMap::new(),
        }
    }

    pub(super) fn put(&mut self, offsets: Vec<(Partition, NextOffset, CommitNote)>) {
        let offsets = offsets.into_iter();
        self.offsets
            .extend(offsets.map(|(it, next, note)| (it, (next, note))));
    }

    pub(super) fn forget(&mut self, partitions: &[Partition]) {
        self.offsets.retain(|it, _| !partitions.contains(it));
    }

    pub(super) fn clear(&mut self) {
        self.offsets.clear();
    }

    /// Commits all of it; what fails stays to be committed again. Answers what was committed,
    /// nothing where there was nothing to do.
    pub(super) async fn commit(
        &mut self,
        member: Option<u64>,
    ) -> Option<Result<Vec<(Partition, NextOffset)>, String>> {
        let stored = std::mem::take(&mut self.offsets).into_iter();
        let offsets: Vec<_> = stored.map(|(it, (next, note))| (it, next, note)).collect();
        let member = member.filter(|_| !offsets.is_empty())?;
        self.process.step().await;
        let committed = self.world.commit(member, &offsets);
        self.process.step().await;
        Some(match committed {
            Ok(()) => Ok(offsets.into_iter().map(|it| (it.0, it.1)).collect()),
            Err(reason) => {
                self.put(offsets);
                Err(reason)
            }
        })
    }
}
