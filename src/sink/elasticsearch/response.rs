//! What Elasticsearch's answers mean. Pure: status and error type in, outcome out.
//!
//! The order of the questions is: is it done, is it newer, is it an outage of the cluster or the
//! index, and only then is it the document's fault (D6, D9). The type of an error decides, with one
//! exception never its text; the text is shown to people, without what may be a row's value.

use std::borrow::Cow;

use serde::Deserialize;

use super::reason::{without_members, without_values};
use crate::sink::{Outage, OutageKind, Outcome, Rejection, SinkError};

/// What the answer to a `_bulk` must hold, no more. `items.*.status` keeps an item for each
/// operation, in order.
pub(super) const BULK_FIELDS: &str =
    "items.*._index,items.*.status,items.*.error.type,items.*.error.reason";

#[derive(Deserialize)]
struct BulkReply<'a> {
    #[serde(borrow)]
    items: Vec<Item<'a>>,
}

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow, alias = "index", alias = "delete", alias = "update")]
    done: Done<'a>,
}

#[derive(Deserialize)]
struct Done<'a> {
    #[serde(borrow, rename = "_index")]
    index: Option<Cow<'a, str>>,
    status: u16,
    #[serde(borrow)]
    error: Option<ItemError<'a>>,
}

/// The error of one item.
#[derive(Debug, Deserialize)]
pub(super) struct ItemError<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    reason: Option<Cow<'a, str>>,
}

/// What came of one operation of a `_bulk`.
#[derive(Debug)]
pub(super) struct Answer<'a> {
    pub(super) outcome: Outcome,
    /// The index that it came to; where it came to none, the name that it was sent to.
    pub(super) index: Option<Cow<'a, str>>,
}

/// The answers to a `_bulk` of `expected` operations.
///
/// # Errors
/// When the answer is not one for each: then nothing is known of any.
pub(super) fn answers(body: &[u8], expected: usize) -> Result<Vec<Answer<'_>>, Outage> {
    let reply: BulkReply<'_> = serde_json::from_slice(body).map_err(|_| unintelligible("_bulk"))?;
    if reply.items.len() != expected {
        return Err(Outage::new(
            OutageKind::Unreachable,
            format!("{} answers to {expected} operations", reply.items.len()),
        ));
    }
    let items = reply.items.into_iter().map(|item| item.done);
    Ok(items
        .map(|it| Answer {
            outcome: outcome(it.status, it.error.as_ref()),
            index: it.index,
        })
        .collect())
}

/// What one item's status and error mean.
///
/// | status | error | meaning |
/// |---|---|---|
/// | 2xx | | written |
/// | 404 | none (a delete that found nothing) | written |
/// | 409 | `version_conflict_engine_exception` | stale |
/// | 409 | other | outage: contention |
/// | 408, 429, 5xx | any (a disk's flood stage among them) | outage: overloaded |
/// | 403 | `cluster_block_exception` (read-only) | outage: blocked |
/// | 401, 403 | other | outage: refused |
/// | 404 | any (no such index or alias) | outage: blocked |
/// | 400 | `index_closed_exception`, `routing_missing_exception` | outage: blocked |
/// | 400 | that the index's pipeline is gone | outage: blocked |
/// | else | any | rejected |
pub(super) fn outcome(status: u16, error: Option<&ItemError<'_>>) -> Outcome {
    let kind = error.map_or("", |error| &error.kind);
    let failed = |outage_kind| {
        let reason = error.map_or_else(|| format!("status {status}"), ItemError::shown);
        Outcome::Failed(Outage::new(outage_kind, reason))
    };
    match (status, kind) {
        (200..=299, _) | (404, "") => Outcome::Written,
        (409, "version_conflict_engine_exception") => Outcome::Stale,
        (409, _) => failed(OutageKind::Contention),
        (408 | 429 | 500..=599, _) => failed(OutageKind::Overloaded),
        (403, "cluster_block_exception") => failed(OutageKind::Blocked),
        (401 | 403, _) => failed(OutageKind::Refused),
        (404, _) | (400, "index_closed_exception" | "routing_missing_exception") => {
            failed(OutageKind::Blocked)
        }
        (400, "illegal_argument_exception") if error.is_some_and(ItemError::lacks_pipeline) => {
            failed(OutageKind::Blocked)
        }
        _ => Outcome::Rejected(Rejection::new(
            match kind {
                "" => format!("status_{status}"),
                kind => kind.to_owned(),
            },
            error.map_or_else(String::new, ItemError::without_members),
        )),
    }
}

