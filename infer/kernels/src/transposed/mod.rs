//! Transposed convolutions of stride 2, by the parity of the output's rows and columns.
//!
//! A transposed convolution spreads the input over every other row and column, with zeros between, and convolves that
//! (Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016, 4.4). Which of the kernel's weights
//! meet a zero follows from whether an output's row and column are even: each of the four kinds is a convolution of its own
//! by the others, and all of them a sum of matrix products, without copies of the input but for one moved by each offset.

use crate::banded::{Batch, band_height, check_parts, planes};
use crate::error::KernelError;
use crate::layer::Layer;
use crate::product::{Sums, accumulate};
use crate::raw::{Band, Machine, Vector, Work, dispatch};
use crate::scratch::{Memory, Scratch, memory};
use crate::threads::Threads;

/// What a transposed convolution is; its stride is 2.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem<'a> {
    /// Channels in.
    pub inputs: usize,
    /// Channels out.
    pub outputs: usize,
    /// Rows and columns of the kernel.
    pub kernel: usize,
    /// `[inputs, outputs, kernel, kernel]`.
    pub weights: &'a [f32],
    /// One for each output.
    pub bias: Option<&'a [f32]>,
    /// Rows and columns cut off the output: above, left, below, right.
    pub crop: [usize; 4],
    /// Rows and columns that the output has beyond what the kernel reaches.
    pub extra: [usize; 2],
    /// Whether what is below zero becomes zero.
    pub relu: bool,
}

/// A transposed convolution, ready for a machine.
#[derive(Debug)]
pub struct Transposed {
    machine: Machine,
    inputs: usize,
    outputs: usize,
    /// Rows and columns beyond twice the input's.
    grows: [isize; 2],
    relu: bool,
    bias: Vec<f32>,
    /// For even and odd rows, and in each for even and odd columns.
    kinds: [[Kind; 2]; 2],
    /// The least and the most of all offsets, of rows and of columns.
    offsets: [[isize; 2]; 2],
}

/// Outputs of one parity.
#[derive(Debug, Default)]
struct Kind {
    /// From where each weight takes its input: rows and columns beyond half the output's.
    taps: Vec<[isize; 2]>,
    /// `[panels of outputs, taps, inputs, outputs of a panel]`.
    weights: Vec<f32>,
}

/// Rows of input of a task, at most; what they take stays in a cache.
const ROWS_AT_ONCE: usize = 4;

impl Transposed {
    /// Sorts the weights.
    ///
    /// # Errors
    /// If there is no memory.
    ///
    /// # Panics
    /// If weights or bias are not as many as the channels say.
    pub fn new(machine: Machine, problem: &Problem<'_>) -> Result<Self, KernelError> {
        let &Problem { inputs, outputs, kernel, weights, bias, crop, extra, relu } = problem;
        assert_eq!(weights.len(), inputs * outputs * kernel * kernel, "a kernel for each pair of channels");
        let bias = bias.map_or_else(|| vec![0.0; outputs], <[f32]>::to_vec);
        assert_eq!(bias.len(), outputs, "a bias for each output");
        let rows = machine.rows();
        let [top, left, bottom, right] = crop.map(|side| side as isize);
        // Output 2m + parity gets input m + offset by weight `place`: 2(m + offset) + place − cropped = 2m + parity.
        let taps = |parity: isize, cropped: isize| {
            let all = (0..kernel).map(move |place| (place, parity + cropped - place as isize));
            all.filter(|(_, twice)| twice % 2 == 0).map(|(place, twice)| (place, twice / 2)).collect::<Vec<_>>()
        };
        let mut kinds: [[Kind; 2]; 2] = Default::default();
        let mut offsets = [[0; 2]; 2];
        for (down, kinds) in kinds.iter_mut().enumerate() {
            for (across, kind) in kinds.iter_mut().enumerate() {
                let columns = taps(across as isize, left);
                let pairs = taps(down as isize, top).into_iter();
                let pairs: Vec<_> = pairs.flat_map(|row| columns.iter().map(move |column| (row, *column))).collect();
                kind.taps = pairs.iter().map(|((_, row), (_, column))| [*row, *column]).collect();
                kind.weights = memory(outputs.next_multiple_of(rows) * pairs.len() * inputs)?;
                for (tap, ((row, _), (column, _))) in pairs.iter().enumerate() {
                    for input in 0..inputs {
                        for output in 0..outputs {
                            let panel = (output / rows * pairs.len() + tap) * inputs + input;
                            let from = ((input * outputs + output) * kernel + row) * kernel + column;
                            kind.weights[panel * rows + output % rows] = weights[from];
                        }
                    }
                }
                for tap in &kind.taps {
                    for (offsets, offset) in offsets.iter_mut().zip(tap) {
                        *offsets = [offsets[0].min(*offset), offsets[1].max(*offset)];
                    }
                }
            }
        }
        let beyond = |extra: usize, cropped: isize| kernel as isize + extra as isize - 2 - cropped;
        let grows = [beyond(extra[0], top + bottom), beyond(extra[1], left + right)];
        Ok(Self { machine, inputs, outputs, grows, relu, bias, kinds, offsets })
    }
}

impl Layer for Transposed {
    fn outputs(&self) -> usize {
        self.outputs
    }

    fn output_size(&self, [rows, columns]: [usize; 2]) -> Result<[usize; 2], KernelError> {
        let side = |side: usize, grows: isize| (2 * side).checked_add_signed(grows).filter(|out| side > 0 && *out > 0);
        match [side(rows, self.grows[0]), side(columns, self.grows[1])] {
            [Some(rows), Some(columns)] => Ok([rows, columns]),
            _ => Err(KernelError::Small { rows, columns }),
        }
    }

