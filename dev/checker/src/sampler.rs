//! Watches versions while a workload runs: no key's version may ever go backwards.
//!
//! A document or node may disappear; when it comes back it must carry a higher version than the last
//! one seen, because its delete had a version in between. A store that cannot be asked is skipped:
//! faults are the fault run's business, not the sampler's.
//!
//! Elasticsearch forgets its deletes when it restarts, and what is replayed then may bring a row back
//! until its delete is replayed, too. So documents are watched anew from each restart on.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use anyhow::{Context, Result};
use neo4rs::query;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::graph::NODES;
use crate::targets::Stores;

/// Rows of each table that a sample picks anew.
const FRESH: i64 = 40;
/// Keys of each index and label that are watched at most.
const WATCHED: usize = 500;
/// Tables with an index of the same name.
const INDICES: [&str; 2] = ["products", "orders"];

/// A version that went backwards.
#[derive(Debug, Clone, Serialize)]
pub struct Regression {
    /// Which document or node.
    pub subject: String,
    /// The highest version seen of it.
    pub before: i64,
    /// What was seen after that.
    pub after: i64,
    /// Whether it was absent in between, so that the same version again is already a fault.
    pub was_absent: bool,
}

impl fmt::Display for Regression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            subject,
            before,
            after,
            ..
        } = self;
        let absent = if self.was_absent {
            ", absent in between"
        } else {
            ""
        };
        write!(f, "{subject}: version {after} after {before}{absent}")
    }
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    version: i64,
    is_absent: bool,
}

/// Remembers the versions seen and finds those that go backwards.
#[derive(Debug, Default)]
pub struct Sampler {
    seen: HashMap<&'static str, HashMap<i64, Seen>>,
    /// When Elasticsearch was started, in milliseconds since the Unix epoch.
    started: Option<u64>,
    samples: u64,
    regressions: Vec<Regression>,
}

impl Sampler {
    /// Looks at some keys once: live rows picked at random, and all that were seen before.
    ///
    /// # Errors
    /// Where Postgres cannot be asked. A store that cannot be asked is left out.
    pub async fn sample(&mut self, stores: &Stores) -> Result<()> {
        for table in INDICES {
            let keys = self.keys(stores, table, table).await?;
            let versions = document_versions(stores, table, &keys).await;
            if let (Ok(versions), Ok(started)) = (versions, started(stores).await) {
                self.begin_anew_after_restart(started);
                self.observe(table, &keys, &versions);
            }
        }
        for nodes in &NODES {
            let keys = self.keys(stores, nodes.label, nodes.table).await?;
            if let Ok(versions) = node_versions(stores, nodes.label, &keys).await {
                self.observe(nodes.label, &keys, &versions);
            }
        }
        Ok(())
    }

    /// Versions looked at so far.
    #[must_use]
    pub const fn samples(&self) -> u64 {
        self.samples
    }

    /// Every version that went backwards.
    #[must_use]
    pub fn regressions(&self) -> &[Regression] {
        &self.regressions
    }

    async fn keys(&self, stores: &Stores, name: &'static str, table: &str) -> Result<Vec<i64>> {
        let sql = format!("SELECT id FROM public.{table} ORDER BY random() LIMIT $1");
        let rows = stores.postgres.query(&sql, &[&FRESH]).await?;
        let mut keys: BTreeSet<i64> = rows.iter().map(|row| row.get(0)).collect();
        if let Some(seen) = self.seen.get(name) {
            if seen.len() >= WATCHED {
                keys.clear();
            }
            keys.extend(seen.keys());
        }
        Ok(keys.into_iter().collect())
    }

    fn begin_anew_after_restart(&mut self, started: u64) {
        if self.started.replace(started) != Some(started) {
            self.seen.retain(|name, _| !INDICES.contains(name));
        }
    }

    fn observe(&mut self, name: &'static str, keys: &[i64], versions: &HashMap<i64, i64>) {
        let seen = self.seen.entry(name).or_default();
        for key in keys {
            self.samples += 1;
            match (versions.get(key), seen.get_mut(key)) {
                (Some(&version), Some(last)) => {
                    let Seen {
                        version: before,
                        is_absent,
                    } = *last;
                    if version < before || (is_absent && version == before) {
                        let subject = format!("{name} {key}");
                        let (after, was_absent) = (version, is_absent);
                        self.regressions.push(Regression {
                            subject,
                            before,
                            after,
                            was_absent,
                        });
                    }
                    *last = Seen {
                        version: version.max(before),
                        is_absent: false,
                    };
                }
                (Some(&version), None) => {
                    seen.insert(
                        *key,
                        Seen {
                            version,
                            is_absent: false,
                        },
                    );
                }
                (None, Some(last)) => last.is_absent = true,
                (None, None) => {}
            }
        }
    }
}

