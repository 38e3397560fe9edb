//! What limits a figure that misses its target, as far as the runs themselves say.

use super::machine::cores;
use crate::run::{CLIENT, Run, float};
use crate::series::Series;

/// A machine this busy is what limits.
const BUSY: f64 = 0.85;

/// Who used the machine in the run in the middle.
pub(crate) fn machine(series: &Series) -> String {
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
        format!("the CPU: all {cores} cores are busy ({shares})")
    } else {
        let busy = 100.0 * busy;
        format!("waiting: {busy:.0} % of {cores} cores are busy ({shares})")
    }
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
