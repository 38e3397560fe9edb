//! One row that changes as often as all others together.

use super::Table;
use crate::support::feed::Feed;

#[tokio::test]
async fn a_row_with_half_of_the_changes_is_written_a_few_times_and_the_others_do_not_wait() {
    let feed = Feed::new(1).await;
    let mut table = Table::new(1);
    for id in 1..=600 {
        table.write(&feed, 0, &format!("change {id}")).await;
        table.write(&feed, id, "cold").await;
    }
    let program = feed.run(&[]);
    table.until_equal(&feed).await;
    let hot = feed.writes().await - 600;
    assert!((1..=60).contains(&hot), "{hot} writes of the hot row");
    program.leave().await;
}
