//! Redis: filled with what an application has cached, a bare pipeline of `UNLINK`, the comparison.

use anyhow::{Result, ensure};
use futures_util::StreamExt;
use redis::aio::MultiplexedConnection;

use crate::load::Last;
use crate::rows::Product;

/// Keys of one command and of one pipeline: the program's own.
const KEYS_PER_COMMAND: usize = 500;
/// Keys of one pipeline; the program's default.
const BATCH: usize = 1000;
/// Rows of one pipeline: each has two keys.
pub(crate) const ROWS: usize = BATCH / 2;
/// Pipelines under way at once: the program's own.
const IN_FLIGHT: usize = 2;
/// Cached values that no change concerns.
const BYSTANDERS: u32 = 10_000;

/// The server.
pub(crate) struct Cache {
    client: redis::Client,
}

impl Cache {
    /// The server at this address.
    pub(crate) fn new(url: &str) -> Result<Self> {
        Ok(Self {
            client: redis::Client::open(url)?,
        })
    }

    /// Empties it and caches values under both keys of every row, and of rows that do not change.
    pub(crate) async fn fill(&self, rows: &[Last]) -> Result<()> {
        let mut connection = self.connection().await?;
        redis::cmd("FLUSHALL").exec_async(&mut connection).await?;
        let cached: Vec<String> = rows.iter().flat_map(|it| keys(it.key)).collect();
        let others = (0..BYSTANDERS).map(bystander);
        let all: Vec<String> = cached.into_iter().chain(others).collect();
        for chunk in all.chunks(BATCH) {
            let mut pipeline = redis::pipe();
            for key in chunk {
                pipeline
                    .cmd("SET")
                    .arg(key)
                    .arg("a cached product")
                    .ignore();
            }
            pipeline.exec_async(&mut connection).await?;
        }
        Ok(())
    }

    /// Sends what [`pipeline`] has made, on one connection, some under way at once.
    pub(crate) async fn unlink(&self, pipelines: Vec<redis::Pipeline>) -> Result<()> {
        let connection = self.connection().await?;
        let sent = pipelines.into_iter().map(|pipeline| {
            let mut connection = connection.clone();
            async move { pipeline.exec_async(&mut connection).await }
        });
        let mut answers = futures_util::stream::iter(sent).buffer_unordered(IN_FLIGHT);
        while let Some(answer) = answers.next().await {
            answer?;
        }
        Ok(())
    }

    /// Sees that nothing is cached but what no change concerned, and all of that.
    pub(crate) async fn compare(&self) -> Result<()> {
        let mut connection = self.connection().await?;
        let size: u32 = redis::cmd("DBSIZE").query_async(&mut connection).await?;
        let mut exists = redis::cmd("EXISTS");
        (0..BYSTANDERS).for_each(|number| {
            exists.arg(bystander(number));
        });
        let left: u32 = exists.query_async(&mut connection).await?;
        ensure!(
            size == BYSTANDERS && left == BYSTANDERS,
            "{size} keys are left in Redis, of which {left} should be, and {BYSTANDERS} should be"
        );
        Ok(())
    }

    async fn connection(&self) -> Result<MultiplexedConnection> {
        Ok(self.client.get_multiplexed_async_connection().await?)
    }
}

/// Unlinks both keys of each of these rows.
pub(crate) fn pipeline(request: &[Last]) -> redis::Pipeline {
    let keys: Vec<String> = request.iter().flat_map(|it| keys(it.key)).collect();
    let mut pipeline = redis::pipe();
    for chunk in keys.chunks(KEYS_PER_COMMAND) {
        pipeline.cmd("UNLINK").arg(chunk).ignore();
    }
    pipeline
}

/// What the pipeline's templates make of a row.
fn keys(id: u32) -> [String; 2] {
    let slug = Product::slug(id);
    [format!("product:{id}"), format!("product:slug:{slug}")]
}

fn bystander(number: u32) -> String {
    format!("user:{number}")
}
