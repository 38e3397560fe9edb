//! Notices updates whose old row was promised and did not come (D4).
//!
//! Such a record is older than the table's `REPLICA IDENTITY FULL`, or the declaration is wrong;
//! either way it cannot be made good, so it is counted, and said once for each table.

use std::collections::HashSet;

use crate::change::{Change, TableId};
use crate::config::Table;

/// The tables that were already warned about.
#[derive(Default)]
pub(super) struct OldRows {
    warned: HashSet<TableId>,
}

impl OldRows {
    /// Whether the change lacks its old row although its table is declared to send it.
    pub(super) fn is_missing(&mut self, change: &Change<'_>, table: &Table) -> bool {
        let missing = change.lacks_old_row(table.full_identity);
        if missing && self.warned.insert(change.table) {
            tracing::warn!(
                table = table.name,
                "an update came without its old row, so cache keys made of old values are not \
                 invalidated; {}",
                table.old_row_advice()
            );
        }
        missing
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::{Op, Row, Version};

    fn change(op: Op, before: Option<Row<'static>>) -> Change<'static> {
        let row = || Row::from_pairs(&[("id", "1")]);
        Change {
            table: TableId(0),
            op,
            key: row(),
            before,
            after: Some(row()),
            moved_from: None,
            version: Version::new(0, 1),
            committed_at_ms: 0,
        }
    }

    fn table(full_identity: bool) -> Table {
        Table {
            full_identity,
            ..Table::named("items")
        }
    }

    #[test]
    fn only_an_update_without_the_promised_old_row_lacks_it() {
        let mut old_rows = OldRows::default();
        let row = Row::from_pairs(&[("id", "1")]);
        for (op, before, full_identity, missing) in [
            (Op::Update, None, true, true),
            (Op::Update, None, true, true),
            (Op::Update, Some(row), true, false),
            (Op::Update, None, false, false),
            (Op::Create, None, true, false),
            (Op::Read, None, true, false),
        ] {
            let change = change(op, before);
            assert_eq!(old_rows.is_missing(&change, &table(full_identity)), missing);
        }
        assert_eq!(old_rows.warned.len(), 1);
    }
}
