//! Documents in Elasticsearch.
//!
//! Owns the way of a batch: whole documents and deletes go in one `_bulk`; partial ones are first
//! completed from what the index holds. Every operation carries the change's version, so repeating
//! is harmless and a late writer is refused (409, which is success). Makes one attempt, never
//! retries. What an answer means is in `response`, and nowhere else.

mod bulk;
mod client;
mod index;
mod older;
mod partial;
mod reason;
mod response;
mod send;
mod settings;
mod spares;
mod target;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use elasticsearch::http::Method;
use futures_util::future::Either;
use futures_util::stream::{self, Stream};

use self::bulk::BulkRequest;
use self::client::{Client, Request};
use self::partial::{Completed, Reads};
use self::spares::Spares;
pub use self::target::DocumentProjection;
use self::target::{Target, without_asking};
use crate::change::{ProjectionId, Version};
use crate::config;
use crate::projector::Mutation;
use crate::projector::document::{Action, Document, Partial};
use crate::sink::{Found, Marker, Outcome, Rejection, Sink, SinkError};

/// The sink for documents: one cluster, an alias for each projection.
pub struct Elasticsearch {
    client: Client,
    targets: Vec<Target>,
    spares: Spares,
    gc_deletes: Duration,
    /// How many partial documents are completed at once.
    chunk: AtomicUsize,
}

/// Why a batch was not written to its end.
enum Unfinished {
    /// Some of it is no longer ours: the rest was not sent.
    Replaced,
    Failed(SinkError),
}

impl From<SinkError> for Unfinished {
    fn from(error: SinkError) -> Self {
        Self::Failed(error)
    }
}

impl Elasticsearch {
    /// A sink for these projections. Reads the certificate authority; connects with the first
    /// request.
    ///
    /// # Errors
    /// [`SinkError::Fatal`] for a URL or a certificate authority that cannot be used.
    pub fn new(
        config: &config::Elasticsearch,
        projections: &[DocumentProjection<'_>],
    ) -> Result<Self, SinkError> {
        Ok(Self {
            client: Client::new(config).map_err(SinkError::Fatal)?,
            targets: projections.iter().map(Target::new).collect(),
            spares: Spares::default(),
            gc_deletes: config.gc_deletes,
            chunk: AtomicUsize::new(partial::FIRST),
        })
    }

    fn target(&self, document: &Document) -> Result<&Target, SinkError> {
        let mut targets = self.targets.iter();
        let found = targets.find(|target| target.projection == document.key.projection);
        found.ok_or_else(|| SinkError::Fatal("a document of another sink's projection".to_owned()))
    }

    async fn write_all(
        &self,
        batch: &[Document],
        admits: &(impl Fn() -> bool + Sync),
    ) -> Result<Vec<Outcome>, Unfinished> {
        let mut outcomes = vec![None; batch.len()];
        let partials = self.write_whole(batch, &mut outcomes, admits).await?;
        self.write_partials(batch, &partials, &mut outcomes, admits)
            .await?;
        let outcomes = outcomes.into_iter();
        Ok(outcomes
            .map(|it| it.expect("each item was sent or settled"))
            .collect())
    }

    /// Sends the whole documents and deletes of a batch; answers the places of the partial ones.
    async fn write_whole(
        &self,
        batch: &[Document],
        outcomes: &mut [Option<Outcome>],
        admits: &(impl Fn() -> bool + Sync),
    ) -> Result<Vec<usize>, Unfinished> {
        let bytes = batch.iter().map(Mutation::bytes).sum();
        let mut request = BulkRequest::within(self.spares.take(bytes), batch.len());
        let mut partials = Vec::new();
        for (item, document) in batch.iter().enumerate() {
            if let Some(outcome) = without_asking(document) {
                outcomes[item] = Some(outcome);
                continue;
            }
            let at = (self.target(document)?, &*document.key.id, document.version);
            match &document.action {
                Action::Index(body) => request.index(item, at, body),
                Action::Delete => request.delete(item, at),
                Action::Partial(_) => partials.push(item),
            }
        }
        self.send(request, batch, outcomes, admits).await?;
        Ok(partials)
    }

    /// Completes and writes partial documents in chunks. An outage on the way is the outcome of
    /// those that are left: what was written before it stays said.
    async fn write_partials(
        &self,
        batch: &[Document],
        mut items: &[usize],
        outcomes: &mut [Option<Outcome>],
        admits: &(impl Fn() -> bool + Sync),
    ) -> Result<(), Unfinished> {
        while !items.is_empty() {
            let limit = self.chunk.load(Ordering::Relaxed);
            let (chunk, rest) = items.split_at(limit.min(items.len()));
            let error = match self.write_chunk(batch, chunk, outcomes, admits).await {
                Ok(()) => {
                    items = rest;
                    continue;
                }
                Err(Unfinished::Failed(error)) => error,
                Err(replaced) => return Err(replaced),
            };
            match error {
                SinkError::Refused(rejection) | SinkError::TooMuch(rejection)
                    if chunk.len() == 1 =>
                {
                    outcomes[chunk[0]] = Some(Outcome::Rejected(rejection));
                    items = rest;
                }
                SinkError::Refused(_) | SinkError::TooMuch(_) => {
                    self.chunk.store(chunk.len() / 2, Ordering::Relaxed);
                }
                SinkError::Outage(outage) => {
                    for item in items {
                        outcomes[*item].get_or_insert(Outcome::Failed(outage.clone()));
                    }
                    return Ok(());
                }
                fatal @ SinkError::Fatal(_) => return Err(fatal.into()),
            }
        }
        Ok(())
    }

    async fn write_chunk(
        &self,
        batch: &[Document],
        chunk: &[usize],
        outcomes: &mut [Option<Outcome>],
        admits: &(impl Fn() -> bool + Sync),
    ) -> Result<(), Unfinished> {
        let partials: Vec<_> = chunk
            .iter()
            .filter_map(|item| partial_of(batch, *item))
            .collect();
        let mut reads = Reads::default();
        for (_, document, _) in &partials {
            reads.push(self.target(document)?, &document.key.id);
        }
        let reply = self.read(reads.finish(), chunk.len()).await?;
        let limit = self.chunk.load(Ordering::Relaxed);
        let next = partial::next_chunk(limit, chunk.len(), reply.len());
        self.chunk.store(next, Ordering::Relaxed);
        let found = partial::read(&reply, partials.len()).map_err(SinkError::Outage)?;
        let mut request = BulkRequest::default();
        let mut incomplete = Vec::new();
        for ((item, document, partial), found) in partials.into_iter().zip(found) {
            match partial::complete(partial, document.version, &found) {
                Completed::Settled(outcome) => outcomes[item] = Some(outcome),
                Completed::Index(body, whole) => {
                    let target = self.target(document)?;
                    request.index(item, (target, &document.key.id, document.version), &body);
                    if !whole {
                        incomplete.push((item, target));
                    }
                }
            }
        }
        self.send(request, batch, outcomes, admits).await?;
        for (item, target) in incomplete {
            if outcomes[item] == Some(Outcome::Written) {
                outcomes[item] = Some(Outcome::Incomplete);
                target.warn_of_incomplete();
            }
        }
        Ok(())
    }

    /// A `_mget` for `count` documents; an answer over the reserve asks for a smaller chunk.
    async fn read(&self, body: Bytes, count: usize) -> Result<Bytes, SinkError> {
        let request = Request {
            body: Some(body),
            ..Request::new(Method::Post, "/_mget")
        };
        let limit = if count == 1 {
            usize::MAX
        } else {
            partial::RESERVE
        };
        let reply = self.client.send_within(request, limit).await?;
        reply.ok_or_else(|| {
            SinkError::TooMuch(Rejection::new(
                "read_too_large",
                "the documents to be completed are too large together",
            ))
        })
    }
}

fn partial_of(batch: &[Document], item: usize) -> Option<(usize, &Document, &Partial)> {
    match &batch[item].action {
        Action::Partial(partial) => Some((item, &batch[item], partial)),
        _ => None,
    }
}

impl Sink for Elasticsearch {
    type Mutation = Document;

