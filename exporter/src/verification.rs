//! libtorch against ONNX Runtime on the same inputs.

use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use models::{pixels, shapes};
use models_onnx::{Io, Precision, Target};
use models_runtime::{Options, Session, SessionError};
use models_torch::Module;
use program::{Device, duration};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;
use tch::{TchError, Tensor, no_grad};

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
    /// Largest absolute difference; of a file in 16 bits, also that of libtorch in 16 bits from libtorch in 32.
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
    /// Whether both sides gave the same; NaN is never the same.
    fn agrees(&self, tolerance: f32) -> bool {
        self.largest <= tolerance
    }
}

/// All comparisons of one file. Its text is a table.
#[derive(Clone, Debug)]
pub struct Report {
    /// One for each input.
    pub comparisons: Vec<Comparison>,
    /// The largest difference that still counts as the same.
    pub tolerance: f32,
}

impl Report {
    /// Whether all of them agree.
    pub fn agrees(&self) -> bool {
        self.comparisons.iter().all(|comparison| comparison.agrees(self.tolerance))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |cells: [&str; 6]| {
            let [shape, largest, mean, changed, torch, runtime] = cells;
            format!("{shape:>14}  {largest:>9}  {mean:>9}  {changed:>10}  {torch:>8}  {runtime:>12}")
        };
        writeln!(f, "{}", row(["input", "largest", "mean", "8-bit", "libtorch", "ONNX Runtime"]))?;
        for comparison in &self.comparisons {
            let [batch, height, width] = comparison.shape;
            let cells = [
                format!("{batch} × {height}×{width}"),
                format!("{:.1e}", comparison.largest),
                format!("{:.1e}", comparison.mean),
                format!("{:.4} %", comparison.changed * 100.0),
                duration(comparison.torch),
                duration(comparison.runtime),
            ];
            let differs = if comparison.agrees(self.tolerance) { "" } else { "  DIFFERS" };
            writeln!(f, "{}{differs}", row(cells.each_ref().map(String::as_str)))?;
        }
        let verdict = if self.agrees() { "they agree" } else { "they do not agree" };
        write!(f, "libtorch and ONNX Runtime, tolerance {:.0e}: {verdict}", self.tolerance)
    }
}

/// Runs a network and its ONNX file on random inputs: the training size, a quarter of it, one that is not square, and two
/// pictures at once, as far as the file takes them. The weights that are not in the file are in `folder`.
///
/// # Errors
/// If either side cannot run. A difference is no error: see [`Report::agrees`].
pub fn verify(
    module: &Module,
    file: &[u8],
    folder: Option<&Path>,
    target: &Target,
    training_size: usize,
) -> Result<Report, VerificationError> {
    // TF32 does not arise: ONNX Runtime's side runs on the CPU, as libtorch's does.
    let mut session = Session::with_data(file, folder, Options { device: Device::Cpu, ..Options::default() })?;
    let mut random = Pcg64::seed_from_u64(0);
    let mut compared: Vec<[usize; 3]> = sizes(module, training_size)?
        .into_iter()
        .map(|[batch, height, width]| {
            let [height, width] = target.size.unwrap_or([height, width]);
            [target.batch.unwrap_or(batch), height, width]
        })
        .collect();
    compared.dedup();
    let compared = compared.into_iter().map(|shape| compare(module, &mut session, target, shape, &mut random));
    Ok(Report { comparisons: compared.collect::<Result<_, _>>()?, tolerance: tolerance(target) })
}

/// The largest difference of outputs in [-1, 1] that still counts as the same.
fn tolerance(target: &Target) -> f32 {
    /// From one byte to the next.
    const STEP: f32 = 1.0 / 127.5;
    let tolerance = target.precision.tolerance();
    match target.io {
        // Inputs and outputs are rounded to 11 bits.
        Io::F16 => tolerance.max(Precision::F16.tolerance()),
        Io::Uint8 => tolerance + STEP / 2.0, // rounded to the nearest
        Io::Float => tolerance,
    }
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
    target: &Target,
    [batch, height, width]: [usize; 3],
    random: &mut Pcg64,
) -> Result<Comparison, VerificationError> {
    let shape = [batch, module.network().channels, height, width];
    let mut input: Vec<f32> = (0..shape.iter().product()).map(|_| random.random_range(-1.0..1.0)).collect();
    if target.io == Io::Uint8 {
        input.iter_mut().for_each(|value| *value = pixels::to_float(pixels::to_byte(*value)));
    }

    let start = Instant::now();
    let tensor = Tensor::f_from_slice(&input)?.f_view(shape.map(|side| side as i64))?;
    let output = no_grad(|| module.forward(&tensor))?;
    let expected = numbers(&output)?;
    let torch = start.elapsed();

    let start = Instant::now();
    let (found, found_shape) = match target.io {
        Io::Float | Io::F16 => session.run(&input, shape)?,
        Io::Uint8 => run_bytes(session, &input, shape)?,
    };
    let runtime = start.elapsed();

    // ONNX Runtime computes in 32 bits where a CPU has no 16-bit arithmetic, and also what lies between stays in 32. So
    // whether the network stands 16 bits, on a card that has them, is seen on libtorch's side: a sum beyond 65504 is one.
    let in_16_bits = match target.precision {
        Precision::F32 => None,
        Precision::F16 => Some(numbers(&no_grad(|| module.forward_in(models_torch::Precision::F16, &tensor))?)?),
    };

    let same_shape = found_shape.map(|side| side as i64).as_slice() == output.size();
    // A NaN, or an output of another shape, is a difference beyond all others.
    let difference = |(found, expected): (&f32, &f32)| {
        let difference = (found - expected).abs();
        if difference.is_nan() || !same_shape { f32::INFINITY } else { difference }
    };
    let differences: Vec<f32> = found.iter().zip(&expected).map(difference).collect();
    let differences_in_16_bits = in_16_bits.iter().flatten().zip(&expected).map(difference);
    let count = differences.len().max(1) as f64;
    let changed = found.iter().zip(&expected).filter(|&(&one, &other)| pixels::to_byte(one) != pixels::to_byte(other));
    Ok(Comparison {
        shape: [batch, height, width],
        largest: differences.iter().copied().chain(differences_in_16_bits).fold(0.0, f32::max),
        mean: (differences.iter().map(|&difference| f64::from(difference)).sum::<f64>() / count) as f32,
        changed: changed.count() as f64 / count,
        torch,
        runtime,
    })
}

fn numbers(tensor: &Tensor) -> Result<Vec<f32>, TchError> {
    let tensor = tensor.f_contiguous()?;
    let mut numbers = vec![0.0_f32; tensor.numel()];
    tensor.f_copy_data(&mut numbers, tensor.numel())?;
    Ok(numbers)
}

/// Planes through a model of bytes. What comes back is exact: each byte is one number.
fn run_bytes(
    session: &mut Session,
    planes: &[f32],
    [batch, channels, height, width]: [usize; 4],
) -> Result<(Vec<f32>, [usize; 4]), SessionError> {
    let picture = (channels * height * width).max(1);
    let input: Vec<u8> = planes.chunks(picture).flat_map(pixels::to_interleaved).collect();
    let (bytes, [batch, height, width, channels]) = session.run_bytes(&input, [batch, height, width, channels])?;
    let mut output = vec![0.0; bytes.len()];
    let picture = (channels * height * width).max(1);
    for (bytes, planes) in bytes.chunks(picture).zip(output.chunks_mut(picture)) {
        pixels::to_planes(bytes, planes);
    }
    Ok((output, [batch, channels, height, width]))
}
