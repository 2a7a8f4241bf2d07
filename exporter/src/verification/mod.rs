//! libtorch against ONNX Runtime on the same inputs.
//!
//! Both run on the CPU in 32-bit floats, where ONNX Runtime has no TF32. First libtorch computes all inputs, then it is
//! put away and ONNX Runtime computes them, so that only one of them holds the weights at a time. Then each layer is
//! compared by itself: a small fault, as a wrong epsilon, drowns in what 16 bits round on the way to an output.

mod cases;
mod difference;
mod divergence;
mod ends;
mod layers;
mod reference;
mod report;
mod runtime;
mod search;
mod values;

use std::path::Path;

use models::pixels::Scale;
use models::{Network, shapes};
use models_onnx::{Interface, Io, Precision, ReadError};
use models_runtime::SessionError;
use models_torch::Module;
use program::interrupt;
use serde::Serialize;
use tch::TchError;

pub use cases::{Accepted, Case, Content};
pub use difference::Difference;
pub use divergence::{Divergence, Found};
pub use layers::Layers;
pub use report::{Basis, Report};

/// Where outputs differ by more than the tolerance, they still count as the same if ONNX Runtime is no further from what
/// 64-bit floats give than so many times libtorch's own 32-bit floats are: at the smallest sizes a norm divides by the
/// deviation of a few pixels, which magnifies anybody's rounding. Two sides that sum in other orders are not equally
/// lucky at their worst pixel: one decimal digit is left for that.
const TIMES_OWN_ROUNDING: f32 = 10.0;

/// The most that counts as rounding for that reason, of outputs in [-1, 1]: what a file of 16 bits may be off, two and a half
/// 8-bit steps. Of a network that magnifies rounding beyond that, an output says nothing; there each layer must be the same by
/// itself.
const LARGEST_ROUNDING: f32 = Precision::F16.tolerance();

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
    /// Another result, of a network that magnifies rounding so much that 32-bit floats do not say what its result is; but
    /// each layer by itself gives the same on this input.
    Unsteady {
        /// How far libtorch's own 32-bit floats are off, or any where the input is off by what they round.
        own: f32,
    },
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
        matches!(self.verdict, Verdict::Same | Verdict::Rounding { .. } | Verdict::Unsteady { .. })
    }

    /// Whether ONNX Runtime gave something else than libtorch: the file is another network, or another runtime's matter.
    fn differs(&self) -> bool {
        matches!(self.verdict, Verdict::Differs | Verdict::Fails { .. })
    }
}

/// What is compared with what.
pub struct Pair<'a> {
    /// Gives the network in libtorch, again whenever it is needed.
    pub module: &'a dyn Fn() -> anyhow::Result<Module>,
    /// Its tree.
    pub network: &'a Network,
    /// What its numbers are for black and white.
    pub scale: Scale,
    /// The ONNX file. Weights that are not in it lie beside it.
    pub file: &'a Path,
    /// What it takes and gives.
    pub interface: Interface,
    /// What its convolutions compute in.
    pub precision: Precision,
    /// Who says so.
    pub basis: Basis,
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
    /// What an output is rounded by at the end, whatever comes before, of outputs in [-1, 1].
    fn end_rounding(&self) -> f32 {
        /// From one byte to the next.
        const STEP: f32 = 1.0 / 127.5;
        match self.interface.io {
            Io::Float => 0.0,
            Io::F16 => {
                // Half of the 11th bit of the number furthest from 0.
                let [black, white] = [self.scale.black, self.scale.to_network(255)];
                black.abs().max(white.abs()) * self.scale.stretch() / 2048.0
            }
            Io::Uint8 => STEP / 2.0, // to the nearest
        }
    }

    /// The largest difference of outputs in [-1, 1] that still counts as the same.
    fn tolerance(&self) -> f32 {
        self.precision.tolerance() + self.end_rounding()
    }

    /// Channels that the network takes, and gives.
    fn channels(&self) -> [usize; 2] {
        [self.network.channels, shapes::output_channels(self.network)]
    }

    fn accepted(&self, Interface { io, batch, size }: Interface) -> Accepted {
        Accepted { largest: self.largest_size, io, scale: self.scale, precision: self.precision, batch, size }
    }

    /// Judges by 64-bit floats whether a difference is rounding.
    fn beside_exact(
        &self,
        module: &Module,
        case: &Case,
        torch: &[f32],
        runtime: &[f32],
    ) -> Result<Verdict, VerificationError> {
        let exact = self.given(reference::exact_output(module, case)?);
        let off = |values: &[f32]| Difference::of(values, &exact, self.scale).largest;
        let others = off(runtime);
        let allowed = |own: f32| {
            let rounding = (TIMES_OWN_ROUNDING * own).min(LARGEST_ROUNDING);
            self.tolerance().max(rounding + self.end_rounding())
        };
        let mut own = off(torch);
        if others > allowed(own) {
            // libtorch may have been lucky, as where all its sums round alike.
            own = own.max(off(&self.given(reference::shaken_output(module, case)?)));
        }
        Ok(match allowed(own) {
            allowed if others <= allowed => Verdict::Rounding { allowed },
            _ if TIMES_OWN_ROUNDING * own > LARGEST_ROUNDING && layers::are_same(self, case)? => {
                Verdict::Unsteady { own }
            }
            _ => Verdict::Differs,
        })
    }

    /// An output of libtorch as a file gives it: bytes end at black and white.
    fn given(&self, mut output: Vec<f32>) -> Vec<f32> {
        if self.interface.io == Io::Uint8 {
            let [black, white] = [self.scale.black, self.scale.to_network(255)];
            let (least, most) = (black.min(white), black.max(white));
            output.iter_mut().for_each(|number| *number = number.clamp(least, most));
        }
        output
    }
}