    fn run(
        &self,
        parts: &[&[f32]],
        [images, rows, columns]: [usize; 3],
        output: &mut [f32],
        scratch: &Scratch,
        threads: &dyn Threads,
    ) -> Result<(), KernelError> {
        let [out_rows, out_columns] = self.output_size([rows, columns])?;
        let height = 2 * band_height(out_rows.div_ceil(2), ROWS_AT_ONCE, threads.count());
        check_parts(parts, [images, self.inputs, rows, columns])?;
        let output_shape = [images, self.outputs, out_rows, out_columns];
        let batch = Batch { parts, output, output_shape, scratch, threads };
        batch.each_band([self.outputs, height], |parts, band, memory| {
            let size = [rows, columns];
            dispatch(self.machine, Task { layer: self, parts, size, columns: out_columns, band, memory })
        })
    }
}

/// A band of rows, an even and an odd one together.
struct Task<'a> {
    layer: &'a Transposed,
    /// One image.
    parts: &'a [&'a [f32]],
    /// Its rows and columns.
    size: [usize; 2],
    /// Of the output.
    columns: usize,
    band: Band<'a>,
    memory: &'a mut Memory,
}

impl Work for Task<'_> {
    type Output = Result<(), KernelError>;

    #[inline(always)]
    fn run<V: Vector>(self) -> Self::Output {
        // A constant for each kind of vector: the others are not compiled.
        match V::ROWS {
            6 => self.run_with::<V, 6>(),
            8 => self.run_with::<V, 8>(),
            _ => unreachable!("no vector has other rows"),
        }
    }
}

impl Task<'_> {
    #[inline(always)]
    fn run_with<V: Vector, const ROWS: usize>(self) -> Result<(), KernelError> {
        let Self { layer, parts, size: [rows, columns], columns: out_columns, mut band, memory } = self;
        let Transposed { inputs, offsets: [[above, below], [before, behind]], .. } = *layer;
        let panel = 2 * V::LANES;
        let (first, down) = ((band.first / 2) as isize, band.rows.div_ceil(2));
        let panels = out_columns.div_ceil(2).div_ceil(panel);
        // Each row of input, moved by each offset of columns, in panels, channel after channel.
        let (moves, high) = ((behind - before + 1) as usize, down + (below - above) as usize);
        let block = inputs * panel;
        let moved = memory.numbers(high * moves * panels * block)?;
        for (place, block) in moved.chunks_exact_mut(block).enumerate() {
            let column = (place % panels * panel) as isize + before + (place / panels % moves) as isize;
            let row = first + above + (place / panels / moves) as isize;
            if row < 0 || row >= rows as isize {
                block.fill(0.0);
                continue;
            }
            // The part of the panel that lies in the picture.
            let start = column.clamp(0, columns as isize) as usize;
            let end = (column + panel as isize).clamp(start as isize, columns as isize) as usize;
            let skipped = (start as isize - column).clamp(0, panel as isize) as usize;
            for (plane, to) in planes(parts, rows * columns).zip(block.chunks_exact_mut(panel)) {
                let from = &plane[row as usize * columns..][start..end];
                if from.len() == panel {
                    V::load(from).store(to);
                    V::load(&from[V::LANES..]).store(&mut to[V::LANES..]);
                } else {
                    to.fill(0.0);
                    to[skipped..skipped + from.len()].copy_from_slice(from);
                }
            }
        }
        let mut pair = [[[0.0; MOST]; MOST_ROWS]; 2];
        for number in 0..layer.outputs.div_ceil(ROWS) {
            for (parity, kinds) in layer.kinds.iter().enumerate() {
                for row in 0..(band.rows + 1 - parity) / 2 {
                    for column in 0..panels {
                        for (kind, numbers) in kinds.iter().zip(&mut pair) {
                            let weights = kind.taps.len() * inputs * ROWS;
                            let weights = &kind.weights[number * weights..][..weights];
                            let mut total: Sums<V, ROWS> = [[V::splat(0.0); 2]; ROWS];
                            for (weights, [dy, dx]) in weights.chunks_exact(inputs * ROWS).zip(&kind.taps) {
                                let place = (row as isize + dy - above) as usize * moves + (dx - before) as usize;
                                let moved = &moved[(place * panels + column) * block..][..block];
                                accumulate::<V, ROWS>(weights, moved, &mut total);
                            }
                            for (total, numbers) in total.into_iter().zip(numbers.iter_mut()) {
                                total[0].store(numbers);
                                total[1].store(&mut numbers[V::LANES..]);
                            }
                        }
                        let outputs = (number * ROWS..layer.outputs).take(ROWS);
                        for (place, output) in outputs.enumerate() {
                            let bias = layer.bias[output];
                            let to = &mut band.row(output, 2 * row + parity)[2 * column * panel..];
                            let (even, odd) = (&pair[0][place][..panel], &pair[1][place][..panel]);
                            let lowest = if layer.relu { 0.0 } else { f32::NEG_INFINITY };
                            for ((to, even), odd) in to.chunks_mut(2).zip(even).zip(odd) {
                                // Not `max`: that would make a number of NaN.
                                let [even, odd] = [even + bias, odd + bias];
                                to[0] = if even < lowest { lowest } else { even };
                                if let Some(to) = to.get_mut(1) {
                                    *to = if odd < lowest { lowest } else { odd };
                                }
                            }
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

/// Two of the widest vectors.
const MOST: usize = 32;
/// The most rows of a product.
const MOST_ROWS: usize = 8;

#[cfg(test)]
mod tests;
