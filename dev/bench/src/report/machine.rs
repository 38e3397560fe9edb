//! Where it was measured, and what.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use chaos::{Server, Stack};

use crate::bench::Bench;
use crate::process::{self, cores};

/// The machine and the versions, as lines of a list.
pub(crate) fn describe(bench: &Bench) -> Result<Vec<String>> {
    let root = bench.stack.root();
    let cpu = line("/proc/cpuinfo", "model name")?;
    let memory: u64 = line("/proc/meminfo", "MemTotal")?
        .trim_end_matches(" kB")
        .parse()?;
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    Ok(vec![
        format!(
            "Machine: {} cores of {cpu}, {} GiB, Linux {}",
            cores(),
            memory >> 20,
            kernel.trim()
        ),
        format!("Program: {}", program(root, &bench.program)?),
        format!("Servers: {}", servers(&bench.stack)?),
        format!("Peer: {}", peer(root)?),
    ])
}

fn servers(stack: &Stack) -> Result<String> {
    let versions = fs::read_to_string(stack.root().join("dev/stack/versions.env"))?;
    let version = |name: &str| {
        let mut lines = versions.lines();
        let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix("_VERSION="));
        value.unwrap_or("?").to_owned()
    };
    let folder = PathBuf::from(stack.get("STACK_PIDS")?);
    let mut said = Vec::new();
    let mut java = None;
    for (server, name) in [
        (Server::Kafka, "Kafka"),
        (Server::Elasticsearch, "Elasticsearch"),
        (Server::Neo4j, "Neo4j"),
    ] {
        let family = process::family(process::server_pid(&folder, server.name())?)?;
        java = java.or_else(|| family.iter().find_map(|&pid| java_version(pid)));
        // The launcher of Elasticsearch has a small heap of its own.
        let heap = family.iter().filter_map(|&pid| heap_mib(pid)).max();
        said.push(format!(
            "{name} {} ({} MiB heap)",
            version(&name.to_uppercase()),
            heap.map_or_else(|| "?".to_owned(), |it| it.to_string())
        ));
    }
    said.push(redis());
    let java = java.unwrap_or_else(|| "?".to_owned());
    Ok(format!("{}; Java {java}", said.join(", ")))
}

/// The largest heap that a process of Java was started with.
fn heap_mib(pid: u32) -> Option<u64> {
    let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
    let mut size = line.split('\0').filter_map(|it| it.strip_prefix("-Xmx"));
    mib(size.next_back()?)
}

/// `512m` or `1g`.
fn mib(size: &str) -> Option<u64> {
    let (number, mib) = match size.strip_suffix(['g', 'G']) {
        Some(number) => (number, 1024),
        None => (size.strip_suffix(['m', 'M'])?, 1),
    };
    Some(number.parse::<u64>().ok()? * mib)
}

/// The version of the Java that a process is.
fn java_version(pid: u32) -> Option<String> {
    let program = fs::read_link(format!("/proc/{pid}/exe")).ok()?;
    let release = program.parent()?.parent()?.join("release");
    let text = fs::read_to_string(release).ok()?;
    let version = text
        .lines()
        .find_map(|it| it.strip_prefix("JAVA_VERSION="))?;
    Some(version.trim_matches('"').to_owned())
}

/// The peer's packages and what runs them.
fn peer(root: &Path) -> Result<String> {
    let packages = fs::read_to_string(root.join("dev/bench/peer/requirements.txt"))?;
    let packages = packages.lines().filter(|line| !line.starts_with('#'));
    let packages: Vec<String> = packages.map(|line| line.replace("==", " ")).collect();
    let python = said(Path::new("python3"), &["--version"]);
    let python = python.unwrap_or_else(|_| "no Python".to_owned());
    Ok(format!("{}; {python}", packages.join(", ")))
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

/// What the program says it is, and what it does not say: the commit where it does not know its own,
/// and whether something was changed since.
fn program(root: &Path, program: &Path) -> Result<String> {
    let mut text = said(program, &["--version"])?;
    let Some(commit) = git(root, &["rev-parse", "--short=12", "HEAD"]) else {
        return Ok(text);
    };
    if !text.contains(&commit) {
        text.push_str(&format!(", in a checkout of {commit}"));
    }
    // What this benchmark itself writes is no change.
    let status = ["status", "--porcelain", "--untracked-files=no"];
    let changed = git(
        root,
        &[&status[..], &["--", ".", ":!BENCHMARKS.md"]].concat(),
    );
    if changed.as_deref() != Some("") {
        text.push_str(", with changes");
    }
    Ok(text)
}

fn git(root: &Path, arguments: &[&str]) -> Option<String> {
    let mut git = Command::new("git");
    let output = git.arg("-C").arg(root).args(arguments).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(text)
}

fn redis() -> String {
    let version = said(Path::new("redis-server"), &["--version"]).unwrap_or_default();
    let number = version
        .split("v=")
        .nth(1)
        .and_then(|it| it.split_whitespace().next());
    format!("Redis {}", number.unwrap_or("?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heap_is_read_in_megabytes() {
        assert_eq!(["512m", "1g", "64"].map(mib), [Some(512), Some(1024), None]);
    }
}