/// Compares a network and its ONNX file on all inputs, then each layer by itself.
///
/// # Errors
/// If either side cannot be had. A difference is no error: see [`Report::agrees`].
pub fn verify(pair: &Pair<'_>) -> Result<Report, VerificationError> {
    let accepted = pair.accepted(pair.interface);
    let cases = cases::cases(pair.network, pair.training_size, accepted, pair.pictures)?;
    let runs = 2 * cases.len() as u64;
    let expected = expected(pair, &cases, runs)?;
    let made = cases.len() as u64;
    let found = runtime::outputs(pair, &cases, |more| (pair.progress)(made + more, runs))?;

    let mut report = Report::of(pair);
    let mut module = None;
    for ((case, (expected, coarse)), found) in cases.iter().zip(&expected).zip(found) {
        let runtime_seconds = found.seconds;
        heed_ctrl_c()?;
        let (difference, verdict) = match found.values {
            Err(reason) => (Difference::of(&[], &[], pair.scale), Verdict::Fails { reason }),
            Ok(found) => {
                let difference = Difference::of(&found, &expected.values, pair.scale);
                let verdict = match difference.largest {
                    largest if largest <= report.tolerance => {
                        let coarse = coarse.filter(|&coarse| coarse > report.tolerance);
                        coarse.map_or(Verdict::Same, |largest| Verdict::TooCoarse { largest })
                    }
                    largest if largest.is_finite() && report.agrees() => {
                        let module = match &module {
                            Some(module) => module,
                            None => module.insert((pair.module)()?),
                        };
                        pair.beside_exact(module, case, &expected.values, &found)?
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
    drop((module, expected)); // ONNX Runtime has the weights next
    let layers = layers::compare(pair)?;
    // One that is not found although the outputs agree may only be written otherwise.
    let mut differing = report.comparisons.iter().zip(&cases).filter(|(comparison, _)| comparison.differs());
    if let Some((comparison, case)) = differing.next() {
        report.divergence = match (layers.divergence.clone(), &comparison.verdict) {
            // Each layer runs, but not the graph as a whole.
            (None, Verdict::Fails { reason }) => Some(Divergence::of_output(reason)),
            (None, _) => layers::compare_on(pair, case)?.and_then(|layers| layers.divergence),
            (divergence, _) => divergence,
        };
    } else if layers.is_certain {
        report.divergence = layers.divergence.clone();
    }
    report.layers = Some(layers);
    Ok(report)
}

/// What libtorch makes of all inputs, and how far off it is where convolutions compute in the 16 bits of the file.
fn expected(
    pair: &Pair<'_>,
    cases: &[Case],
    runs: u64,
) -> Result<Vec<(reference::Timed, Option<f32>)>, VerificationError> {
    let module = (pair.module)()?; // put away at the end: one side at a time has the weights in memory
    let one = |(made, case): (u64, &Case)| {
        heed_ctrl_c()?;
        (pair.progress)(made, runs);
        let output = reference::output(&module, case)?;
        let output = reference::Timed { values: pair.given(output.values), ..output };
        let coarse = match pair.precision {
            Precision::F32 => None,
            Precision::F16 => {
                let rounded = pair.given(reference::output_in_16_bits(&module, case)?);
                Some(Difference::of(&rounded, &output.values, pair.scale).largest)
            }
        };
        Ok((output, coarse))
    };
    (0..).zip(cases).map(one).collect()
}

/// Between two inputs, and two layers: what is written so far is then taken away.
fn heed_ctrl_c() -> Result<(), VerificationError> {
    if interrupt::requested() { Err(VerificationError::Stopped) } else { Ok(()) }
}
