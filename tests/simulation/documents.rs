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
}

impl Documents {
    fn fill(&self, row: (TableId, u64), version: i64, partial: &Partial) -> Value {
        let mut body: Value = serde_json::from_str(partial.known.as_str()).unwrap();
        let own = self.0.get(&row).filter(|it| it.version <= version);
        let own = own.filter(|it| partial.since.is_none_or(|since| it.version >= since.get()));
        for name in &partial.missing {
            let base = own.and_then(|it| it.body.as_ref());
            if let Some(value) = base.and_then(|it| it.get(&**name)) {
                body[&**name] = value.clone();
            }
        }
        body
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
        let body = match &document.action {
            Action::Index(body) => Some(serde_json::from_str(body.as_str()).unwrap()),
            Action::Partial(partial) => Some(self.fill(row, version, partial)),
            Action::Delete => None,
        };
        Request { row, version, body }
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
            let expected = truth.at(SEARCH, it.row.0, it.row.1, it.version);
            if expected != it.body.as_ref() {
                broken.push(format!(
                    "document {:?} at {} became {:?}, the row was {expected:?}",
                    it.row, it.version, it.body
                ));
            }
            let held = Held {
                version: it.version,
                body: it.body.clone(),
            };
            documents.0.insert(it.row, held);
            Outcome::Written
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
