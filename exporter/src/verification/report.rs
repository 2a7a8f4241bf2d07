//! What a verification found, as a table and as JSON.

use std::fmt;
use std::time::Duration;

use program::duration;
use serde::Serialize;

use super::{Comparison, Content, Divergence, Verdict};

/// All comparisons of one file. Its text is a table, its JSON has all numbers.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The largest difference that counts as the same.
    pub tolerance: f32,
    /// One for each input.
    pub comparisons: Vec<Comparison>,
    /// The first layer that differs, where something does and there is one.
    pub divergence: Option<Divergence>,
}

impl Report {
    /// Whether all of them agree.
    pub fn agrees(&self) -> bool {
        self.comparisons.iter().all(Comparison::agrees)
    }
}

/// What the columns are called.
const COLUMNS: [&str; 9] =
    ["input", "size", "largest", "mean", "99.9 %", "8-bit values", "by", "libtorch", "ONNX Runtime"];

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<[String; 9]> =
            std::iter::once(COLUMNS.map(str::to_owned)).chain(self.comparisons.iter().map(row)).collect();
        let widths: [usize; 9] =
            std::array::from_fn(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
        let remarks = std::iter::once(String::new()).chain(self.comparisons.iter().map(remark));
        for (row, remark) in rows.iter().zip(remarks) {
            write!(f, "{:<1$}", row[0], widths[0])?;
            for (cell, width) in row.iter().zip(widths).skip(1) {
                write!(f, "  {cell:>width$}")?;
            }
            writeln!(f, "{remark}")?;
        }
        let verdict = match (self.agrees(), &self.divergence) {
            (true, _) => "they agree".to_owned(),
            (false, None) => "they do not agree".to_owned(),
            (false, Some(divergence)) => format!("they do not agree; {divergence}"),
        };
        write!(f, "libtorch and ONNX Runtime, tolerance {:.0e}: {verdict}", self.tolerance)
    }
}

fn row(comparison: &Comparison) -> [String; 9] {
    let Comparison { content, shape: [batch, height, width], difference, torch_seconds, runtime_seconds, .. } =
        comparison;
    let content = match content {
        Content::Noise => "noise",
        Content::Faint => "faint",
        Content::Picture(name) => name,
    };
    let apart = |number: f32| if number.is_finite() { format!("{number:.1e}") } else { "–".into() };
    let seconds = |seconds: f64| duration(Duration::from_secs_f64(seconds));
    [
        content.to_owned(),
        format!("{batch} × {height}×{width}"),
        apart(difference.largest),
        apart(difference.mean),
        apart(difference.p999),
        format!("{:.4} %", difference.changed * 100.0),
        difference.levels.to_string(),
        seconds(*torch_seconds),
        seconds(*runtime_seconds),
    ]
}

fn remark(comparison: &Comparison) -> String {
    match &comparison.verdict {
        Verdict::Same => String::new(),
        Verdict::Rounding { allowed } => format!("  rounding: exactly computed, {allowed:.0e} is as good"),
        Verdict::Differs => "  DIFFERS".into(),
        Verdict::TooCoarse { largest } => {
            format!("  DIFFERS by {largest:.0e} in 16-bit arithmetic: export with --precision f32")
        }
        Verdict::Fails { reason } => format!("  FAILS: {}", reason.lines().next().unwrap_or_default()),
    }
}
