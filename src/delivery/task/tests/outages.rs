//! When a store is held to be in an outage, and for how long.

use super::*;

#[tokio::test]
async fn an_outage_is_over_when_nothing_is_left_that_could_show_its_end() {
    let mut bench = Bench::new();
    bench.store.set_down(Some(SinkError::Outage(outage())));
    bench.change(OTHER, 0, "1");
    bench.until_outage(true).await;
    bench.inlet.order(Order::Drop(vec![OTHER]));
    bench.until_outage(false).await;
}

#[tokio::test]
async fn an_outage_that_a_last_write_of_a_partition_taken_away_meets_does_not_last() {
    let mut bench = Bench::new();
    let gate = Gate::default();
    bench.store.script([Fault::Hold(gate.clone())]);
    bench.change(OTHER, 0, "1");
    bench.store.until_started(1).await;
    bench.inlet.order(Order::Drop(vec![OTHER]));
    bench.store.set_down(Some(SinkError::Outage(outage())));
    // Its answer says that the task has taken the order before, too.
    bench.inlet.order(Order::Drain(1, vec![OTHER]));
    bench.until_drained().await;
    gate.open();
    bench.until_outage(true).await;
    bench.until_outage(false).await;
}

#[tokio::test]
async fn an_outage_lasts_while_a_write_that_may_show_its_end_is_under_way() {
    let mut bench = Bench::new();
    let gate = Gate::default();
    let fails = Fault::Fail(SinkError::Outage(outage()));
    bench.store.script([fails, Fault::Hold(gate.clone())]);
    bench.change(OTHER, 0, "1");
    bench.store.until_started(2).await;
    bench.inlet.order(Order::Drop(vec![TRUNCATED]));
    // Its answer says that the task has taken the order before, too.
    bench.inlet.order(Order::Drain(1, vec![TRUNCATED]));
    bench.until_drained().await;
    assert!(*bench.in_outage.borrow());
    gate.open();
    bench.until_outage(false).await;
}

#[tokio::test]
async fn a_store_that_takes_some_of_a_batch_and_fails_others_is_in_an_outage() {
    let mut bench = Bench::new();
    let gate = Gate::default();
    bench
        .store
        .script([Fault::First(outage()), Fault::Hold(gate.clone())]);
    bench.batch(0, ["1", "2"]);
    bench.store.until_started(2).await;
    assert!(*bench.in_outage.borrow());
    gate.open();
    bench.until_outage(false).await;
    bench.until_done(OTHER, 2).await;
}

#[tokio::test]
async fn an_outage_after_contention_is_told() {
    let mut bench = Bench::new();
    let contention = Outage::new(OutageKind::Contention, "scripted");
    let fails = |outage| Fault::Fail(SinkError::Outage(outage));
    bench.store.script([fails(contention), fails(outage())]);
    bench.change(OTHER, 0, "1");
    bench.until_outage(true).await;
    bench.until_outage(false).await;
}

#[tokio::test]
async fn a_store_that_answers_with_a_rejection_is_out_of_its_outage() {
    let mut bench = Bench::new();
    let rejection = Rejection::new("scripted", "scripted");
    let key = (OTHER.table, "1".to_owned());
    bench.store.reject(key, Version::new(0, 0), rejection);
    bench.store.set_down(Some(SinkError::Outage(outage())));
    bench.change(OTHER, 0, "1");
    bench.until_outage(true).await;
    bench.store.set_down(None);
    bench.until_outage(false).await;
}

#[tokio::test]
async fn a_write_that_began_before_an_outage_does_not_show_its_end() {
    let mut bench = Bench::new();
    let (before, after) = (Gate::default(), Gate::default());
    bench.store.script([
        Fault::Hold(before.clone()),
        Fault::Fail(SinkError::Outage(outage())),
        Fault::Hold(after.clone()),
    ]);
    bench.change(OTHER, 0, "1");
    bench.store.until_started(1).await;
    bench.change(OTHER, 1, "2");
    bench.store.until_started(3).await;
    before.open();
    bench.until_done(OTHER, 1).await;
    assert!(*bench.in_outage.borrow());
    after.open();
    bench.until_done(OTHER, 2).await;
    bench.until_outage(false).await;
}

#[tokio::test(start_paused = true)]
async fn a_store_that_takes_one_write_at_a_time_is_not_asked_ever_more_seldom() {
    let mut bench = Bench::new();
    let rounds = 12;
    let gates: Vec<_> = (0..rounds).map(|_| Gate::default()).collect();
    let fails = || Fault::Fail(SinkError::Outage(outage()));
    let script = gates
        .iter()
        .flat_map(|it| [Fault::Hold(it.clone()), fails()]);
    bench.store.script(script);
    let records = 3 * (i64::from(rounds) + 2);
    for offset in 0..records {
        let ack = bench.track(OTHER, offset);
        bench.take(OTHER, offset, &offset.to_string(), ack);
    }
    let begun = tokio::time::Instant::now();
    bench.inlet.hand_over();
    for (round, gate) in gates.into_iter().enumerate() {
        bench.store.until_started(2 * round + 2).await;
        bench.until_outage(true).await;
        gate.open();
    }
    bench.until_done(OTHER, records).await;
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
}
