use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use super::Metrics;
use crate::change::{ProjectionId, TableId};
use crate::clock::now_ms;
use crate::config::{
    Cache, Config, Groups, OnPoison, Projection, ProjectionKind, Protocol, Source, Table,
};
use crate::delivery::Observer as _;
use crate::delivery::observer::Ended;
use crate::pipeline::{Observer as _, Rebalance};
use crate::sink::{Outage, OutageKind};
use crate::source::Partition;

/// A cache of one table.
fn config() -> Config {
    Config {
        pipeline: String::from("shop"),
        source: Source {
            brokers: Vec::new(),
            group: String::from("shop"),
            groups: Groups::Shared,
            protocol: Protocol::Classic,
            security: None,
            properties: BTreeMap::new(),
        },
        tables: vec![Table::named("users")],
        sinks: BTreeMap::new(),
        projections: vec![Projection {
            name: String::from("user-cache"),
            sink: String::from("cache"),
            kind: ProjectionKind::Cache(Cache {
                from: TableId(0),
                invalidate: Vec::new(),
            }),
        }],
        on_poison: OnPoison::Stop,
        budget: 1,
        listen: "127.0.0.1:0".parse().unwrap(),
        drain_timeout: Duration::ZERO,
    }
}

fn partition(number: i32) -> Partition {
    Partition {
        table: TableId(0),
        number,
    }
}

/// Metrics in which everything has happened once.
fn busy() -> Metrics {
    let (metrics, config) = (Metrics::new("shop"), config());
    let mut sink = metrics.sink(&config, "cache", Arc::default());
    sink.applied(TableId(0), now_ms() - 2_000, now_ms());
    sink.ended(ProjectionId(0), Ended::Written, 3);
    sink.ended(ProjectionId(0), Ended::Incomplete, 6);
    sink.ended(ProjectionId(0), Ended::Stale, 1);
    sink.ended(ProjectionId(0), Ended::DeadLettered, 1);
    sink.wrote(Duration::from_millis(7));
    sink.coalesced(4);
    sink.retried(&Outage::new(OutageKind::Unreachable, ""), 2);
    sink.retried(&Outage::new(OutageKind::Contention, ""), 2);
    sink.dead_lettered("mapper_parsing_exception");
    sink.oldest(&HashMap::from([(TableId(0), now_ms() - 90_000)]));
    let mut group = metrics.pipeline(&config, "shop", Arc::default());
    group.rebalanced(Rebalance::Assigned, &[]);
    for outcome in ["change", "change", "tombstone"] {
        group.record(partition(2), outcome);
    }
    group.dead_lettered("not_json");
    group.held(1024, 1);
    group.lag(partition(2), 17);
    group.commit_failed();
    group.missing_before(partition(2));
    metrics.waits_for(["sink cache"]);
    metrics
}

