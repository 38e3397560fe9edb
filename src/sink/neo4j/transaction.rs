//! What one transaction does with a batch, in its order.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::{Duration, Instant};

use neo4rs::BoltType;

use super::batch::Batch;
use super::client::{Client, Transaction};
use super::derived::{self, Pairs};
use super::error::Failure;
use super::relationship::{RelationshipRow, RelationshipTarget};
use super::stub::Candidates;
use super::targets::Targets;
use super::tombstone;
use crate::change::ProjectionId;
use crate::sink::Outcome;

/// What came of a batch.
pub(super) struct Applied {
    pub(super) outcomes: Vec<Outcome>,
    /// The projections of rows that were written without some value.
    pub(super) incomplete: BTreeSet<ProjectionId>,
}

/// How long an opened transaction may wait for its turn, or the server would end it in the middle:
/// it counts from its beginning (`db.transaction.timeout`).
const OPENED_FOR: Duration = Duration::from_secs(5);

/// A transaction that has looked for tombstones and done nothing else: it holds no lock and waits for
/// none, so it may be opened while another is under way, and dropped.
pub(super) struct Opened {
    pub(super) tx: Transaction,
    pub(super) batch: Batch,
    at: Instant,
    rows: tombstone::Rows,
    /// The places of those that a tombstone overrules.
    overruled: HashSet<usize>,
}

impl Opened {
    /// Begins a transaction for a batch.
    pub(super) async fn new(
        client: &Client,
        batch: Batch,
        many: &tombstone::Many,
    ) -> Result<Self, Failure> {
        let rows = tombstone::Rows::new(batch.upserts());
        let at = Instant::now();
        let mut tx = client.begin().await?;
        match rows.overruled(&mut tx, many).await {
            Ok(overruled) => Ok(Self {
                tx,
                batch,
                at,
                rows,
                overruled,
            }),
            Err(failure) => {
                tx.roll_back().await;
                Err(failure)
            }
        }
    }

    /// The same, in a new transaction if this one has waited for long.
    pub(super) async fn renewed(
        self,
        client: &Client,
        many: &tombstone::Many,
    ) -> Result<Self, Failure> {
        if self.at.elapsed() < OPENED_FOR {
            return Ok(self);
        }
        self.tx.roll_back().await;
        Self::new(client, self.batch, many).await
    }
}

/// A transaction and what it remembers of what it has done.
struct Work<'a> {
    tx: &'a mut Transaction,
    targets: &'a Targets,
    outcomes: Vec<Outcome>,
    /// The projections of rows that were written without some value.
    incomplete: BTreeSet<ProjectionId>,
    /// Nodes that may be left without row and relationship.
    candidates: Candidates<'a>,
    /// `_key` and version of what was deleted.
    deleted: Vec<(String, i64)>,
}

/// Applies a batch within its transaction, which the caller ends.
pub(super) async fn apply(
    targets: &Targets,
    opened: &mut Opened,
    many: &tombstone::Many,
) -> Result<Applied, Failure> {
    let Opened {
        tx,
        batch,
        rows,
        overruled,
        ..
    } = opened;
    let mut work = Work {
        tx,
        targets,
        outcomes: vec![Outcome::Written; batch.items],
        incomplete: BTreeSet::new(),
        candidates: Candidates::default(),
        deleted: Vec::new(),
    };
    work.leave_out(batch, overruled);
    work.lock_derived(batch).await?;
    work.upsert_nodes(batch).await?;
    let absent = work.write_relationships(batch).await?;
    work.delete_nodes(batch).await?;
    // Everything is locked: what was not deleted by now cannot be before the commit.
    if !rows.overruled(work.tx, many).await?.is_subset(overruled) {
        return Err(Failure::Rival(
            "a rival deleted a row that was being written",
        ));
    }
    tombstone::bury(work.tx, work.deleted).await?;
    for (target, rows) in absent {
        target.reserve(work.tx, &rows).await?;
    }
    work.candidates.sweep(work.tx).await?;
    let mut outcomes = work.outcomes;
    for (item, outcome) in &batch.rejected {
        outcomes[*item] = outcome.clone();
    }
    Ok(Applied {
        outcomes,
        incomplete: work.incomplete,
    })
}

/// Rows of relationships that were deleted and not there.
type Absent<'a> = Vec<(&'a RelationshipTarget, Vec<&'a RelationshipRow>)>;

impl<'a> Work<'a> {
    async fn lock_derived(&mut self, batch: &Batch) -> Result<(), Failure> {
        let touched = |it: &&derived::DerivedTarget| {
            let mut targets = batch.relationships.keys();
            targets.any(|id| it.follows_from(self.targets.relationship(*id)))
        };
        let names = self.targets.derived.iter().filter(touched);
        let names = names.map(|it| it.name.as_str()).collect();
        derived::lock(self.tx, names).await
    }

    /// Takes the upserts that tombstones overrule out of the batch.
    fn leave_out(&mut self, batch: &mut Batch, overruled: &HashSet<usize>) {
        for &item in overruled {
            self.outcomes[item] = Outcome::Stale;
        }
        if !overruled.is_empty() {
            batch.retain_upserts(|item| !overruled.contains(&item));
        }
    }

