//! Tombstones: what is remembered of a deleted node or relationship, so that a late writer cannot
//! bring it back.
//!
//! They are looked for twice, each time for all upserts of a transaction at once: before it writes
//! anything, which finds nearly all, and when it has its locks, which finds what a rival has deleted
//! in between. (In the statement that writes a node the same look costs the server five times as
//! much.) Only a tombstone that is newer than the oldest row can overrule one. Where there are few of
//! these, they are read, by version; where there are many, the rows are looked up one by one: in a
//! replay of what is in the graph already, and where another table's offsets are far ahead.
//!
//! A tombstone is a node `(:_DistributaryTombstone {_key, _v, _at})`. It never goes with the row's
//! return (what is there has a higher `_v` anyway), only by age.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::client::{Client, Transaction, column};
use super::error::Failure;
use super::pattern::TOMBSTONE;
use super::value::list_of;

/// How long a delete is remembered. Longer than any writer can be late: the same span as the
/// default of Elasticsearch's `gc_deletes` here (D6).
pub(super) const KEPT: Duration = Duration::from_secs(6 * 60 * 60);
/// How often old ones are looked for.
pub(super) const PURGED_EVERY: Duration = Duration::from_secs(60);
/// How many go at once; at the interval above more than a busy graph leaves behind.
const PURGED_AT_ONCE: i64 = 20_000;

/// How many tombstones are read at most before the rows are looked up instead.
const FEW: usize = 500;

/// How many looks do not even try to read them after they were too many.
const LOOKS: u32 = 64;

/// Remembers that newer tombstones were many.
#[derive(Debug, Default)]
pub(super) struct Many {
    looks_left: AtomicU32,
}

impl Many {
    fn found(&self) {
        self.looks_left.store(LOOKS, Ordering::Relaxed);
    }

    /// Whether they were lately; says so for a number of looks.
    fn were_found(&self) -> bool {
        let less = |left: u32| left.checked_sub(1);
        self.looks_left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
            .is_ok()
    }
}

/// The upserts of a transaction, each by its `_key` with its place and version.
pub(super) struct Rows {
    by_key: HashMap<String, (usize, i64)>,
    /// The lowest version.
    least: i64,
}

impl Rows {
    /// Rows, each with place, `_key` and version.
    pub(super) fn new<'r>(rows: impl Iterator<Item = (usize, &'r str, i64)>) -> Self {
        let mut least = i64::MAX;
        let by_key = rows.map(|(item, key, version)| {
            least = least.min(version);
            (key.to_owned(), (item, version))
        });
        Self {
            by_key: by_key.collect(),
            least,
        }
    }

    /// The places of those rows that were deleted at a higher version.
    pub(super) async fn overruled(
        &self,
        tx: &mut Transaction,
        many: &Many,
    ) -> Result<HashSet<usize>, Failure> {
        if self.by_key.is_empty() {
            return Ok(HashSet::new());
        }
        if !many.were_found() {
            match self.among_newer(tx).await? {
                Some(overruled) => return Ok(overruled),
                None => many.found(),
            }
        }
        self.one_by_one(tx).await
    }

    /// The same, by reading all tombstones that could overrule one; `None` if they are many.
    async fn among_newer(&self, tx: &mut Transaction) -> Result<Option<HashSet<usize>>, Failure> {
        // One row of all costs the server half of what a row of each does.
        let statement = format!(
            "MATCH (t:{TOMBSTONE}) USING INDEX t:{TOMBSTONE}(_v) WHERE t._v > $given.least \
             WITH t LIMIT {FEW} RETURN collect([t._key, t._v]) AS newer"
        );
        let answer = tx
            .rows(&statement, vec![("least", self.least.into())])
            .await?;
        // One that a rival forgets just now is found in the index and has nothing left to read.
        let newer: Option<Vec<(Option<String>, Option<i64>)>> =
            answer.first().map(|row| column(row, "newer")).transpose()?;
        let newer = newer.unwrap_or_default();
        if newer.len() == FEW {
            return Ok(None);
        }
        let mut overruled = HashSet::new();
        for (key, deleted_at) in newer.into_iter().filter_map(|(key, at)| key.zip(at)) {
            if let Some(&(item, version)) = self.by_key.get(&key)
                && deleted_at > version
            {
                overruled.insert(item);
            }
        }
        Ok(Some(overruled))
    }

    async fn one_by_one(&self, tx: &mut Transaction) -> Result<HashSet<usize>, Failure> {
        let statement = format!(
            "UNWIND $given.rows AS r \
             MATCH (t:{TOMBSTONE} {{_key: r[1]}}) WHERE t._v > r[2] \
             RETURN collect(r[0]) AS items"
        );
        let rows = self.by_key.iter().map(|(key, &(item, version))| {
            list_of(vec![
                super::place(item),
                key.as_str().into(),
                version.into(),
            ])
        });
        let rows = list_of(rows.collect());
        let mut overruled = HashSet::new();
        for row in &tx.rows(&statement, vec![("rows", rows)]).await? {
            overruled.extend(column::<Vec<usize>>(row, "items")?);
        }
        Ok(overruled)
    }
}

/// Remembers that entities, by `_key`, were deleted at a version. A higher one that a rival has
/// written meanwhile stays.
pub(super) async fn bury(tx: &mut Transaction, deleted: Vec<(String, i64)>) -> Result<(), Failure> {
    if deleted.is_empty() {
        return Ok(());
    }
    // A rival's purge may take the node while this waits for its lock; `SET` would then be lost.
    let statement = format!(
        "UNWIND $given.rows AS r \
         MERGE (t:{TOMBSTONE} {{_key: r[0]}}) ON CREATE SET t._v = -1 ON MATCH SET t._lock = null \
         WITH t, r, t[$version] AS before \
         SET t._v = CASE WHEN before > r[1] THEN before ELSE r[1] END, t._at = timestamp() \
         WITH before WHERE before IS NULL \
         RETURN count(*) AS lost"
    );
    let rows = deleted
        .into_iter()
        .map(|(key, version)| list_of(vec![key.into(), version.into()]));
    let answer = tx
        .rows(&statement, vec![("rows", list_of(rows.collect()))])
        .await?;
    for row in &answer {
        if column::<i64>(row, "lost")? > 0 {
            return Err(Failure::Rival("a tombstone was purged by a rival"));
        }
    }
    Ok(())
}

/// Deletes a bounded number of tombstones that are old enough to be forgotten.
pub(super) async fn purge(client: &Client) -> Result<(), Failure> {
    let mut tx = client.begin().await?;
    let purged = purge_in(&mut tx).await;
    tx.end(purged).await
}

async fn purge_in(tx: &mut Transaction) -> Result<(), Failure> {
    let old = format!("t._at < timestamp() - {}", KEPT.as_millis());
    let lock = format!(
        "MATCH (t:{TOMBSTONE}) WHERE {old} WITH t LIMIT {PURGED_AT_ONCE} \
         SET t._lock = null \
         RETURN t._key AS key"
    );
    let mut keys = Vec::new();
    for row in tx.rows(&lock, Vec::new()).await? {
        // None where a rival was faster.
        if let Some(key) = column::<Option<String>>(&row, "key")? {
            keys.push(key.into());
        }
    }
    if keys.is_empty() {
        return Ok(());
    }
    // Looked at again, now that they are locked: a rival may just have renewed one.
    let delete =
        format!("UNWIND $given.rows AS r MATCH (t:{TOMBSTONE} {{_key: r}}) WHERE {old} DELETE t");
    tx.run(&delete, vec![("rows", list_of(keys))]).await
}
