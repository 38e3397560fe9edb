//! What the pipeline asks of the poll thread.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::TryRecvError;

use rdkafka::consumer::Consumer;

use super::context::unassign;
use super::kafka::Poller;
use super::{Partition, SourceCommand, SourceError};
use crate::fault_point::reach;

impl Poller {
    pub(super) fn take_commands(&mut self) -> Result<ControlFlow<()>, SourceError> {
        loop {
            match self.commands.try_recv() {
                Ok(SourceCommand::Stop(offsets)) => {
                    self.stop = Some(offsets);
                    return Ok(ControlFlow::Break(()));
                }
                Ok(command) => self.obey(command)?,
                Err(TryRecvError::Empty) => return Ok(ControlFlow::Continue(())),
                // The pipeline is gone: nobody would acknowledge anything any more.
                Err(TryRecvError::Disconnected) => return Ok(ControlFlow::Break(())),
            }
        }
    }

    fn obey(&mut self, command: SourceCommand) -> Result<(), SourceError> {
        let consumer = Arc::clone(&self.group.consumer);
        match command {
            SourceCommand::Store(offsets) => {
                // A watermark of an earlier assignment may lie below what the owner in between
                // has committed.
                let owned = |it: &Partition| self.owned.get(it);
                let offsets: Vec<_> = offsets
                    .into_iter()
                    .filter(|(it, next, _)| owned(it).is_some_and(|it| *next >= it.start))
                    .collect();
                reach("before-store");
                let stored = self
                    .group
                    .offsets(&offsets)
                    .and_then(|it| consumer.store_offsets(&it));
                reach("after-store");
                for (partition, next, note) in offsets {
                    if let Some(owned) = self.owned.get_mut(&partition) {
                        owned.stored = Some((next, note));
                    }
                }
                if let Err(error) = stored {
                    // A revoke that librdkafka already knows of: the partition is on its way out.
                    tracing::debug!(%error, "watermarks were not stored");
                }
            }
            SourceCommand::Pause(mut partitions) => {
                partitions.retain(|it| self.owned.contains_key(it));
                self.paused.extend(&partitions);
                self.ends.retain(|it, _| !partitions.contains(it));
                consumer
                    .pause(&self.group.list(&partitions))
                    .map_err(SourceError::Consumer)?;
            }
            SourceCommand::Resume(mut partitions) => {
                partitions.retain(|it| self.paused.remove(it));
                self.ends.retain(|it, _| !partitions.contains(it));
                consumer
                    .resume(&self.group.list(&partitions))
                    .map_err(SourceError::Consumer)?;
            }
            SourceCommand::Release(offsets) => {
                if let Some(list) = self.revoking.take() {
                    self.ends.clear();
                    // The pipeline has dropped them: nothing of them may be sent any more.
                    let given_up = self.group.partitions(&list);
                    given_up.iter().for_each(|&it| self.fence.close(it));
                    self.group.commit_now(&offsets);
                    unassign(&consumer, &list).map_err(SourceError::Consumer)?;
                }
            }
            SourceCommand::Stop(_) => unreachable!("taken before"),
        }
        Ok(())
    }
}
