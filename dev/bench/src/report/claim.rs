//! What was promised, beside what was measured.

use super::figures::{figure, number};
use super::target::{
    BOUNDS, Bound, IDLE_PERCENT, P99_MS, SHARES, Share, TOGETHER, TOGETHER_AT_LEAST,
};
use super::{Findings, limit};
use crate::run::Run;
use crate::series::{Contestant, Spread};

/// A row of the table of targets.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) what: String,
    pub(crate) target: String,
    pub(crate) measured: String,
    pub(crate) ratio: String,
    pub(crate) verdict: Verdict,
    /// Whether other runs of those that were measured say the opposite.
    pub(crate) is_within_noise: bool,
}

/// What became of a target.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is met.
    Met,
    /// It is not, and what limits it.
    Missed(String),
    /// It could not be measured, and why.
    NotMeasured(String),
}

/// Every target.
pub(crate) fn all(findings: &Findings) -> Vec<Claim> {
    let mut claims: Vec<Claim> = Vec::new();
    claims.extend(BOUNDS.iter().map(|it| it.claim(findings)));
    claims.extend(SHARES.iter().map(|it| it.claim(findings)));
    for (what, scenario) in TOGETHER {
        claims.push(match beside_the_slowest(findings, what, scenario) {
            Ok(share) => share.claim(findings),
            Err(reason) => {
                let target = format!("≥ {:.0} % of the slowest alone", 100.0 * TOGETHER_AT_LEAST);
                Claim::unmeasured(what, target, reason)
            }
        });
    }
    claims.extend(at_rest(findings));
    claims
}

/// Whichever store is the slowest here.
///
/// # Errors
/// Where one of them is not known: it might be the slowest.
fn beside_the_slowest(
    findings: &Findings,
    what: &'static str,
    scenario: &'static str,
) -> Result<Share, String> {
    let mut rates = Vec::new();
    for who in [
        Contestant::SearchAlone,
        Contestant::CacheAlone,
        Contestant::GraphAlone,
    ] {
        let (rate, _) = findings.spread(scenario, who, Run::events_per_second)?;
        rates.push((rate.median, who));
    }
    let slowest = rates
        .into_iter()
        .min_by(|left, right| left.0.total_cmp(&right.0));
    let (_, against) = slowest.expect("there are three");
    Ok(Share {
        what,
        scenario,
        of: Contestant::AllShared,
        against,
        figure: Run::events_per_second,
        unit: "/s",
        at_least: TOGETHER_AT_LEAST,
    })
}

impl Bound {
    fn claim(&self, findings: &Findings) -> Claim {
        let sign = if self.more { "≥" } else { "≤" };
        let target = format!("{sign} {}{}", number(self.target), self.unit);
        let spread = findings.spread(self.scenario, Contestant::Program, self.figure);
        let (spread, series) = match spread {
            Ok(found) => found,
            Err(reason) => return Claim::unmeasured(self.what, target, reason),
        };
        let is_met = (spread.median >= self.target) == self.more || spread.median == self.target;
        Claim {
            what: self.what.to_owned(),
            target,
            measured: figure(&spread, self.unit),
            ratio: format!("{:.2}", spread.median / self.target),
            verdict: Verdict::of(is_met, || (self.limit)(series)),
            is_within_noise: spread.min < self.target && self.target < spread.max,
        }
    }
}

impl Share {
    fn claim(&self, findings: &Findings) -> Claim {
        let target = format!("≥ {:.0} % of {}", 100.0 * self.at_least, self.measure());
        let of = findings.spread(self.scenario, self.of, self.figure);
        let against = findings.spread(self.scenario, self.against, self.figure);
        let ((of, series), (against, beside)) = match (of, against) {
            (Ok(of), Ok(against)) => (of, against),
            (Err(reason), _) | (_, Err(reason)) => {
                return Claim::unmeasured(self.what, target, reason);
            }
        };
        let ratio = of.median / against.median;
        let (low, high) = (of.min / against.max, of.max / against.min);
        Claim {
            what: self.what.to_owned(),
            target,
            measured: format!(
                "{} beside {}",
                figure(&of, self.unit),
                figure(&against, self.unit)
            ),
            ratio: format!("{:.1} %", 100.0 * ratio),
            verdict: Verdict::of(ratio >= self.at_least, || {
                limit::machine(series, beside, self.at_least / ratio)
            }),
            is_within_noise: low < self.at_least && self.at_least < high,
        }
    }

    /// What the target is a share of, in words.
    fn measure(&self) -> String {
        match self.against {
            Contestant::Bare | Contestant::BareTwo => format!("the {}", self.against),
            Contestant::Program => "the same without".to_owned(),
            other => other.to_string(),
        }
    }
}

