//! Elasticsearch: an index like the program's, a bare bulk client, and the comparison.

use std::collections::HashMap;
use std::fmt::Write as _;

use anyhow::{Context, Result, ensure};
use futures_util::StreamExt;
use reqwest::Client;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::load::{Last, Load};

/// The index behind the alias of the program's projection.
pub(crate) const INDEX: &str = "products-000001";
/// Records that one bulk request is made of; like the next, the program's default. Documents of 1 KB
/// stay far below the 8 MiB of its other bound.
pub(crate) const BATCH: usize = 5000;
const IN_FLIGHT: usize = 2;
/// Written, deleted, not there to be deleted, and older than what is there: two requests under way
/// may overtake each other.
const TAKEN: [u16; 4] = [200, 201, 404, 409];
/// Documents of one page of the comparison.
const PAGE: usize = 5000;

/// The server.
#[derive(Debug)]
pub(crate) struct Search {
    http: Client,
    url: String,
    /// What an index is created with: the example's settings, as the program completes them.
    settings: Value,
}

impl Search {
    /// The server at this address; `settings` is the example's file.
    pub(crate) fn new(url: &str, settings: &str) -> Result<Self> {
        let mut settings: Value = serde_json::from_str(settings)?;
        settings["settings"]["index.gc_deletes"] = json!("6h");
        Ok(Self {
            http: Client::new(),
            url: url.to_owned(),
            settings,
        })
    }

    /// Deletes an index, if it is there.
    pub(crate) async fn delete(&self, index: &str) -> Result<()> {
        let url = format!("{}/{index}?ignore_unavailable=true", self.url);
        self.http.delete(url).send().await?.error_for_status()?;
        Ok(())
    }

    /// Makes an empty index.
    pub(crate) async fn create(&self, index: &str) -> Result<()> {
        let request = self.http.put(format!("{}/{index}", self.url));
        request
            .json(&self.settings)
            .send()
            .await?
            .error_for_status()?;
        Ok(())
    }

    /// Sends what [`body`] has made, one request for each.
    pub(crate) async fn write(&self, index: &str, bodies: Vec<String>) -> Result<()> {
        let requests = bodies.into_iter().map(|body| self.bulk(index, body));
        let mut answers = futures_util::stream::iter(requests).buffer_unordered(IN_FLIGHT);
        while let Some(answer) = answers.next().await {
            answer?;
        }
        Ok(())
    }

    async fn bulk(&self, index: &str, body: String) -> Result<()> {
        let url = format!("{}/{index}/_bulk?filter_path=items.*.status", self.url);
        let request = self
            .http
            .post(url)
            .header("content-type", "application/x-ndjson");
        let answer = request.body(body).send().await?.error_for_status()?;
        let answer: Answer = serde_json::from_slice(&answer.bytes().await?)?;
        let mut statuses = answer.items.iter().flat_map(HashMap::values);
        let refused = statuses.find(|it| !TAKEN.contains(&it.status));
        ensure!(
            refused.is_none(),
            "the bulk request was refused in part: {refused:?}"
        );
        Ok(())
    }

    /// How many documents an index has written so far.
    pub(crate) async fn indexed(&self, index: &str) -> Result<u64> {
        let (indexed, _) = self.operations(index).await?;
        Ok(indexed)
    }

    /// Compares a number of writes with how many documents an index says to have written and deleted.
    pub(crate) async fn counts(&self, index: &str, writes: u64) -> Result<()> {
        let (indexed, deleted) = self.operations(index).await?;
        ensure!(
            indexed + deleted == writes,
            "{writes} writes were counted, and {index} has written {indexed} documents and deleted {deleted}"
        );
        Ok(())
    }

    async fn operations(&self, index: &str) -> Result<(u64, u64)> {
        let stats = self.get(&format!("{index}/_stats/indexing")).await?;
        let indexing = &stats["_all"]["primaries"]["indexing"];
        let total = |name: &str| indexing[name].as_u64();
        let totals = total("index_total").zip(total("delete_total"));
        totals.context("the statistics of an index")
    }

    /// Whether an index has this document, searchable or not.
    pub(crate) async fn has(&self, index: &str, id: u32) -> Result<bool> {
        let url = format!("{}/{index}/_doc/{id}?_source=false", self.url);
        Ok(self.http.get(url).send().await?.status().is_success())
    }

    async fn get(&self, path: &str) -> Result<Value> {
        let answer = self.http.get(format!("{}/{path}", self.url)).send().await?;
        Ok(serde_json::from_slice(
            &answer.error_for_status()?.bytes().await?,
        )?)
    }

