//! An owner that was frozen past its session, with a write on its way.

use chaos::{Mode, Proxy};
use serde_json::Value;

use super::{Table, proxy, run_behind};
use crate::support::feed::Feed;
use crate::support::program::Program;
use crate::support::{stack, until};

/// More bytes than the questions whether Elasticsearch is there.
const NO_PING: u64 = 1000;

/// A frozen owner, whose last request to Elasticsearch the proxy holds, and its heir, which has
/// updated rows 1 to 6 since and deleted 7 to 12.
struct Late {
    zombie: Program,
    heir: Program,
    proxy: Proxy,
    table: Table,
    /// Goes last, with the logs.
    feed: Feed,
}

impl Late {
    async fn write() -> Self {
        let mut feed = Feed::new(1).await;
        let mut table = Table::new(1);
        let proxy = proxy().await;
        let mut zombie = run_behind(&mut feed, &proxy);
        zombie.ready().await;
        for id in 1..=10 {
            table.put(&feed, id, "first").await;
        }
        table.until_equal(&feed).await;

        // From here on what it sends to Elasticsearch is taken and not delivered. It finds all
        // changes at once, so that they are in one request.
        zombie.signal("STOP");
        proxy.set(Mode::HalfOpen);
        let taken = proxy.taken();
        for id in 1..=12 {
            table.put(&feed, id, "late").await;
        }
        zombie.signal("CONT");
        until("the write is on its way", async || {
            (proxy.taken() > taken + NO_PING).then_some(())
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
        Self {
            feed,
            table,
            proxy,
            zombie,
            heir,
        }
    }

    /// Lets the request go, and waits until Elasticsearch has answered it.
    async fn arrive(&self) {
        let before = self.feed.writes().await;
        self.proxy.set(Mode::Pass);
        until("the late write is answered", async || {
            (self.feed.writes().await > before).then_some(())
        })
        .await;
    }

    /// The zombie finds itself replaced and goes on as a member of the group.
    async fn thaw(&mut self) {
        self.zombie.signal("CONT");
        self.zombie.ready().await;
        self.table.put(&self.feed, 20, "last").await;
        self.feed.until_committed().await;
    }

    /// Every document but the one that [`Self::thaw`] adds.
    async fn documents(&self) -> Vec<Value> {
        let all = self.feed.documents().await;
        all.into_iter().filter(|it| it[0] != "20").collect()
    }

    async fn leave(self) {
        self.zombie.leave().await;
        self.heir.leave().await;
    }
}

#[tokio::test]
async fn a_replaced_owners_write_that_arrives_late_changes_nothing_and_resurrects_nothing() {
    let mut late = Late::write().await;
    let before = late.documents().await;
    late.arrive().await;
    assert_eq!(late.documents().await, before, "the late write has won");
    late.thaw().await;
    late.table.until_equal(&late.feed).await;
    assert_eq!(late.documents().await, before, "the zombie has written");
    late.leave().await;
}

/// The gap that the README names (E12): Elasticsearch forgets what was deleted when a shard starts
/// again. Closing and opening an index does that to its shards alone.
#[tokio::test]
async fn after_a_shards_restart_a_late_write_revives_deleted_rows_of_that_one_request_and_no_other()
{
    let mut late = Late::write().await;
    let before = late.documents().await;
    let index = format!("{}/{}-items-000001", stack("ES_URL"), late.feed.name);
    let http = reqwest::Client::new();
    for step in ["_close", "_open"] {
        let url = format!("{index}/{step}?wait_for_active_shards=1");
        let answer = http.post(url).send().await.unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
    }
    late.arrive().await;
    let after = late.documents().await;
    let (revived, kept): (Vec<_>, Vec<_>) = after.iter().partition(|it| !before.contains(it));
    assert!(
        !revived.is_empty(),
        "the gap is closed: say so in the README"
    );
    assert!(revived.iter().all(|it| it[2]["name"] == "late"));
    assert_eq!(kept.len(), before.len(), "no row that is there was touched");

    late.thaw().await;
    assert_eq!(late.documents().await, after, "the fence let something out");
    // The next change of the row mends it.
    late.table.put(&late.feed, 7, "again").await;
    late.table.delete(&late.feed, 7).await;
    late.feed.until_committed().await;
    assert!(late.feed.document(7).await.is_none());
    late.leave().await;
}
