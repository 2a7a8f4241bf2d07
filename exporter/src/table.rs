//! Columns for a person, as wide as what stands in them.

use std::fmt;

/// Longer texts from a file are cut off in a table.
const LONGEST: usize = 48;

/// Rows under a line of titles.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

#[derive(Clone, Debug)]
struct Column {
    title: &'static str,
    is_number: bool,
}

impl Table {
    /// A table without rows.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// With one more column of words.
    pub(crate) fn words(mut self, title: &'static str) -> Self {
        self.columns.push(Column { title, is_number: false });
        self
    }

    /// With one more column of numbers, which stand at its right.
    pub(crate) fn numbers(mut self, title: &'static str) -> Self {
        self.columns.push(Column { title, is_number: true });
        self
    }

    /// Adds a row; texts from files are made [`printable`].
    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        debug_assert_eq!(N, self.columns.len(), "a cell for each column");
        self.rows.push(cells.iter().map(|cell| shortened(&printable(cell), LONGEST)).collect());
    }

    /// Leaves out a column where the table is wider than the terminal: lines that wrap are harder to read than one column
    /// less. A file or another program, for which there is no width, always gets all of them.
    pub(crate) fn fit(mut self, width: Option<usize>, title: &str) -> Self {
        let place = self.columns.iter().position(|column| column.title == title);
        let total = self.widths().iter().sum::<usize>() + GAP.len() * self.columns.len().saturating_sub(1);
        if let (Some(place), Some(width)) = (place, width)
            && total > width
        {
            self.columns.remove(place);
            for row in &mut self.rows {
                row.remove(place);
            }
        }
        self
    }

    fn widths(&self) -> Vec<usize> {
        let widest = |(place, column): (usize, &Column)| {
            let cells = self.rows.iter().map(|row| row[place].as_str());
            cells.chain([column.title]).map(|cell| cell.chars().count()).max().unwrap_or_default()
        };
        self.columns.iter().enumerate().map(widest).collect()
    }
}

/// What stands between two columns.
const GAP: &str = "  ";

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        let line = |cells: Vec<&str>| {
            let padded = cells.iter().zip(&self.columns).zip(&widths).map(|((cell, column), &width)| {
                if column.is_number { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
            });
            padded.collect::<Vec<_>>().join(GAP).trim_end().to_owned()
        };
        write!(f, "{}", line(self.columns.iter().map(|column| column.title).collect()))?;
        for row in &self.rows {
            write!(f, "\n{}", line(row.iter().map(String::as_str).collect()))?;
        }
        Ok(())
    }
}

/// A text from a file without what could move a terminal's cursor, or stand in no XML document.
pub(crate) fn printable(text: &str) -> String {
    let is_odd = |letter: char| letter.is_control() || ('\u{fffe}'..='\u{ffff}').contains(&letter);
    text.chars().map(|letter| if is_odd(letter) { '\u{fffd}' } else { letter }).collect()
}

/// A text of `longest` letters at most.
pub(crate) fn shortened(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        None => text.into(),
        Some(_) => text.chars().take(longest.saturating_sub(1)).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new().words("layer").words("kind").numbers("parameters");
        table.row(["stem.conv".into(), "conv 7×7 s1".into(), "592".into()]);
        table.row(["relu\u{1b}[2J".into(), "relu".into(), String::new()]);
        table
    }

    #[test]
    fn columns_are_as_wide_as_their_cells_and_hold_no_control_characters() {
        let expected = "\
layer      kind         parameters
stem.conv  conv 7×7 s1         592
relu\u{fffd}[2J   relu";
        assert_eq!(table().to_string(), expected);
    }

    #[test]
    fn a_narrow_terminal_costs_a_column_and_a_file_none() {
        assert_eq!(table().fit(None, "kind").to_string(), table().to_string());
        assert_eq!(table().fit(Some(34), "kind").to_string(), table().to_string(), "it just fits");
        assert!(table().fit(Some(33), "kind").to_string().starts_with("layer      parameters\n"));
    }

    #[test]
    fn long_texts_are_cut_with_a_sign() {
        assert_eq!(shortened("generator", 9), "generator");
        assert_eq!(shortened("générator", 5), "géné…");
    }
}
