//! libtorch against ONNX Runtime on the same inputs.
//!
//! Both run on the CPU in 32-bit floats, where ONNX Runtime has no TF32. First libtorch computes all inputs, then it is
//! put away and ONNX Runtime computes them, so that only one of them holds the weights at a time.

mod cases;
mod difference;
mod layers;
mod reference;
mod report;

use std::path::Path;
use std::time::{Duration, Instant};

use models::shapes;
use models_onnx::ReadError;
use models_runtime::{Options, Session, SessionError};
use models_torch::Module;
use program::Device;
use serde::Serialize;
use tch::TchError;

pub use cases::{Accepted, Case, Content};
pub use difference::Difference;
use layers::Allowed;
pub use layers::{Divergence, Found};
pub use report::Report;

/// The largest difference of outputs in [-1, 1] that still counts as the same. In 32-bit floats two runtimes differ by
/// about 1e-5 over a whole generator, since they sum in other orders; an 8-bit step is 8e-3.
pub const TOLERANCE: f32 = 1e-4;

/// Where outputs differ by more than the tolerance, they still count as the same if ONNX Runtime is no further from what
/// 64-bit floats give than so many times libtorch's own 32-bit floats are: at the smallest sizes a norm divides by the
/// deviation of a few pixels, which magnifies anybody's rounding. Two sides that sum in other orders are not equally
/// lucky at their worst pixel: one decimal digit is left for that.
const TIMES_OWN_ROUNDING: f32 = 10.0;

/// Why a comparison could not be made.
#[derive(Debug, thiserror::Error)]
pub enum VerificationError {
    /// ONNX Runtime's side.
    #[error(transparent)]
    OnnxRuntime(#[from] SessionError),
    /// The file.
    #[error(transparent)]
    Onnx(#[from] ReadError),
    /// libtorch's side.
    #[error("libtorch failed: {0}")]
    Torch(#[from] TchError),
    /// The network's tree contradicts itself.
    #[error(transparent)]
    Shape(#[from] shapes::ShapeError),
    /// Inputs, or the network itself, that cannot be had.
    #[error(transparent)]
    Input(#[from] anyhow::Error),
}

/// What a comparison came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The same, to within the tolerance.
    Same,
    /// As near to the exact result as 32-bit floats can be told to be: beyond the tolerance, but within this.
    Rounding {
        /// How far ONNX Runtime may be from the exact result here.
        allowed: f32,
    },
    /// Another result.
    Differs,
    /// ONNX Runtime gives none.
    Fails {
        /// What it says.
        reason: String,
    },
}

/// One input on both sides.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// What the input shows.
    pub content: Content,
    /// Pictures, rows and columns.
    pub shape: [usize; 3],
    /// How far both outputs are apart.
    pub difference: Difference,
    /// What that means.
    pub verdict: Verdict,
    /// Seconds in libtorch.
    pub torch_seconds: f64,
    /// Seconds in ONNX Runtime.
    pub runtime_seconds: f64,
}

impl Comparison {
    /// Whether both sides gave the same.
    pub fn agrees(&self) -> bool {
        matches!(self.verdict, Verdict::Same | Verdict::Rounding { .. })
    }
}

/// What is compared with what.
pub struct Pair<'a> {
    /// Gives the network in libtorch, again whenever it is needed.
    pub module: &'a dyn Fn() -> anyhow::Result<Module>,
    /// The ONNX file's bytes.
    pub file: &'a [u8],
    /// Side of the pictures that it was trained on, where that is known.
    pub training_size: Option<usize>,
    /// Side of the largest picture to compare, in pixels.
    pub largest_size: usize,
    /// A folder of pictures to compare on too.
    pub pictures: Option<&'a Path>,
}

/// Compares a network and its ONNX file on all inputs; where they differ, layer by layer.
///
/// # Errors
/// If either side cannot be had. A difference is no error: see [`Report::agrees`].
pub fn verify(pair: &Pair<'_>) -> Result<Report, VerificationError> {
    let module = (pair.module)()?;
    let accepted = Accepted { largest: pair.largest_size, batch: None, size: None };
    let cases = cases::cases(module.network(), pair.training_size, accepted, pair.pictures)?;
    let expected: Vec<reference::Timed> =
        cases.iter().map(|case| reference::output(&module, case)).collect::<Result<_, _>>()?;
    let channels = module.network().channels;
    drop(module);

    let mut comparisons = Vec::new();
    let mut session = match Session::open(pair.file, Options { device: Device::Cpu, ..Options::default() }) {
        Ok(session) => Ok(session),
        Err(SessionError::Model(reason)) => Err(reason.to_string()),
        Err(error) => return Err(error.into()),
    };
    for (case, expected) in cases.iter().zip(&expected) {
        let start = Instant::now();
        let [batch, height, width] = case.shape;
        let found = match &mut session {
            Ok(session) => {
                session.run(&case.values, [batch, channels, height, width]).map_err(|error| error.to_string())
            }
            Err(reason) => Err(reason.clone()),
        };
        let failed = comparisons.iter().any(|comparison: &Comparison| !comparison.agrees());
        comparisons.push(compare(case, expected, found, start.elapsed(), pair, failed)?);
    }
    drop(session);
    let mut report = Report { tolerance: TOLERANCE, comparisons, divergence: None };
    if let Some(place) = report.comparisons.iter().position(|comparison| !comparison.agrees()) {
        let model = models_onnx::parse(pair.file.to_vec())?;
        let allowed = Allowed { tolerance: TOLERANCE, times_own_rounding: TIMES_OWN_ROUNDING };
        report.divergence = layers::first_difference(&(pair.module)()?, &model, &cases[place], allowed)?;
    }
    Ok(report)
}

fn compare(
    case: &Case,
    expected: &reference::Timed,
    found: Result<(Vec<f32>, [usize; 4]), String>,
    runtime: Duration,
    pair: &Pair<'_>,
    failed: bool,
) -> Result<Comparison, VerificationError> {
    let [_, height, width] = case.shape;
    let (difference, verdict) = match found {
        Err(reason) => (Difference::of(&[], &[]), Verdict::Fails { reason }),
        Ok((found, [.., rows, columns])) if [rows, columns] == [height, width] => {
            let difference = Difference::of(&found, &expected.values);
            let verdict = match difference.largest <= TOLERANCE {
                true => Verdict::Same,
                false if failed => Verdict::Differs, // one is enough: 64-bit floats take their time
                false => beside_exact(case, &expected.values, &found, pair)?,
            };
            (difference, verdict)
        }
        Ok((_, shape)) => {
            let reason = format!("its output is {shape:?} for an input of {height}×{width}");
            (Difference::of(&[], &[]), Verdict::Fails { reason })
        }
    };
    Ok(Comparison {
        content: case.content.clone(),
        shape: case.shape,
        difference,
        verdict,
        torch_seconds: expected.time.as_secs_f64(),
        runtime_seconds: runtime.as_secs_f64(),
    })
}

/// Judges by 64-bit floats whether a difference is rounding.
fn beside_exact(case: &Case, torch: &[f32], runtime: &[f32], pair: &Pair<'_>) -> Result<Verdict, VerificationError> {
    let exact = reference::exact_output(&(pair.module)()?, case)?;
    let [own, others] = [torch, runtime].map(|values| Difference::of(values, &exact).largest);
    let allowed = TOLERANCE.max(TIMES_OWN_ROUNDING * own);
    Ok(if others <= allowed { Verdict::Rounding { allowed } } else { Verdict::Differs })
}
