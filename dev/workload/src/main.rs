//! The `workload` command: a seeded stream of changes to the example shop.

use clap::Parser;
use workload::{Workload, connect};

/// Changes the example shop in Postgres, reproducibly.
#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  workload --seed 7 --changes 5000\n  workload --rate 200\n  workload --rows 100000 --load-only"
)]
struct Arguments {
    /// The same seed on the same rows makes the same changes.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many changes; each is a transaction of one or more row changes.
    #[arg(long, default_value_t = 3000)]
    changes: u64,
    /// Changes per second; 0 is as fast as Postgres takes them.
    #[arg(long, default_value_t = 0.0)]
    rate: f64,
    /// About how many rows to fill an empty shop with.
    #[arg(long, default_value_t = 3000)]
    rows: usize,
    /// Fill an empty shop and make no changes.
    #[arg(long)]
    load_only: bool,
    /// Let no order items swap their primary keys.
    #[arg(long)]
    no_swaps: bool,
    /// Postgres, as a URL.
    #[arg(
        long,
        env = "PG_URL",
        default_value = "postgresql://postgres@127.0.0.1:5432/ecommerce",
        hide_env_values = true
    )]
    url: String,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let workload = Workload::new(arguments.seed)
        .changes(arguments.changes)
        .rate(arguments.rate)
        .rows(arguments.rows)
        .swaps(!arguments.no_swaps);
    let mut session = workload.open(connect(&arguments.url).await?).await?;
    if !arguments.load_only {
        println!("seed {}: {}", arguments.seed, session.run().await?);
    }
    Ok(())
}
