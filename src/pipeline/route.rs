//! Where the changes of a table go.

use crate::change::TableId;
use crate::delivery::Inlet;

/// The sinks that want the changes of one table.
#[derive(Debug)]
pub(super) struct Route {
    /// Their indices.
    pub(super) sinks: Vec<usize>,
    /// How many projections a change goes through in all of them.
    projections: usize,
}

impl Route {
    /// The route of a table.
    pub(super) fn of(table: TableId, sinks: &[Box<dyn Inlet>]) -> Self {
        Self::through(sinks.iter().map(|sink| sink.projections(table)))
    }

    /// A route through so many projections of each sink.
    fn through(projections: impl Iterator<Item = usize>) -> Self {
        let wanted: Vec<_> = projections.enumerate().filter(|it| it.1 > 0).collect();
        Self {
            sinks: wanted.iter().map(|it| it.0).collect(),
            projections: wanted.iter().map(|it| it.1).sum(),
        }
    }

    /// How many acks a change is owed.
    pub(super) fn fan_out(&self) -> u16 {
        u16::try_from(self.sinks.len()).expect("few sinks")
    }

    /// What a record of so many bytes is charged to the budget: its mutations take at most as much
    /// each until they are written, and a record without any was held as well.
    pub(super) fn charge(&self, record: u64) -> u64 {
        record * self.projections.max(1) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_charged_for_each_projection_and_at_least_once() {
        let route = Route::through([1, 0, 2].into_iter());
        assert_eq!((route.sinks.as_slice(), route.fan_out()), (&[0, 2][..], 2));
        assert_eq!(route.charge(100), 300);
        assert_eq!(Route::through([0, 0].into_iter()).charge(100), 100);
    }
}
