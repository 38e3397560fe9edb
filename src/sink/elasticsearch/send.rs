//! One `_bulk`: sent, and each answer held against where it should have come to.
//!
//! The surprising facts: `require_alias` says nothing to deletes, and an alias can be given another
//! index to write to at any time, which Elasticsearch's answer of success tells only in passing.

use elasticsearch::http::Method;

use super::bulk::BulkRequest;
use super::client::Request;
use super::response::{self, Answer};
use super::{Elasticsearch, Target, Unfinished, index};
use crate::projector::document::{Action, Document};
use crate::sink::{Outage, OutageKind, Outcome, SinkError};

/// What an alias that cannot be written through is refused with, and many a document.
const ARGUMENT: &str = "illegal_argument_exception";

impl Elasticsearch {
    /// Sends a `_bulk`, if it is still admitted: the ones before it may have taken long.
    pub(super) async fn send(
        &self,
        mut request: BulkRequest,
        batch: &[Document],
        outcomes: &mut [Option<Outcome>],
        admits: &(impl Fn() -> bool + Sync),
    ) -> Result<(), Unfinished> {
        if request.len() == 0 {
            return Ok(());
        }
        if !admits() {
            return Err(Unfinished::Replaced);
        }
        for target in &self.targets {
            if is_only_deleted(target, batch, request.items()) {
                request.guard(target);
            }
        }
        let operations = request.len();
        let (body, items) = request.finish();
        // The server gives up on a missing shard before we give up on the server.
        let query = [
            ("require_alias", "true"),
            ("timeout", "20s"),
            ("filter_path", response::BULK_FIELDS),
        ];
        let request = Request {
            method: Method::Post,
            path: "/_bulk",
            query: &query,
            body: Some(body.clone()),
        };
        let reply = self.client.send(request).await;
        self.spares.give_back(body);
        let reply = reply.map_err(SinkError::Outage)?.success()?;
        let mut answers = response::answers(&reply, operations).map_err(SinkError::Outage)?;
        let refused = |it: &Answer<'_>| matches!(&it.outcome, Outcome::Failed(it) if it.kind == OutageKind::Refused);
        if answers.iter().any(refused) {
            self.client.credentials_refused();
        }
        self.hold(batch, &items, &mut answers)?;
        self.absolve(batch, &items, &mut answers).await?;
        for (item, answer) in items.into_iter().zip(answers) {
            outcomes[item] = Some(answer.outcome);
        }
        Ok(())
    }

    /// What came to another index than it should have is not done.
    fn hold(
        &self,
        batch: &[Document],
        items: &[usize],
        answers: &mut [Answer<'_>],
    ) -> Result<(), SinkError> {
        for (item, answer) in items.iter().zip(answers) {
            let document = &batch[*item];
            let target = self.target(document)?;
            if let Some(index) = came_to(answer, target, &document.action)
                && let Err(outage) = target.check(index)
            {
                answer.outcome = Outcome::Failed(outage);
            }
        }
        Ok(())
    }

    /// An alias that cannot be written through makes Elasticsearch refuse each document with the
    /// same type of error as a document that does not fit, so the alias is looked at before its
    /// documents are blamed.
    async fn absolve(
        &self,
        batch: &[Document],
        items: &[usize],
        answers: &mut [Answer<'_>],
    ) -> Result<(), SinkError> {
        for target in &self.targets {
            let of_target = |item: &usize| batch[*item].key.projection == target.projection;
            let mut suspects: Vec<_> = items
                .iter()
                .zip(answers.iter_mut())
                .filter(|(item, answer)| of_target(item) && is_suspect(answer, target))
                .collect();
            if suspects.is_empty() {
                continue;
            }
            let outage = match index::unusable(&self.client, &target.alias).await {
                Ok(None) => continue,
                Ok(Some(reason)) => Outage::new(OutageKind::Blocked, reason),
                Err(SinkError::Outage(outage)) => outage,
                Err(error) => return Err(error),
            };
            for (_, answer) in &mut suspects {
                answer.outcome = Outcome::Failed(outage.clone());
            }
        }
        Ok(())
    }
}

/// Whether a request has deletes for a target, and nothing else.
fn is_only_deleted(target: &Target, batch: &[Document], items: &[usize]) -> bool {
    let documents = items.iter().map(|item| &batch[*item]);
    let mut actions = documents
        .filter(|it| it.key.projection == target.projection)
        .map(|it| &it.action)
        .peekable();
    actions.peek().is_some() && actions.all(|it| matches!(it, Action::Delete))
}

/// The index that an operation came to. What was refused before, and what a pipeline drops (never a
/// delete), is answered with the alias.
fn came_to<'a>(answer: &'a Answer<'_>, target: &Target, action: &Action) -> Option<&'a str> {
    let index = answer.index.as_deref()?;
    let is_done = matches!(answer.outcome, Outcome::Written | Outcome::Stale);
    match answer.outcome {
        Outcome::Failed(_) => None,
        _ if index != target.alias => Some(index),
        _ => (is_done && matches!(action, Action::Delete)).then_some(index),
    }
}

/// Whether a rejection may be the alias's fault: no index had a say in it.
fn is_suspect(answer: &Answer<'_>, target: &Target) -> bool {
    let is_before = answer.index.as_ref().is_none_or(|it| *it == target.alias);
    let is_argument = |it: &Outcome| matches!(it, Outcome::Rejected(it) if it.kind == ARGUMENT);
    is_before && is_argument(&answer.outcome)
}
