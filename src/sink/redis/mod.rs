//! Redis: takes away the keys that a change made stale.
//!
//! Owns the commands and what their errors mean; never decides which keys, and keeps nothing in
//! the store. The surprising fact: redis-rs' connection manager does not reconnect after a timeout
//! (a half-open connection fails for ever), so any error here throws the connection away and the
//! next attempt makes a new one, with the secret, the address and the certificates read anew.

mod connection;
mod error;

use std::time::Duration;

use redis::aio::ConnectionLike as _;
use redis::{Pipeline, Value};

use self::connection::Server;
use super::{Found, Marker, Outage, OutageKind, Outcome, Sink, SinkError};
use crate::config;
use crate::projector::Mutation as _;
use crate::projector::cache::CacheKey;

/// Keys of one UNLINK. Redis serves nobody else during a command, and takes 1 to 3 µs for a key.
const KEYS_PER_COMMAND: usize = 500;

/// Bounds an attempt as a whole, whatever its parts do: waiting for another one's connect, the own
/// one, and the answer take up to 5 s each.
const ATTEMPT_DEADLINE: Duration = Duration::from_secs(16);

/// One Redis server (not a cluster).
pub struct RedisSink {
    server: Server,
    second_unlink_after: Duration,
}

impl RedisSink {
    /// A sink that connects when it is first used; nothing is read or sent here.
    ///
    /// # Errors
    /// [`SinkError::Fatal`] when the URL is none of Redis, or has a certificate authority and no
    /// TLS.
    pub fn new(config: &config::Redis) -> Result<Self, SinkError> {
        Ok(Self {
            server: Server::new(config)?,
            second_unlink_after: config.second_unlink_after,
        })
    }

    /// Sends a pipeline and checks every answer; on any error the connection is given up.
    async fn send(&self, pipeline: &Pipeline) -> Result<(), SinkError> {
        let attempt = async {
            let mut lease = self.server.connection().await?;
            let count = pipeline.len();
            let answers = lease.connection.req_packed_commands(pipeline, 0, count);
            let result = answers.await.map_err(|error| error::of(&error));
            let result = result.and_then(|answers| check(&answers));
            if result.is_err() {
                self.server.give_up(lease.number).await;
            }
            result
        };
        match tokio::time::timeout(ATTEMPT_DEADLINE, attempt).await {
            Ok(result) => result,
            Err(_) => {
                let seconds = ATTEMPT_DEADLINE.as_secs();
                let reason = format!("no answer within {seconds} seconds");
                Err(SinkError::Outage(Outage::new(
                    OutageKind::Unreachable,
                    reason,
                )))
            }
        }
    }
}

fn check(answers: &[Value]) -> Result<(), SinkError> {
    for answer in answers {
        if let Value::ServerError(refusal) = answer {
            return Err(error::of_server(refusal.code(), refusal.details()));
        }
    }
    Ok(())
}

impl Sink for RedisSink {
    type Mutation = CacheKey;

    /// All keys of a batch share one outcome: UNLINK either reaches the server or does not, and
    /// what it took away before an error is taken away again for nothing.
    async fn write(&self, batch: &[CacheKey]) -> Result<Vec<Outcome>, SinkError> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipeline = redis::pipe();
        for chunk in batch.chunks(KEYS_PER_COMMAND) {
            let command = pipeline.cmd("UNLINK");
            for mutation in chunk {
                command.arg(&**mutation.key());
            }
        }
        self.send(&pipeline).await?;
        Ok(vec![Outcome::Written; batch.len()])
    }

    async fn ping(&self) -> Result<(), SinkError> {
        self.send(redis::pipe().cmd("PING")).await
    }

    /// Nothing has to be there before the first key goes, and nothing that could be partial.
    async fn prepare(&self) -> Result<Vec<Found>, SinkError> {
        self.ping().await?;
        Ok(Vec::new())
    }

    /// A cache has no state of ours to mark: a missing key is only a miss.
    async fn mark(&self, _: &Marker) -> Result<(), SinkError> {
        Ok(())
    }

    fn again_after(&self) -> Option<Duration> {
        (!self.second_unlink_after.is_zero()).then_some(self.second_unlink_after)
    }
}
