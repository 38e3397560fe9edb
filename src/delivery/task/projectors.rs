//! Which projectors a table's changes go to.

use crate::change::{ProjectionId, TableId};
use crate::projector::Projector;

/// The projectors of one sink, by table.
pub struct Projectors<P> {
    by_table: Vec<Vec<(ProjectionId, P)>>,
}

impl<P: Projector> Projectors<P> {
    /// These projectors, each with the table that feeds it.
    pub fn new(
        tables: usize,
        projectors: impl IntoIterator<Item = (TableId, ProjectionId, P)>,
    ) -> Self {
        let mut by_table: Vec<Vec<_>> = (0..tables).map(|_| Vec::new()).collect();
        for (table, projection, projector) in projectors {
            by_table[usize::from(table.0)].push((projection, projector));
        }
        Self { by_table }
    }

    /// Those of a table.
    #[must_use]
    pub fn of(&self, table: TableId) -> &[(ProjectionId, P)] {
        &self.by_table[usize::from(table.0)]
    }
}
