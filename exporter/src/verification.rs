//! libtorch against ONNX Runtime on the same inputs.

use std::fmt;
use std::time::{Duration, Instant};

use models::{pixels, shapes};
use models_runtime::{Options, Session, SessionError};
use models_torch::Module;
use program::{Device, duration};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;
use tch::{TchError, Tensor, no_grad};

/// The largest difference of outputs in [-1, 1] that still counts as the same. In 32-bit floats two runtimes differ by
/// about 1e-5 over a whole generator, since they sum in other orders; an 8-bit step is 8e-3.
pub const TOLERANCE: f32 = 1e-4;

/// Larger pictures would only take longer: every layer does the same at any size.
const LARGEST_SIZE: usize = 256;

/// Smaller pictures are left out: see `sizes`.
const SMALLEST_SIZE: usize = 16;

/// Why a comparison could not be made.
#[derive(Debug, thiserror::Error)]
pub enum VerificationError {
    /// ONNX Runtime's side.
    #[error(transparent)]
    OnnxRuntime(#[from] SessionError),
    /// libtorch's side.
    #[error("libtorch failed: {0}")]
    Torch(#[from] TchError),
    /// The network's tree contradicts itself.
    #[error(transparent)]
    Shape(#[from] shapes::ShapeError),
}

/// One input on both sides.
#[derive(Clone, Copy, Debug)]
pub struct Comparison {
    /// Pictures, rows and columns.
    pub shape: [usize; 3],
    /// Largest absolute difference.
    pub largest: f32,
    /// Mean absolute difference.
    pub mean: f32,
    /// Share of 8-bit values that are not the same.
    pub changed: f64,
    /// Time in libtorch.
    pub torch: Duration,
    /// Time in ONNX Runtime.
    pub runtime: Duration,
}

impl Comparison {
    /// Whether both sides gave the same, to within [`TOLERANCE`]; NaN is never the same.
    pub fn agrees(&self) -> bool {
        self.largest <= TOLERANCE
    }
}

/// All comparisons of one file. Its text is a table.
#[derive(Clone, Debug)]
pub struct Report(pub Vec<Comparison>);

impl Report {
    /// Whether all of them agree.
    pub fn agrees(&self) -> bool {
        self.0.iter().all(Comparison::agrees)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |cells: [&str; 6]| {
            let [shape, largest, mean, changed, torch, runtime] = cells;
            format!("{shape:>14}  {largest:>9}  {mean:>9}  {changed:>10}  {torch:>8}  {runtime:>12}")
        };
        writeln!(f, "{}", row(["input", "largest", "mean", "8-bit", "libtorch", "ONNX Runtime"]))?;
        for comparison in &self.0 {
            let [batch, height, width] = comparison.shape;
            let cells = [
                format!("{batch} × {height}×{width}"),
                format!("{:.1e}", comparison.largest),
                format!("{:.1e}", comparison.mean),
                format!("{:.4} %", comparison.changed * 100.0),
                duration(comparison.torch),
                duration(comparison.runtime),
            ];
            let differs = if comparison.agrees() { "" } else { "  DIFFERS" };
            writeln!(f, "{}{differs}", row(cells.each_ref().map(String::as_str)))?;
        }
        let verdict = if self.agrees() { "they agree" } else { "they do not agree" };
        write!(f, "libtorch and ONNX Runtime, tolerance {TOLERANCE:.0e}: {verdict}")
    }
}

/// Runs a network and its ONNX file on random inputs: the training size, a quarter of it, one that is not square, and two
/// pictures at once.
///
/// # Errors
/// If either side cannot run. A difference is no error: see [`Report::agrees`].
pub fn verify(module: &Module, file: &[u8], training_size: usize) -> Result<Report, VerificationError> {
    // TF32 does not arise: ONNX Runtime's side runs on the CPU, as libtorch's does.
    let mut session = Session::open(file, Options { device: Device::Cpu, ..Options::default() })?;
    let mut random = Pcg64::seed_from_u64(0);
    let compared = sizes(module, training_size)?;
    let compared = compared.into_iter().map(|shape| compare(module, &mut session, shape, &mut random));
    Ok(Report(compared.collect::<Result<_, _>>()?))
}

/// Shapes to compare. Not the smallest that fits: there, norms divide by the deviation of four pixels, which magnifies
/// the rounding of either side beyond any tolerance that would still find a fault.
fn sizes(module: &Module, training_size: usize) -> Result<Vec<[usize; 3]>, shapes::ShapeError> {
    let multiple = shapes::size_multiple(module.network());
    let smallest = shapes::smallest_size(module.network())?;
    let fitting = |size: usize| size.max(smallest).max(SMALLEST_SIZE).next_multiple_of(multiple);
    let training = fitting(training_size.min(LARGEST_SIZE));
    let (half, quarter) = (fitting(training / 2), fitting(training / 4));
    Ok(vec![[1, quarter, quarter], [1, half, half + 2 * multiple], [2, half, half], [1, training, training]])
}

fn compare(
    module: &Module,
    session: &mut Session,
    [batch, height, width]: [usize; 3],
    random: &mut Pcg64,
) -> Result<Comparison, VerificationError> {
    let shape = [batch, module.network().channels, height, width];
    let input: Vec<f32> = (0..shape.iter().product()).map(|_| random.random_range(-1.0..1.0)).collect();

    let start = Instant::now();
    let tensor = Tensor::f_from_slice(&input)?.f_view(shape.map(|side| side as i64))?;
    let output = no_grad(|| module.forward(&tensor))?.f_contiguous()?;
    let mut expected = vec![0.0_f32; output.numel()];
    output.f_copy_data(&mut expected, output.numel())?;
    let torch = start.elapsed();

    let start = Instant::now();
    let (found, found_shape) = session.run(&input, shape)?;
    let runtime = start.elapsed();

    let same_shape = found_shape.map(|side| side as i64).as_slice() == output.size();
    // A NaN, or an output of another shape, is a difference beyond all others.
    let difference = |(found, expected): (&f32, &f32)| {
        let difference = (found - expected).abs();
        if difference.is_nan() || !same_shape { f32::INFINITY } else { difference }
    };
    let differences: Vec<f32> = found.iter().zip(&expected).map(difference).collect();
    let count = differences.len().max(1) as f64;
    let changed = found.iter().zip(&expected).filter(|&(&one, &other)| pixels::to_byte(one) != pixels::to_byte(other));
    Ok(Comparison {
        shape: [batch, height, width],
        largest: differences.iter().copied().fold(0.0, f32::max),
        mean: (differences.iter().map(|&difference| f64::from(difference)).sum::<f64>() / count) as f32,
        changed: changed.count() as f64 / count,
        torch,
        runtime,
    })
}
