//! `run` from its start to its exit code.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use rdkafka::{Offset, TopicPartitionList};
use serde_json::json;

use super::{command, example, said};
use crate::support::feed::{Feed, change, row};
use crate::support::program::Call;
use crate::support::redis_server::free_port;
use crate::support::until;

#[test]
fn an_invalid_configuration_exits_78_with_every_mistake_and_connects_to_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let here = listener.local_addr().unwrap();
    let config = folder.path().join("broken.yaml");
    let broken = format!(
        "pipeline: shop\n\
         source: {{brokers: ['{here}'], group: shop, topik: '{{table}}-events'}}\n\
         tables:\n  items: {{key: [id], replica_identity: ful}}\n\
         sinks:\n  search: {{type: elasticsearch, url: 'http://{here}'}}\n\
         projections:\n  - {{name: a, sink: serch, from: items, index: {{alias: a}}}}\n\
         on_poison: stop\n"
    );
    std::fs::write(&config, broken).unwrap();
    let call = Call {
        configs: vec![config],
        variables: vec![],
    };
    for command in [&["run"][..], &["validate"], &["offsets", "show"]] {
        let output = call.output(command);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(78), "{command:?}: {said}");
        for mistake in [
            "broken.yaml:2:",
            "topik",
            "broken.yaml:4:",
            "broken.yaml:8:",
            "serch",
        ] {
            assert!(said.contains(mistake), "{command:?}: {mistake} in {said}");
        }
    }
    assert!(listener.accept().is_err(), "somebody connected");
}

#[test]
fn the_first_line_says_the_version_and_where_it_listens() {
    // Nobody is at port 1.
    let mut arguments = vec!["run"];
    for assignment in [
        "http.listen=127.0.0.1:0",
        "source.brokers=127.0.0.1:1",
        "sinks.search.url=http://127.0.0.1:1",
        "sinks.cache.url=redis://127.0.0.1:1",
        "sinks.graph.uri=bolt://127.0.0.1:1",
    ] {
        arguments.extend(["--set", assignment]);
    }
    let mut child = command(example(), &arguments)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    log.read_line(&mut line).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    let text = |name: &str| line[name].as_str().unwrap().to_owned();
    assert!(text("version").starts_with("0."), "{line}");
    let address: std::net::SocketAddr = text("listen").parse().unwrap();
    assert_ne!(address.port(), 0, "{line}");
}

