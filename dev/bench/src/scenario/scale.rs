//! How the program's own cost grows with partitions, tables, projections and keys, over the null
//! store. Not a part of `make bench`: its figures are in docs/scaling.md.

use std::fmt::Write as _;

use anyhow::{Result, ensure};

use crate::bench::Bench;
use crate::load::{Load, Shape};
use crate::program::{self, Launch};
use crate::rows::Rows;
use crate::run::{CLIENT, Run};
use crate::series::{Contestant, Series, in_turns};

/// One point of a sweep.
#[derive(Debug, Clone, Copy)]
struct Point {
    partitions: i32,
    tables: u16,
    projections: u16,
    /// Events of each key.
    repeats: u16,
    events: u32,
}

const BASE: Point = Point {
    partitions: 3,
    tables: 1,
    projections: 1,
    repeats: 1,
    events: 500_000,
};

/// All sweeps, and the table to be printed.
pub(crate) async fn run(bench: &Bench, all: &mut Vec<Series>) -> Result<()> {
    let partitions = [3, 12, 48, 192].map(|partitions| Point { partitions, ..BASE });
    let tables = [10, 100].map(|tables| Point { tables, ..BASE });
    let projections = [5, 20].map(|projections| Point {
        projections,
        ..BASE
    });
    let keys = [1, 10, 100].map(|repeats| Point {
        repeats,
        events: 1_000_000,
        ..BASE
    });
    let sweeps = [&partitions[..], &tables, &projections, &keys];
    for point in sweeps.into_iter().flatten() {
        all.extend(point.measure(bench).await?);
    }
    println!("{}", table(all));
    Ok(())
}

impl Point {
    async fn measure(&self, bench: &Bench) -> Result<Vec<Series>> {
        let Self {
            partitions,
            tables,
            projections,
            repeats,
            events,
        } = *self;
        let events = bench.sizes.events(events) / u32::from(tables);
        let keys = events * u32::from(tables) / u32::from(repeats);
        let name = format!("{partitions} | {tables} | {projections} | {keys}");
        let mut total = 0;
        for number in 0..tables {
            let load = self.load(bench, number, events);
            total += load.len();
            bench.topics.preload(&load, &topic(number)).await?;
        }
        let rounds = bench.sizes.rounds;
        let series = in_turns(&name, &[Contestant::Program], rounds, async |_| {
            let run = program::run(Launch {
                program: bench.null.clone(),
                ..bench.launch(
                    self.yaml(&bench.group()),
                    usize::try_from(partitions)? * usize::from(tables),
                )
            })
            .await?;
            ensure!(
                run.events == total,
                "{} of {total} were consumed",
                run.events
            );
            Ok(run)
        });
        Ok(series.await)
    }

    fn load(&self, bench: &Bench, number: u16, events: u32) -> Load {
        let shape = Shape::products("", bench.sizes.seed, events);
        let shape = if self.repeats > 1 {
            shape.repeated(self.repeats)
        } else {
            shape
        };
        Load::new(Shape {
            partitions: self.partitions,
            rows: Rows {
                number,
                ..shape.rows
            },
            ..shape
        })
    }

    fn yaml(&self, group: &str) -> String {
        let mut text = format!(
            "pipeline: bench\n\
             source: {{brokers: [\"${{KAFKA_BROKERS}}\"], group: {group}, topic: \"{{table}}\"}}\n\
             http: {{listen: \"${{HTTP_LISTEN}}\"}}\non_poison: stop\n\
             sinks: {{search: {{type: elasticsearch, url: \"${{ES_URL}}\"}}}}\ntables:\n"
        );
        let (mut tables, mut projections) = (String::new(), String::new());
        for number in 0..self.tables {
            let name = Rows { number, ..rows() }.name();
            let topic = topic(number);
            writeln!(
                tables,
                "  {name}: {{topic: {topic}, key: [id], replica_identity: full, json: [attributes]}}"
            )
            .expect("a string takes everything");
            for projection in 0..self.projections {
                let alias = format!("{name}-{projection}");
                writeln!(
                    projections,
                    "  - {{name: {alias}, sink: search, from: {name}, index: {{alias: {alias}}}, fields: [id, name, slug, price]}}"
                )
                .expect("a string takes everything");
            }
        }
        text.push_str(&tables);
        text.push_str("projections:\n");
        text.push_str(&projections);
        text
    }
}

/// Only for a name: which rows does not matter.
fn rows() -> Rows {
    Shape::products("", 0, 0).rows
}

fn topic(number: u16) -> String {
    format!("bench-scale-{number}")
}

fn table(all: &[Series]) -> String {
    let mut text = String::from(
        "| partitions of each table | tables | projections of each table | keys | µs of CPU an event | peak MiB |\n\
         | --- | --- | --- | --- | --- | --- |\n",
    );
    let cpu = |run: &Run| run.cpu_per_million(CLIENT).unwrap_or_default();
    for series in all {
        let peak = series.runs.iter().filter_map(|it| it.peak_bytes).max();
        if let (Some(cpu), Some(peak)) = (series.spread(cpu), peak) {
            writeln!(
                text,
                "| {} | {:.2} ({:.2}–{:.2}) | {} |",
                series.scenario,
                cpu.median,
                cpu.min,
                cpu.max,
                peak >> 20
            )
            .expect("a string takes everything");
        }
    }
    text
}
