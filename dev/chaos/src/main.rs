//! The `chaos` command: one fault run, with a seed and a duration.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use chaos::{Plan, Store};
use clap::Parser;

/// Deals faults to the program and its servers for a while, and then compares everything.
///
/// Exits with 0 where nothing differs and no invariant is violated, 1 where something is, 2 where
/// the run could not be carried out.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:\n  chaos --seed 7\n  chaos --seed 7 --duration 10m --rate 100")]
struct Arguments {
    /// The same seed picks the same faults.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How long faults are dealt: 90s, 3m.
    #[arg(long, default_value = "3m", value_parser = duration)]
    duration: Duration,
    /// Changes to the shop per second.
    #[arg(long, default_value_t = 40.0)]
    rate: f64,
    /// The program; by default the `distributary` beside this binary.
    #[arg(long)]
    program: Option<PathBuf>,
    /// The repository.
    #[arg(long, default_value = ".")]
    root: PathBuf,
    /// Where the run's own stack lives.
    #[arg(long, default_value = ".stack/chaos")]
    folder: PathBuf,
    /// Go on with the data of the run before, instead of an empty stack.
    #[arg(long)]
    keep: bool,
    /// Leave the graph out.
    #[arg(long)]
    without_graph: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("\nThe fault run could not be carried out: {error:#}");
            ExitCode::from(2)
        }
    }
}

async fn run(arguments: Arguments) -> Result<bool> {
    let beside = std::env::current_exe()?.with_file_name("distributary");
    let mut stores = Store::ALL.to_vec();
    stores.retain(|&store| !(arguments.without_graph && store == Store::Graph));
    let plan = Plan {
        seed: arguments.seed,
        duration: arguments.duration,
        rate: arguments.rate,
        program: arguments.program.unwrap_or(beside),
        root: arguments.root,
        folder: arguments.folder,
        stores,
        keep: arguments.keep,
    };
    println!("seed {}", plan.seed);
    // Dropped, the run takes its instances with it; its stack stays up, to be looked at.
    let verdict = tokio::select! {
        verdict = plan.run() => verdict?,
        _ = tokio::signal::ctrl_c() => anyhow::bail!("interrupted"),
    };
    println!("\nseed {}: {verdict}", plan.seed);
    Ok(verdict.is_good())
}

/// `90s`, `3m` or `1h`.
fn duration(text: &str) -> Result<Duration> {
    let unit = text.chars().last().context("a duration such as 3m")?;
    let seconds = match unit {
        's' => 1.0,
        'm' => 60.0,
        'h' => 3600.0,
        _ => anyhow::bail!("a duration ends with s, m or h"),
    };
    let count: f64 = text.trim_end_matches(unit).parse()?;
    Ok(Duration::from_secs_f64(count * seconds))
}
