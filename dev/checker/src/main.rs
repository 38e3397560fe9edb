//! The `checker` command: compares the stores with Postgres, or watches versions.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;
use checker::{Sampler, Stores, Targets, until_equal};
use clap::{Parser, Subcommand};
use serde_json::json;

/// Compares Elasticsearch, Redis and Neo4j with Postgres, for the example's projections.
///
/// Exits with 0 where everything is equal, 1 where something differs, 2 where it could not be found
/// out.
#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  checker\n  checker --json --within 60\n  checker watch --for 300"
)]
struct Arguments {
    #[command(flatten)]
    targets: Targets,
    /// Compare again until nothing differs, for at most so many seconds.
    #[arg(long, default_value_t = 0)]
    within: u64,
    /// Report as JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Samples versions while a workload runs and reports any that goes backwards.
    Watch {
        /// How many seconds to watch.
        #[arg(long = "for", default_value_t = 60)]
        seconds: u64,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("checker: {error:#}");
            ExitCode::from(2)
        }
    }
}

async fn run(arguments: &Arguments) -> Result<bool> {
    let stores = arguments.targets.connect().await?;
    if let Some(Command::Watch { seconds }) = arguments.command {
        return watch(&stores, Duration::from_secs(seconds), arguments.json).await;
    }
    let report = until_equal(&stores, Duration::from_secs(arguments.within)).await?;
    if arguments.json {
        let report = json!({"equal": report.is_equal(), "sections": report.sections});
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{report}");
    }
    Ok(report.is_equal())
}

async fn watch(stores: &Stores, time: Duration, json: bool) -> Result<bool> {
    let (start, mut sampler) = (Instant::now(), Sampler::default());
    while start.elapsed() < time {
        sampler.sample(stores).await?;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let (samples, regressions) = (sampler.samples(), sampler.regressions());
    if json {
        println!(
            "{}",
            json!({"samples": samples, "regressions": regressions})
        );
    } else {
        println!(
            "{samples} versions looked at, {} went backwards",
            regressions.len()
        );
        regressions
            .iter()
            .for_each(|regression| println!("  {regression}"));
    }
    Ok(regressions.is_empty())
}
