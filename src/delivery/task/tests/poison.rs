//! Records that the store can never take.

use super::*;

/// A task whose store will never take the change at offset 0 of row 1.
fn bench(crypt: &Crypt) -> Bench {
    let store = Memory::new(&[]);
    let rejection = Rejection::new("scripted", "scripted");
    let target = (OTHER.table, "1".to_owned());
    store.reject(target, Version::new(0, 0), rejection);
    Bench::burying(store, Some(crypt))
}

#[tokio::test]
async fn the_key_of_a_rejected_record_waits_until_its_dead_letter_is_safe_and_no_other_does() {
    let crypt = Crypt::closed();
    let mut bench = bench(&crypt);
    bench.change(OTHER, 0, "1");
    crypt.until_asked(1).await;
    bench.change(OTHER, 1, "1");
    bench.change(OTHER, 2, "2");
    assert_eq!(bench.until_acknowledged().await, [2]);
    assert_eq!(bench.version(OTHER, "1"), None);
    crypt.gate.open();
    bench.until_done(OTHER, 3).await;
    assert_eq!(bench.version(OTHER, "1"), Some(1));
}

#[tokio::test]
async fn a_drain_does_not_wait_for_dead_letters_that_cannot_be_written() {
    let crypt = Crypt::barred();
    let mut bench = bench(&crypt);
    bench.change(OTHER, 0, "1");
    crypt.until_asked(2).await;
    bench.inlet.order(Order::Drain(1, vec![OTHER]));
    bench.until_drained().await;
}
