//! What a process and its children have cost, as the kernel counts it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// The kernel counts in hundredths of a second towards user space (`USER_HZ`), on every platform.
const TICK_S: f64 = 0.01;

/// CPU seconds of a process, its threads, and every child it has or had.
pub(crate) fn cpu_seconds(pid: u32) -> Result<f64> {
    let children = children()?;
    let mut open = vec![pid];
    let mut ticks = 0;
    while let Some(pid) = open.pop() {
        // A child may have ended since; what it used is then its parent's.
        if let Ok(used) = used_ticks(pid) {
            ticks += used;
        }
        open.extend(children.get(&pid).into_iter().flatten());
    }
    #[expect(
        clippy::cast_precision_loss,
        reason = "ticks of a run stay far below 2^53"
    )]
    Ok(ticks as f64 * TICK_S)
}

/// User and system time of a process and of its children that have ended.
fn used_ticks(pid: u32) -> Result<u64> {
    let fields = stat(pid)?;
    let field = |index: usize| -> Result<u64> {
        let text = fields.get(index).context("a field of /proc/PID/stat")?;
        Ok(text.parse()?)
    };
    // utime, stime, cutime, cstime: fields 14 to 17 of proc(5).
    Ok(field(11)? + field(12)? + field(13)? + field(14)?)
}

/// The fields behind the command's name, which may itself hold spaces and brackets.
fn stat(pid: u32) -> Result<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, fields) = text.rsplit_once(')').context("a line of /proc/PID/stat")?;
    Ok(fields.split_whitespace().map(str::to_owned).collect())
}

fn children() -> Result<BTreeMap<u32, Vec<u32>>> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let parent = stat(pid).ok().and_then(|it| it.get(1)?.parse().ok());
        if let Some(parent) = parent {
            children.entry(parent).or_default().push(pid);
        }
    }
    Ok(children)
}

/// The most memory that a process has had in RAM at once, in bytes.
pub(crate) fn peak_bytes(pid: u32) -> Result<u64> {
    memory(pid, "VmHWM")
}

fn memory(pid: u32, name: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let kib = line.and_then(|line| line.split_whitespace().next());
    let kib: u64 = kib
        .with_context(|| format!("{name} of process {pid}"))?
        .parse()?;
    Ok(kib * 1024)
}

/// The process of a server, from the stack's file about it.
pub(crate) fn server_pid(folder: &Path, server: &str) -> Result<u32> {
    let file = folder.join(format!("{server}.pid"));
    let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    let pid = text.split_whitespace().next().context("a pid")?;
    Ok(pid.parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_process_burns_is_counted() {
        let pid = std::process::id();
        let before = cpu_seconds(pid).unwrap();
        let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while cpu_seconds(pid).unwrap() < before + 0.05 {
            assert!(std::time::Instant::now() < end, "no CPU is counted");
        }
    }

    #[test]
    fn the_peak_is_at_least_what_is_touched() {
        let touched = vec![1_u8; 8 << 20];
        assert!(peak_bytes(std::process::id()).unwrap() >= touched.len() as u64);
    }
}
