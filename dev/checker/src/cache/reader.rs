//! The application that reads through the cache.

use std::time::Duration;

use anyhow::Result;
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;
use tokio_postgres::Client;

use super::CacheKey;
use crate::targets::Targets;

/// How long a cached value lives, in seconds: longer than any run, so that only an invalidation can
/// have removed it.
const LIFETIME_S: u64 = 24 * 3600;
/// Keys remembered, so that pages of rows that are gone are asked for as well.
const REMEMBERED: usize = 2000;
/// Pause between two rounds of reading.
const PAUSE: Duration = Duration::from_millis(20);

/// Reads random keys and fills those that are not cached.
pub struct Reader {
    postgres: Client,
    redis: MultiplexedConnection,
    known: Vec<CacheKey>,
    oldest: usize,
    filled: u64,
}

impl Reader {
    /// Connects to Postgres and Redis.
    ///
    /// # Errors
    /// Where one of them cannot be reached.
    pub async fn connect(targets: &Targets) -> Result<Self> {
        let redis = redis::Client::open(targets.redis_url.as_str())?;
        let redis = redis.get_multiplexed_async_connection().await?;
        let postgres = targets.postgres().await?;
        Ok(Self {
            postgres,
            redis,
            known: Vec::new(),
            oldest: 0,
            filled: 0,
        })
    }

    /// Reads for ever, a few keys every 20 ms. Stop it by dropping the future.
    ///
    /// # Errors
    /// Where Postgres or Redis goes away.
    pub async fn run(&mut self) -> Result<()> {
        loop {
            self.round(2).await?;
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Reads `count` random live rows' keys of each kind, and as many remembered ones.
    ///
    /// # Errors
    /// Where Postgres or Redis goes away.
    pub async fn round(&mut self, count: usize) -> Result<()> {
        let mut keys = self.live(count).await?;
        let step = (self.known.len() / count.max(1)).max(1);
        keys.extend(
            self.known
                .iter()
                .skip(self.oldest % step)
                .step_by(step)
                .take(count)
                .cloned(),
        );
        for key in keys {
            self.read(&key).await?;
            self.remember(key);
        }
        Ok(())
    }

    /// The cached value; where there is none, Postgres' answer, which is then cached.
    ///
    /// # Errors
    /// Where Postgres or Redis goes away.
    pub async fn read(&mut self, key: &CacheKey) -> Result<String> {
        let name = key.to_string();
        if let Some(cached) = self.redis.get(&name).await? {
            return Ok(cached);
        }
        let content = key.content(&self.postgres).await?;
        self.redis
            .set_ex::<_, _, ()>(&name, &content, LIFETIME_S)
            .await?;
        self.filled += 1;
        Ok(content)
    }

    /// Values written to the cache so far.
    #[must_use]
    pub const fn filled(&self) -> u64 {
        self.filled
    }

    async fn live(&self, count: usize) -> Result<Vec<CacheKey>> {
        let count = i64::try_from(count)?;
        let mut keys = vec![CacheKey::Featured];
        let products = "SELECT id, slug FROM public.products ORDER BY random() LIMIT $1";
        for row in self.postgres.query(products, &[&count]).await? {
            keys.extend([CacheKey::Product(row.get(0)), CacheKey::Slug(row.get(1))]);
        }
        let categories = "SELECT id FROM public.categories ORDER BY random() LIMIT $1";
        for row in self.postgres.query(categories, &[&count]).await? {
            keys.push(CacheKey::CategoryProducts(row.get(0)));
        }
        let users = "SELECT id FROM public.users ORDER BY random() LIMIT $1";
        for row in self.postgres.query(users, &[&count]).await? {
            keys.extend([CacheKey::User(row.get(0)), CacheKey::UserOrders(row.get(0))]);
        }
        let orders = "SELECT id FROM public.orders ORDER BY random() LIMIT $1";
        for row in self.postgres.query(orders, &[&count]).await? {
            keys.push(CacheKey::Order(row.get(0)));
        }
        Ok(keys)
    }

    fn remember(&mut self, key: CacheKey) {
        if self.known.len() < REMEMBERED {
            self.known.push(key);
        } else {
            self.known[self.oldest % REMEMBERED] = key;
        }
        self.oldest += 1;
    }
}
