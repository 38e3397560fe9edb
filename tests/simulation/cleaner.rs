//! Compacts topics while the group lags: of what lies behind, a key's last record stays.
//!
//! A tombstone goes, too, once the group has committed past it. One that goes unread is the business
//! of `source::compaction`, which stops the program there: only the poll thread has that rule.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::rows::{Record, What, partitions};
use super::world::{State, World};

/// Cleans a partition now and then, for as long as rows are changed.
pub(super) async fn run(world: Arc<World>) {
    while world.settings.is_compacted && !world.lock().calm {
        tokio::time::sleep(Duration::from_millis(fastrand::u64(50..600))).await;
        clean(&mut world.lock());
    }
}

fn clean(state: &mut State) {
    let count = partitions().count();
    let partition = partitions().nth(fastrand::usize(..count)).unwrap();
    let committed = state.group.committed(partition);
    let records = state.log.records.entry(partition).or_default();
    // What lies in the segment that is written to is left alone.
    let active = records.split_off(fastrand::usize(..=records.len()));
    let keys = records.iter().map(|it| (it.key.clone(), it.offset));
    let last: BTreeMap<_, _> = keys.collect();
    let is_left = |it: &Record| {
        let is_done = it.value.is_none() && it.offset < committed;
        last[&it.key] == it.offset && !is_done
    };
    for removed in records.extract_if(.., |it| !is_left(it)) {
        // What is committed is in every store.
        if let What::Change { id, .. } = removed.what
            && removed.offset >= committed
        {
            state.truth.remove((partition.table, id), removed.offset);
        }
    }
    records.extend(active);
}
