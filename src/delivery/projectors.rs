//! Which projectors a table's changes go to.

use crate::change::{Change, ProjectionId, TableId};
use crate::projector::{ProjectError, Projector};

/// Projections that a change can never go through, each with the reason; nearly always none, and
/// nothing is allocated then.
pub type Failed = Vec<(ProjectionId, ProjectError)>;

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
    /// taken back; answers those that did, and why.
    pub fn project(&self, change: &Change<'_>, out: &mut Vec<P::Mutation>) -> Failed {
        let mut failed = Failed::new();
        for (projection, projector) in &self.by_table[usize::from(change.table.0)] {
            let before = out.len();
            if let Err(error) = projector.project(change, out) {
                out.truncate(before);
                failed.push((*projection, error));
            }
        }
        failed
    }
}
