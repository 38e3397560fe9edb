//! Partitions that move between instances, under each of the group protocols.

use chaos::Mode;

use super::{Table, proxy, run_behind};
use crate::support::feed::{self, Feed};
use crate::support::program::Program;
use crate::support::until;

/// How many partitions the instance says it lags behind in: those it owns.
async fn owned(program: &Program) -> usize {
    let metrics = program.ask("metrics").await.unwrap().1;
    let lags = metrics.lines();
    lags.filter(|it| it.starts_with("kafka_consumer_lag{"))
        .count()
}

/// Changes go on while instances join, stop and end by a signal; in the end every store is equal.
async fn join_stop_and_end(feed: &Feed, signal: &str) {
    let mut table = Table::new(6);
    let mut first = feed.run(&[]);
    first.ready().await;
    let mut round = 0;
    let mut change = async |table: &mut Table| {
        round += 1;
        for id in 0..24 {
            table.put(feed, id, &format!("round {round}")).await;
        }
        table.delete(feed, 3).await;
        table.delete(feed, 4).await;
    };
    change(&mut table).await;
    let mut second = feed.run(&[]);
    change(&mut table).await;
    second.ready().await;
    until("both have partitions", async || {
        (owned(&first).await == 3 && owned(&second).await == 3).then_some(())
    })
    .await;
    change(&mut table).await;
    table.until_equal(feed).await;

    change(&mut table).await;
    first.leave().await;
    change(&mut table).await;
    table.until_equal(feed).await;

    let mut third = feed.run(&[]);
    third.ready().await;
    change(&mut table).await;
    second.signal(signal);
    change(&mut table).await;
    table.until_equal(feed).await;
    third.leave().await;
}

#[tokio::test]
async fn nothing_is_lost_when_partitions_move_under_the_cooperative_protocol() {
    let feed = Feed::new(6).await;
    join_stop_and_end(&feed, "KILL").await;
}

#[tokio::test]
async fn nothing_is_lost_when_partitions_move_under_the_eager_protocol() {
    let mut feed = Feed::new(6).await;
    feed.configure(
        "eager.yaml",
        "source: {properties: {partition.assignment.strategy: range}}\n",
    );
    join_stop_and_end(&feed, "KILL").await;
}

/// The broker keeps a silent member for 45 s under this protocol, so here nobody is killed.
#[tokio::test]
async fn nothing_is_lost_when_partitions_move_under_the_consumer_protocol() {
    let mut feed = Feed::new(6).await;
    let session = "  properties: {session.timeout.ms: \"10000\", heartbeat.interval.ms: \"500\"}\n";
    let text = feed::CONFIG.replace(session, "  protocol: consumer\n");
    assert!(text.contains("protocol: consumer"));
    feed.call.configs.clear();
    feed.configure("consumer.yaml", &text);
    join_stop_and_end(&feed, "TERM").await;
}

#[tokio::test]
async fn of_two_instances_with_one_static_name_the_older_one_ends() {
    let mut feed = Feed::new(2).await;
    feed.configure(
        "static.yaml",
        "source: {properties: {group.instance.id: only-one}}\n",
    );
    let mut older = feed.run(&[]);
    older.ready().await;
    let mut newer = feed.run(&[]);
    assert_eq!(older.exit_code().await, Some(69), "fenced");
    let mut table = Table::new(2);
    table.put(&feed, 1, "after").await;
    newer.ready().await;
    table.until_equal(&feed).await;
    newer.leave().await;
}

#[tokio::test]
async fn the_lag_of_a_partition_that_was_given_up_is_no_longer_told() {
    let mut feed = Feed::new(6).await;
    let mut table = Table::new(6);
    let proxy = proxy().await;
    let mut first = run_behind(&mut feed, &proxy);
    first.ready().await;
    for id in 0..6 {
        table.put(&feed, id, "first").await;
    }
    table.until_equal(&feed).await;
    until("the lag of every partition is told", async || {
        (owned(&first).await == 6).then_some(())
    })
    .await;
    // A store that does not answer keeps the drain waiting, and the lag is told meanwhile.
    proxy.set(Mode::HalfOpen);
    for id in 0..6 {
        table.put(&feed, id, "second").await;
    }
    let mut second = feed.run(&[]);
    second.ready().await;
    until("the other instance owns some", async || {
        (owned(&second).await == 3).then_some(())
    })
    .await;
    assert_eq!(owned(&first).await, 3);
    proxy.set(Mode::Pass);
    table.until_equal(&feed).await;
}