#[test]
fn every_promised_metric_is_there_with_its_labels() {
    let text = busy().render().unwrap();
    for line in [
        r#"cdc_event_latency_seconds_count{table="users",target="cache"} 1"#,
        r#"cdc_write_seconds_bucket{target="cache",le="0.005"} 0"#,
        r#"cdc_write_seconds_bucket{target="cache",le="0.01"} 1"#,
        r#"kafka_consumer_lag{consumer_group="shop",partition="2",topic="users-events"} 17"#,
        r#"sync_errors_total{kind="unreachable",pipeline="shop",target="cache"} 1"#,
        r#"sync_errors_total{kind="dead_letter",pipeline="shop",target="cache"} 1"#,
        r#"sync_errors_total{kind="commit_failed",pipeline="shop",target="kafka"} 1"#,
        r#"sync_errors_total{kind="blocked",pipeline="shop",target="cache"} 0"#,
        r#"cdc_events_total{consumer_group="shop",outcome="change",table="users"} 2"#,
        r#"cdc_mutations_total{outcome="written",projection="user-cache",target="cache"} 3"#,
        r#"cdc_mutations_total{outcome="incomplete",projection="user-cache",target="cache"} 6"#,
        r#"cdc_mutations_total{outcome="stale",projection="user-cache",target="cache"} 1"#,
        r#"cdc_coalesced_total{target="cache"} 4"#,
        r#"cdc_retries_total{reason="contention",target="cache"} 2"#,
        r#"cdc_in_flight_bytes{consumer_group="shop"} 1024"#,
        r#"cdc_paused_partitions{consumer_group="shop"} 1"#,
        r#"cdc_rebalances_total{consumer_group="shop",kind="assigned"} 1"#,
        r#"cdc_dead_letters_total{reason="mapper_parsing_exception",target="cache"} 1"#,
        r#"cdc_dead_letters_total{reason="not_json",target="kafka"} 1"#,
        r#"cdc_missing_before_total{consumer_group="shop",table="users"} 1"#,
    ] {
        assert!(text.lines().any(|it| it == line), "no {line} in\n{text}");
    }
    for start in [
        r#"last_sync_timestamp{source="postgres",target="cache"} 1"#,
        r#"last_sync_timestamp_seconds{source="postgres",target="cache"} 1"#,
        r#"cdc_build_info{commit=""#,
        "process_resident_memory_bytes ",
        "process_start_time_seconds ",
    ] {
        assert!(text.lines().any(|it| it.starts_with(start)), "no {start}");
    }
    assert!(!text.contains(r#"sync_errors_total{kind="contention""#));
}

#[test]
fn every_metric_is_explained_in_the_documentation() {
    let text = busy().render().unwrap();
    let explained = include_str!("../../docs/metrics.md");
    let names = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let names = names.filter_map(|line| line.split(' ').next());
    let own: Vec<_> = names.filter(|it| !it.starts_with("process_")).collect();
    assert!(own.len() > 10, "{own:?}");
    for name in own {
        assert!(explained.contains(&format!("`{name}`")), "{name}");
    }
}

#[test]
fn lag_is_the_age_of_the_oldest_change_and_zero_when_caught_up() {
    let lag = |metrics: &Metrics| -> f64 {
        let text = metrics.render().unwrap();
        let lag = r#"cdc_lag_seconds{source="postgres",table="users",target="cache"} "#;
        let value = text.lines().find_map(|line| line.strip_prefix(lag));
        value.unwrap().parse().unwrap()
    };
    let metrics = Metrics::new("shop");
    let mut sink = metrics.sink(&config(), "cache", Arc::default());
    assert_eq!(lag(&metrics), 0.0);
    sink.oldest(&HashMap::from([(TableId(0), now_ms() - 90_000)]));
    assert!((90.0..100.0).contains(&lag(&metrics)));
    sink.oldest(&HashMap::from([(TableId(0), now_ms() + 90_000)]));
    assert_eq!(lag(&metrics), 0.0, "Postgres' clock is ahead of ours");
    sink.oldest(&HashMap::new());
    assert_eq!(lag(&metrics), 0.0);
}

#[test]
fn the_lag_of_a_revoked_partition_disappears() {
    let metrics = Metrics::new("shop");
    let mut group = metrics.pipeline(&config(), "shop", Arc::default());
    group.lag(partition(0), 1);
    group.lag(partition(1), 1);
    group.rebalanced(Rebalance::Revoked, &[partition(0), partition(7)]);
    let text = metrics.render().unwrap();
    assert!(!text.contains(r#"partition="0""#) && text.contains(r#"partition="1""#));
}

#[test]
fn promtool_finds_nothing_to_complain_about() {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is installed (Debian: prometheus)");
    let mut input = promtool.stdin.take().unwrap();
    input
        .write_all(busy().render().unwrap().as_bytes())
        .unwrap();
    drop(input);
    let output = promtool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.trim().is_empty(), "{said}");
}