    /// Compares the whole index with what the load leaves: every id, version and document, nothing
    /// missing and nothing more.
    pub(crate) async fn compare(&self, index: &str, load: &Load, found: Found) -> Result<()> {
        let url = format!("{}/{index}/_refresh", self.url);
        self.http.post(url).send().await?.error_for_status()?;
        let mut last = load.last();
        let mut missing = last.iter().filter(|it| found.expects(it)).count();
        let mut page = self
            .page(
                &format!("{index}/_search?scroll=2m"),
                &json!({
                    "size": PAGE, "version": true, "sort": ["_doc"]
                }),
            )
            .await?;
        while !page.hits.hits.is_empty() {
            for hit in &page.hits.hits {
                let key: usize = hit.id.parse().with_context(|| format!("_id {}", hit.id))?;
                let place = key.checked_sub(1).and_then(|key| last.get_mut(key));
                let expected = place.filter(|it| found.expects(it));
                let expected =
                    expected.with_context(|| format!("document {key} must not be there"))?;
                hit.compare(load, expected, found)?;
                // Not to be found a second time.
                expected.version = i64::MIN;
                missing -= 1;
            }
            page = self
                .page(
                    "_search/scroll",
                    &json!({"scroll": "2m", "scroll_id": page.scroll}),
                )
                .await?;
        }
        self.http
            .delete(format!("{}/_search/scroll", self.url))
            .json(&json!({"scroll_id": page.scroll}))
            .send()
            .await?;
        ensure!(missing == 0, "{missing} documents are missing in {index}");
        Ok(())
    }

    async fn page(&self, path: &str, body: &Value) -> Result<Page> {
        let request = self.http.post(format!("{}/{path}", self.url)).json(body);
        let answer = request.send().await?.error_for_status()?;
        Ok(serde_json::from_slice(&answer.bytes().await?)?)
    }
}

/// How exactly an index must match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// As Postgres has it: versions are offsets, and deleted rows have no document.
    Exact,
    /// As a client leaves it that has neither versions nor deletes: each row's last state.
    Upserts,
}

impl Found {
    fn expects(self, last: &Last) -> bool {
        last.version >= 0 && (self == Self::Upserts || !last.deleted)
    }
}

/// The bulk body that writes these rows.
pub(crate) fn body(load: &Load, request: &[Last]) -> String {
    let mut body = String::new();
    for last in request {
        let Last {
            key,
            revision,
            version,
            deleted,
        } = *last;
        let verb = if deleted { "delete" } else { "index" };
        writeln!(
            body,
            r#"{{"{verb}":{{"_id":"{key}","version":{version},"version_type":"external_gte"}}}}"#
        )
        .expect("a string takes everything");
        if !deleted {
            load.shape.rows.product(key, revision).document(&mut body);
            body.push('\n');
        }
    }
    body
}

#[derive(Deserialize)]
struct Answer {
    items: Vec<HashMap<String, Item>>,
}

#[derive(Debug, Deserialize)]
struct Item {
    status: u16,
}

#[derive(Deserialize)]
struct Page {
    #[serde(rename = "_scroll_id")]
    scroll: String,
    hits: Hits,
}

#[derive(Deserialize)]
struct Hits {
    hits: Vec<Hit>,
}

#[derive(Deserialize)]
struct Hit {
    #[serde(rename = "_id")]
    id: String,
    #[serde(rename = "_version")]
    version: i64,
    #[serde(rename = "_source")]
    source: Box<RawValue>,
}

impl Hit {
    fn compare(&self, load: &Load, expected: &Last, found: Found) -> Result<()> {
        let Last {
            key,
            revision,
            version,
            ..
        } = *expected;
        if found == Found::Exact {
            ensure!(
                self.version == version,
                "document {key} has version {} and not {version}",
                self.version
            );
        }
        let mut text = String::new();
        load.shape.rows.product(key, revision).document(&mut text);
        let expected: Value = serde_json::from_str(&text)?;
        let stored: Value = serde_json::from_str(self.source.get())?;
        ensure!(
            stored == expected,
            "document {key} is {stored} and not {expected}"
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Shape;

    #[test]
    fn a_bulk_body_says_each_write_with_its_version_and_nothing_twice() {
        let load = Load::new(Shape::products("a-topic", 7, 9000).repeated(3));
        for request in load.requests(BATCH) {
            let body = body(&load, &request);
            let mut lines = body.lines().map(|it| serde_json::from_str(it).unwrap());
            for last in &request {
                let action: Value = lines.next().unwrap();
                let verb = if last.deleted { "delete" } else { "index" };
                assert_eq!(action[verb]["_id"], last.key.to_string());
                assert_eq!(action[verb]["version"], last.version);
                let document: Option<Value> = (!last.deleted).then(|| lines.next().unwrap());
                assert!(document.is_none_or(|it| it["id"] == last.key));
            }
            assert_eq!(lines.next(), None);
        }
    }
}
