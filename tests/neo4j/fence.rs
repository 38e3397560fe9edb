//! Whether a write is still admitted is asked when nothing is left to be waited for (D13).

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use distributary::sink::{Outcome, Sink as _, SinkError};
use neo4rs::query;

use super::rivals::{assert_contention, until_one_waits};
use super::rows::user;
use super::world::{World, drawn, settings};

/// What becomes of a write whose turn comes after that of another one, which a rival holds up until
/// this has happened.
async fn second_in_turn(
    world: &World,
    admits: impl Fn() -> bool + Send + Sync,
    meanwhile: impl Future<Output = ()>,
) -> Result<Option<Vec<Outcome>>, SinkError> {
    let sink = world.sink(&settings());
    world.write(&sink, &[user(1, "1", "null")]).await;
    let mut rival = world.graph.start_txn().await.unwrap();
    let lock = "MATCH (n:P_User {id: 1}) SET n._lock = null".replace("P_", &world.prefix);
    rival.run(query(&lock)).await.unwrap();
    let one = world.project(&[user(2, "1", "null")]);
    let two = world.project(&[user(2, "2", "null")]);
    let released = async {
        until_one_waits(world, &world.prefix).await;
        meanwhile.await;
        rival.commit().await.unwrap();
    };
    let (first, second) = (sink.write(&one), sink.write_if(&two, admits));
    let (first, second, ()) = tokio::join!(Box::pin(first), Box::pin(second), released);
    first.unwrap();
    second
}

#[tokio::test]
async fn a_batch_whose_owner_was_replaced_while_it_waited_for_its_turn_is_not_sent() {
    let world = World::new().await;
    let owns = AtomicBool::new(true);
    let replaced = async { owns.store(false, Ordering::Relaxed) };
    let second = second_in_turn(&world, || owns.load(Ordering::Relaxed), replaced).await;
    assert_eq!(second, Ok(None));
    assert_eq!(drawn(&world.snapshot().await), ["User 1"]);
    world.clean_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fence_is_asked_when_a_transaction_that_waited_for_long_has_been_opened_anew() {
    let world = World::new().await;
    // A tombstone that is there when the transaction is opened makes the row stale; one that comes
    // later is found in its end, and has it tried again.
    let bury = "CREATE (:_DistributaryTombstone {_key: 'P_user-node[2]', _v: 3, _at: timestamp()})";
    let admits = || {
        let now = tokio::runtime::Handle::current();
        tokio::task::block_in_place(|| now.block_on(world.run(bury)));
        true
    };
    let long = tokio::time::sleep(Duration::from_millis(5100));
    let second = second_in_turn(&world, admits, long).await;
    assert_contention(&second.map(Option::unwrap_or_default));
    world.clean_up().await;
}
