//! What was promised, in numbers.

use super::limit;
use crate::run::{CLIENT, Figure, Run, float};
use crate::scenario::{cache, documents, graph, memory, null, together};
use crate::series::{Contestant, Series};

/// A target that is a share of what another contestant does in the same run.
#[derive(Debug)]
pub(super) struct Share {
    pub(super) what: &'static str,
    pub(super) scenario: &'static str,
    pub(super) of: Contestant,
    pub(super) against: Contestant,
    pub(super) figure: Figure,
    pub(super) unit: &'static str,
    pub(super) at_least: f64,
}

/// A target that is a number.
pub(super) struct Bound {
    pub(super) what: &'static str,
    pub(super) scenario: &'static str,
    pub(super) figure: Figure,
    pub(super) unit: &'static str,
    pub(super) target: f64,
    /// Whether more is better.
    pub(super) more: bool,
    /// What limits it, as far as runs say.
    pub(super) limit: fn(&Series) -> String,
}

pub(super) const BOUNDS: [Bound; 4] = [
    Bound {
        what: "Null store: events per second of the program's own CPU",
        scenario: null::DISTINCT,
        figure: events_per_cpu_second,
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

pub(super) const SHARES: [Share; 10] = [
    Share {
        of: Contestant::WithSchemas,
        against: Contestant::Program,
        figure: events_per_cpu_second,
        ..events(
            "Null store, events with their schemas: events per second of the program's own CPU",
            null::DISTINCT,
            0.5,
        )
    },
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
pub(super) const TOGETHER: [(&str, &str); 2] = [
    (
        "All three stores at once: events a second beside the slowest alone",
        together::NEAR,
    ),
    (
        "The same behind slow lines, where no store waits for another's CPU",
        together::FAR,
    ),
];
pub(super) const TOGETHER_AT_LEAST: f64 = 0.95;

/// At rest: milliseconds, and per cent of a core.
pub(super) const P99_MS: f64 = 50.0;
pub(super) const IDLE_PERCENT: f64 = 1.0;

/// How many records a second of the process's own CPU is enough for.
fn events_per_cpu_second(run: &Run) -> f64 {
    1e6 / run.cpu_per_million(CLIENT).unwrap_or(f64::INFINITY)
}

/// The most memory, in MiB.
fn peak(run: &Run) -> f64 {
    run.peak_bytes
        .map_or(f64::INFINITY, |it| float(it) / f64::from(1 << 20))
}
