//! Tombstones: what is remembered of a deleted node or relationship, so that a late writer cannot
//! bring it back.
//!
//! A tombstone is a node `(:_DistributaryTombstone {_key, _v, _at})`. It never goes with the row's
//! return (what is there has a higher `_v` anyway), only by age.

use std::time::Duration;

use neo4rs::BoltType;

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

/// Remembers that entities, by `_key`, were deleted at a version.
pub(super) async fn bury(tx: &mut Transaction, deleted: Vec<(String, i64)>) -> Result<(), Failure> {
    if deleted.is_empty() {
        return Ok(());
    }
    // A rival's purge may take the node while this waits for its lock; `SET` would then be lost.
    let statement = format!(
        "UNWIND $rows AS r \
         MERGE (t:{TOMBSTONE} {{_key: r[0]}}) ON CREATE SET t._v = -1 \
         SET t._lock = null \
         WITH t, r, t[$version] AS before \
         SET t._v = r[1], t._at = timestamp() \
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
    match purge_in(&mut tx).await {
        Ok(()) => tx.commit().await,
        Err(failure) => {
            tx.roll_back().await;
            Err(failure)
        }
    }
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
        keys.push(BoltType::from(column::<String>(&row, "key")?));
    }
    if keys.is_empty() {
        return Ok(());
    }
    // Looked at again, now that they are locked: a rival may just have renewed one.
    let delete =
        format!("UNWIND $rows AS r MATCH (t:{TOMBSTONE} {{_key: r}}) WHERE {old} DELETE t");
    tx.run(&delete, vec![("rows", list_of(keys))]).await
}
