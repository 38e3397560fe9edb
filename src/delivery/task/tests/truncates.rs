//! A truncate among its neighbours, and with a partition that is taken away.

use super::*;

#[tokio::test]
async fn a_truncate_deletes_what_came_before_it_and_nothing_else() {
    let mut bench = Bench::new();
    for (offset, id) in (0..).zip(["1", "2", "3", "4", "5"]) {
        bench.change(TRUNCATED, offset, id);
        bench.change(OTHER, offset, id);
    }
    bench.truncate(5);
    bench.change(TRUNCATED, 6, "1");
    bench.change(TRUNCATED, 7, "6");
    bench.until_done(TRUNCATED, 8).await;
    bench.until_done(OTHER, 5).await;
    let held = |partition| ["1", "2", "5", "6"].map(|id| bench.version(partition, id));
    assert_eq!(held(TRUNCATED), [Some(6), Some(5), Some(5), Some(7)]);
    assert_eq!(held(OTHER), [Some(0), Some(1), Some(4), None]);
}

#[tokio::test]
async fn a_truncate_waits_for_earlier_writes_and_later_ones_wait_for_it() {
    let mut bench = Bench::new();
    let (gate, began) = (Gate::default(), bench.store.clone());
    bench.store.script([Fault::Hold(gate.clone())]);
    bench.change(TRUNCATED, 0, "1");
    began.until_started(1).await;
    bench.truncate(1);
    bench.change(TRUNCATED, 2, "1");
    bench.truncate(3);
    bench.change(TRUNCATED, 4, "2");
    // The table beside it goes on, which shows that the rest has had its chance, too.
    bench.change(OTHER, 0, "9");
    bench.until_done(OTHER, 1).await;
    assert_eq!(bench.version(TRUNCATED, "1"), None);
    gate.open();
    bench.until_done(TRUNCATED, 5).await;
    let asked = bench.store.log();
    let asked = asked.iter().filter(|it| it.projection == ProjectionId(0));
    let asked: Vec<_> = asked.map(|it| (&*it.key.1, it.version.get())).collect();
    let expected = [("1", 0), ("1", 1), ("1", 2), ("1", 3), ("2", 4)];
    assert_eq!(asked, expected);
}

#[tokio::test]
async fn a_truncate_is_tried_again_until_the_store_is_back_and_acknowledged_only_then() {
    let mut bench = Bench::new();
    for (offset, id) in (0..).zip(["1", "2", "3", "4", "5"]) {
        bench.change(TRUNCATED, offset, id);
    }
    bench.until_done(TRUNCATED, 5).await;
    let fail = |error| Fault::Fail(SinkError::Outage(error));
    bench.store.script([
        fail(outage()),
        Fault::LoseReply(outage()),
        Fault::Items(outage()),
    ]);
    bench.truncate(5);
    bench.until_done(TRUNCATED, 6).await;
    for id in ["1", "2", "3", "4", "5"] {
        assert_eq!(bench.version(TRUNCATED, id), Some(5));
    }
}

#[tokio::test]
async fn a_partition_that_is_taken_away_takes_its_truncate_along() {
    let mut bench = Bench::new();
    bench.change(TRUNCATED, 0, "1");
    bench.until_done(TRUNCATED, 1).await;
    bench.store.set_down(Some(SinkError::Outage(outage())));
    bench.truncate(1);
    bench.change(TRUNCATED, 2, "2");
    bench.inlet.order(Order::Drop(vec![TRUNCATED]));
    bench.store.set_down(None);
    bench.change(OTHER, 0, "1");
    bench.until_done(OTHER, 1).await;
    let ledger = &bench.ledgers[&TRUNCATED.table];
    assert_eq!(ledger.watermark(), NextOffset::given(1));
    assert_eq!(bench.version(TRUNCATED, "2"), None);
}
