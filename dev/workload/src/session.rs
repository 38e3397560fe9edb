//! A workload at work on one connection.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rand::{Rng, SeedableRng};
use tokio_postgres::Client;

use crate::compose::compose;
use crate::fill::fill;
use crate::rows::Statement;
use crate::shop::Shop;
use crate::{Kind, Random, Workload};

/// A workload with its connection and what it knows of the shop.
///
/// Nothing else may write to the shop's tables while it works: it would pick rows that are gone.
#[derive(Debug)]
pub struct Session {
    workload: Workload,
    client: Client,
    shop: Shop,
    random: Random,
    prepared: HashMap<&'static str, tokio_postgres::Statement>,
    summary: Summary,
}

/// What a workload did.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// Changes made, by kind.
    pub changes: BTreeMap<Kind, u64>,
    /// Rows that the statements themselves touched; cascades come on top.
    pub rows: u64,
    /// Time spent making changes.
    pub elapsed: Duration,
}

impl Summary {
    /// All changes made.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.changes.values().sum()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (total, rows, kinds) = (self.total(), self.rows, self.changes.len());
        let seconds = self.elapsed.as_secs_f64();
        write!(
            f,
            "{total} changes of {kinds} kinds to {rows} rows, and their cascades, in {seconds:.1} s"
        )
    }
}

impl Session {
    pub(crate) async fn open(workload: Workload, client: Client) -> Result<Self> {
        let mut random = Random::seed_from_u64(workload.seed);
        let mut shop = Shop::load(&client)
            .await
            .context("reading the shop's keys")?;
        if shop.users.is_empty() {
            fill(&client, &mut shop, &mut random, workload.rows)
                .await
                .context("filling the shop")?;
        }
        let (prepared, summary) = (HashMap::new(), Summary::default());
        Ok(Self {
            workload,
            client,
            shop,
            random,
            prepared,
            summary,
        })
    }

    /// Makes all changes of the workload, at its rate.
    ///
    /// # Errors
    /// Where Postgres refuses a statement or goes away.
    pub async fn run(&mut self) -> Result<Summary> {
        let start = Instant::now();
        for done in 0..self.workload.changes {
            if self.workload.rate > 0.0 {
                let due = Duration::from_secs_f64(done as f64 / self.workload.rate);
                tokio::time::sleep(due.saturating_sub(start.elapsed())).await;
            }
            self.change().await?;
        }
        Ok(self.summary.clone())
    }

    /// Makes one change and says which.
    ///
    /// # Errors
    /// Where Postgres refuses a statement or goes away; the session is then of no further use.
    pub async fn change(&mut self) -> Result<Kind> {
        let start = Instant::now();
        let (kind, statements) = self.draw();
        let rows = self
            .execute(kind, &statements)
            .await
            .with_context(|| format!("change {kind:?}"))?;
        *self.summary.changes.entry(kind).or_default() += 1;
        self.summary.rows += rows;
        self.summary.elapsed += start.elapsed();
        Ok(kind)
    }

    /// What was done so far.
    #[must_use]
    pub const fn summary(&self) -> &Summary {
        &self.summary
    }

    fn draw(&mut self) -> (Kind, Vec<Statement>) {
        loop {
            let kind = draw_kind(&mut self.random);
            if kind == Kind::SwapItems && !self.workload.swaps {
                continue;
            }
            if let Some(statements) = compose(kind, &mut self.shop, &mut self.random) {
                return (kind, statements);
            }
        }
    }

    async fn execute(&mut self, kind: Kind, statements: &[Statement]) -> Result<u64> {
        for statement in statements {
            if !self.prepared.contains_key(statement.sql) {
                let prepared = self.client.prepare(statement.sql).await?;
                self.prepared.insert(statement.sql, prepared);
            }
        }
        let transaction = self.client.transaction().await?;
        let mut rows = 0;
        for statement in statements {
            let params: Vec<_> = statement.params.iter().map(|param| &**param as _).collect();
            rows += transaction
                .execute(&self.prepared[statement.sql], &params)
                .await?;
        }
        if kind == Kind::Abandon {
            transaction.rollback().await?;
            return Ok(0);
        }
        transaction.commit().await?;
        Ok(rows)
    }
}

