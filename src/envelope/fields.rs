//! The columns of an object as slices of the record's text.
//!
//! Nothing is copied. The surprising fact: a column is found by comparing names in the order of
//! the last row, which almost always matches, so no map is ever built.

use super::shapes::Known;
use crate::change::Cell;
use crate::json::{Malformed, Scanner};

/// The columns of one object.
pub(super) struct Columns<'a> {
    /// One per column, in the object's order; each is its text.
    pub(super) cells: Vec<Cell<'a>>,
    /// The column names where they differ from those expected.
    pub(super) names: Option<Vec<String>>,
}

impl<'a> Columns<'a> {
    /// Reads an object, which is expected to have these columns; none for `null`.
    pub(super) fn read(
        scanner: &mut Scanner<'a>,
        known: &Known,
    ) -> Result<Option<Self>, Malformed> {
        if scanner.null() {
            return Ok(None);
        }
        let mut expected = known.labels.iter();
        let mut columns = Self {
            cells: Vec::with_capacity(expected.len()),
            names: None,
        };
        let mut more = scanner.open()?;
        while more {
            let label = expected.next().filter(|_| columns.names.is_none());
            if !label.is_some_and(|label| scanner.label(label)) {
                columns.push_name(scanner.name()?.into_owned(), known);
            }
            columns.cells.push(Cell::of(scanner.value()?));
            more = scanner.another()?;
        }
        if columns.names.is_none() && columns.cells.len() < known.labels.len() {
            columns.names = Some(first(known, columns.cells.len()));
        }
        Ok(Some(columns))
    }

    /// The next column has a name that was not expected, or is not written as expected.
    fn push_name(&mut self, name: String, known: &Known) {
        let before = self.cells.len();
        let names = self.names.get_or_insert_with(|| first(known, before));
        names.push(name);
    }
}

/// The known names of the first columns.
fn first(known: &Known, columns: usize) -> Vec<String> {
    let names = known.shape.names().take(columns);
    names.map(str::to_owned).collect()
}
