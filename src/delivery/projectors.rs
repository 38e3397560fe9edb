//! Which projectors a table's changes go to.

use crate::change::{Change, ProjectionId, TableId};
use crate::projector::{ProjectError, Projector};

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

    /// The projections that a table feeds.
    pub fn of(&self, table: TableId) -> impl ExactSizeIterator<Item = ProjectionId> {
        self.by_table[usize::from(table.0)].iter().map(|it| it.0)
    }

    /// Appends what a change means for the sink. What a projection that fails has appended is
    /// taken back; answers the last one that did, and why.
    pub fn project(
        &self,
        change: &Change<'_>,
        out: &mut Vec<P::Mutation>,
    ) -> Option<(ProjectionId, ProjectError)> {
        let mut failed = None;
        for (projection, projector) in &self.by_table[usize::from(change.table.0)] {
            let before = out.len();
            if let Err(error) = projector.project(change, out) {
                out.truncate(before);
                failed = Some((*projection, error));
            }
        }
        failed
    }
}