#[derive(Deserialize)]
struct Answer {
    docs: Vec<Document>,
}

#[derive(Deserialize)]
struct Document {
    #[serde(rename = "_id")]
    id: String,
    #[serde(rename = "_version")]
    version: Option<i64>,
    /// An item that is an error is not an absent document.
    error: Option<serde_json::Value>,
}

async fn document_versions(
    stores: &Stores,
    table: &str,
    keys: &[i64],
) -> Result<HashMap<i64, i64>> {
    let (url, prefix) = (&stores.targets.es_url, &stores.targets.index_prefix);
    let ids: Vec<String> = keys.iter().map(ToString::to_string).collect();
    let request = stores
        .http
        .post(format!("{url}/{prefix}{table}/_mget?_source=false"));
    let answer = request
        .json(&json!({"ids": ids}))
        .send()
        .await?
        .error_for_status()?;
    let answer: Answer = answer.json().await?;
    anyhow::ensure!(
        answer.docs.iter().all(|document| document.error.is_none()),
        "not all answered"
    );
    let versions = answer.docs.iter().filter_map(|document| {
        let id = document.id.parse().ok()?;
        Some((id, document.version?))
    });
    Ok(versions.collect())
}

/// When the one node of Elasticsearch was started, in milliseconds since the Unix epoch.
async fn started(stores: &Stores) -> Result<u64> {
    let url = &stores.targets.es_url;
    let request = stores.http.get(format!("{url}/_nodes/jvm"));
    let answer: serde_json::Value = request.send().await?.error_for_status()?.json().await?;
    let nodes = answer["nodes"].as_object();
    let times = nodes.into_iter().flatten();
    let times = times.filter_map(|(_, node)| node["jvm"]["start_time_in_millis"].as_u64());
    times.max().context("no node says when it was started")
}

/// A stub counts as absent: its row is not there.
async fn node_versions(stores: &Stores, label: &str, keys: &[i64]) -> Result<HashMap<i64, i64>> {
    let label = format!("{}{label}", stores.targets.label_prefix);
    let cypher = format!(
        "UNWIND $keys AS key MATCH (n:`{label}` {{id: key}})
         WHERE n._v IS NOT NULL AND NOT coalesce(n._stub, false)
         RETURN n.id AS id, n._v AS version"
    );
    let mut rows = stores
        .graph
        .execute(query(&cypher).param("keys", keys.to_vec()))
        .await?;
    let mut versions = HashMap::new();
    while let Some(row) = rows.next().await? {
        versions.insert(row.get("id")?, row.get("version")?);
    }
    Ok(versions)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shows the versions one after the other, `None` for an absent key, and counts the faults.
    fn regressions(versions: &[Option<i64>]) -> usize {
        let mut sampler = Sampler::default();
        for version in versions {
            sampler.observe(
                "products",
                &[1],
                &version.iter().map(|&version| (1, version)).collect(),
            );
        }
        sampler.regressions().len()
    }

    #[test]
    fn versions_that_stay_or_grow_are_right() {
        assert_eq!(
            regressions(&[Some(1), Some(1), Some(5), None, None, Some(6)]),
            0
        );
    }

    #[test]
    fn a_lower_version_is_a_regression() {
        assert_eq!(regressions(&[Some(5), Some(4)]), 1);
    }

    #[test]
    fn a_deleted_key_that_returns_with_its_old_version_was_resurrected() {
        assert_eq!(regressions(&[Some(5), None, Some(5)]), 1);
        assert_eq!(regressions(&[Some(5), None, Some(4)]), 1);
    }

    #[test]
    fn a_restart_of_elasticsearch_lets_documents_return_and_nodes_not() {
        let mut sampler = Sampler::default();
        let mut show = |started, name, version: Option<i64>| {
            sampler.begin_anew_after_restart(started);
            sampler.observe(name, &[1], &version.iter().map(|&it| (1, it)).collect());
            sampler.regressions().len()
        };
        for version in [Some(5), None] {
            show(1, "products", version);
            show(1, "Product", version);
        }
        assert_eq!(show(2, "products", Some(4)), 0);
        assert_eq!(show(2, "Product", Some(4)), 1);
        assert_eq!(show(2, "products", Some(3)), 2, "since then, neither");
    }

    #[test]
    fn every_sighting_below_the_highest_version_counts() {
        assert_eq!(
            regressions(&[Some(5), Some(4), Some(4), Some(6), Some(5)]),
            3
        );
    }
}
