//! Finds the documents that a truncate deletes: all of an index below a version.
//!
//! Elasticsearch cannot search by `_version`, so a point in time of the whole index is walked in
//! the order of its shards, and versions are compared here; no document's body is read. The
//! refresh before it makes every write that was acknowledged part of that point in time.

use elasticsearch::http::Method;
use futures_util::stream::{self, Stream};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Target;
use super::client::{Client, Request};
use super::response::unintelligible;
use crate::change::Version;
use crate::projector::document::{Action, Document, DocumentKey};
use crate::sink::{Outage, OutageKind, SinkError};

/// How many documents a page looks at, and deletes at most.
const PAGE: usize = 2000;
/// How long Elasticsearch keeps the point in time while a page is deleted. One that was given up
/// ends the walk with an outage, and the next walk begins with what is left.
const KEPT: &str = "2m";

/// Where the walk through an index is.
struct Walk<'a> {
    client: &'a Client,
    target: &'a Target,
    below: Version,
    /// The point in time.
    point: String,
    /// The sort values of the last document seen.
    after: Option<Value>,
}

#[derive(Deserialize)]
struct Opened {
    id: String,
}

#[derive(Deserialize)]
struct Refreshed {
    #[serde(rename = "_shards")]
    shards: Shards,
}

#[derive(Deserialize)]
struct Shards {
    failed: u64,
}

#[derive(Deserialize)]
struct Found {
    pit_id: String,
    #[serde(default)]
    timed_out: bool,
    hits: Hits,
}

#[derive(Deserialize)]
struct Hits {
    #[serde(default)]
    hits: Vec<Hit>,
}

#[derive(Deserialize)]
struct Hit {
    #[serde(rename = "_id")]
    id: String,
    #[serde(rename = "_version")]
    version: i64,
    sort: Value,
}

/// Pages of deletes at version `below` of all documents with a lower one.
pub(super) fn older<'a>(
    client: &'a Client,
    target: &'a Target,
    below: Version,
) -> impl Stream<Item = Result<Vec<Document>, SinkError>> + Send + 'a {
    stream::try_unfold(None, move |walk: Option<Walk<'a>>| async move {
        let mut walk = match walk {
            Some(walk) => walk,
            None => Walk::begin(client, target, below).await?,
        };
        match walk.page().await? {
            Some(deletes) => Ok(Some((deletes, Some(walk)))),
            None => {
                walk.end().await;
                Ok(None)
            }
        }
    })
}

impl<'a> Walk<'a> {
    async fn begin(
        client: &'a Client,
        target: &'a Target,
        below: Version,
    ) -> Result<Self, SinkError> {
        let alias = &target.alias;
        let path = format!("/{alias}/_refresh");
        let refreshed: Refreshed = ask(client, Method::Post, &path, &[], None).await?;
        if refreshed.shards.failed > 0 {
            let reason = format!("{} shards were not refreshed", refreshed.shards.failed);
            return Err(SinkError::Outage(Outage::new(
                OutageKind::Overloaded,
                reason,
            )));
        }
        let path = format!("/{alias}/_pit");
        let query = [("keep_alive", KEPT)];
        let opened: Opened = ask(client, Method::Post, &path, &query, None).await?;
        Ok(Self {
            client,
            target,
            below,
            point: opened.id,
            after: None,
        })
    }

    /// The deletes of the next documents; `None` when all were seen.
    async fn page(&mut self) -> Result<Option<Vec<Document>>, SinkError> {
        let mut body = json!({
            "size": PAGE,
            "pit": {"id": self.point, "keep_alive": KEPT},
            "sort": [{"_shard_doc": "asc"}],
            "version": true,
            "_source": false,
            "track_total_hits": false,
        });
        if let Some(after) = self.after.take() {
            body["search_after"] = after;
        }
        let query = [
            ("filter_path", "pit_id,timed_out,hits.hits"),
            // What lies in a shard that does not answer would stay.
            ("allow_partial_search_results", "false"),
        ];
        let body = Some(body);
        let found: Found = ask(self.client, Method::Post, "/_search", &query, body).await?;
        if found.timed_out {
            let reason = "a search for older documents timed out";
            return Err(SinkError::Outage(Outage::new(
                OutageKind::Overloaded,
                reason,
            )));
        }
        self.point = found.pit_id;
        let hits = found.hits.hits;
        let Some(last) = hits.last() else {
            return Ok(None);
        };
        self.after = Some(last.sort.clone());
        let older = hits.iter().filter(|it| it.version < self.below.get());
        Ok(Some(older.map(|it| self.delete(&it.id)).collect()))
    }

    fn delete(&self, id: &str) -> Document {
        Document {
            key: DocumentKey {
                projection: self.target.projection,
                id: id.into(),
            },
            version: self.below,
            action: Action::Delete,
        }
    }

    /// Gives the point in time up. It ends by itself if this fails.
    async fn end(self) {
        let request = Request {
            body: Some(json!({"id": self.point}).to_string().into()),
            ..Request::new(Method::Delete, "/_pit")
        };
        if let Err(outage) = self.client.send(request).await {
            tracing::debug!(reason = outage.reason, "giving up a point in time");
        }
    }
}

async fn ask<T: serde::de::DeserializeOwned>(
    client: &Client,
    method: Method,
    path: &str,
    query: &[(&str, &str)],
    body: Option<Value>,
) -> Result<T, SinkError> {
    let request = Request {
        method,
        path,
        query,
        body: body.map(|it| it.to_string().into()),
    };
    let reply = client.send(request).await.map_err(SinkError::Outage)?;
    let body = reply.success().map_err(|error| match error {
        // As for a write: it ends when somebody opens the index.
        SinkError::Refused(it) if it.kind == "index_closed_exception" => {
            SinkError::Outage(Outage::new(OutageKind::Blocked, it.reason))
        }
        other => other,
    })?;
    serde_json::from_slice(&body).map_err(|_| SinkError::Outage(unintelligible(path)))
}
