//! What `make bench` runs: the program on preloaded topics, beside bare clients and a peer.
//!
//! Everything is measured on a stack of its own, and nothing counts before the stores' contents were
//! compared with what the topics say.

mod bench;
mod config;
mod delays;
mod envelope;
mod load;
mod process;
mod program;
mod report;
mod rows;
mod run;
mod scenario;
mod series;
mod stores;
mod topics;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use bench::{Bench, Sizes};
use clap::Parser;
use report::machine;

/// Measures the program and writes BENCHMARKS.md.
#[derive(Debug, Parser)]
struct Arguments {
    /// Fewer events and one run of each: whether everything works, and no figure to quote.
    #[arg(long)]
    quick: bool,
    /// The same seed makes the same rows in the same order.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only these scenarios: null, elasticsearch, redis, neo4j, together, memory, latency;
    /// and scale, which is asked for by its name alone.
    #[arg(long, value_delimiter = ',', value_parser = scenario::NAMES, hide_possible_values = true)]
    only: Vec<String>,
    /// Runs of each contestant.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Where the report goes; by default BENCHMARKS.md, and beside the stack's data where not
    /// everything was measured in full.
    #[arg(long)]
    report: Option<PathBuf>,
    /// The repository.
    #[arg(long, default_value = ".")]
    root: PathBuf,
    /// Where the benchmark's own stack lives.
    #[arg(long, default_value = ".stack/bench")]
    folder: PathBuf,
    /// Go on with the servers as they are, instead of empty ones, and leave them running.
    #[arg(long)]
    keep: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("\nThe benchmark could not be carried out: {error:#}");
            ExitCode::from(2)
        }
    }
}

async fn run(arguments: Arguments) -> Result<bool> {
    let sizes = Sizes {
        shrink: if arguments.quick { 10 } else { 1 },
        rounds: if arguments.quick { 1 } else { arguments.rounds },
        seed: arguments.seed,
    };
    let is_whole = !arguments.quick && arguments.only.is_empty();
    let beside = if is_whole {
        &arguments.root
    } else {
        &arguments.folder
    };
    let file = arguments
        .report
        .unwrap_or_else(|| beside.join("BENCHMARKS.md"));
    let bench = Bench::new(&arguments.root, arguments.folder, arguments.keep, sizes).await?;
    let machine = machine::describe(&arguments.root, &bench.program)?;
    // Dropped, a run takes its processes with it.
    let findings = tokio::select! {
        findings = scenario::all(&bench, &arguments.only, machine) => findings,
        _ = tokio::signal::ctrl_c() => bail!("interrupted"),
    };
    let report = findings.markdown();
    println!("\n{report}");
    std::fs::write(&file, report)?;
    println!("written to {}", file.display());
    if !arguments.keep {
        bench.stack.down().await?;
    }
    Ok(findings.is_complete())
}
