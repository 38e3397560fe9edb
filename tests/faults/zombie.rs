//! An owner that was frozen past its session, with a write on its way.

use chaos::Mode;

use super::{Table, proxy, run_behind};
use crate::support::feed::Feed;
use crate::support::until;

#[tokio::test]
async fn a_replaced_owners_write_that_arrives_late_changes_nothing_and_resurrects_nothing() {
    let mut feed = Feed::new(1).await;
    let mut table = Table::new(1);
    let proxy = proxy().await;
    let mut zombie = run_behind(&mut feed, &proxy);
    zombie.ready().await;
    for id in 1..=10 {
        table.put(&feed, id, "first").await;
    }
    table.until_equal(&feed).await;

    // From here on what it sends to Elasticsearch is taken and not delivered.
    proxy.set(Mode::HalfOpen);
    let taken = proxy.taken();
    for id in 1..=12 {
        table.put(&feed, id, "late").await;
    }
    until("the write is on its way", async || {
        (proxy.taken() > taken).then_some(())
    })
    .await;
    zombie.signal("STOP");

    let mut heir = feed.run(&[]);
    for id in 1..=6 {
        table.put(&feed, id, "newer").await;
    }
    for id in 7..=12 {
        table.delete(&feed, id).await;
    }
    heir.ready().await;
    table.until_equal(&feed).await;
    let before = feed.documents().await;

    let answered = proxy.answered();
    proxy.set(Mode::Pass);
    until("the late write is answered", async || {
        (proxy.answered() > answered).then_some(())
    })
    .await;
    assert_eq!(feed.documents().await, before, "the late write has won");
    zombie.signal("CONT");
    // It finds itself replaced and goes on as a member of the group.
    zombie.ready().await;
    table.put(&feed, 20, "last").await;
    table.until_equal(&feed).await;
    let after = feed.documents().await;
    let untouched: Vec<_> = after.into_iter().filter(|it| it[0] != "20").collect();
    assert_eq!(untouched, before, "the zombie has written");
    zombie.leave().await;
    heir.leave().await;
}
