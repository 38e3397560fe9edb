//! A store like Elasticsearch: items with outcomes of their own, external versions, tombstones;
//! documents that came without a column are read, completed and written with their version.

use std::collections::BTreeMap;
use std::time::Duration;

use distributary::change::TableId;
use distributary::projector::document::{Action, Document, Partial};
use distributary::sink::{Outcome, Rejection, SinkError};
use serde_json::Value;

use super::link::{Store, table};
use super::rows::SEARCH;
use super::truth::Permitted;
use super::world::State;

/// A document or, without a body, its tombstone.
pub(super) struct Held {
    pub(super) version: i64,
    pub(super) body: Option<Value>,
}

/// See the module.
#[derive(Default)]
pub(super) struct Documents(pub(super) BTreeMap<(TableId, u64), Held>);

/// A document to be written or deleted.
pub(super) struct Request {
    row: (TableId, u64),
    version: i64,
    body: Option<Value>,
    is_whole: bool,
}

/// Whether a document is what it may be.
pub(super) fn is(body: Option<&Value>, permitted: Option<&Permitted<'_>>) -> bool {
    match (body, permitted) {
        (Some(body), Some(permitted)) => permitted.is(|name| body.get(name)),
        (body, permitted) => body.is_none() && permitted.is_none(),
    }
}

impl Documents {
    /// The body, and whether nothing is missing.
    fn fill(&self, row: (TableId, u64), version: i64, partial: &Partial) -> (Value, bool) {
        let mut body: Value = serde_json::from_str(partial.known.as_str()).unwrap();
        let mut is_whole = true;
        let own = self.0.get(&row).filter(|it| it.version <= version);
        let own = own.filter(|it| partial.since.is_none_or(|since| it.version >= since.get()));
        for name in &partial.missing {
            let base = own.and_then(|it| it.body.as_ref());
            match base.and_then(|it| it.get(&**name)) {
                Some(value) => body[&**name] = value.clone(),
                None => is_whole = false,
            }
        }
        (body, is_whole)
    }
}

impl Store for Documents {
    const SINK: usize = SEARCH;
    const ATOMIC: bool = false;
    type Mutation = Document;
    type Request = Request;

    fn of(state: &mut State) -> &mut Self {
        &mut state.documents
    }

    fn complete(&self, document: &Document) -> Request {
        let row = (table(document.key.projection), Self::row(document).unwrap());
        let version = document.version.get();
        let (body, is_whole) = match &document.action {
            Action::Index(body) => (serde_json::from_str(body.as_str()).ok(), true),
            Action::Partial(partial) => {
                let (body, is_whole) = self.fill(row, version, partial);
                (Some(body), is_whole)
            }
            Action::Delete => (None, true),
        };
        Request {
            row,
            version,
            body,
            is_whole,
        }
    }

    fn apply(
        state: &mut State,
        _: Duration,
        requests: &[Request],
        broken: &mut Vec<String>,
    ) -> Result<Vec<Outcome>, SinkError> {
        let State {
            documents, truth, ..
        } = state;
        let outcome = |it: &Request| {
            let name = it.body.as_ref().and_then(|it| it["name"].as_str());
            if name.is_some_and(|name| name.contains("poison-search")) {
                return Outcome::Rejected(rejection());
            }
            let held = documents.0.get(&it.row);
            if held.is_some_and(|held| held.version > it.version) {
                return Outcome::Stale;
            }
            let permitted = truth.at(SEARCH, it.row, it.version);
            if !is(it.body.as_ref(), permitted.as_ref()) {
                broken.push(format!(
                    "document {:?} at {} became {:?}, the row was {permitted:?}",
                    it.row, it.version, it.body
                ));
            }
            let held = Held {
                version: it.version,
                body: it.body.clone(),
            };
            documents.0.insert(it.row, held);
            match it.is_whole {
                true => Outcome::Written,
                false => Outcome::Incomplete,
            }
        };
        Ok(requests.iter().map(outcome).collect())
    }

    fn row(document: &Document) -> Option<u64> {
        document.key.id.parse().ok()
    }
}

pub(super) fn rejection() -> Rejection {
    Rejection::new("poison", "it is poison")
}
