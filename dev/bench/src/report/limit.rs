//! What a figure that misses its target was limited by, as far as the runs themselves say.

use crate::process::cores;
use crate::run::{CLIENT, Run, float};
use crate::series::{Contestant, Series};

/// Records per write that differ less than this are the same.
const SAME: f64 = 0.05;

/// Who used the cores in the run in the middle, how near the target they would come if none of them
/// had been idle, and what they have for an event of a run that meets the target by being `faster`
/// times as fast.
pub(crate) fn machine(of: &Series, against: &Series, faster: f64) -> String {
    let Some(run) = middle(of) else {
        return String::new();
    };
    let mut said = of_cores(run, cores(), faster);
    let is_bare = matches!(against.contestant, Contestant::Bare | Contestant::BareTwo);
    if let Some(beside) = middle(against).filter(|_| is_bare)
        && (run.coalesced() / beside.coalesced() - 1.0).abs() > SAME
    {
        said.push_str(&format!(
            "; this supposes that a write goes on standing for {:.2} records ({:.2} with {})",
            run.coalesced(),
            beside.coalesced(),
            against.contestant
        ));
    }
    said
}

fn of_cores(run: &Run, cores: usize, faster: f64) -> String {
    let capacity = run.seconds * float(cores as u64);
    let spent: f64 = run.cpu.values().sum();
    let own = run.cpu.get(CLIENT).copied().unwrap_or_default();
    let per_event = |cpu: f64| 1e6 * cpu / float(run.events);
    format!(
        "{:.0} % of {cores} cores were busy ({}); all of them busy at the same cost of an event would \
         come to {:.0} % of the target; at its speed they have {:.2} µs for an event, of which the servers \
         take {:.2} and the program {:.2}",
        100.0 * spent / capacity,
        shares(run, capacity),
        100.0 * capacity / (spent * faster),
        per_event(capacity / faster),
        per_event(spent - own),
        per_event(own),
    )
}

/// Who used how much, from the most on; what is next to nothing is left out.
fn shares(run: &Run, capacity: f64) -> String {
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
    shares.join(", ")
}

/// What the program itself spends its CPU on is not to be seen from outside; how much it is.
pub(crate) fn own(series: &Series) -> String {
    let run = middle(series);
    let cpu = run.and_then(|run| run.cpu_per_million(CLIENT));
    cpu.map_or_else(String::new, |cpu| {
        format!("the program's own work is {cpu:.2} µs of CPU an event")
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// A million events in two seconds.
    fn run(writes: u64, cpu: &[(&str, f64)]) -> Run {
        Run {
            events: 1_000_000,
            writes,
            seconds: 2.0,
            cpu: cpu
                .iter()
                .map(|&(name, cpu)| (name.to_owned(), cpu))
                .collect::<BTreeMap<_, _>>(),
            ..Run::default()
        }
    }

    fn series(contestant: Contestant, run: Run) -> Series {
        Series {
            scenario: "a scenario".to_owned(),
            contestant,
            runs: vec![run],
            failed: None,
        }
    }

    #[test]
    fn the_same_is_said_however_busy_the_cores_were() {
        let said = |cpu: &[(&str, f64)]| of_cores(&run(1_000_000, cpu), 2, 1.25);
        assert_eq!(
            said(&[(CLIENT, 2.0), ("redis", 1.0), ("kafka", 0.01)]),
            "75 % of 2 cores were busy (client 50 %, redis 25 %); all of them busy at the same cost of an \
             event would come to 106 % of the target; at its speed they have 3.20 µs for an event, of which \
             the servers take 1.01 and the program 2.00"
        );
        let busy = said(&[(CLIENT, 1.0), ("elasticsearch", 3.0)]);
        assert!(busy.contains("100 % of 2 cores were busy"), "{busy}");
        assert!(busy.contains("80 % of the target"), "{busy}");
    }

    #[test]
    fn merging_that_differs_from_the_bare_client_is_said_to_be_supposed() {
        let said = |writes| {
            let [of, against] = [
                (Contestant::Program, writes),
                (Contestant::Bare, 250_000_u64),
            ]
            .map(|(who, writes)| series(who, run(writes, &[(CLIENT, 1.0)])));
            machine(&of, &against, 1.25)
        };
        assert!(said(125_000).ends_with("standing for 8.00 records (4.00 with bare client)"));
        assert!(!said(251_000).contains("supposes"));
    }
}
