//! Where it was measured, and what.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::process::cores;

/// The machine and the versions, as lines of a list.
pub(crate) fn describe(root: &Path, program: &Path) -> Result<Vec<String>> {
    let cpu = line("/proc/cpuinfo", "model name")?;
    let memory: u64 = line("/proc/meminfo", "MemTotal")?
        .trim_end_matches(" kB")
        .parse()?;
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let load = fs::read_to_string("/proc/loadavg")?;
    let load = load
        .split_whitespace()
        .take(3)
        .collect::<Vec<_>>()
        .join(" ");
    let versions = fs::read_to_string(root.join("dev/stack/versions.env"))?;
    let version = |name: &str| {
        let mut lines = versions.lines();
        let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix("_VERSION="));
        value.unwrap_or("?").to_owned()
    };
    Ok(vec![
        format!(
            "Machine: {} cores of {cpu}, {} GiB, Linux {}",
            cores(),
            memory >> 20,
            kernel.trim()
        ),
        format!("Load average when the benchmark began: {load}"),
        format!(
            "Program: {}, commit {}",
            said(program, &["--version"])?,
            commit(root)
        ),
        format!(
            "Servers: Kafka {}, Elasticsearch {} (1 GiB heap), Neo4j {} (512 MiB heap), {}",
            version("KAFKA"),
            version("ELASTICSEARCH"),
            version("NEO4J"),
            redis()
        ),
    ])
}

fn line(file: &str, name: &str) -> Result<String> {
    let text = fs::read_to_string(file)?;
    let found = text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim().to_owned())
    });
    found.with_context(|| format!("{name} in {file}"))
}

fn said(program: &Path, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program).args(arguments).output();
    let output = output.with_context(|| program.display().to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().next().unwrap_or_default().trim().to_owned())
}

/// The commit, and whether something was changed since.
fn commit(root: &Path) -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .arg("-C")
            .arg(root)
            .args(arguments)
            .output()
            .ok()?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        output.status.success().then_some(text)
    };
    let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) else {
        return "unknown".to_owned();
    };
    // What this benchmark itself writes is no change.
    let changed = git(&[
        "status",
        "--porcelain",
        "--untracked-files=no",
        "--",
        ".",
        ":!BENCHMARKS.md",
    ]);
    match changed.as_deref() {
        Some("") => commit,
        _ => format!("{commit} with changes"),
    }
}

fn redis() -> String {
    let version = said(Path::new("redis-server"), &["--version"]).unwrap_or_default();
    let number = version
        .split("v=")
        .nth(1)
        .and_then(|it| it.split_whitespace().next());
    format!("Redis {}", number.unwrap_or("?"))
}
