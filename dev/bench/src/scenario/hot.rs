//! What each step of the hot path costs: the in-process benches, run by cargo, and their figures.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::SystemTime;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::process::Command;

use crate::bench::Bench;

/// The choice of packages with which `make bench` has built everything, so that nothing is built
/// again.
const COMMAND: [&str; 8] = [
    "bench",
    "--quiet",
    "--package",
    "distributary",
    "--package",
    "bench",
    "--bench",
    "hot",
];
/// Whether everything works needs no certainty.
const QUICKLY: [&str; 6] = [
    "--warm-up-time",
    "0.1",
    "--measurement-time",
    "0.2",
    "--sample-size",
    "10",
];

/// A step, in nanoseconds for one record, mutation or document.
#[derive(Debug)]
pub(crate) struct Step {
    /// Which, and on what.
    pub(crate) name: String,
    /// The median of the samples.
    pub(crate) median_ns: f64,
    /// Where the median lies with a confidence of 95 %.
    pub(crate) between_ns: (f64, f64),
}

/// Runs all of them.
pub(crate) async fn run(bench: &Bench) -> Result<Vec<Step>> {
    // What an earlier benchmark has left would be taken for this one's.
    let folder = bench.stack.logs().join("criterion");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args(COMMAND)
        .current_dir(bench.stack.root())
        .env("CRITERION_HOME", &folder)
        .stdout(Stdio::null())
        .kill_on_drop(true);
    if bench.sizes.shrink > 1 {
        command.arg("--").args(QUICKLY);
    }
    let status = command.status().await.context("starting cargo")?;
    ensure!(status.success(), "cargo bench ended with {status}");
    steps(&folder)
}

/// What criterion has written of each, in the order in which they were run.
fn steps(folder: &Path) -> Result<Vec<Step>> {
    let mut steps: Vec<(SystemTime, Step)> = Vec::new();
    for group in folders(folder)? {
        for function in folders(&group)? {
            let new = function.join("new");
            if let Ok(written) = new.join("benchmark.json").metadata() {
                steps.push((written.modified()?, step(&new)?));
            }
        }
    }
    steps.sort_by_key(|it| it.0);
    ensure!(!steps.is_empty(), "nothing was written");
    Ok(steps.into_iter().map(|it| it.1).collect())
}

fn folders(folder: &Path) -> Result<Vec<std::path::PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let paths = entries
        .map(|it| Ok(it?.path()))
        .collect::<Result<Vec<_>>>()?;
    Ok(paths.into_iter().filter(|it| it.is_dir()).collect())
}

fn step(folder: &Path) -> Result<Step> {
    let benchmark: Benchmark = read(&folder.join("benchmark.json"))?;
    let Estimates { median } = read(&folder.join("estimates.json"))?;
    let elements = benchmark.throughput.map_or(1.0, |it| it.elements);
    let interval = median.confidence_interval;
    Ok(Step {
        name: format!("{}: {}", benchmark.group_id, benchmark.function_id),
        median_ns: median.point_estimate / elements,
        between_ns: (
            interval.lower_bound / elements,
            interval.upper_bound / elements,
        ),
    })
}

fn read<T: DeserializeOwned>(file: &Path) -> Result<T> {
    let text = fs::read(file).with_context(|| file.display().to_string())?;
    serde_json::from_slice(&text).with_context(|| file.display().to_string())
}

#[derive(Deserialize)]
struct Benchmark {
    group_id: String,
    function_id: String,
    throughput: Option<Throughput>,
}

#[derive(Deserialize)]
struct Throughput {
    #[serde(rename = "Elements")]
    elements: f64,
}

#[derive(Deserialize)]
struct Estimates {
    median: Estimate,
}

#[derive(Deserialize)]
struct Estimate {
    confidence_interval: Interval,
    point_estimate: f64,
}

#[derive(Deserialize)]
struct Interval {
    lower_bound: f64,
    upper_bound: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_costs_what_criterion_has_written_for_each_of_its_elements() {
        let folder = std::env::temp_dir().join(format!("hot-{}", std::process::id()));
        let new = folder.join("bulk/batches/new");
        fs::create_dir_all(&new).unwrap();
        fs::create_dir_all(folder.join("report")).unwrap();
        fs::write(
            new.join("benchmark.json"),
            r#"{"group_id":"bulk","function_id":"batches","value_str":null,"throughput":{"Elements":5000}}"#,
        )
        .unwrap();
        fs::write(
            new.join("estimates.json"),
            r#"{"median":{"confidence_interval":{"confidence_level":0.95,"lower_bound":4e6,"upper_bound":6e6},"point_estimate":5e6}}"#,
        )
        .unwrap();
        let steps = steps(&folder).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        let [step] = steps.as_slice() else {
            panic!("one step and not {steps:?}");
        };
        assert_eq!(step.name, "bulk: batches");
        assert_eq!((step.median_ns, step.between_ns), (1000.0, (800.0, 1200.0)));
    }
}
