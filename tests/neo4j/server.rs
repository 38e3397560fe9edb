//! Constraints, credentials, refusals, markers, plans.

use std::time::Duration;

use distributary::config::Secret;
use distributary::sink::{Marker, OutageKind, Outcome, Sink as _, SinkError};
use neo4rs::query;

use super::rows::{product, user};
use super::world::{World, coalesced, password_file, settings};
use crate::support::until;

async fn drop_constraint(world: &World, label: &str) {
    let constraints = query(
        "SHOW CONSTRAINTS YIELD name, labelsOrTypes WHERE labelsOrTypes = [$label] RETURN name",
    );
    let rows = world.rows(constraints.param("label", label)).await;
    let name: String = rows[0].get("name").unwrap();
    world.run(&format!("DROP CONSTRAINT `{name}`")).await;
}

#[tokio::test]
async fn missing_constraints_are_named_with_the_statements_to_run() {
    let world = World::new().await;
    let label = format!("{}User", world.prefix);
    drop_constraint(&world, &label).await;
    let mut careful = settings();
    careful.create_constraints = false;
    let error = world.sink(&careful).prepare().await.unwrap_err();
    let SinkError::Fatal(text) = &error else {
        panic!("{error}");
    };
    let statement =
        format!("CREATE CONSTRAINT IF NOT EXISTS FOR (n:`{label}`) REQUIRE (n.`id`) IS UNIQUE;");
    assert!(text.ends_with(&statement), "{text}");
    assert_eq!(text.matches("CREATE").count(), 1, "{text}");
    world.clean_up().await;
}

#[tokio::test]
async fn a_constraint_that_cannot_be_made_is_named_with_what_stands_in_its_way() {
    let world = World::new().await;
    let label = format!("{}User", world.prefix);
    drop_constraint(&world, &label).await;
    world
        .run("CREATE INDEX P_plain FOR (n:P_User) ON (n.id)")
        .await;
    let sink = world.sink(&settings());
    // Schema changes of other tests get in its way.
    let text = until("the start is refused", async || {
        match sink.prepare().await {
            Err(SinkError::Fatal(text)) => Some(text),
            Err(SinkError::Outage(_)) => None,
            other => panic!("{other:?}"),
        }
    })
    .await;
    world.run("DROP INDEX P_plain").await;
    let statement = format!("FOR (n:`{label}`) REQUIRE (n.`id`) IS UNIQUE; remove what is doubled");
    assert!(text.contains(&statement), "{text}");
    world.clean_up().await;
}

#[tokio::test]
async fn a_password_that_is_refused_is_read_again() {
    let world = World::new().await;
    let right = settings();
    let Secret::File(path) = password_file("wrong") else {
        unreachable!();
    };
    let mut wrong = settings();
    wrong.password = Secret::File(path.clone());
    let sink = world.sink(&wrong);
    let Err(SinkError::Outage(outage)) = sink.ping().await else {
        panic!("the wrong password was accepted");
    };
    assert_eq!(outage.kind, OutageKind::Refused, "{outage:?}");
    let Secret::File(right) = right.password else {
        unreachable!();
    };
    std::fs::copy(right, path).unwrap();
    sink.ping().await.unwrap();
    world.clean_up().await;
}

#[tokio::test]
async fn a_server_that_is_not_there_is_an_outage() {
    let world = World::new().await;
    let mut nowhere = settings();
    nowhere.uri = "bolt://127.0.0.1:1".into();
    let error = world.sink(&nowhere).ping().await.unwrap_err();
    let SinkError::Outage(outage) = error else {
        panic!("{error}");
    };
    assert_eq!(outage.kind, OutageKind::Unreachable);
    world.clean_up().await;
}

