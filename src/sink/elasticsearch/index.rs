//! The index behind an alias: made where it is missing, kept fit, and marked (D6, D15).
//!
//! Documents go through the alias into `<alias>-000001`, so that a rebuild can swap the index under
//! it. Two instances that start together may both try to create it; one of them finds it there.

use std::time::Duration;

use elasticsearch::http::Method;
use serde_json::{Value, json};
use tracing::info;

use super::client::{Client, Reply, Request};
use super::response::{RequestError, unintelligible};
use super::{Target, settings};
use crate::sink::{Marker, Outage, OutageKind, SinkError};

/// Where the marker lies in a mapping's `_meta`.
const MARKER: &str = "distributary";

/// Makes sure that the alias leads to one index whose deletes are remembered for `gc_deletes`;
/// answers its marker.
///
/// # Errors
/// [`SinkError::Fatal`] when what is there cannot be used.
pub(super) async fn prepare(
    client: &Client,
    target: &Target,
    gc_deletes: Duration,
) -> Result<Option<Marker>, SinkError> {
    let index = match resolve(client, &target.alias).await? {
        Some(index) => index,
        None => create(client, target).await?,
    };
    target.settle(&index).map_err(SinkError::Outage)?;
    remember_deletes(client, &index, gc_deletes).await?;
    let mapping = mapping(client, &target.alias).await?;
    refuse_routing(&index, &mapping)?;
    match mapping.get("_meta").and_then(|it| it.get(MARKER)) {
        None => Ok(None),
        Some(marker) => serde_json::from_value(marker.clone()).map(Some).map_err(|error| {
            SinkError::Fatal(format!(
                "the mapping of index `{index}` has a marker (_meta.{MARKER}) that this version \
                 cannot read: {error}; rebuild the index with this version or run the one that \
                 wrote it"
            ))
        }),
    }
}

/// Why no document can be written through the alias; `None` where they can.
pub(super) async fn unusable(client: &Client, alias: &str) -> Result<Option<String>, SinkError> {
    match resolve(client, alias).await {
        Ok(Some(_)) => Ok(None),
        Ok(None) => Ok(Some(format!("there is no alias `{alias}`"))),
        Err(SinkError::Fatal(reason)) => Ok(Some(reason)),
        Err(error) => Err(error),
    }
}

/// Writes the marker beside whatever else `_meta` holds.
pub(super) async fn mark(client: &Client, alias: &str, marker: &Marker) -> Result<(), SinkError> {
    let mapping = mapping(client, alias).await?;
    let meta = mapping.get("_meta").and_then(Value::as_object);
    let mut meta = meta.cloned().unwrap_or_default();
    meta.insert(MARKER.to_owned(), json!(marker));
    let path = format!("/{alias}/_mapping");
    let reply = put(client, &path, &[], &json!({"_meta": meta})).await?;
    reply.success().map(drop)
}

/// The index that the alias leads to; `None` when there is no such alias.
async fn resolve(client: &Client, alias: &str) -> Result<Option<String>, SinkError> {
    let reply = get(client, &format!("/_alias/{alias}")).await?;
    if reply.status == 404 {
        return not_an_index(client, alias).await.map(|()| None);
    }
    let indices = object(reply)?;
    let mut found = indices.iter();
    match (found.next(), found.next()) {
        (Some((index, found)), None) => {
            is_written(index, alias, found).map(|()| Some(index.clone()))
        }
        (None, _) => Ok(None),
        // A write would reach one of them, and a row's older document stay in the other.
        (Some(_), Some(_)) => Err(SinkError::Fatal(format!(
            "the alias `{alias}` leads to {} indices ({}), but a projection keeps its documents in \
             one; leave one of them: POST /_aliases \
             {{\"actions\":[{{\"remove\":{{\"index\":\"<other>\",\"alias\":\"{alias}\"}}}}]}}",
            indices.len(),
            indices.keys().cloned().collect::<Vec<_>>().join(", "),
        ))),
    }
}

/// One index does not need to be marked as the one that is written, but can be marked as none.
fn is_written(index: &str, alias: &str, found: &Value) -> Result<(), SinkError> {
    if found["aliases"][alias]["is_write_index"] != Value::Bool(false) {
        return Ok(());
    }
    Err(SinkError::Fatal(format!(
        "the alias `{alias}` leads to index `{index}` but lets nothing be written there \
         (is_write_index is false): POST /_aliases \
         {{\"actions\":[{{\"add\":{{\"index\":\"{index}\",\"alias\":\"{alias}\",\
         \"is_write_index\":true}}}}]}}"
    )))
}