    /// Rows were written without some value.
    fn stay_incomplete(&mut self, id: ProjectionId, items: Vec<usize>) {
        for item in items {
            self.outcomes[item] = Outcome::Incomplete;
            self.incomplete.insert(id);
        }
    }

    async fn upsert_nodes(&mut self, batch: &mut Batch) -> Result<(), Failure> {
        for (id, rows) in &mut batch.nodes {
            let upserts = std::mem::take(&mut rows.upserts);
            if upserts.is_empty() {
                continue;
            }
            let upserted = self.targets.node(*id).upsert(self.tx, upserts).await?;
            for item in upserted.stale {
                self.outcomes[item] = Outcome::Stale;
            }
            self.stay_incomplete(*id, upserted.incomplete);
        }
        Ok(())
    }

    async fn write_relationships(&mut self, batch: &'a Batch) -> Result<Absent<'a>, Failure> {
        let mut lost: Vec<Pairs> = vec![Pairs::new(); self.targets.derived.len()];
        let mut absent = Absent::new();
        let mut written = Vec::new();
        for (id, rows) in &batch.relationships {
            let target = self.targets.relationship(*id);
            let (keys, gone) = self.write_one((*id, target), rows, &mut lost).await?;
            if !gone.is_empty() {
                absent.push((target, gone));
            }
            written.push((target, keys));
        }
        for (derived, pairs) in self.targets.derived.iter().zip(lost) {
            for (target, keys) in written.iter().filter(|(_, keys)| !keys.is_empty()) {
                derived.draw(self.tx, target, keys).await?;
            }
            derived.erase(self.tx, pairs).await?;
        }
        Ok(absent)
    }

    /// Writes the relationships of one projection. Answers the keys of those that are there now,
    /// and the rows of those that were deleted without having been there.
    async fn write_one(
        &mut self,
        (id, target): (ProjectionId, &'a RelationshipTarget),
        rows: &'a [RelationshipRow],
        lost: &mut [Pairs],
    ) -> Result<(Vec<BoltType>, Vec<&'a RelationshipRow>), Failure> {
        let guarded = target.guard(self.tx, rows).await?;
        for item in &guarded.stale {
            self.outcomes[*item] = Outcome::Stale;
        }
        self.stay_incomplete(id, guarded.incomplete);
        let fresh: Vec<_> = rows
            .iter()
            .filter(|row| !guarded.stale.contains(&row.item))
            .collect();
        let leaving: Vec<_> = fresh
            .iter()
            .copied()
            .filter(|row| guarded.leaving.contains(&row.item))
            .collect();
        let detached = self.detach(target, &leaving, lost).await?;
        let (upserts, deletes): (Vec<_>, Vec<_>) =
            fresh.into_iter().partition(|row| row.ends.is_some());
        let new: Vec<_> = upserts
            .iter()
            .copied()
            .filter(|row| guarded.absent.contains(&row.item) || guarded.leaving.contains(&row.item))
            .collect();
        if !new.is_empty() {
            let incomplete = target.create(self.tx, &new, &detached).await?;
            self.stay_incomplete(id, incomplete);
        }
        let tombstones = deletes.iter().map(|row| (row.key.clone(), row.version));
        self.deleted.extend(tombstones);
        let keys = upserts.iter().map(|row| BoltType::from(row.key.as_str()));
        let gone = deletes
            .into_iter()
            .filter(|row| guarded.absent.contains(&row.item));
        Ok((keys.collect(), gone.collect()))
    }

    async fn detach(
        &mut self,
        target: &'a RelationshipTarget,
        rows: &[&RelationshipRow],
        lost: &mut [Pairs],
    ) -> Result<HashMap<usize, super::relationship::Detached>, Failure> {
        if rows.is_empty() {
            return Ok(HashMap::new());
        }
        let keys: Vec<_> = rows
            .iter()
            .map(|row| BoltType::from(row.key.as_str()))
            .collect();
        for (derived, pairs) in self.targets.derived.iter().zip(lost) {
            derived.find(self.tx, target, &keys, pairs).await?;
        }
        let detached = target.detach(self.tx, rows).await?;
        for one in detached.values() {
            self.candidates.add(&target.start, one.start.clone());
            self.candidates.add(&target.end, one.end.clone());
        }
        Ok(detached)
    }

    async fn delete_nodes(&mut self, batch: &Batch) -> Result<(), Failure> {
        for (id, rows) in batch
            .nodes
            .iter()
            .filter(|(_, rows)| !rows.deletes.is_empty())
        {
            let target = self.targets.node(*id);
            let stale: HashSet<_> = target
                .delete(self.tx, &rows.deletes)
                .await?
                .into_iter()
                .collect();
            for row in &rows.deletes {
                self.candidates.add_values(&target.pattern, &row.key);
                if stale.contains(&row.item) {
                    self.outcomes[row.item] = Outcome::Stale;
                } else {
                    self.deleted.push((row.tombstone.clone(), row.version));
                }
            }
        }
        Ok(())
    }
}
