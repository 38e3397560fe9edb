//! Runs of several contestants in turns, so that what else the machine does hits all of them.

use std::fmt;

use anyhow::Result;

use crate::run::Run;

/// Who consumes or writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Contestant {
    /// The program.
    Program,
    /// The program once more: what differs from the first is noise.
    Again,
    /// The program on events that bring their schema.
    WithSchemas,
    /// A client that does nothing but write the same rows: the store's limit.
    Bare,
    /// The same with two requests under way at once, where one at a time is the rule.
    BareTwo,
    /// Quix Streams.
    Peer,
    /// The program with Elasticsearch alone.
    SearchAlone,
    /// The program with Redis alone.
    CacheAlone,
    /// The program with Neo4j alone.
    GraphAlone,
    /// The program with all three behind one group.
    AllShared,
    /// The program with all three, a group for each.
    AllPerSink,
}

impl fmt::Display for Contestant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Program => "distributary",
            Self::Again => "distributary (A/A)",
            Self::WithSchemas => "distributary, events with schemas",
            Self::Bare => "bare client",
            Self::BareTwo => "bare client, two at a time",
            Self::Peer => "quixstreams",
            Self::SearchAlone => "Elasticsearch alone",
            Self::CacheAlone => "Redis alone",
            Self::GraphAlone => "Neo4j alone",
            Self::AllShared => "all three, groups: shared",
            Self::AllPerSink => "all three, groups: per_sink",
        })
    }
}

/// All runs of one contestant in one scenario.
#[derive(Debug)]
pub(crate) struct Series {
    /// What is done, for people.
    pub(crate) scenario: String,
    /// Who does it.
    pub(crate) contestant: Contestant,
    /// What was measured.
    pub(crate) runs: Vec<Run>,
    /// Why there are no more.
    pub(crate) failed: Option<String>,
}

/// Has the contestants run in turns, so many rounds. One that fails is left out from then on, and
/// the others go on.
pub(crate) async fn in_turns(
    scenario: &str,
    contestants: &[Contestant],
    rounds: usize,
    run: impl AsyncFn(Contestant) -> Result<Run>,
) -> Vec<Series> {
    let mut all: Vec<Series> = contestants
        .iter()
        .map(|&contestant| Series {
            scenario: scenario.to_owned(),
            contestant,
            runs: Vec::new(),
            failed: None,
        })
        .collect();
    for _ in 0..rounds {
        for series in all.iter_mut().filter(|it| it.failed.is_none()) {
            match run(series.contestant).await {
                Ok(run) => {
                    println!("  {scenario}, {}: {run}", series.contestant);
                    series.runs.push(run);
                }
                Err(error) => {
                    println!("  {scenario}, {}: FAILED: {error:#}", series.contestant);
                    series.failed = Some(format!("{error:#}"));
                }
            }
        }
    }
    all
}

/// Runs of a warm-up at most.
const WARM_UPS: usize = 6;

/// Has the contestants run in turns, uncounted, until none is faster by a tenth than it has been:
/// the server's virtual machine compiles what is new to it. What goes wrong here goes wrong in the
/// runs that count as well, and is said there.
pub(crate) async fn warm_up(
    scenario: &str,
    contestants: &[Contestant],
    run: impl AsyncFn(Contestant) -> Result<Run>,
) {
    let scenario = format!("{scenario}, not counted");
    let mut best = vec![f64::INFINITY; contestants.len()];
    for _ in 0..WARM_UPS {
        let all = in_turns(&scenario, contestants, 1, &run).await;
        let mut is_warm = true;
        for (series, best) in all.iter().zip(&mut best) {
            for run in &series.runs {
                is_warm &= run.seconds > 0.9 * *best;
                *best = best.min(run.seconds);
            }
        }
        if is_warm || all.iter().any(|it| it.failed.is_some()) {
            return;
        }
    }
}

/// A measured figure: the median of its runs and how far they lie apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spread {
    /// The middle one; of an even number, the mean of the two in the middle.
    pub(crate) median: f64,
    /// The lowest.
    pub(crate) min: f64,
    /// The highest.
    pub(crate) max: f64,
    /// How many.
    pub(crate) runs: usize,
}

impl Spread {
    /// Of these values; nothing where there are none.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (&min, &max) = values.first().zip(values.last())?;
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            values[middle]
        } else {
            f64::midpoint(values[middle - 1], values[middle])
        };
        Some(Self {
            median,
            min,
            max,
            runs: values.len(),
        })
    }

    /// How far the runs lie apart, in per cent of the median.
    pub(crate) fn noise(&self) -> f64 {
        100.0 * (self.max - self.min) / self.median
    }
}

impl Series {
    /// A figure over all runs.
    pub(crate) fn spread(&self, of: impl Fn(&Run) -> f64) -> Option<Spread> {
        Spread::of(self.runs.iter().map(of))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use super::*;

    #[test]
    fn the_median_is_in_the_middle_and_the_noise_is_the_whole_range() {
        let spread = Spread::of([30.0, 10.0, 20.0]).unwrap();
        assert_eq!(spread.median, 20.0);
        assert_eq!(spread.noise(), 100.0);
        assert_eq!(Spread::of([1.0, 2.0]).unwrap().median, 1.5);
        assert_eq!(Spread::of([]), None);
    }

    #[tokio::test]
    async fn a_warm_up_ends_when_nobody_becomes_faster() {
        let seconds = [(10.0, 9.0), (5.0, 8.5), (5.1, 8.4), (1.0, 1.0)];
        let (first, second) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let contestants = [Contestant::Bare, Contestant::Program];
        warm_up("a scenario", &contestants, async |who| {
            let seconds = match who {
                Contestant::Bare => seconds[first.fetch_add(1, Relaxed)].0,
                _ => seconds[second.fetch_add(1, Relaxed)].1,
            };
            Ok(Run {
                seconds,
                ..Run::default()
            })
        })
        .await;
        assert_eq!((first.into_inner(), second.into_inner()), (3, 3));
    }

    #[tokio::test]
    async fn a_contestant_that_fails_does_not_stop_the_others() {
        let contestants = [Contestant::Program, Contestant::Peer];
        let all = in_turns("a scenario", &contestants, 2, async |who| {
            anyhow::ensure!(who == Contestant::Program, "not to be had");
            Ok(Run::default())
        })
        .await;
        assert_eq!(all[0].runs.len(), 2);
        assert_eq!(all[1].failed.as_deref(), Some("not to be had"));
    }
}
