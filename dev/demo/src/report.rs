//! The demo's report: what is in Postgres beside what is in the stores.

use std::collections::BTreeMap;

use anyhow::Result;
use checker::{Report, Section, Stores};
use instance::Metrics;

use crate::table::Table;
use crate::watch::Watch;

/// Tables in the order of the schema; the outbox is read by other consumers.
const TABLES: [&str; 6] = [
    "users",
    "categories",
    "products",
    "orders",
    "order_items",
    "outbox",
];

/// Per table: rows beside documents, nodes and relationships.
pub(crate) async fn tables(stores: &Stores, report: &Report) -> Result<String> {
    let mut table = Table::new(&[
        "table",
        "rows",
        "documents",
        "nodes",
        "relationships",
        "field by field",
    ]);
    for name in TABLES {
        let sql = format!("SELECT count(*) FROM public.{name}");
        let rows: i64 = stores.postgres.query_one(&sql, &[]).await?.get(0);
        let mut cells = vec![name.to_owned(), rows.to_string()];
        cells.extend(made_of(report, name));
        table.row(&cells);
    }
    let mut derived = vec!["(derived)".to_owned(), "–".to_owned()];
    derived.extend(made_of(report, ""));
    table.row(&derived);
    let drafts = "SELECT count(*) FROM public.products WHERE status = 'draft'";
    let drafts: i64 = stores.postgres.query_one(drafts, &[]).await?.get(0);
    Ok(format!(
        "Postgres and what was made of it\n\n{table}\n  {drafts} products are drafts, which have no document.\n"
    ))
}

/// Documents, nodes, relationships and verdict of one table.
fn made_of(report: &Report, table: &str) -> [String; 4] {
    let of = |store, start: &str| {
        let here = |section: &&Section| {
            section.table == table && section.store == store && section.name.starts_with(start)
        };
        report.sections.iter().find(here)
    };
    let sections = [of("elasticsearch", ""), of("neo4j", ":"), of("neo4j", "[")];
    let different: u64 = sections
        .iter()
        .flatten()
        .map(|section| section.different)
        .sum();
    let verdict = match (sections.iter().flatten().count(), different) {
        (0, _) => "–".to_owned(),
        (_, 0) => "equal".to_owned(),
        (_, many) => format!("{many} DIFFERENT"),
    };
    let [documents, nodes, relationships] = sections.map(count);
    [documents, nodes, relationships, verdict]
}

fn count(section: Option<&Section>) -> String {
    section.map_or_else(
        || "–".to_owned(),
        |Section {
             name,
             expected,
             found,
             ..
         }| {
            let name = name.trim_matches(['[', ']']);
            let name = if name.starts_with(':') {
                format!(" {name}")
            } else {
                String::new()
            };
            if expected == found {
                format!("{found}{name}")
            } else {
                format!("{found} of {expected}{name}")
            }
        },
    )
}

/// The cache: keys invalidated, and what is cached now.
pub(crate) fn cache(report: &Report, metrics: &Metrics) -> String {
    let only = [("target", "cache"), ("outcome", "written")];
    let invalidated = metrics.sum("cdc_mutations_total", "projection", &only);
    let mut table = Table::new(&["projection", "keys invalidated"]);
    for (projection, keys) in &invalidated {
        table.row(&[projection.clone(), format!("{keys:.0}")]);
    }
    let cached = report.section("redis", "cached keys");
    let (found, different) = cached.map_or((0, 0), |section| (section.found, section.different));
    let verdict = match different {
        0 => "all what Postgres says now".to_owned(),
        many => format!("{many} of them DIFFER from what Postgres says now"),
    };
    format!("The cache\n\n{table}\n  {found} keys are cached now, {verdict}.\n")
}

/// Lag per store, with the worst that was seen while the workload ran, and what became of its
/// changes.
pub(crate) fn lags(watch: &Watch) -> String {
    let mut table = Table::new(&[
        "store",
        "lag now",
        "worst seen",
        "mean latency",
        "written",
        "coalesced",
    ]);
    let now = watch.metrics.largest("cdc_lag_seconds", "target");
    let grown = |name: &str, only: &[(&str, &str)]| {
        let mut values = watch.metrics.sum(name, "target", only);
        for (store, before) in watch.before.sum(name, "target", only) {
            *values.entry(store).or_default() -= before;
        }
        values
    };
    let seconds = grown("cdc_event_latency_seconds_sum", &[]);
    let changes = grown("cdc_event_latency_seconds_count", &[]);
    let written = grown("cdc_mutations_total", &[("outcome", "written")]);
    let coalesced = grown("cdc_coalesced_total", &[]);
    let of =
        |values: &BTreeMap<String, f64>, store: &str| values.get(store).copied().unwrap_or(0.0);
    for (store, lag) in &now {
        let mean = of(&seconds, store) / of(&changes, store).max(1.0);
        table.row(&[
            store.clone(),
            format!("{lag:.1} s"),
            format!("{:.1} s", of(&watch.worst, store)),
            format!("{mean:.2} s"),
            format!("{:.0}", of(&written, store)),
            format!("{:.0}", of(&coalesced, store)),
        ]);
    }
    let note = "  Latency is from a change's commit until the store has it, while changes come as fast as this machine\n  \
                can make them. Servers that were just started are slow at first, above all Neo4j, which plans each\n  \
                kind of statement once: `make demo` again shows them warm.";
    format!("Lag\n\n{table}\n{note}\n")
}
