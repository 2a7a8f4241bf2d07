//! libtorch against ONNX Runtime on the same inputs.
//!
//! Both run on the CPU in 32-bit floats, where ONNX Runtime has no TF32. First libtorch computes all inputs, then it is
//! put away and ONNX Runtime computes them, so that only one of them holds the weights at a time.

mod cases;
mod difference;
mod layers;
mod reference;
mod report;
mod runtime;

use std::path::Path;

use models::shapes;
use models_onnx::{Interface, Io, Precision, ReadError};
use models_runtime::SessionError;
use models_torch::Module;
use program::interrupt;
use serde::Serialize;
use tch::TchError;

pub use cases::{Accepted, Case, Content};
pub use difference::Difference;
pub use layers::{Divergence, Found};
pub use report::Report;

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
    /// The disk.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// libtorch's side.
    #[error("libtorch failed: {0}")]
    Torch(#[from] TchError),
    /// The network's tree contradicts itself.
    #[error(transparent)]
    Shape(#[from] shapes::ShapeError),
    /// The user.
    #[error("stopped while comparing; nothing was written")]
    Stopped,
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
    /// The same here, but not where convolutions compute in 16 bits, as the file asks for.
    TooCoarse {
        /// How far libtorch in 16 bits is from libtorch in 32.
        largest: f32,
    },
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
    /// The ONNX file. Weights that are not in it lie beside it.
    pub file: &'a Path,
    /// What it takes and gives.
    pub interface: Interface,
    /// What its convolutions compute in.
    pub precision: Precision,
    /// Side of the pictures that it was trained on, where that is known.
    pub training_size: Option<usize>,
    /// Side of the largest picture to compare, in pixels.
    pub largest_size: usize,
    /// Hears how many of how many runs are made: each input is run on both sides.
    pub progress: &'a dyn Fn(u64, u64),
    /// A folder of pictures to compare on too.
    pub pictures: Option<&'a Path>,
}

impl Pair<'_> {
    /// The largest difference of outputs in [-1, 1] that still counts as the same.
    fn tolerance(&self) -> f32 {
        /// From one byte to the next.
        const STEP: f32 = 1.0 / 127.5;
        let tolerance = self.precision.tolerance();
        match self.interface.io {
            Io::F16 => tolerance.max(Precision::F16.tolerance()), // both ends are rounded to 11 bits
            Io::Uint8 => tolerance + STEP / 2.0,                  // rounded to the nearest
            Io::Float => tolerance,
        }
    }
}

/// Compares a network and its ONNX file on all inputs; where they differ, layer by layer.
///
/// # Errors
/// If either side cannot be had. A difference is no error: see [`Report::agrees`].
pub fn verify(pair: &Pair<'_>) -> Result<Report, VerificationError> {
    let Interface { io, batch, size } = pair.interface;
    let module = (pair.module)()?;
    let channels = module.network().channels;
    let accepted = Accepted { largest: pair.largest_size, io, precision: pair.precision, batch, size };
    let cases = cases::cases(module.network(), pair.training_size, accepted, pair.pictures)?;
    let runs = 2 * cases.len() as u64;
    let mut expected = Vec::new();
    for (made, case) in (0..).zip(&cases) {
        heed_ctrl_c()?;
        (pair.progress)(made, runs);
        let output = reference::output(&module, case)?;
        let coarse = match pair.precision {
            Precision::F32 => None,
            Precision::F16 => {
                Some(Difference::of(&reference::output_in_16_bits(&module, case)?, &output.values).largest)
            }
        };
        expected.push((output, coarse));
    }
    drop(module); // one side at a time has the weights in memory
    let made = cases.len() as u64;
    let found = runtime::outputs(pair.file, io, &cases, channels, |more| (pair.progress)(made + more, runs))?;

    let mut report = Report { tolerance: pair.tolerance(), comparisons: Vec::new(), divergence: None };
    let mut exact = None;
    for ((case, (expected, coarse)), found) in cases.iter().zip(&expected).zip(found) {
        let runtime_seconds = found.seconds;
        heed_ctrl_c()?;
        let (difference, verdict) = match found.values {
            Err(reason) => (Difference::of(&[], &[]), Verdict::Fails { reason }),
            Ok(found) => {
                let difference = Difference::of(&found, &expected.values);
                let verdict = match difference.largest {
                    largest if largest <= report.tolerance => {
                        let coarse = coarse.filter(|&coarse| coarse > report.tolerance);
                        coarse.map_or(Verdict::Same, |largest| Verdict::TooCoarse { largest })
                    }
                    largest if largest.is_finite() && report.agrees() => {
                        let module = match &exact {
                            Some(module) => module,
                            None => exact.insert((pair.module)()?.into_double()?),
                        };
                        beside_exact(module, case, &expected.values, &found, report.tolerance)?
                    }
                    _ => Verdict::Differs, // one is enough: 64-bit floats take their time
                };
                (difference, verdict)
            }
        };
        let (content, shape) = (case.content.clone(), case.shape);
        let torch_seconds = expected.time.as_secs_f64();
        report.comparisons.push(Comparison { content, shape, difference, verdict, torch_seconds, runtime_seconds });
    }
    drop(exact);
    let differs = |comparison: &Comparison| matches!(comparison.verdict, Verdict::Differs | Verdict::Fails { .. });
    if let Some(place) = report.comparisons.iter().position(differs) {
        report.divergence = layers::first_difference(pair, &cases[place])?;
    }
    Ok(report)
}

/// Between two inputs: what is written so far is then taken away.
fn heed_ctrl_c() -> Result<(), VerificationError> {
    if interrupt::requested() { Err(VerificationError::Stopped) } else { Ok(()) }
}

/// Judges by 64-bit floats whether a difference is rounding.
fn beside_exact(
    module: &Module,
    case: &Case,
    torch: &[f32],
    runtime: &[f32],
    tolerance: f32,
) -> Result<Verdict, VerificationError> {
    let exact = reference::exact_output(module, case)?;
    let [own, others] = [torch, runtime].map(|values| Difference::of(values, &exact).largest);
    let allowed = tolerance.max(TIMES_OWN_ROUNDING * own);
    Ok(if own.is_finite() && others <= allowed { Verdict::Rounding { allowed } } else { Verdict::Differs })
}
