//! What two instances, or an instance and somebody else, do to each other.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use distributary::change::Change;
use distributary::sink::neo4j::Neo4j;
use distributary::sink::{OutageKind, Outcome, Sink as _, SinkError};
use neo4rs::query;

use super::rows::{HIGH, ITEMS, PRODUCTS, USERS, befriended, deleted, item, order, product, user};
use super::world::{World, coalesced, drawn, settings, written};

/// How many transactions wait for a lock in a statement with this in its text.
async fn waiting(world: &World, statement: &str) -> usize {
    let text = "SHOW TRANSACTIONS YIELD status, currentQuery WHERE status STARTS WITH 'Blocked' \
                AND currentQuery CONTAINS $statement RETURN status";
    world
        .rows(query(text).param("statement", statement))
        .await
        .len()
}

pub(super) async fn until_one_waits(world: &World, statement: &str) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while waiting(world, statement).await == 0 {
        assert!(
            Instant::now() < deadline,
            "nobody came to wait for the lock"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Runs `cypher` in a transaction, writes the change meanwhile, commits, and answers the outcome.
async fn write_while(
    world: &World,
    cypher: &str,
    change: Change<'static>,
) -> Result<Vec<Outcome>, SinkError> {
    write_while_waiting_in(&world.prefix, world, cypher, change).await
}

/// The same; commits when a statement with this text waits.
async fn write_while_waiting_in(
    statement: &str,
    world: &World,
    cypher: &str,
    change: Change<'static>,
) -> Result<Vec<Outcome>, SinkError> {
    let sink = world.sink(&settings());
    let mut rival = world.graph.start_txn().await.unwrap();
    rival
        .run(query(&cypher.replace("P_", &world.prefix)))
        .await
        .unwrap();
    let batch = world.project(&[change]);
    let write = tokio::spawn(async move { sink.write(&batch).await });
    until_one_waits(world, statement).await;
    rival.commit().await.unwrap();
    write.await.unwrap()
}

/// A rival's doing: the batch is to be tried again.
pub(super) fn assert_contention(answer: &Result<Vec<Outcome>, SinkError>) {
    let Err(SinkError::Outage(outage)) = answer else {
        panic!("{answer:?}");
    };
    assert_eq!(outage.kind, OutageKind::Contention);
}

#[tokio::test]
async fn a_node_is_compared_as_it_is_after_waiting_for_its_lock() {
    let world = World::new().await;
    let sink = world.sink(&settings());
    world.write(&sink, &[user(1, "1", "\"one\"")]).await;
    let answer = write_while(
        &world,
        "MATCH (n:P_User {id: 1}) SET n._v = 9, n.name = 'nine'",
        user(5, "1", "\"five\""),
    )
    .await;
    assert_eq!(answer.unwrap()[0], Outcome::Stale);
    assert_eq!(
        world.snapshot().await.nodes.values().next().unwrap()["name"],
        "nine"
    );
    world.clean_up().await;
}

#[tokio::test]
async fn a_relationship_is_compared_as_it_is_after_waiting_for_its_lock() {
    let world = World::new().await;
    let sink = world.sink(&settings());
    world.write(&sink, &[item(1, "1", "2")]).await;
    let answer = write_while(
        &world,
        "MATCH ()-[x:P_CONTAINS]->() SET x._v = 9, x.quantity = 9",
        item(5, "1", "2"),
    )
    .await;
    assert_eq!(answer.unwrap()[0], Outcome::Stale);
    world.clean_up().await;
}

#[tokio::test]
async fn a_row_is_not_lost_when_a_rival_deletes_its_node_meanwhile() {
    let world = World::new().await;
    let sink = world.sink(&settings());
    world.write(&sink, &[user(1, "1", "null")]).await;
    let answer = write_while(
        &world,
        "MATCH (n:P_User {id: 1}) DELETE n",
        user(5, "1", "null"),
    )
    .await;
    assert_contention(&answer);
    world.write(&sink, &[user(5, "1", "null")]).await;
    assert_eq!(drawn(&world.snapshot().await), ["User 1"]);
    world.clean_up().await;
}

#[tokio::test]
async fn a_row_is_not_lost_when_a_rival_deletes_its_relationship_meanwhile() {
    let world = World::new().await;
    let sink = world.sink(&settings());
    world.write(&sink, &[item(1, "1", "2")]).await;
    let cypher = "MATCH ()-[x:P_CONTAINS]->() SET x._lock = null WITH x DELETE x";
    let answer = write_while(&world, cypher, item(5, "1", "2")).await;
    assert!(matches!(answer, Err(SinkError::Outage(_))), "{answer:?}");
    world.write(&sink, &[item(5, "1", "2")]).await;
    assert_eq!(
        drawn(&world.snapshot().await).last().unwrap(),
        "1 -CONTAINS-> 2"
    );
    world.clean_up().await;
}

/// Two instances write at once.
async fn both(
    world: &World,
    one: (&Neo4j, Vec<Change<'static>>),
    two: (&Neo4j, Vec<Change<'static>>),
) {
    tokio::join!(world.write(one.0, &one.1), world.write(two.0, &two.1));
}

#[tokio::test]
async fn two_instances_that_each_add_or_remove_one_half_of_a_path_agree() {
    let world = World::new().await;
    let (one, two) = (world.sink(&settings()), world.sink(&settings()));
    for round in 0..25 {
        let version = 1 + 2 * round;
        let halves = (order(version, "2", "1"), item(version, "2", "3"));
        both(&world, (&one, vec![halves.0]), (&two, vec![halves.1])).await;
        let there = drawn(&world.snapshot().await);
        let purchased = "1 -PURCHASED-> 3".to_owned();
        assert!(there.contains(&purchased), "round {round}: {there:?}");
        let item_key = [("order_id", "2"), ("product_id", "3")];
        let halves = (
            order(version + 1, "2", "null"),
            deleted(version + 1, ITEMS, &item_key),
        );
        both(&world, (&one, vec![halves.0]), (&two, vec![halves.1])).await;
        assert_eq!(drawn(&world.snapshot().await), ["Order 2"], "round {round}");
    }
    world.clean_up().await;
}

#[tokio::test]
async fn two_instances_that_hold_release_and_delete_the_same_nodes_leave_no_stub() {
    let world = World::new().await;
    let (one, two) = (world.sink(&settings()), world.sink(&settings()));
    let gone = |version, id| deleted(version, ITEMS, &[("order_id", id), ("product_id", "9")]);
    let product_gone = |version| deleted(version, PRODUCTS, &[("id", "9")]);
    for round in 0..25 {
        let version = 1 + 4 * round;
        let held = vec![item(version, "1", "9"), product(version, "9")];
        both(&world, (&one, held), (&two, vec![item(version, "2", "9")])).await;
        let version = version + 1;
        let released = vec![gone(version, "1"), product_gone(version)];
        both(&world, (&one, released), (&two, vec![gone(version, "2")])).await;
        assert!(drawn(&world.snapshot().await).is_empty(), "round {round}");
        let version = version + 1;
        both(
            &world,
            (&one, vec![product(version, "9")]),
            (&two, vec![item(version, "2", "9")]),
        )
        .await;
        let there = drawn(&world.snapshot().await);
        assert_eq!(
            there,
            ["Order 2 (stub)", "Product 9", "2 -CONTAINS-> 9"],
            "round {round}"
        );
        let version = version + 1;
        both(
            &world,
            (&one, vec![product_gone(version)]),
            (&two, vec![gone(version, "2")]),
        )
        .await;
        assert!(drawn(&world.snapshot().await).is_empty(), "round {round}");
    }
    world.clean_up().await;
}

/// A late upsert and a delete of one row at once, again and again with another row, leave nothing.
async fn leave_nothing(
    upsert: impl Fn(&str) -> Change<'static>,
    delete: impl Fn(&str) -> Change<'static>,
) {
    let world = World::new().await;
    let (owner, zombie) = (world.sink(&settings()), world.sink(&settings()));
    for round in 0..25 {
        let id = round.to_string();
        let late = coalesced(world.project(&[upsert(&id)]));
        let delete = coalesced(world.project(&[delete(&id)]));
        let (late, delete) = tokio::join!(written(&zombie, &late), written(&owner, &delete));
        late.unwrap();
        delete.unwrap();
        assert!(drawn(&world.snapshot().await).is_empty(), "round {round}");
    }
    world.clean_up().await;
}

#[tokio::test]
async fn a_late_create_and_a_delete_of_the_same_row_leave_nothing() {
    let delete = |id: &str| deleted(2, ITEMS, &[("order_id", id), ("product_id", "1")]);
    leave_nothing(|id| item(1, id, "1"), delete).await;
}

#[tokio::test]
async fn a_late_upsert_and_a_delete_of_the_same_row_leave_no_node() {
    let upsert = |id: &str| user(1, id, "null");
    leave_nothing(upsert, |id| deleted(2, USERS, &[("id", id)])).await;
}

#[tokio::test]
async fn a_tombstone_that_a_rival_wrote_meanwhile_overrules_a_new_relationship() {
    let world = World::new().await;
    // The rival holds up the merge of an end, after the look for tombstones.
    let cypher = format!(
        "MERGE (o:P_Order {{id: 7}}) ON CREATE SET o._stub = true \
                  CREATE (:_DistributaryTombstone {{_key: 'P_contains[7,1]', _v: {newer}, _at: timestamp()}})",
        newer = HIGH + 9
    );
    let answer = write_while(&world, &cypher, item(HIGH + 5, "7", "1")).await;
    assert_contention(&answer);
    let sink = world.sink(&settings());
    assert_eq!(
        world.write(&sink, &[item(HIGH + 5, "7", "1")]).await,
        [Outcome::Stale]
    );
    assert_eq!(drawn(&world.snapshot().await), ["Order 7 (stub)"]);
    world.clean_up().await;
}

#[tokio::test]
async fn tombstones_that_are_forgotten_while_they_are_looked_at_disturb_nobody() {
    let world = World::new().await;
    let sink = world.sink(&settings());
    let done = AtomicBool::new(false);
    let rival = async {
        // Above all that is written, or nobody looks at them.
        let version = HIGH + 1000;
        while !done.load(Ordering::Relaxed) {
            world
                .run(&format!(
                    "UNWIND range(1, 400) AS i \
                     CREATE (:_DistributaryTombstone {{_key: 'P_rival' + i, _v: {version}, _at: timestamp()}})"
                ))
                .await;
            world
                .run("MATCH (t:_DistributaryTombstone) WHERE t._key STARTS WITH 'P_rival' DELETE t")
                .await;
        }
    };
    let writes = async {
        for version in 0..500 {
            let answer = world.write(&sink, &[product(HIGH + version, "1")]).await;
            assert_eq!(answer, [Outcome::Written]);
        }
        done.store(true, Ordering::Relaxed);
    };
    tokio::join!(rival, writes);
    world.clean_up().await;
}

#[tokio::test]
async fn a_tombstone_that_a_rival_wrote_meanwhile_overrules_a_new_node() {
    let world = World::new().await;
    // The rival holds up the merge, after the look for tombstones.
    let cypher = format!(
        "MERGE (n:P_User {{id: 7}}) ON CREATE SET n._stub = true \
                  CREATE (:_DistributaryTombstone {{_key: 'P_user-node[7]', _v: {newer}, _at: timestamp()}})",
        newer = HIGH + 9
    );
    let answer = write_while(&world, &cypher, user(HIGH + 5, "7", "null")).await;
    assert_contention(&answer);
    let sink = world.sink(&settings());
    let answer = world.write(&sink, &[user(HIGH + 5, "7", "null")]).await;
    assert_eq!(answer[0], Outcome::Stale);
    assert_eq!(drawn(&world.snapshot().await), ["User 7 (stub)"]);
    world.clean_up().await;
}

#[tokio::test]
async fn a_late_delete_does_not_lower_the_tombstone_that_a_rival_wrote_meanwhile() {
    let world = World::new().await;
    // Of a relationship that is not there, so that both looks are over before anything is waited for.
    let cypher =
        "CREATE (:_DistributaryTombstone {_key: 'P_contains[7,1]', _v: 9, _at: timestamp()})";
    let delete = deleted(5, ITEMS, &[("order_id", "7"), ("product_id", "1")]);
    let buries = "MERGE (t:_DistributaryTombstone";
    let answer = write_while_waiting_in(buries, &world, cypher, delete).await;
    assert_eq!(answer.unwrap(), [Outcome::Written]);
    let sink = world.sink(&settings());
    let answer = world.write(&sink, &[item(6, "7", "1")]).await;
    assert_eq!(answer, [Outcome::Stale]);
    world.clean_up().await;
}

#[tokio::test]
async fn batches_that_are_given_to_one_sink_at_once_do_not_contend() {
    const ROWS: usize = 300;
    let world = World::new().await;
    let sink = world.sink(&settings());
    for round in 0..10 {
        let batch = |users: Range<usize>, friend: fn(usize) -> usize| {
            let rows = users.map(|user| {
                let (id, friend) = ((1000 + user).to_string(), friend(user).to_string());
                befriended(1 + round, &id, &friend)
            });
            coalesced(world.project(&rows.collect::<Vec<_>>()))
        };
        // In the order of the rows' keys, the batches lock the friends in opposite order.
        let one = batch(0..ROWS, |user| user);
        let two = batch(ROWS..2 * ROWS, |user| 2 * ROWS - user);
        let (one, two) = tokio::join!(sink.write(&one), sink.write(&two));
        let all = vec![Outcome::Written; 2 * ROWS];
        assert_eq!((one.unwrap(), two.unwrap()), (all.clone(), all));
        world.run("MATCH (n:P_User) DETACH DELETE n").await;
    }
    world.clean_up().await;
}

#[tokio::test]
async fn batches_of_nodes_that_overlap_are_written_whole_and_do_not_contend() {
    const ROWS: i64 = 300;
    let world = World::new().await;
    let sink = world.sink(&settings());
    let upsert = |version, id: i64| product(version, &id.to_string());
    let delete = |version, id: i64| deleted(version, PRODUCTS, &[("id", &id.to_string())]);
    let all = vec![Outcome::Written; ROWS.try_into().unwrap()];
    for round in 1..=10 {
        // The second half comes and goes, the last time it goes.
        let second = match round % 2 {
            0 => delete,
            _ => upsert,
        };
        let one: Vec<_> = (0..ROWS).map(|id| upsert(round, id)).collect();
        let two: Vec<_> = (ROWS..2 * ROWS).map(|id| second(round, id)).collect();
        let (one, two) = (world.project(&one), world.project(&two));
        let (one, two) = tokio::join!(sink.write(&one), sink.write(&two));
        assert_eq!((one.unwrap(), two.unwrap()), (all.clone(), all.clone()));
    }
    let left = world.snapshot().await.nodes;
    assert_eq!(left.len(), all.len());
    world.clean_up().await;
}