fn at_rest(findings: &Findings) -> [Claim; 2] {
    let what = [
        "At rest: p99 from Kafka timestamp to stored",
        "At rest: the program's CPU",
    ];
    let targets = [
        format!("< {P99_MS:.0} ms"),
        format!("< {IDLE_PERCENT:.0} % of a core"),
    ];
    let latency = match findings.latency() {
        Ok(latency) => latency,
        Err(reason) => {
            let mut claims = what.into_iter().zip(targets);
            return std::array::from_fn(|_| {
                let (what, target) = claims.next().expect("two of them");
                Claim::unmeasured(what, target, reason.clone())
            });
        }
    };
    let p99_ms = latency
        .delays
        .first()
        .map_or(f64::INFINITY, |it| 1e3 * it.seconds[1]);
    let [first, second] = targets;
    let bound = |what: &str, target, measured, share: f64, limit: &str| Claim {
        what: what.to_owned(),
        target,
        measured,
        ratio: format!("{share:.2}"),
        verdict: Verdict::of(share < 1.0, || limit.to_owned()),
        is_within_noise: false,
    };
    let idle = latency.idle_percent;
    [
        bound(
            what[0],
            first,
            format!("{p99_ms:.0} ms"),
            p99_ms / P99_MS,
            "see the latencies below",
        ),
        bound(
            what[1],
            second,
            format!("{idle:.2} %"),
            idle / IDLE_PERCENT,
            "polling, commits and statistics of librdkafka",
        ),
    ]
}

impl Claim {
    fn unmeasured(what: &str, target: String, reason: String) -> Self {
        Self {
            what: what.to_owned(),
            target,
            measured: "–".to_owned(),
            ratio: "–".to_owned(),
            verdict: Verdict::NotMeasured(reason),
            is_within_noise: false,
        }
    }

    /// The verdict in words.
    pub(crate) fn said(&self) -> String {
        let noise = if self.is_within_noise {
            ", within the noise"
        } else {
            ""
        };
        match &self.verdict {
            Verdict::Met => format!("met{noise}"),
            Verdict::Missed(limit) => format!("**missed**{noise}: {limit}"),
            Verdict::NotMeasured(reason) => format!("**not measured**: {reason}"),
        }
    }
}

impl Verdict {
    fn of(is_met: bool, limit: impl FnOnce() -> String) -> Self {
        if is_met {
            Self::Met
        } else {
            Self::Missed(limit())
        }
    }
}

/// How far two series of the same contestant lie apart, as a ratio.
pub(crate) fn control(first: &Spread, second: &Spread) -> f64 {
    second.median / first.median
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::Sizes;
    use crate::scenario::{documents, together};
    use crate::series::Series;

    fn findings(all: Vec<Series>) -> Findings {
        let sizes = Sizes {
            shrink: 1,
            rounds: 3,
            seed: 1,
        };
        Findings {
            all,
            ..Findings::new(sizes)
        }
    }

    /// Runs of a thousand events and as many writes, which take so long.
    fn series(scenario: &str, contestant: Contestant, seconds: &[f64]) -> Series {
        let run = |&seconds: &f64| Run {
            events: 1000,
            writes: 1000,
            seconds,
            ..Run::default()
        };
        Series {
            scenario: scenario.to_owned(),
            contestant,
            runs: seconds.iter().map(run).collect(),
            failed: None,
        }
    }

    #[test]
    fn a_target_that_some_runs_meet_and_others_miss_says_so() {
        let documents = |seconds: &[f64]| {
            let findings = findings(vec![
                series(documents::DISTINCT, Contestant::Bare, &[0.8, 0.8, 0.8]),
                series(documents::DISTINCT, Contestant::Program, seconds),
            ]);
            let claim = SHARES[1].claim(&findings);
            (claim.ratio.clone(), claim.said())
        };
        let met = |ratio: &str, said: &str| (ratio.to_owned(), said.to_owned());
        assert_eq!(documents(&[0.9, 0.9, 0.95]), met("88.9 %", "met"));
        assert_eq!(
            documents(&[0.9, 0.9, 1.1]),
            met("88.9 %", "met, within the noise")
        );
        let (ratio, said) = documents(&[0.9, 1.001, 1.1]);
        assert_eq!(ratio, "79.9 %");
        assert!(said.starts_with("**missed**, within the noise: "), "{said}");
        let (_, said) = documents(&[1.1, 1.1, 1.2]);
        assert!(said.starts_with("**missed**: "), "{said}");
    }

    #[test]
    fn all_three_stores_are_not_judged_where_one_alone_is_unknown() {
        use Contestant::{AllShared, CacheAlone, GraphAlone, SearchAlone};
        let judged = |graph: Series| {
            let findings = findings(vec![
                series(together::NEAR, SearchAlone, &[1.0]),
                series(together::NEAR, CacheAlone, &[0.5]),
                graph,
                series(together::NEAR, AllShared, &[2.0]),
            ]);
            let mut claims = all(&findings).into_iter();
            claims.find(|it| it.what == TOGETHER[0].0).unwrap()
        };
        let graph = || series(together::NEAR, GraphAlone, &[2.0]);
        let known = judged(graph());
        assert_eq!(known.verdict, Verdict::Met);
        assert_eq!(known.target, "≥ 95 % of Neo4j alone");
        let failed = judged(Series {
            failed: Some("a row is missing".to_owned()),
            ..graph()
        });
        let Verdict::NotMeasured(reason) = failed.verdict else {
            panic!("it was judged beside a faster store: {failed:?}");
        };
        assert_eq!(reason, "Neo4j alone: a row is missing");
    }
}