impl ItemError<'_> {
    /// What an error of a read (`_mget`) means, which has no status: never that the document is
    /// absent, and never the document's fault.
    pub(super) fn of_read(&self) -> Outage {
        let kind = match &*self.kind {
            "security_exception" => OutageKind::Refused,
            "es_rejected_execution_exception"
            | "circuit_breaking_exception"
            | "no_shard_available_action_exception" => OutageKind::Overloaded,
            _ => OutageKind::Blocked,
        };
        Outage::new(kind, self.shown())
    }

    /// Whether the index names a pipeline that is not there. The one thing that a text decides:
    /// whether a document does not fit has the same type, and the role need not allow to ask.
    fn lacks_pipeline(&self) -> bool {
        let reason = self.reason.as_deref().unwrap_or_default();
        reason.starts_with("pipeline with id [") && reason.ends_with("] does not exist")
    }

    fn shown(&self) -> String {
        let reason = self.reason.as_deref().unwrap_or_default();
        format!("{}: {}", self.kind, without_values(reason))
    }

    fn without_members(&self) -> String {
        without_members(&without_values(self.reason.as_deref().unwrap_or_default()))
    }
}

/// What it means that a whole request was answered with `status`, which is not 2xx.
pub(super) fn failure(status: u16, body: &[u8]) -> SinkError {
    let error = RequestError::read(body);
    let reason = || match &error {
        Some(error) => format!(
            "status {status}, {}: {}",
            error.kind,
            without_values(&error.reason)
        ),
        None => format!("status {status} without an explanation of Elasticsearch's"),
    };
    let kind = match (status, &error) {
        (413, _) => return SinkError::TooMuch(Rejection::new("request_too_large", reason())),
        (400, Some(error)) => return SinkError::Refused(Rejection::new(&*error.kind, reason())),
        (403, Some(error)) if error.kind == "cluster_block_exception" => OutageKind::Blocked,
        (401 | 403, _) => OutageKind::Refused,
        (429 | 500 | 503, _) => OutageKind::Overloaded,
        // A proxy's 502 and 504, and whatever does not come from Elasticsearch at all.
        _ => OutageKind::Unreachable,
    };
    SinkError::Outage(Outage::new(kind, reason()))
}

/// Elasticsearch's explanation of a request that failed as a whole.
#[derive(Debug)]
pub(super) struct RequestError {
    /// The type of the error.
    pub(super) kind: String,
    /// The whole text; may quote the request.
    pub(super) reason: String,
}

impl RequestError {
    /// Reads `{"error": {"type": …, "reason": …}}`; anything else is not Elasticsearch's.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        let body: serde_json::Value = serde_json::from_slice(body).ok()?;
        let text = |name: &str| Some(body.get("error")?.get(name)?.as_str()?.to_owned());
        Some(Self {
            kind: text("type")?,
            reason: text("reason").unwrap_or_default(),
        })
    }
}

