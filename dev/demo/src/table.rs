//! Aligned columns for a terminal: plain text, no colours.

use std::fmt;

/// Rows of cells under a heading. The first column is text, the others are right-aligned where
/// they start with a digit.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these column headings.
    pub(crate) fn new(headings: &[&str]) -> Self {
        let mut table = Self::default();
        table.row(headings);
        table
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: &[impl ToString]) {
        self.rows.push(
            cells
                .iter()
                .map(|cell| one_line(&cell.to_string()))
                .collect(),
        );
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<_> = (0..columns).map(|column| self.width(column)).collect();
        for (index, row) in self.rows.iter().enumerate() {
            let cells = row
                .iter()
                .zip(&widths)
                .enumerate()
                .map(|(column, (cell, &width))| {
                    if column > 0 && is_number(self.rows.get(index.max(1)), column) {
                        format!("{cell:>width$}")
                    } else {
                        format!("{cell:<width$}")
                    }
                });
            writeln!(f, "  {}", cells.collect::<Vec<_>>().join("   ").trim_end())?;
            if index == 0 {
                let rules: Vec<_> = widths.iter().map(|&width| "─".repeat(width)).collect();
                writeln!(f, "  {}", rules.join("   "))?;
            }
        }
        Ok(())
    }
}

/// Whether a column holds numbers, by its cell in this row.
fn is_number(row: Option<&Vec<String>>, column: usize) -> bool {
    let cell = row.and_then(|row| row.get(column));
    cell.is_some_and(|cell| cell.starts_with(|first: char| first.is_ascii_digit()) || cell == "–")
}

/// Names in the shop have line feeds and worse in them.
pub(crate) fn one_line(text: &str) -> String {
    const WIDEST: usize = 48;
    let clean: String = text.chars().filter(|letter| !letter.is_control()).collect();
    if clean.chars().count() <= WIDEST {
        return clean;
    }
    clean.chars().take(WIDEST - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_right_aligned_and_text_is_left() {
        let mut table = Table::new(&["table", "rows", "verdict"]);
        table.row(&["users", "7", "equal"]);
        table.row(&["orders", "1200", "equal"]);
        let expected = "  table    rows   verdict\n  ──────   ────   ───────\n  \
                        users       7   equal\n  orders   1200   equal\n";
        assert_eq!(table.to_string(), expected);
    }
}
