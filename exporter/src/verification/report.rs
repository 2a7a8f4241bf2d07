//! What a verification found, as a table and as JSON.

use std::fmt;
use std::time::Duration;

use models_onnx::Precision;
use program::duration;
use serde::{Serialize, Serializer};

use super::{Comparison, Content, Divergence, Layers, Pair, Verdict};

/// Who says in what a file computes, which is what its tolerance follows from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// Whoever made it just now.
    Target,
    /// The file itself, by its weights.
    Weights,
    /// Whoever compares it.
    Flag,
}

impl fmt::Display for Basis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Target => "what the file was made for",
            Self::Weights => "what the file's weights are",
            Self::Flag => "by --precision",
        })
    }
}

/// All comparisons of one file. Its text is a table, its JSON has all numbers.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The largest difference that counts as the same, of outputs in [-1, 1].
    pub tolerance: f32,
    /// What convolutions compute in, from which the tolerance follows.
    #[serde(serialize_with = "in_words")]
    pub precision: Precision,
    /// Who says so.
    pub basis: Basis,
    /// Where what the file says of itself is not so.
    pub contradictions: Vec<String>,
    /// One for each input.
    pub comparisons: Vec<Comparison>,
    /// What was compared layer by layer.
    pub layers: Option<Layers>,
    /// The first layer that differs, where something does and there is one.
    pub divergence: Option<Divergence>,
}

impl Report {
    pub(super) fn of(pair: &Pair<'_>) -> Self {
        let (tolerance, precision, basis) = (pair.tolerance(), pair.precision, pair.basis);
        let (contradictions, comparisons) = (Vec::new(), Vec::new());
        Self { tolerance, precision, basis, contradictions, comparisons, layers: None, divergence: None }
    }

    /// Whether all of them agree, each layer does, and the file is what it says.
    pub fn agrees(&self) -> bool {
        let Self { comparisons, divergence, contradictions, .. } = self;
        comparisons.iter().all(Comparison::agrees) && divergence.is_none() && contradictions.is_empty()
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
        if let Some(Layers { same, size: [height, width], .. }) = self.layers {
            writeln!(
                f,
                "each layer by itself at {height}×{width}, from the graph's own numbers: {same} values are the same"
            )?;
        }
        for contradiction in &self.contradictions {
            writeln!(f, "{contradiction}")?;
        }
        let Self { tolerance, precision, basis, .. } = self;
        write!(f, "libtorch and ONNX Runtime, tolerance {tolerance:.0e} of {precision}, {basis}: {verdict}")
    }
}

fn in_words<S: Serializer>(value: &impl fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
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
        Verdict::Unsteady { own } => {
            format!("  rounding: 32-bit floats are {own:.0e} off in libtorch too, and each layer is the same")
        }
        Verdict::TooCoarse { largest } => {
            format!("  DIFFERS by {largest:.0e} in 16-bit arithmetic: export with --precision f32")
        }
        Verdict::Fails { reason } => format!("  FAILS: {}", reason.lines().next().unwrap_or_default()),
    }
}
