//! The process dies at every point between poll and commit.

use super::Table;
use crate::support::feed::Feed;
use crate::support::program::Program;

/// Dies the first time a point is reached.
fn dying_at(feed: &mut Feed, point: &str) -> Program {
    let points = ("FAILPOINTS", format!("{point}=return"));
    feed.call.variables.push(points);
    let program = feed.run(&[]);
    feed.call.variables.pop();
    program
}

/// One round of changes: updates, a delete, and the insert of what was deleted before.
async fn change_some(feed: &Feed, table: &mut Table, round: i64) {
    for id in 1..=30 {
        if id != round {
            table.put(feed, id, &format!("round {round}")).await;
        }
    }
    if table.rows.contains_key(&round) {
        table.delete(feed, round).await;
    }
}

#[tokio::test]
async fn a_process_that_dies_between_poll_and_commit_leaves_every_store_equal_after_its_restart() {
    let mut feed = Feed::new(3).await;
    let mut table = Table::new(3);
    change_some(&feed, &mut table, 0).await;
    let mut first = feed.run(&[]);
    first.ready().await;
    table.until_equal(&feed).await;
    first.leave().await;
    let points = [
        "after-poll",
        "before-write-search",
        "after-write-search",
        "before-write-cache",
        "after-write-cache",
        "before-store",
        "after-store",
        "committed",
    ];
    for (round, point) in (1..).zip(points) {
        change_some(&feed, &mut table, round).await;
        let mut dying = dying_at(&mut feed, point);
        assert_eq!(dying.exit_code().await, None, "{point} was not reached");
        let mut next = feed.run(&[]);
        next.ready().await;
        table.until_equal(&feed).await;
        next.leave().await;
    }
}

#[tokio::test]
async fn a_process_that_dies_inside_its_last_commit_leaves_every_store_equal_after_its_restart() {
    let mut feed = Feed::new(3).await;
    let mut table = Table::new(3);
    for (round, point) in (1..).zip(["before-last-commit", "after-last-commit"]) {
        change_some(&feed, &mut table, round).await;
        let mut dying = dying_at(&mut feed, point);
        dying.ready().await;
        table.until_equal(&feed).await;
        table.put(&feed, 40, point).await;
        dying.signal("TERM");
        assert_eq!(dying.exit_code().await, None, "{point} was not reached");
        let mut next = feed.run(&[]);
        next.ready().await;
        table.until_equal(&feed).await;
        next.leave().await;
    }
}

#[tokio::test]
async fn a_process_that_dies_inside_a_revoke_is_replaced_by_the_one_that_joins() {
    let mut feed = Feed::new(4).await;
    let mut table = Table::new(4);
    change_some(&feed, &mut table, 1).await;
    let mut dying = dying_at(&mut feed, "in-revoke");
    dying.ready().await;
    table.until_equal(&feed).await;
    let mut next = feed.run(&[]);
    change_some(&feed, &mut table, 2).await;
    assert_eq!(dying.exit_code().await, None, "no partition was revoked");
    next.ready().await;
    change_some(&feed, &mut table, 3).await;
    table.until_equal(&feed).await;
    next.leave().await;
}
