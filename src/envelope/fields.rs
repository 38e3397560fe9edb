//! The columns of an object as positions in the record's text.
//!
//! Nothing is copied. The surprising fact: a column is found by comparing names in the order of
//! the last row, which almost always matches, so no map is ever built.

use super::scan::{Malformed, Scanner};
use super::shapes::Known;
use crate::change::Cell;

/// Where `part` begins in `whole`, of which it is a slice.
pub(super) fn offset_in(whole: &str, part: &str) -> usize {
    part.as_ptr() as usize - whole.as_ptr() as usize
}

/// The columns of one object: where each value lies in the text.
pub(super) struct Columns {
    /// One per column, in the object's order.
    pub(super) cells: Vec<Cell>,
    /// The column names where they differ from those expected.
    pub(super) names: Option<Vec<String>>,
}

/// What the columns of an object are read with.
pub(super) struct ColumnsReader<'a> {
    /// The record's text, of which the object is a part.
    pub(super) text: &'a str,
    /// The columns of the last such object.
    pub(super) expected: &'a Known,
}

impl ColumnsReader<'_> {
    /// Reads an object; none for `null`.
    pub(super) fn read(&self, scanner: &mut Scanner<'_>) -> Result<Option<Columns>, Malformed> {
        if scanner.null() {
            return Ok(None);
        }
        let mut expected = self.expected.labels.iter();
        let mut columns = Columns {
            cells: Vec::with_capacity(expected.len()),
            names: None,
        };
        let mut more = scanner.open()?;
        while more {
            let label = expected.next().filter(|_| columns.names.is_none());
            if !label.is_some_and(|label| scanner.label(label)) {
                let name = scanner.name()?.into_owned();
                self.name(&mut columns, name);
            }
            let value = scanner.value()?;
            let start = offset_in(self.text, value);
            columns.cells.push(Cell::new(start, start + value.len()));
            more = scanner.another()?;
        }
        if columns.names.is_none() && columns.cells.len() < self.expected.labels.len() {
            columns.names = Some(self.first(columns.cells.len()));
        }
        Ok(Some(columns))
    }

    /// The next column has a name that was not expected, or is not written as expected.
    fn name(&self, columns: &mut Columns, name: String) {
        let before = columns.cells.len();
        let names = columns.names.get_or_insert_with(|| self.first(before));
        names.push(name);
    }

    /// The expected names of the first columns.
    fn first(&self, columns: usize) -> Vec<String> {
        let names = self.expected.shape.names().take(columns);
        names.map(str::to_owned).collect()
    }
}