    async fn write(&self, batch: &[Document]) -> Result<Vec<Outcome>, SinkError> {
        let written = self.write_if(batch, || true).await?;
        Ok(written.expect("everything was admitted"))
    }

    async fn write_if(
        &self,
        batch: &[Document],
        admits: impl Fn() -> bool + Send + Sync,
    ) -> Result<Option<Vec<Outcome>>, SinkError> {
        match self.write_all(batch, &admits).await {
            Ok(outcomes) => Ok(Some(outcomes)),
            Err(Unfinished::Replaced) => Ok(None),
            Err(Unfinished::Failed(error)) => Err(error),
        }
    }

    async fn ping(&self) -> Result<(), SinkError> {
        let aliases: Vec<_> = self.targets.iter().map(|it| it.alias.as_str()).collect();
        let path = format!("/{}", aliases.join(","));
        let request = Request::new(Method::Head, &path);
        let reply = self.client.send(request).await.map_err(SinkError::Outage)?;
        match reply.status {
            // No such alias yet: it answers, and lets us ask. `prepare` makes the alias.
            404 => Ok(()),
            _ => reply.success().map(drop),
        }
    }

    fn older(
        &self,
        projection: ProjectionId,
        below: Version,
    ) -> impl Stream<Item = Result<Vec<Document>, SinkError>> + Send {
        let mut targets = self.targets.iter();
        match targets.find(|target| target.projection == projection) {
            Some(target) => Either::Left(older::older(&self.client, target, below)),
            None => Either::Right(stream::empty()),
        }
    }

    async fn prepare(&self) -> Result<Vec<Found>, SinkError> {
        let mut found = Vec::with_capacity(self.targets.len());
        for target in &self.targets {
            found.push(Found {
                projection: target.name.clone(),
                marker: index::prepare(&self.client, target, self.gc_deletes).await?,
            });
        }
        Ok(found)
    }

    async fn mark(&self, marker: &Marker) -> Result<(), SinkError> {
        let mut targets = self.targets.iter();
        let Some(target) = targets.find(|target| target.name == marker.projection) else {
            let name = &marker.projection;
            return Err(SinkError::Fatal(format!(
                "no projection `{name}` in this sink"
            )));
        };
        index::mark(&self.client, &target.alias, marker).await
    }
}
