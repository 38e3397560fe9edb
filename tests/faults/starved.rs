//! The processor is taken away but for moments.

use std::time::{Duration, Instant};

use super::Table;
use crate::support::feed::Feed;

/// Longer than the session of ten seconds.
const STARVED: Duration = Duration::from_secs(13);

/// How long it waits for the processor, and how long it then has it.
const CYCLE: [(&str, Duration); 2] = [
    ("STOP", Duration::from_millis(980)),
    ("CONT", Duration::from_millis(20)),
];

#[tokio::test]
async fn a_program_with_two_percent_of_a_processor_keeps_its_partitions_and_loses_nothing() {
    let feed = Feed::new(2).await;
    let mut table = Table::new(2);
    let mut program = feed.run(&[]);
    program.ready().await;
    table.put(&feed, 1, "before").await;
    table.until_equal(&feed).await;

    let begun = Instant::now();
    while begun.elapsed() < STARVED {
        for (signal, time) in CYCLE {
            program.signal(signal);
            tokio::time::sleep(time).await;
        }
        for id in 1..20 {
            table
                .put(&feed, id, &format!("{:?}", begun.elapsed()))
                .await;
        }
    }
    table.until_equal(&feed).await;
    let (_, metrics) = program.ask("metrics").await.unwrap();
    let rebalances = metrics.lines();
    let rebalances: Vec<&str> = rebalances
        .filter(|it| it.starts_with("cdc_rebalances_total"))
        .collect();
    assert!(rebalances.iter().any(|it| it.contains("assigned")));
    let kept = |it: &&&str| !it.contains("assigned") && !it.ends_with(" 0");
    assert_eq!(rebalances.iter().find(kept), None, "it lost its partitions");
    program.leave().await;
}
