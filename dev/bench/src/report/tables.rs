//! The tables behind the targets.

use super::Findings;
use super::claim::control;
use super::figures::{figure, number};
use crate::delays::QUANTILES;
use crate::run::{CLIENT, Figure, Run, SERVERS, float};
use crate::scenario::{cache, documents, graph, null};
use crate::series::{Contestant, Series};

/// Above this share of the cores, what else the machine did is worth a warning.
const FOREIGN: f64 = 0.05;

/// A Markdown table.
pub(crate) fn table<const N: usize>(
    headings: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let line = |cells: [String; N]| {
        let cells = cells.map(|it| it.replace('|', "\\|").replace('\n', " "));
        format!("| {} |\n", cells.join(" | "))
    };
    let mut text = line(headings.map(str::to_owned));
    text.push_str(&line([""; N].map(|_| "---".to_owned())));
    rows.into_iter()
        .for_each(|cells| text.push_str(&line(cells)));
    text
}

/// Every series: how fast, and at whose cost.
pub(crate) fn runs(findings: &Findings) -> String {
    let mut headings = [
        "scenario",
        "who",
        "events",
        "events/s",
        "writes/s",
        "records per write",
    ]
    .to_vec();
    let servers: Vec<String> = SERVERS.iter().map(|it| format!("{it} CPU s")).collect();
    headings.extend(["own CPU s"].iter());
    headings.extend(servers.iter().map(String::as_str));
    headings.extend(["highest peak, MiB", "others"]);
    let headings: [&str; 13] = headings.try_into().expect("as many as are named here");
    let measured = findings.all.iter().filter(|it| !it.runs.is_empty());
    let text = table(headings, measured.map(row));
    format!(
        "`CPU s` are CPU seconds for a million events, of the client itself and of each server. `others` is the \
         most that processes with no part in it had of all cores in one of the runs; above {:.0} % it is set in \
         bold, and the row is worth little.\n\n{text}",
        100.0 * FOREIGN
    )
}

fn row(series: &Series) -> [String; 13] {
    let spread = |of: &dyn Fn(&Run) -> f64, unit| {
        let spread = series.spread(of).expect("it has runs");
        figure(&spread, unit)
    };
    let cpu = |name: &str| spread(&|run| run.cpu_per_million(name).unwrap_or_default(), "");
    let [kafka, search, cache, graph] = SERVERS.map(|it| cpu(it.name()));
    let peak = series.runs.iter().filter_map(|it| it.peak_bytes).max();
    [
        series.scenario.clone(),
        series.contestant.to_string(),
        number(float(series.runs[0].events)),
        spread(&Run::events_per_second, ""),
        spread(&Run::writes_per_second, ""),
        format!("{:.2}", series.runs[0].coalesced()),
        cpu(CLIENT),
        kafka,
        search,
        cache,
        graph,
        peak.map_or_else(|| "–".to_owned(), |it| (it >> 20).to_string()),
        others(series),
    ]
}

fn others(series: &Series) -> String {
    let most = series.runs.iter().map(|it| it.others).fold(0.0, f64::max);
    let text = format!("{:.0} %", 100.0 * most);
    if most > FOREIGN {
        format!("**{text}**")
    } else {
        text
    }
}

/// The program beside itself.
pub(crate) fn noise(findings: &Findings) -> String {
    let twice = [
        null::DISTINCT,
        documents::DISTINCT,
        cache::ONCE,
        graph::NODES,
    ];
    let rows = twice.into_iter().filter_map(|scenario| {
        let speed = |who| findings.spread(scenario, who, Run::events_per_second).ok();
        let cpu = |who| {
            let figure = |run: &Run| run.cpu_per_million(CLIENT).unwrap_or_default();
            findings.spread(scenario, who, figure).ok()
        };
        let (first, _) = speed(Contestant::Program)?;
        let (second, _) = speed(Contestant::Again)?;
        let (cpu_first, _) = cpu(Contestant::Program)?;
        let (cpu_second, _) = cpu(Contestant::Again)?;
        Some([
            scenario.to_owned(),
            format!("{:.2}", control(&first, &second)),
            format!("{:.0} %", first.noise().max(second.noise())),
            format!("{:.2}", control(&cpu_first, &cpu_second)),
            format!("{:.0} %", cpu_first.noise().max(cpu_second.noise())),
        ])
    });
    let text = table(
        [
            "scenario",
            "A/A events/s",
            "range of runs",
            "A/A CPU",
            "range of runs",
        ],
        rows,
    );
    format!(
        "The same program on the same topic, its runs in turns with the others'. A ratio of other \
         contestants that is closer to 1 than these says nothing.\n\n{text}"
    )
}

