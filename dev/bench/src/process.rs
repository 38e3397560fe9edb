//! What a process and its children have cost, as the kernel counts it.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::Path;

use anyhow::{Context, Result};

use crate::run::float;

/// The kernel counts in hundredths of a second towards user space (`USER_HZ`), on every platform.
const TICK_S: f64 = 0.01;

/// A process and every child, grandchild and so on that it has now.
pub(crate) fn family(pid: u32) -> Result<Vec<u32>> {
    let children = children()?;
    let mut family = vec![pid];
    let mut next = 0;
    while let Some(pid) = family.get(next) {
        let more = children.get(pid).cloned().unwrap_or_default();
        family.extend(more);
        next += 1;
    }
    Ok(family)
}

/// CPU seconds of the processes of a family, their threads, and the children they had.
pub(crate) fn cpu_seconds(family: &[u32]) -> Result<f64> {
    let mut ticks = 0;
    for &pid in family {
        // One may have ended since; what it used is then its parent's.
        if let Ok(fields) = stat(pid) {
            // utime, stime, cutime, cstime: fields 14 to 17 of proc(5).
            ticks += ticks_of(&fields, 11..15)?;
        }
    }
    Ok(seconds(ticks))
}

/// CPU seconds of this process itself, without its children.
pub(crate) fn own_cpu_seconds() -> Result<f64> {
    Ok(seconds(ticks_of(&stat(std::process::id())?, 11..13)?))
}

/// CPU seconds that all processes of this machine have had, and what other machines on the same
/// hardware took from it. Without interrupts, which nobody's process is charged.
pub(crate) fn machine_cpu_seconds() -> Result<f64> {
    let text = fs::read_to_string("/proc/stat")?;
    let line = text.lines().next().context("a line of /proc/stat")?;
    let fields: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    // cpu, user, nice, system, idle, iowait, irq, softirq, steal.
    let ticks = ticks_of(&fields, 1..4)? + ticks_of(&fields, 8..9)?;
    Ok(seconds(ticks))
}

/// Cores that a process may use.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

fn ticks_of(fields: &[String], which: Range<usize>) -> Result<u64> {
    let fields = fields.get(which).context("fields of /proc")?;
    let mut sum = 0;
    for field in fields {
        sum += field.parse::<u64>()?;
    }
    Ok(sum)
}

fn seconds(ticks: u64) -> f64 {
    float(ticks) * TICK_S
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
    fn what_a_process_burns_is_counted_for_itself_and_for_the_machine() {
        let family = family(std::process::id()).unwrap();
        let clocks = || {
            let own = own_cpu_seconds().unwrap();
            [
                cpu_seconds(&family).unwrap(),
                own,
                machine_cpu_seconds().unwrap(),
            ]
        };
        let before = clocks();
        let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while clocks()
            .iter()
            .zip(before)
            .any(|(now, before)| *now < before + 0.05)
        {
            assert!(std::time::Instant::now() < end, "no CPU is counted");
        }
    }

    #[test]
    fn a_family_has_children_and_grandchildren() {
        let mut shell = std::process::Command::new("sh")
            .args(["-c", "(read line; true); true"])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
        // Other tests may have children of their own meanwhile.
        while !(family(shell.id()).unwrap().len() == 2
            && family(std::process::id()).unwrap().len() >= 3)
        {
            assert!(std::time::Instant::now() < end, "it has no child");
        }
        drop(shell.stdin.take());
        shell.wait().unwrap();
    }

    #[test]
    fn the_peak_is_at_least_what_is_touched() {
        let touched = vec![1_u8; 8 << 20];
        assert!(peak_bytes(std::process::id()).unwrap() >= touched.len() as u64);
    }
}
