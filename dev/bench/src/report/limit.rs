//! What limits a figure that misses its target, as far as the runs themselves say.

use super::machine::cores;
use crate::run::{CLIENT, Run, float};
use crate::series::Series;

/// A machine this busy is what limits.
const BUSY: f64 = 0.85;

/// Who used the machine in the run in the middle, and, where that was all of it, what it has for a
/// run that meets the target by being `faster` times as fast.
pub(crate) fn machine(series: &Series, faster: f64) -> String {
    let Some(run) = middle(series) else {
        return String::new();
    };
    let capacity = run.seconds * float(cores() as u64);
    let busy: f64 = run.cpu.values().sum::<f64>() / capacity;
    let mut shares: Vec<(&str, f64)> = run
        .cpu
        .iter()
        .map(|(name, seconds)| (name.as_str(), seconds / capacity))
        .filter(|it| it.1 >= 0.02)
        .collect();
    shares.sort_by(|left, right| right.1.total_cmp(&left.1));
    let shares: Vec<String> = shares
        .into_iter()
        .map(|(name, share)| format!("{name} {:.0} %", 100.0 * share))
        .collect();
    let cores = cores();
    let shares = shares.join(", ");
    if busy >= BUSY {
        let left = left(run, faster);
        format!("the CPU: all {cores} cores are busy ({shares}); {left}")
    } else {
        let busy = 100.0 * busy;
        format!("waiting: {busy:.0} % of {cores} cores are busy ({shares})")
    }
}

/// What the servers would leave of the cores at the target's speed.
fn left(run: &Run, faster: f64) -> String {
    let of_servers = |it: &(&String, &f64)| it.0 != CLIENT;
    let cpu: f64 = run.cpu.iter().filter(of_servers).map(|it| it.1).sum();
    let servers = cpu / float(run.events);
    let room = float(cores() as u64) / (run.events_per_second() * faster);
    if servers >= room {
        let most = 100.0 * room / servers;
        return format!(
            "the servers alone would be too slow: with a program that costs nothing they reach {most:.0} % of the target"
        );
    }
    let own = run.cpu_per_million(CLIENT).unwrap_or_default();
    let left = 1e6 * (room - servers);
    format!(
        "at the target's speed the servers leave {left:.2} µs an event, and the program takes {own:.2}"
    )
}

/// What the program itself spends its CPU on is not to be seen from outside; how much it is.
pub(crate) fn own(series: &Series) -> String {
    let run = middle(series);
    let cpu = run.and_then(|run| run.cpu_per_million(CLIENT));
    cpu.map_or_else(String::new, |cpu| {
        format!("the program's own work: {cpu:.2} µs of CPU an event")
    })
}

/// Memory that records and what is made of them take until they are acknowledged.
pub(crate) fn held(_: &Series) -> String {
    "what is held until the store acknowledges: the budget (64 MiB), and request bodies, \
     librdkafka's queue (16 MiB) and what the allocator keeps come on top"
        .to_owned()
}

fn middle(series: &Series) -> Option<&Run> {
    let mut runs: Vec<&Run> = series.runs.iter().collect();
    runs.sort_by(|left, right| left.seconds.total_cmp(&right.seconds));
    runs.get(runs.len() / 2).copied()
}
