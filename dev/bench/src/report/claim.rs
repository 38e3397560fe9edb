//! What was promised, beside what was measured.

use super::figures::{figure, number};
use super::{Findings, limit};
use crate::run::{CLIENT, Figure, Run};
use crate::scenario::{cache, documents, graph, memory, null, together};
use crate::series::{Contestant, Series, Spread};

/// A row of the table of targets.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) what: String,
    pub(crate) target: String,
    pub(crate) measured: String,
    pub(crate) ratio: String,
    pub(crate) verdict: Verdict,
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

/// A target that is a share of what another contestant does in the same run.
struct Share {
    what: &'static str,
    scenario: &'static str,
    of: Contestant,
    against: Contestant,
    figure: Figure,
    unit: &'static str,
    at_least: f64,
}

/// A target that is a number.
struct Bound {
    what: &'static str,
    scenario: &'static str,
    figure: Figure,
    unit: &'static str,
    target: f64,
    /// Whether more is better.
    more: bool,
    /// What limits it, as far as runs say.
    limit: fn(&Series) -> String,
}

const BOUNDS: [Bound; 4] = [
    Bound {
        what: "Null store: events per second of the program's own CPU",
        scenario: null::DISTINCT,
        figure: |run| 1e6 / run.cpu_per_million(CLIENT).unwrap_or(f64::INFINITY),
        unit: "/s",
        target: 250_000.0,
        more: true,
        limit: limit::own,
    },
    Bound {
        what: "Elasticsearch: the program's CPU seconds for a million events",
        scenario: documents::DISTINCT,
        figure: |run| run.cpu_per_million(CLIENT).unwrap_or(f64::INFINITY),
        unit: " s",
        target: 5.0,
        more: false,
        limit: limit::own,
    },
    Bound {
        what: "Resident memory with a long backlog",
        scenario: memory::BACKLOG,
        figure: peak,
        unit: " MiB",
        target: 150.0,
        more: false,
        limit: limit::held,
    },
    Bound {
        what: "Resident memory with rows of 100 kB",
        scenario: memory::LARGE,
        figure: peak,
        unit: " MiB",
        target: 250.0,
        more: false,
        limit: limit::held,
    },
];

const SHARES: [Share; 9] = [
    writes(
        "Elasticsearch: documents a second",
        documents::DISTINCT,
        0.8,
    ),
    events(
        "Elasticsearch, keys three times: events a second",
        documents::THRICE,
        0.8,
    ),
    writes(
        "Elasticsearch, keys three times: documents a second",
        documents::THRICE,
        0.8,
    ),
    events(
        "Elasticsearch, keys thirty times: events a second",
        documents::THIRTY,
        0.8,
    ),
    writes(
        "Elasticsearch, keys thirty times: documents a second",
        documents::THIRTY,
        0.8,
    ),
    writes("Redis: keys a second", cache::ONCE, 0.6),
    writes("Neo4j: nodes a second", graph::NODES, 0.8),
    // The program, too, has two transactions with nodes under way at once.
    Share {
        against: Contestant::BareTwo,
        ..writes("Neo4j: nodes a second", graph::NODES, 0.8)
    },
    writes("Neo4j: relationships a second", graph::RELATIONSHIPS, 0.8),
];

/// Writes of the program beside those of a bare client.
const fn writes(what: &'static str, scenario: &'static str, at_least: f64) -> Share {
    Share {
        what,
        scenario,
        of: Contestant::Program,
        against: Contestant::Bare,
        figure: Run::writes_per_second,
        unit: "/s",
        at_least,
    }
}

/// The same in events: whoever merges more of them has fewer to write.
const fn events(what: &'static str, scenario: &'static str, at_least: f64) -> Share {
    Share {
        figure: Run::events_per_second,
        ..writes(what, scenario, at_least)
    }
}

/// Three stores at once beside the slowest of them alone.
const TOGETHER: [(&str, &str); 2] = [
    (
        "All three stores at once: events a second beside the slowest alone",
        together::NEAR,
    ),
    (
        "The same behind slow lines, where no store waits for another's CPU",
        together::FAR,
    ),
];

/// At rest: milliseconds, and per cent of a core.
const P99_MS: f64 = 50.0;
const IDLE_PERCENT: f64 = 1.0;

/// Every target.
pub(crate) fn all(findings: &Findings) -> Vec<Claim> {
    let mut claims: Vec<Claim> = Vec::new();
    claims.extend(BOUNDS.iter().map(|it| it.claim(findings)));
    claims.extend(SHARES.iter().map(|it| it.claim(findings)));
    for (what, scenario) in TOGETHER {
        claims.push(beside_the_slowest(findings, what, scenario).claim(findings));
    }
    claims.extend(at_rest(findings));
    claims
}

/// Whichever store is the slowest here.
fn beside_the_slowest(findings: &Findings, what: &'static str, scenario: &'static str) -> Share {
    let alone = [
        Contestant::SearchAlone,
        Contestant::CacheAlone,
        Contestant::GraphAlone,
    ];
    let rate = |who: &Contestant| {
        let series = findings.series(scenario, *who).ok();
        series.and_then(|it| Some(it.spread(Run::events_per_second)?.median))
    };
    let slowest = alone
        .into_iter()
        .filter(|it| rate(it).is_some())
        .min_by(|left, right| {
            let (left, right) = (rate(left), rate(right));
            left.unwrap_or(f64::MAX)
                .total_cmp(&right.unwrap_or(f64::MAX))
        });
    Share {
        what,
        scenario,
        of: Contestant::AllShared,
        against: slowest.unwrap_or(Contestant::GraphAlone),
        figure: Run::events_per_second,
        unit: "/s",
        at_least: 0.95,
    }
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
        }
    }
}

impl Share {
    fn claim(&self, findings: &Findings) -> Claim {
        let target = format!("≥ {:.0} % of the {}", 100.0 * self.at_least, self.against);
        let of = findings.spread(self.scenario, self.of, self.figure);
        let against = findings.spread(self.scenario, self.against, self.figure);
        let ((of, series), (against, _)) = match (of, against) {
            (Ok(of), Ok(against)) => (of, against),
            (Err(reason), _) | (_, Err(reason)) => {
                return Claim::unmeasured(self.what, target, reason);
            }
        };
        let ratio = of.median / against.median;
        Claim {
            what: self.what.to_owned(),
            target,
            measured: format!(
                "{} beside {}",
                figure(&of, self.unit),
                figure(&against, self.unit)
            ),
            ratio: format!("{:.0} %", 100.0 * ratio),
            verdict: Verdict::of(ratio >= self.at_least, || {
                limit::machine(series, self.at_least / ratio)
            }),
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

/// The most memory, in MiB.
fn peak(run: &Run) -> f64 {
    run.peak_bytes.map_or(f64::INFINITY, |it| {
        crate::run::float(it) / f64::from(1 << 20)
    })
}

/// How far two series of the same contestant lie apart, as a ratio.
pub(crate) fn control(first: &Spread, second: &Spread) -> f64 {
    second.median / first.median
}
