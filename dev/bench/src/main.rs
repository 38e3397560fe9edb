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
mod schema;
mod series;
mod stores;
mod topics;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, ensure};
use bench::{Bench, Sizes};
use chaos::Stack;
use clap::Parser;
use report::{Findings, machine};
use tokio::signal::unix::{SignalKind, signal};

/// Measures the program and writes BENCHMARKS.md.
#[derive(Debug, Parser)]
struct Arguments {
    /// Fewer events and one run of each: whether everything works, and no figure to quote.
    #[arg(long)]
    quick: bool,
    /// The same seed makes the same rows in the same order.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only these scenarios: hot, null, elasticsearch, redis, neo4j, together, memory, latency;
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
    let stack = Stack::at(&arguments.root, arguments.folder.clone())?;
    let measured = measured(&arguments).await;
    // Whatever has happened: nobody else would stop them.
    if !arguments.keep {
        stack.down().await?;
    }
    measured
}

/// Measures, and reports what there is by then where it is interrupted.
async fn measured(arguments: &Arguments) -> Result<bool> {
    let mut findings = Findings::new(Sizes {
        shrink: if arguments.quick { 10 } else { 1 },
        rounds: if arguments.quick { 1 } else { arguments.rounds },
        seed: arguments.seed,
    });
    // Dropped, a run takes its processes with it.
    let interrupted = tokio::select! {
        measured = measure(arguments, &mut findings) => measured.map(|()| false)?,
        signal = interrupted() => signal.map(|()| true)?,
    };
    if interrupted {
        ensure!(!findings.is_empty(), "interrupted");
        findings.failed.push("the rest: interrupted".to_owned());
    }
    let is_whole = !interrupted && !arguments.quick && arguments.only.is_empty();
    let file = match &arguments.report {
        Some(file) => file.clone(),
        None if is_whole => arguments.root.join("BENCHMARKS.md"),
        None => arguments.folder.join("BENCHMARKS.md"),
    };
    let report = findings.markdown();
    println!("\n{report}");
    std::fs::write(&file, report)?;
    println!("written to {}", file.display());
    Ok(findings.is_complete())
}

async fn measure(arguments: &Arguments, findings: &mut Findings) -> Result<()> {
    let folder = arguments.folder.clone();
    let bench = Bench::new(&arguments.root, folder, arguments.keep, findings.sizes).await?;
    findings.machine = machine::describe(&bench)?;
    scenario::all(&bench, &arguments.only, findings).await;
    Ok(())
}

async fn interrupted() -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => Ok(pressed?),
        _ = terminate.recv() => Ok(()),
    }
}