/// The program beside the peer.
pub(crate) fn peer(findings: &Findings) -> String {
    let figures: [(&str, Figure); 3] = [
        ("events a second", Run::events_per_second),
        ("own CPU seconds for a million events", |run| {
            run.cpu_per_million(CLIENT).unwrap_or_default()
        }),
        ("peak memory, MiB", |run| {
            run.peak_bytes
                .map_or(0.0, |it| float(it) / f64::from(1 << 20))
        }),
    ];
    let scenarios = [documents::DISTINCT, documents::THRICE];
    let all = scenarios
        .into_iter()
        .flat_map(|scenario| figures.map(|(what, of)| (scenario, what, of)));
    let rows = all.filter_map(|(scenario, what, of)| {
        let spread = |who| findings.spread(scenario, who, of).ok();
        let ((own, _), (peer, _)) = (spread(Contestant::Program)?, spread(Contestant::Peer)?);
        let ratio = own.median / peer.median;
        Some([
            scenario.to_owned(),
            what.to_owned(),
            figure(&own, ""),
            figure(&peer, ""),
            format!("{ratio:.2}"),
        ])
    });
    let headings = ["scenario", "what", "distributary", "quixstreams", "ratio"];
    format!("{}\n{}", include_str!("peer.md"), table(headings, rows))
}

/// How long changes take.
pub(crate) fn latency(findings: &Findings) -> String {
    let latency = match findings.latency() {
        Ok(latency) => latency,
        Err(reason) => return format!("Not measured: {reason}\n"),
    };
    let rows = latency.delays.iter().map(|delays| {
        let ms = |index: usize| format!("{:.0} ms", 1e3 * delays.seconds[index]);
        [
            delays.scenario.clone(),
            delays.source.to_owned(),
            number(float(delays.samples)),
            ms(0),
            ms(1),
            ms(2),
        ]
    });
    debug_assert_eq!(QUANTILES.len(), 3, "the columns below");
    let mut text = table(["load", "seen by", "samples", "p50", "p99", "p99.9"], rows);
    let (burst, fed) = latency.burst;
    text.push_str(&format!(
        "\nHalf load was {} events/s, of which the generator kept up {:.1} %. An overload of {} events came within {fed:.1} s; {:.1} s after its last \
         record everything was stored.\nWhile nothing happens the program uses {:.2} % of a core.\n",
        number(latency.half.0),
        100.0 * latency.half.1,
        number(float(burst)),
        latency.recovery_s,
        latency.idle_percent
    ));
    text
}

/// The in-process benches.
pub(crate) fn hot(findings: &Findings) -> String {
    let steps = match &findings.hot {
        Some(Ok(steps)) => steps,
        Some(Err(reason)) => return format!("Not measured: {reason}\n"),
        None => return "Not measured: it was not run\n".to_owned(),
    };
    let ns = |value: f64| format!("{} ns", number(value));
    let rows = steps.iter().map(|step| {
        let (low, high) = step.between_ns;
        [
            step.name.clone(),
            ns(step.median_ns),
            format!("{} to {}", ns(low), ns(high)),
        ]
    });
    let text = table(["step", "CPU", "with a confidence of 95 %"], rows);
    format!(
        "Processor time of one thread for one record, mutation or document; the median of the samples of \
         `cargo bench --bench hot`.\n\n{text}"
    )
}

/// What could not be measured, and why.
pub(crate) fn failures(findings: &Findings) -> String {
    let series = findings.all.iter().filter_map(|it| {
        let reason = it.failed.as_ref()?;
        Some(format!("- {}, {}: {reason}\n", it.scenario, it.contestant))
    });
    let others = findings.failed.iter().map(|it| format!("- {it}\n"));
    let latency = findings.latency.as_ref().and_then(|it| it.as_ref().err());
    let latency = latency.map(|reason| format!("- latency: {reason}\n"));
    let hot = findings.hot.as_ref().and_then(|it| it.as_ref().err());
    let hot = hot.map(|reason| format!("- hot: {reason}\n"));
    series.chain(others).chain(latency).chain(hot).collect()
}
