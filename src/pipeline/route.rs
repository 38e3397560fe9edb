//! Where the changes of a table go.

use super::SinkHandle;

/// The sinks that want the changes of one table.
#[derive(Debug)]
pub(super) struct Route {
    /// Their indices.
    pub(super) sinks: Vec<usize>,
    /// How many projections a change goes through in all of them.
    projections: u32,
}

impl Route {
    /// The route of a table, by its id.
    pub(super) fn of(table: usize, sinks: &[SinkHandle]) -> Self {
        let wanted = |sink: &SinkHandle| sink.projections[table];
        let indices = (0..sinks.len()).filter(|&it| wanted(&sinks[it]) > 0);
        Self {
            sinks: indices.collect(),
            projections: sinks.iter().map(wanted).sum(),
        }
    }

    /// How many acks a change is owed.
    pub(super) fn fan_out(&self) -> u16 {
        u16::try_from(self.sinks.len()).expect("few sinks")
    }

    /// What a record of so many bytes is charged to the budget. It takes them once until it is
    /// projected, and its mutations at most as much each, until they are written.
    pub(super) fn charge(&self, record: u64) -> u64 {
        record * u64::from(self.projections.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_charged_for_each_projection_and_at_least_once() {
        let sink = |projections: [u32; 2]| SinkHandle {
            name: String::new(),
            projections: projections.into(),
            inbox: tokio::sync::mpsc::unbounded_channel().0,
        };
        let sinks = [sink([1, 0]), sink([0, 0]), sink([2, 0])];
        let route = Route::of(0, &sinks);
        assert_eq!((route.sinks.as_slice(), route.fan_out()), (&[0, 2][..], 2));
        assert_eq!(route.charge(100), 300);
        assert_eq!(Route::of(1, &sinks).charge(100), 100);
    }
}