async fn not_an_index(client: &Client, alias: &str) -> Result<(), SinkError> {
    let path = format!("/{alias}");
    let request = Request::new(Method::Head, &path);
    let reply = client.send(request).await.map_err(SinkError::Outage)?;
    match reply.status {
        404 => Ok(()),
        200 => Err(SinkError::Fatal(format!(
            "`{alias}` is an index, not an alias, so it could never be rebuilt beside itself; \
             choose another alias for the projection, or delete the index and start the consumer \
             group from offset zero"
        ))),
        _ => reply.success().map(drop),
    }
}

async fn create(client: &Client, target: &Target) -> Result<String, SinkError> {
    let alias = &target.alias;
    let index = format!("{alias}-000001");
    let body = settings::of_index(target.settings.as_ref(), alias);
    let query = [("wait_for_active_shards", "1"), ("timeout", "20s")];
    let reply = put(client, &format!("/{index}"), &query, &body).await?;
    if reply.status != 400 {
        let body = object(reply)?;
        if body.get("shards_acknowledged") != Some(&Value::Bool(true)) {
            let reason = format!("the shards of the new index `{index}` have not started yet");
            return Err(SinkError::Outage(Outage::new(
                OutageKind::Overloaded,
                reason,
            )));
        }
        info!(index, alias, "created the index");
        return Ok(index);
    }
    let error = RequestError::read(&reply.body);
    let error = error.ok_or_else(|| SinkError::Outage(unintelligible("an index's creation")))?;
    if error.kind != "resource_already_exists_exception" {
        return Err(SinkError::Fatal(format!(
            "Elasticsearch refuses to create index `{index}` with the settings of projection \
             `{}`: {}: {}",
            target.name, error.kind, error.reason
        )));
    }
    // Another instance was faster, or the index has been without its alias since before.
    resolve(client, alias).await?.ok_or_else(|| {
        SinkError::Fatal(format!(
            "the index `{index}` is there, but no alias `{alias}` leads to it; add the alias if \
             the index is whole (POST /_aliases \
             {{\"actions\":[{{\"add\":{{\"index\":\"{index}\",\"alias\":\"{alias}\",\
             \"is_write_index\":true}}}}]}}), or delete the index and start the consumer group \
             from offset zero"
        ))
    })
}

/// Raises `index.gc_deletes` where it is lower.
async fn remember_deletes(client: &Client, index: &str, wanted: Duration) -> Result<(), SinkError> {
    let path = format!("/{index}/_settings/index.gc_deletes");
    let query = [("flat_settings", "true")];
    let request = Request {
        query: &query,
        ..Request::new(Method::Get, &path)
    };
    let reply = client.send(request).await.map_err(SinkError::Outage)?;
    let found = object(reply)?;
    let held = found
        .get(index)
        .and_then(|it| it.pointer("/settings/index.gc_deletes"));
    // Elasticsearch's default, where nothing is set.
    let held = held.and_then(Value::as_str).unwrap_or("60s");
    if settings::time_value(held).is_some_and(|held| held >= wanted) {
        return Ok(());
    }
    let millis = format!("{}ms", wanted.as_millis());
    let body = json!({"index.gc_deletes": millis});
    let reply = put(client, &format!("/{index}/_settings"), &[], &body).await?;
    reply.success()?;
    info!(index, from = held, to = millis, "raised index.gc_deletes");
    Ok(())
}

/// The mapping of the index behind an alias.
async fn mapping(client: &Client, alias: &str) -> Result<Value, SinkError> {
    let reply = get(client, &format!("/{alias}/_mapping")).await?;
    let mut found = object(reply)?.into_iter();
    let mapping = found.find_map(|(_, it)| it.get("mappings").cloned());
    Ok(mapping.unwrap_or_default())
}

/// A mapping that asks for a routing would have every document refused.
fn refuse_routing(index: &str, mapping: &Value) -> Result<(), SinkError> {
    if mapping.pointer("/_routing/required") != Some(&Value::Bool(true)) {
        return Ok(());
    }
    Err(SinkError::Fatal(format!(
        "the mapping of index `{index}` requires a routing (_routing.required), and documents come \
         without one; that cannot be changed in an index, so rebuild it without"
    )))
}

async fn get(client: &Client, path: &str) -> Result<Reply, SinkError> {
    let request = Request::new(Method::Get, path);
    client.send(request).await.map_err(SinkError::Outage)
}

async fn put(
    client: &Client,
    path: &str,
    query: &[(&str, &str)],
    body: &Value,
) -> Result<Reply, SinkError> {
    let request = Request {
        method: Method::Put,
        path,
        query,
        body: Some(body.to_string().into()),
    };
    client.send(request).await.map_err(SinkError::Outage)
}

/// The JSON object of an answer of success.
fn object(reply: Reply) -> Result<serde_json::Map<String, Value>, SinkError> {
    let body = reply.success()?;
    serde_json::from_slice(&body)
        .map_err(|_| SinkError::Outage(unintelligible("a question about an index")))
}