fn draw_kind(random: &mut Random) -> Kind {
    let total: u32 = Kind::WEIGHTS.iter().map(|(_, weight)| weight).sum();
    let mut ticket = random.random_range(0..total);
    for (kind, weight) in Kind::WEIGHTS {
        if ticket < weight {
            return kind;
        }
        ticket -= weight;
    }
    Kind::AddUser
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(seed: u64) -> Vec<String> {
        let (mut random, mut shop) = (Random::seed_from_u64(seed), Shop::default());
        let mut made = Vec::new();
        while made.len() < 400 {
            let kind = draw_kind(&mut random);
            if let Some(statements) = compose(kind, &mut shop, &mut random) {
                made.push(format!("{kind:?} {statements:?}"));
            }
        }
        made
    }

    #[test]
    fn the_same_seed_makes_the_same_changes() {
        assert_eq!(changes(7), changes(7));
    }

    #[test]
    fn another_seed_makes_other_changes() {
        assert_ne!(changes(7), changes(8));
    }

    #[test]
    fn every_kind_comes_up_in_a_few_thousand_draws() {
        let mut random = Random::seed_from_u64(3);
        let drawn: std::collections::BTreeSet<_> =
            (0..3000).map(|_| draw_kind(&mut random)).collect();
        assert_eq!(drawn.len(), Kind::WEIGHTS.len());
    }

    /// An empty shop in a database of this name.
    async fn empty_shop(name: &str) -> Client {
        let url =
            std::env::var("PG_URL").expect("PG_URL is set: the stack is needed, make stack-up");
        let server = crate::connect(&url).await.unwrap();
        let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
        server.batch_execute(&drop).await.unwrap();
        server
            .batch_execute(&format!("CREATE DATABASE {name}"))
            .await
            .unwrap();
        let url = format!("{}/{name}", url.rsplit_once('/').unwrap().0);
        let client = crate::connect(&url).await.unwrap();
        client
            .batch_execute(include_str!("../../../examples/ecommerce/schema.sql"))
            .await
            .unwrap();
        client
    }

    /// Everything in the shop, as one text.
    async fn rows(client: &Client) -> String {
        let mut all = String::new();
        for table in [
            "users",
            "categories",
            "products",
            "orders",
            "order_items",
            "outbox",
        ] {
            let sql =
                format!("SELECT string_agg(t::text, '' ORDER BY t::text) FROM public.{table} t");
            all += client.query_one(&sql, &[]).await.unwrap().get(0);
        }
        all
    }

    #[tokio::test]
    async fn the_mirrored_keys_are_those_of_postgres_after_every_kind_of_change() {
        let workload = Workload::new(5).rows(300).changes(2500).swaps(true);
        let mut session = workload
            .open(empty_shop("workload_test_keys").await)
            .await
            .unwrap();
        let summary = session.run().await.unwrap();
        assert!(
            summary.changes.len() >= Kind::WEIGHTS.len() - 1,
            "{:?}",
            summary.changes
        );

        let truth = Shop::load(&session.client).await.unwrap();
        let mirror = &session.shop;
        assert_eq!(mirror.users, truth.users);
        assert_eq!(mirror.categories, truth.categories);
        assert_eq!(mirror.products, truth.products);
        assert_eq!(mirror.orders, truth.orders);
        assert_eq!(mirror.items, truth.items);
    }

    #[tokio::test]
    async fn the_same_seed_goes_on_where_it_left_off() {
        let workload = Workload::new(7).rows(200).changes(400);
        let first = workload
            .open(empty_shop("workload_test_again").await)
            .await
            .unwrap();
        let mut client = first.client;
        for _ in 0..3 {
            let mut session = workload.open(client).await.unwrap();
            session.run().await.unwrap();
            client = session.client;
        }
    }

    #[tokio::test]
    async fn the_same_seed_leaves_the_same_rows() {
        let workload = Workload::new(6).rows(200).changes(300);
        let mut left = Vec::new();
        for name in ["workload_test_a", "workload_test_b"] {
            let mut session = workload.open(empty_shop(name).await).await.unwrap();
            session.run().await.unwrap();
            left.push(rows(&session.client).await);
        }
        assert!(left[0].len() > 10_000 && left[0] == left[1]);
    }
}