#[tokio::test]
async fn a_marker_is_found_as_it_was_written() {
    let world = World::new().await;
    let sink = world.sink(&settings());
    let mut marker = Marker {
        pipeline: "shop".into(),
        group: "shop".into(),
        projection: format!("{}placed", world.prefix),
        fingerprint: "abc".into(),
        started: false,
    };
    let found = |found: Vec<distributary::sink::Found>| {
        let all: Vec<_> = found.into_iter().filter_map(|it| it.marker).collect();
        all
    };
    assert_eq!(found(sink.prepare().await.unwrap()), []);
    sink.mark(&marker).await.unwrap();
    marker.started = true;
    sink.mark(&marker).await.unwrap();
    assert_eq!(found(sink.prepare().await.unwrap()), [marker]);
    assert_eq!(sink.prepare().await.unwrap().len(), 7);
    world.clean_up().await;
}

#[tokio::test]
async fn a_row_that_never_fits_is_refused_in_the_end_and_a_batch_sooner() {
    let world = World::new().await;
    world
        .run("CREATE CONSTRAINT FOR (n:P_User) REQUIRE n.name IS UNIQUE")
        .await;
    let sink = world.sink(&settings());
    world.write(&sink, &[user(1, "1", "\"same\"")]).await;
    let both = coalesced(world.project(&[user(1, "2", "\"same\""), user(1, "3", "\"other\"")]));
    let nodes: Vec<_> = both
        .into_iter()
        .filter(|it| it.key.projection.0 == 0)
        .collect();
    let mut attempts = Vec::new();
    for batch in [&nodes[..], &nodes[..1]] {
        let mut count = 1;
        while let Err(SinkError::Outage(outage)) = sink.write(batch).await {
            assert_eq!(outage.kind, OutageKind::Contention);
            count += 1;
            assert!(count < 50);
        }
        attempts.push(count);
    }
    assert!(attempts[0] < attempts[1], "{attempts:?}");
    assert_eq!(sink.write(&nodes[1..]).await.unwrap(), [Outcome::Written]);
    world.clean_up().await;
}

#[tokio::test]
async fn a_key_that_no_index_can_hold_is_refused() {
    let world = World::new().await;
    let sink = world.sink(&settings());
    let long: String = (0..40_000)
        .map(|n| char::from(b'a' + (n * n % 26) as u8))
        .collect();
    let batch = world.project(&[product(1, &format!("\"{long}\""))]);
    let error = sink.write(&batch).await.unwrap_err();
    assert!(matches!(error, SinkError::Refused(_)), "{error}");
    let surrogate = world.project(&[product(1, r#""\ud800""#)]);
    assert!(matches!(
        sink.write(&surrogate).await.unwrap()[0],
        Outcome::Rejected(_)
    ));
    world.clean_up().await;
}

#[tokio::test]
async fn a_failed_statement_leaves_no_locks() {
    let world = World::new().await;
    let sink = world.sink(&settings());
    let long: String = "x".repeat(40_000);
    let batch = world.project(&[user(1, "1", "null"), product(1, &format!("\"{long}\""))]);
    sink.write(&batch).await.unwrap_err();
    let change = [user(1, "1", "null")];
    let write = world.write(&sink, &change);
    tokio::time::timeout(Duration::from_secs(20), write)
        .await
        .unwrap();
    world.clean_up().await;
}

#[tokio::test]
async fn tombstones_are_forgotten_after_six_hours_and_not_before() {
    let world = World::new().await;
    let hour = 3_600_000;
    for (name, age) in [("old", 6 * hour + 1000), ("young", 5 * hour)] {
        let key = format!("P_user-node[\"{name}\"]");
        world
            .run(&format!("CREATE (:_DistributaryTombstone {{_key: '{key}', _v: 1, _at: timestamp() - {age}}})"))
            .await;
    }
    // A sink looks after its first write.
    let sink = world.sink(&settings());
    world.write(&sink, &[product(1, "1")]).await;
    let text =
        "MATCH (t:_DistributaryTombstone) WHERE t._key STARTS WITH $prefix RETURN t._key AS key";
    let left = world
        .rows(query(text).param("prefix", world.prefix.as_str()))
        .await;
    let left: Vec<String> = left.iter().map(|row| row.get("key").unwrap()).collect();
    assert_eq!(left, [format!("{}user-node[\"young\"]", world.prefix)]);
    world.clean_up().await;
}
