//! Asked to stop while a store does not take what is in flight.

use super::Table;
use crate::support::feed::Feed;
use crate::support::until;

/// A running program that has read a change which its cache does not take.
async fn holding(feed: &Feed, table: &mut Table) -> crate::support::program::Program {
    let mut program = feed.run(&[]);
    program.ready().await;
    table.put(feed, 1, "first").await;
    table.until_equal(feed).await;
    feed.redis.signal("STOP").unwrap();
    table.write(feed, 1, "second").await;
    until("the index has the change", async || {
        let document = feed.document(1).await?;
        (document["name"] == "second").then_some(())
    })
    .await;
    program
}

#[tokio::test]
async fn sigterm_while_a_store_hangs_ends_within_the_drain_and_commits_nothing_of_it() {
    let feed = Feed::new(1).await;
    let mut table = Table::new(1);
    let mut program = holding(&feed, &mut table).await;
    program.signal("TERM");
    // 0 where the sink has found out by then that its store is away, and is not waited for.
    let code = program.exit_code().await;
    assert!(matches!(code, Some(0 | 75)), "{code:?}");
    feed.redis.signal("CONT").unwrap();
    let cached: String = feed.redis.run("SET item:1 stale").await.unwrap();
    assert_eq!(cached, "OK");
    let mut next = feed.run(&[]);
    next.ready().await;
    table.until_equal(&feed).await;
    next.leave().await;
}

#[tokio::test]
async fn a_second_sigterm_ends_at_once_with_143() {
    let feed = Feed::new(1).await;
    let mut table = Table::new(1);
    let mut program = holding(&feed, &mut table).await;
    program.signal("TERM");
    until("it says that it is stopping", async || {
        program.log().contains("stopping: waiting").then_some(())
    })
    .await;
    program.signal("TERM");
    assert_eq!(program.exit_code().await, Some(143));
    feed.redis.signal("CONT").unwrap();
}
