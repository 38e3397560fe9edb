//! A seeded stream of changes to the example shop, of every kind that change data capture trips over.
//!
//! The same seed on the same starting rows makes the same statements in the same order, so a fault
//! that one run finds can be found again. It writes to Postgres only and knows nothing of the program
//! under test, of Kafka or of the stores.

mod compose;
mod fill;
mod kind;
mod rows;
mod session;
mod shop;
mod text;

pub use kind::Kind;
pub use session::{Session, Summary};

/// The generator behind every choice.
type Random = rand_chacha::ChaCha8Rng;

/// What to do to the shop, before it is connected to a database.
#[derive(Debug, Clone)]
pub struct Workload {
    seed: u64,
    changes: u64,
    rate: f64,
    rows: usize,
    swaps: bool,
}

impl Workload {
    /// A workload of 3000 changes, as fast as Postgres takes them, on a shop of about 3000 rows.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self {
            seed,
            changes: 3000,
            rate: 0.0,
            rows: 3000,
            swaps: true,
        }
    }

    /// How many changes to make. A change is one transaction of one or more row changes.
    #[must_use]
    pub const fn changes(mut self, changes: u64) -> Self {
        self.changes = changes;
        self
    }

    /// Changes per second; 0 is as fast as possible.
    #[must_use]
    pub const fn rate(mut self, rate: f64) -> Self {
        self.rate = rate;
        self
    }

    /// About how many rows to fill an empty shop with, over all tables.
    #[must_use]
    pub const fn rows(mut self, rows: usize) -> Self {
        self.rows = rows;
        self
    }

    /// Whether two order items may swap their primary keys in one transaction; they may unless told
    /// not to. Debezium's log of a swap reads create, then delete, for one and the same key.
    #[must_use]
    pub const fn swaps(mut self, swaps: bool) -> Self {
        self.swaps = swaps;
        self
    }

    /// Takes over the connection, fills the shop where it has no users, and is ready to change it.
    ///
    /// # Errors
    /// Where Postgres refuses a statement, for example because the schema is missing.
    pub async fn open(&self, client: tokio_postgres::Client) -> anyhow::Result<Session> {
        Session::open(self.clone(), client).await
    }
}

/// Connects to Postgres and drives the connection in a task of its own.
///
/// # Errors
/// Where the URL is no connection string or the server cannot be reached.
pub async fn connect(url: &str) -> anyhow::Result<tokio_postgres::Client> {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await?;
    tokio::spawn(async move {
        // The client's next call fails with the reason; there is nobody else to tell.
        connection.await.ok();
    });
    Ok(client)
}