/// An answer that is not in the form it should have.
pub(super) fn unintelligible(call: &str) -> Outage {
    Outage::new(
        OutageKind::Unreachable,
        format!("an answer to {call} that is not Elasticsearch's"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    enum Means {
        Written,
        Stale,
        Rejected,
        Outage(OutageKind),
    }

    fn meaning(outcome: &Outcome) -> Means {
        match outcome {
            Outcome::Written => Means::Written,
            Outcome::Stale => Means::Stale,
            Outcome::Incomplete => unreachable!("no answer says so"),
            Outcome::Rejected(_) => Means::Rejected,
            Outcome::Failed(outage) => Means::Outage(outage.kind),
        }
    }

    #[test]
    fn every_row_of_the_table_means_what_it_says() {
        use OutageKind::{Blocked, Contention, Overloaded, Refused};
        let rows = [
            (200, "", Means::Written),
            (201, "", Means::Written),
            (404, "", Means::Written),
            (409, "version_conflict_engine_exception", Means::Stale),
            (409, "anything_else", Means::Outage(Contention)),
            (408, "", Means::Outage(Overloaded)),
            (
                429,
                "es_rejected_execution_exception",
                Means::Outage(Overloaded),
            ),
            (429, "cluster_block_exception", Means::Outage(Overloaded)),
            (500, "null_pointer_exception", Means::Outage(Overloaded)),
            (
                503,
                "unavailable_shards_exception",
                Means::Outage(Overloaded),
            ),
            (
                503,
                "process_cluster_event_timeout_exception",
                Means::Outage(Overloaded),
            ),
            (403, "cluster_block_exception", Means::Outage(Blocked)),
            (400, "index_closed_exception", Means::Outage(Blocked)),
            (400, "routing_missing_exception", Means::Outage(Blocked)),
            (404, "index_not_found_exception", Means::Outage(Blocked)),
            (401, "security_exception", Means::Outage(Refused)),
            (403, "security_exception", Means::Outage(Refused)),
            (400, "document_parsing_exception", Means::Rejected),
            (400, "mapper_parsing_exception", Means::Rejected),
            (400, "strict_dynamic_mapping_exception", Means::Rejected),
            (400, "illegal_argument_exception", Means::Rejected),
            (413, "", Means::Rejected),
        ];
        for (status, kind, means) in rows {
            let error = ItemError {
                kind: kind.into(),
                reason: None,
            };
            let outcome = outcome(status, (!kind.is_empty()).then_some(&error));
            assert_eq!(meaning(&outcome), means, "{status} {kind}");
        }
    }

    #[test]
    fn whole_requests_are_split_held_or_refused() {
        let explained = br#"{"error":{"type":"x","reason":"y"},"status":400}"#;
        let blocked = br#"{"error":{"type":"cluster_block_exception","reason":"y"}}"#;
        assert!(matches!(failure(413, b""), SinkError::TooMuch(_)));
        assert!(matches!(failure(400, explained), SinkError::Refused(_)));
        let outages: [(u16, &[u8], _); 9] = [
            (400, b"<html>", OutageKind::Unreachable),
            (401, b"", OutageKind::Refused),
            (403, explained, OutageKind::Refused),
            (403, blocked, OutageKind::Blocked),
            (404, b"", OutageKind::Unreachable),
            (429, explained, OutageKind::Overloaded),
            (502, b"<html>", OutageKind::Unreachable),
            (503, explained, OutageKind::Overloaded),
            (504, b"", OutageKind::Unreachable),
        ];
        for (status, body, kind) in outages {
            let SinkError::Outage(outage) = failure(status, body) else {
                panic!("{status} is no outage");
            };
            assert_eq!(outage.kind, kind, "{status}");
        }
    }

    #[test]
    fn each_item_has_its_own_outcome_and_index_in_order() {
        let body = br#"{"items":[{"index":{"_index":"a-1","status":201}},{"delete":{"_index":"b-1","status":404}},
            {"index":{"_index":"a-1","status":409,"error":{"type":"version_conflict_engine_exception","reason":"r"}}}]}"#;
        let found = answers(body, 3).unwrap();
        let outcomes: Vec<_> = found.iter().map(|it| &it.outcome).collect();
        assert_eq!(
            outcomes,
            [&Outcome::Written, &Outcome::Written, &Outcome::Stale]
        );
        let indices: Vec<_> = found.iter().flat_map(|it| it.index.as_deref()).collect();
        assert_eq!(indices, ["a-1", "b-1", "a-1"]);
    }

    #[test]
    fn another_number_of_answers_says_nothing_of_any_item() {
        let body = br#"{"items":[{"index":{"status":201}}]}"#;
        assert_eq!(answers(body, 2).unwrap_err().kind, OutageKind::Unreachable);
        assert_eq!(answers(b"{}", 1).unwrap_err().kind, OutageKind::Unreachable);
        assert_eq!(
            answers(b"{\"ite", 1).unwrap_err().kind,
            OutageKind::Unreachable
        );
    }
}
