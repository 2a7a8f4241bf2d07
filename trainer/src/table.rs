//! Tables on stdout.

/// Rows in columns as wide as they need, two spaces apart: the first `text_columns` set to the left, numbers to the right.
pub(crate) fn table<const COLUMNS: usize>(rows: &[[String; COLUMNS]], text_columns: usize) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..COLUMNS).map(width).collect();
    let line = |row: &[String; COLUMNS]| {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column < text_columns {
            true => format!("{cell:<width$}"),
            false => format!("{cell:>width$}"),
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_set_to_the_right_and_texts_to_the_left() {
        let rows = [["name", "n"], ["a", "12"], ["größer", "3"]].map(|row| row.map(str::to_owned));
        assert_eq!(table(&rows, 1), "name     n\na       12\ngrößer   3");
        assert_eq!(table(&rows, 2), "name    n\na       12\ngrößer  3", "and no spaces at the end");
    }
}
