//! Records that can never be applied.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::support::feed::{Feed, change, row, source};
use crate::support::kafka::Record;
use crate::support::until;

fn raw(key: &str, value: &str) -> Record {
    Record {
        key: Some(key.into()),
        value: Some(value.into()),
        headers: BTreeMap::from([("trace".to_owned(), "42".to_owned())]),
        ..Record::default()
    }
}

/// Records that are no changes, and what the reason says of each.
fn undecodable() -> [(Record, &'static str); 4] {
    let envelope = json!({
        "before": null, "after": {"id": 4, "name": "x"}, "source": source(), "op": "c",
    });
    [
        (raw(r#"{"id":1}"#, r#"{"before": nu"#), "JSON"),
        (
            raw(r#"{"id":2}"#, r#"{"id": 2, "name": "flat"}"#),
            "envelope",
        ),
        (raw(r#"{"id":3}"#, r#"[1, 2]"#), ""),
        (raw(r#"{"other":4}"#, &envelope.to_string()), "no column id"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_change_becomes_a_dead_letter_as_it_was_and_its_neighbours_are_written() {
    let feed = Feed::new(1).await;
    let mut neighbours = vec![];
    for (index, (record, _)) in (0..).zip(undecodable()) {
        feed.send(record).await;
        feed.insert(100 + index).await;
        neighbours.push(100 + index);
    }
    let program = feed.run(&[]);
    feed.until_committed().await;
    assert!(!program.log().contains("dead-letter topic is not there"));
    for id in neighbours {
        assert!(feed.document(id).await.is_some(), "the document of {id}");
    }
    let mut letters = feed.dead_letters(4);
    // Each is written on its own, in any order.
    letters.sort_by_key(|it| {
        it.headers["__connect.errors.offset"]
            .parse::<i64>()
            .unwrap()
    });
    for (index, (letter, (original, says))) in letters.iter().zip(undecodable()).enumerate() {
        assert_eq!(
            (&letter.key, &letter.value),
            (&original.key, &original.value)
        );
        let header = |name: &str| letter.headers[name].as_str();
        assert_eq!(header("trace"), "42", "the record's own header");
        assert_eq!(header("__connect.errors.topic"), feed.topic());
        assert_eq!(header("__connect.errors.partition"), "0");
        assert_eq!(header("__connect.errors.offset"), (2 * index).to_string());
        let reason = header("__connect.errors.exception.message");
        assert!(reason.contains(says), "{reason} says {says}");
    }
    program.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_the_index_never_takes_becomes_a_dead_letter_that_names_its_projection() {
    let feed = Feed::new(1).await;
    feed.insert(1).await;
    let mut unfit = row(2, "unfit");
    unfit["stock"] = json!("plenty");
    let unfit = change("c", None, Some(unfit));
    let offset = feed.send(unfit.clone()).await;
    feed.insert(3).await;
    let program = feed.run(&[]);
    feed.until_committed().await;
    assert!(feed.document(1).await.is_some());
    assert!(feed.document(2).await.is_none());
    assert!(feed.document(3).await.is_some());
    let letter = feed.dead_letters(1).remove(0);
    assert_eq!((&letter.key, &letter.value), (&unfit.key, &unfit.value));
    assert_eq!(letter.headers["distributary.sink"], "search");
    assert_eq!(letter.headers["distributary.projection"], "items-index");
    assert_eq!(letter.headers["distributary.version"], offset.to_string());
    let reason = &letter.headers["__connect.errors.exception.message"];
    assert!(!reason.contains("plenty"), "a row's value in {reason}");
    program.stop().await;
}

const COLOURS: &str = r#"
projections:
  - {name: items-cache, sink: cache, from: items, invalidate: ["item:{{ key.id }}"]}
  - {name: colours, sink: cache, from: items, invalidate: ["colour:{{ after.colour }}"]}
  - {name: shades, sink: cache, from: items, invalidate: ["shade:{{ after.colour }}"]}
  - {name: items-index, sink: search, from: items, index: {alias: "${NAME}-items", settings: items.json}}
"#;

#[tokio::test(flavor = "multi_thread")]
async fn each_projection_of_a_sink_that_can_never_use_a_record_has_a_dead_letter_of_its_own() {
    let mut feed = Feed::new(1).await;
    feed.configure("colours.yaml", COLOURS);
    let cached: String = feed.redis.run("SET item:1 stale").await.unwrap();
    assert_eq!(cached, "OK");
    feed.insert(1).await;
    let program = feed.run(&[]);
    feed.until_committed().await;
    let letters = feed.dead_letters(2);
    let projections = letters
        .iter()
        .map(|it| &*it.headers["distributary.projection"]);
    let projections: BTreeSet<_> = projections.collect();
    assert_eq!(projections, BTreeSet::from(["colours", "shades"]));
    assert_eq!(feed.redis.run::<i64>("EXISTS item:1").await.unwrap(), 0);
    let (_, scrape) = program.ask("metrics").await.unwrap();
    let counts = scrape
        .lines()
        .filter(|it| it.starts_with("cdc_dead_letters_total{"));
    let counts: Vec<_> = counts.collect();
    assert!(
        matches!(counts[..], [one] if one.ends_with(" 2")),
        "{counts:?}"
    );
    program.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_that_cannot_be_written_holds_its_partition_alone_until_it_can() {
    let feed = Feed::new(2).await;
    let dead_letters = format!("{}.dead-letter", feed.name);
    let tiny = [("max.message.bytes", "10")];
    feed.kafka.configure(&dead_letters, &tiny).await;
    feed.insert(1).await;
    let offset = feed.send(raw(r#"{"id":2}"#, "{")).await;
    feed.insert(3).await;
    let other = change("c", None, Some(row(4, "new")));
    feed.kafka.produce(&feed.topic(), 1, other).await;

    let mut program = feed.run(&[]);
    program.waits_for("dead-letter topic").await;
    until("the other partition goes on", async || {
        (feed.kafka.committed(&feed.topic(), 1) == Some(1)).then_some(())
    })
    .await;
    until("what lies behind it is written", async || {
        feed.document(3).await
    })
    .await;
    assert_eq!(feed.kafka.committed(&feed.topic(), 0), Some(offset));

    feed.kafka.configure(&dead_letters, &[]).await;
    feed.until_committed().await;
    program.ready().await;
    assert_eq!(feed.dead_letters(1)[0].value, Some(b"{".to_vec()));
    program.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_is_as_large_as_its_topic_takes_and_goes_without_its_payload_beyond() {
    let feed = Feed::new(1).await;
    let large = [("max.message.bytes", "4000000")];
    feed.kafka.configure(&feed.topic(), &large).await;
    let dead_letters = format!("{}.dead-letter", feed.name);
    let smaller = [("max.message.bytes", "3000000")];
    feed.kafka.configure(&dead_letters, &smaller).await;
    for (id, bytes) in [(1, 2_500_000), (2, 3_500_000)] {
        let key = format!(r#"{{"id":{id}}}"#);
        feed.send(raw(&key, &"{".repeat(bytes))).await;
    }
    let program = feed.run(&[]);
    feed.until_committed().await;
    let mut letters = feed.dead_letters(2);
    letters.sort_by_key(|it| it.headers["__connect.errors.offset"].clone());
    let sizes = letters.iter().map(|it| it.value.as_ref().map(Vec::len));
    assert_eq!(sizes.collect::<Vec<_>>(), [Some(2_500_000), None]);
    let missing = &letters[1].headers["distributary.payload.missing"];
    assert!(missing.contains("larger"), "{missing}");
    assert!(program.log().contains("was put aside"));
    program.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_larger_than_one_fetch_is_read_and_what_lies_behind_it_too() {
    let mut feed = Feed::new(1).await;
    feed.configure(
        "fetch.yaml",
        "source: {properties: {fetch.message.max.bytes: \"10000\"}}\n",
    );
    let long = "long ".repeat(150_000);
    feed.send(change("c", None, Some(row(1, &long)))).await;
    feed.insert(2).await;
    let program = feed.run(&[]);
    feed.until_committed().await;
    assert_eq!(feed.document(1).await.unwrap()["name"], long);
    assert!(feed.document(2).await.is_some());
    program.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn under_on_poison_stop_the_program_stops_at_the_record_and_commits_what_is_before_it() {
    let mut feed = Feed::new(1).await;
    feed.configure("stop.yaml", "on_poison: stop");
    feed.insert(1).await;
    let offset = feed.send(raw(r#"{"id":2}"#, "{")).await;
    feed.insert(3).await;
    let mut program = feed.run(&[]);
    let place = format!("offset {offset} of partition 0 of topic `{}`", feed.topic());
    program.refuses(65, &[&place, "--to-offset 2"]).await;
    let committed = feed.kafka.committed(&feed.topic(), 0);
    assert!(committed.is_none_or(|next| next <= offset), "{committed:?}");

    // The way out that it names works at once: it has left its group.
    let topic = feed.topic();
    let skip = [
        "offsets",
        "reset",
        "--topic",
        &topic,
        "--partition",
        "0",
        "--to-offset",
        "2",
        "--execute",
    ];
    let reset = feed.call.output(&skip);
    assert!(reset.status.success(), "{reset:?}");
    let program = feed.run(&[]);
    feed.until_committed().await;
    assert!(feed.document(3).await.is_some());
    program.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_table_stops_the_program_until_it_is_told_to_ignore_that() {
    let mut feed = Feed::new(1).await;
    feed.insert(1).await;
    let truncate = json!({"before": null, "after": null, "source": source(), "op": "t"});
    feed.send(Record {
        value: Some(truncate.to_string().into()),
        ..Record::default()
    })
    .await;
    let mut program = feed.run(&[]);
    program.refuses(65, &["truncate", "items"]).await;

    feed.configure("ignore.yaml", "tables: {items: {on_truncate: ignore}}");
    let program = feed.run(&[]);
    feed.until_committed().await;
    assert!(feed.document(1).await.is_some());
    program.stop().await;
}