const SECOND_INDEX: &str = r#"
projections:
  - {name: items-index, sink: search, from: items, index: {alias: "${NAME}-items", settings: items.json}}
  - {name: items-cache, sink: cache, from: items, invalidate: ["item:{{ key.id }}"]}
  - {name: names-index, sink: search, from: items, index: {alias: "${NAME}-names"}, fields: [id, name]}
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_projection_added_to_a_group_that_has_commits_is_refused_until_it_is_adopted() {
    let mut feed = Feed::new(1).await;
    feed.insert(1).await;
    let program = feed.run(&[]);
    feed.until_committed().await;
    program.stop().await;

    feed.configure("second.yaml", SECOND_INDEX);
    feed.also_removes("names");
    let mut program = feed.run(&[]);
    program
        .refuses(
            65,
            &["`names-index` is new to group", "--adopt names-index"],
        )
        .await;
    let mut program = feed.run(&["--adopt", "names-index"]);
    program.ready().await;
    feed.insert(2).await;
    feed.until_committed().await;
    program.stop().await;
    // Once is enough.
    let mut program = feed.run(&[]);
    program.ready().await;
    program.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_commits_what_is_acknowledged_and_exits_0() {
    let feed = Feed::new(3).await;
    let mut program = feed.run(&[]);
    program.ready().await;
    let topic = feed.topic();
    for id in 0..200 {
        let number = i32::try_from(id % 3).unwrap();
        let insert = change("c", None, Some(row(id, "new")));
        feed.kafka.produce(&topic, number, insert).await;
    }
    program.signal("TERM");
    assert_eq!(program.exit_code().await, Some(0), "{}", program.log());
    // Without an outage whatever was taken is acknowledged: commits and documents agree.
    let committed = (0..3).filter_map(|it| feed.kafka.committed(&topic, it));
    let documents = feed.documents().await.len();
    assert_eq!(committed.sum::<i64>(), i64::try_from(documents).unwrap());
    // It has left the group, or others would wait for its session to end: the broker takes commits
    // of those who are no members only while there are none.
    let mut commit = TopicPartitionList::new();
    commit
        .add_partition_offset(&topic, 0, Offset::Offset(0))
        .unwrap();
    feed.kafka.commit(&commit);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_scrape_passes_promtool() {
    let feed = Feed::new(1).await;
    feed.insert(1).await;
    let mut program = feed.run(&[]);
    program.ready().await;
    feed.until_committed().await;
    let scrape = until("Kafka's own lag is known", async || {
        let (status, scrape) = program.ask("metrics").await?;
        assert_eq!(status, 200);
        scrape.contains("kafka_consumer_lag{").then_some(scrape)
    })
    .await;
    let path = feed.folder().join("scrape");
    std::fs::write(&path, &scrape).unwrap();
    let promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(std::fs::File::open(&path).unwrap())
        .output()
        .expect("promtool is installed (Debian: prometheus)");
    assert!(promtool.status.success(), "{}", said(&promtool));
    for name in [
        "cdc_lag_seconds{",
        "cdc_event_latency_seconds_bucket{",
        "last_sync_timestamp{",
        "last_sync_timestamp_seconds{",
        "cdc_build_info{",
    ] {
        assert!(scrape.contains(name), "{name} in {scrape}");
    }
    program.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_group_for_each_sink_one_store_goes_on_while_another_is_down() {
    let mut feed = Feed::new(1).await;
    feed.configure("per_sink.yaml", "source: {groups: per_sink}");
    let closed = format!("sinks.cache.url=redis://127.0.0.1:{}", free_port().unwrap());
    feed.insert(1).await;
    let mut program = feed.run(&["--set", &closed]);
    program.waits_for("sink cache").await;
    let search = feed.group("search");
    search.until_committed(&[feed.topic()]).await;
    assert!(feed.document(1).await.is_some());
    assert_eq!(feed.group("cache").committed(&feed.topic(), 0), None);
    program.stop().await;

    // A reset must say which group it means, and it must be one of these.
    let reset = ["offsets", "reset", "--to-earliest", "--all-topics"];
    for (group, says) in [
        (None, "say which with --group"),
        (Some(feed.name.as_str()), "has no group"),
    ] {
        let group = group.map(|it| ["--group", it]);
        let arguments = [&reset[..], group.as_ref().map_or(&[], |it| it)].concat();
        let refused = feed.call.output(&arguments);
        let (code, said) = (refused.status.code(), said(&refused));
        assert_eq!(code, Some(2), "{said}");
        let names = format!("{0}.cache, {0}.search", feed.name);
        assert!(said.contains(says) && said.contains(&names), "{said}");
    }
    let search = format!("{}.search", feed.name);
    let arguments = [&reset[..], &["--group", &search, "--execute"]].concat();
    let done = feed.call.output(&arguments);
    assert!(done.status.success(), "{done:?}");
    assert_eq!(feed.group("search").committed(&feed.topic(), 0), Some(0));
    let shown = said(&feed.call.output(&["offsets", "show"]));
    for sink in ["cache", "search"] {
        let group = format!("group {}.{sink}, running members: 0", feed.name);
        assert!(shown.contains(&group), "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_has_failed_leaves_the_others_to_drain_through_the_first_sigterm() {
    let mut feed = Feed::new(1).await;
    let per_sink = "{source: {groups: per_sink}, on_poison: stop}";
    feed.configure("per_sink.yaml", per_sink);
    let mut program = feed.run(&[]);
    program.ready().await;
    feed.redis.signal("STOP").unwrap();
    let mut unfit = row(1, "unfit");
    unfit["stock"] = json!("plenty");
    feed.send(change("c", None, Some(unfit))).await;
    until("it says which group has failed, and why", async || {
        let log = program.log();
        let line = log.lines().find(|it| it.contains("a group has failed"))?;
        let group = format!("{}.search", feed.name);
        assert!(
            line.contains(&group) && line.contains("can never be applied"),
            "{line}"
        );
        Some(())
    })
    .await;
    program.signal("TERM");
    until("the other group drains", async || {
        program.log().contains("stopping: waiting").then_some(())
    })
    .await;
    feed.redis.signal("CONT").unwrap();
    program.refuses(65, &["by sink `search`"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_nothing_is_written_to_need_not_answer() {
    let mut feed = Feed::new(1).await;
    let documents = r#"
projections:
  - {name: items-index, sink: search, from: items, index: {alias: "${NAME}-items", settings: items.json}}"#;
    feed.configure("documents_only.yaml", documents);
    let closed = format!("sinks.cache.url=redis://127.0.0.1:{}", free_port().unwrap());
    let asked = feed
        .call
        .output(&["validate", "--connect", "--set", &closed]);
    assert_eq!(asked.status.code(), Some(0), "{}", said(&asked));
    feed.insert(1).await;
    let mut program = feed.run(&["--set", &closed]);
    program.ready().await;
    feed.until_committed().await;
    program.stop().await;
}
