//! What a truncate means for the pipeline as a whole (D11): where it stops it, and why.
//!
//! Debezium sends a truncate with a null key, so it lies in an arbitrary partition: only in a topic
//! of one partition is its order against the rows known.

use crate::config::{OnTruncate, Table};
use crate::error::Fatal;

/// Refuses `on_truncate: apply` where a truncate has no order.
pub(super) fn check(table: &Table, partitions: i32) -> Result<(), Fatal> {
    if table.on_truncate != OnTruncate::Apply || partitions == 1 {
        return Ok(());
    }
    Err(Fatal::Truncated(format!(
        "table `{}` has `on_truncate: apply`, but its topic `{}` has {partitions} partitions, and a \
         truncate has no order against the rows of the other partitions. Set `on_truncate: stop` \
         or `ignore`, or give the table a topic of one partition and raise its `epoch`",
        table.name, table.topic,
    )))
}

/// Why the process stops at a truncate, and the ways past it.
pub(super) fn stopped(table: &Table, partition: i32, offset: i64) -> Fatal {
    let next = offset + 1;
    Fatal::Truncated(format!(
        "table `{}` was truncated (offset {offset} of partition {partition} of topic `{}`), and \
         `on_truncate` is `stop`. Rebuild its projections, or skip the truncate with `distributary \
         offsets reset --topic {} --partition {partition} --to-offset {next} --execute` (and `--group` where \
         each sink has its own), or set \
         `on_truncate: ignore`, or `apply` if the topic has one partition",
        table.name, table.topic, table.topic,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(on_truncate: OnTruncate) -> Table {
        Table {
            on_truncate,
            ..Table::named("users")
        }
    }

    #[test]
    fn apply_is_refused_where_the_topic_has_several_partitions() {
        let refused = check(&table(OnTruncate::Apply), 3).unwrap_err();
        assert_eq!(refused.exit_code(), crate::error::exit::DATA);
        let text = refused.to_string();
        assert!(text.contains("has 3 partitions"), "{text}");
        assert!(text.contains("`on_truncate: stop` or `ignore`"), "{text}");
        assert!(check(&table(OnTruncate::Apply), 1).is_ok());
        assert!(check(&table(OnTruncate::Stop), 3).is_ok());
    }
}
