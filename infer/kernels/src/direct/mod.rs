//! Convolutions to few channels, as they are written: each weight times a row of the picture, moved.
//!
//! What computes many channels at a time pads few ones to as many, and what multiplies less does not pay for them: the last
//! layer of a generator gives three, by a large kernel. Here a vector holds places of a row, and each that is loaded meets
//! the weights of all channels.

use crate::banded::{Batch, band_height, check_parts, planes};
use crate::error::KernelError;
use crate::layer::Layer;
use crate::padding::Padding;
use crate::raw::{Band, Machine, Vector, Work, dispatch};
use crate::scratch::{Memory, Scratch, memory};
use crate::threads::Threads;

/// Channels out, at most: so many sums of several vectors fit into the registers of any machine.
pub const MOST_OUTPUTS: usize = 4;

/// Rows of a task, about: what it sums stays in a cache.
const ROWS_AT_ONCE: usize = 16;

/// What a convolution to few channels is.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem<'a> {
    /// Channels in.
    pub inputs: usize,
    /// Channels out, [`MOST_OUTPUTS`] at most.
    pub outputs: usize,
    /// Rows and columns of the kernel.
    pub kernel: [usize; 2],
    /// `[outputs, inputs, rows, columns]`.
    pub weights: &'a [f32],
    /// One for each output.
    pub bias: Option<&'a [f32]>,
    /// Around the picture.
    pub padding: Padding,
    /// Whether what is below zero becomes zero.
    pub relu: bool,
}

/// A convolution to few channels, ready for a machine.
#[derive(Debug)]
pub struct Direct {
    machine: Machine,
    inputs: usize,
    outputs: usize,
    kernel: [usize; 2],
    padding: Padding,
    relu: bool,
    bias: Vec<f32>,
    /// `[inputs, rows, columns, outputs]`.
    weights: Vec<f32>,
}

impl Direct {
    /// Sorts the weights.
    ///
    /// # Errors
    /// If there is no memory.
    ///
    /// # Panics
    /// If weights or bias are not as many as the channels say, or outputs are none or too many.
    pub fn new(machine: Machine, problem: &Problem<'_>) -> Result<Self, KernelError> {
        let &Problem { inputs, outputs, kernel, weights, bias, padding, relu } = problem;
        assert!((1..=MOST_OUTPUTS).contains(&outputs), "few outputs");
        let taps = inputs * kernel[0] * kernel[1];
        assert_eq!(weights.len(), taps * outputs, "a kernel for each pair of channels");
        let bias = bias.map_or_else(|| vec![0.0; outputs], <[f32]>::to_vec);
        assert_eq!(bias.len(), outputs, "a bias for each output");
        let mut sorted = memory(weights.len())?;
        for (place, weight) in weights.iter().enumerate() {
            sorted[place % taps * outputs + place / taps] = *weight;
        }
        Ok(Self { machine, inputs, outputs, kernel, padding, relu, bias, weights: sorted })
    }
}

impl Layer for Direct {
    fn outputs(&self) -> usize {
        self.outputs
    }

    fn output_size(&self, size: [usize; 2]) -> Result<[usize; 2], KernelError> {
        self.padding.output_size(size, self.kernel)
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
        let height = band_height(out_rows, ROWS_AT_ONCE, threads.count());
        check_parts(parts, [images, self.inputs, rows, columns])?;
        let output_shape = [images, self.outputs, out_rows, out_columns];
        let batch = Batch { parts, output, output_shape, scratch, threads };
        batch.each_band([self.outputs, height], |parts, band, memory| {
            let size = [rows, columns];
            dispatch(self.machine, Task { layer: self, parts, size, columns: out_columns, band, memory })
        })
    }
}

/// A band of rows.
struct Task<'a> {
    layer: &'a Direct,
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
        // Twelve sums or fewer, and beside them a vector of numbers and each output's weight: the sixteen registers of AVX2.
        match self.layer.outputs {
            1 => self.run_with::<V, 1, 8>(),
            2 => self.run_with::<V, 2, 6>(),
            3 => self.run_with::<V, 3, 4>(),
            4 => self.run_with::<V, 4, 2>(),
            _ => unreachable!("`Direct::new` takes no more"),
        }
    }
}

impl Task<'_> {
    /// Sums for `OUTPUTS` channels at `VECTORS` vectors of places at a time.
    #[inline(always)]
    fn run_with<V: Vector, const OUTPUTS: usize, const VECTORS: usize>(self) -> Result<(), KernelError> {
        let Self { layer, parts, size: [rows, columns], columns: out_columns, mut band, memory } = self;
        let [kernel_rows, kernel_columns] = layer.kernel;
        let step = VECTORS * V::LANES;
        let wide = out_columns.next_multiple_of(step);
        let long = wide + kernel_columns - 1;
        let (first, high) = (band.first, band.rows + kernel_rows - 1);
        let (lines, sums) = memory.numbers(high * long + band.rows * wide * OUTPUTS)?.split_at_mut(high * long);
        sums.fill(0.0);
        let kernels = layer.weights.chunks_exact(kernel_rows * kernel_columns * OUTPUTS);
        for (plane, kernel) in planes(parts, rows * columns).zip(kernels) {
            for (number, line) in lines.chunks_exact_mut(long).enumerate() {
                match layer.padding.row(first + number, rows) {
                    Some(row) => layer.padding.fill_row(&plane[row * columns..][..columns], line),
                    None => line.fill(0.0),
                }
            }
            for (row, sums) in sums.chunks_exact_mut(wide * OUTPUTS).enumerate() {
                let lines = &lines[row * long..];
                for (number, sums) in sums.chunks_exact_mut(step * OUTPUTS).enumerate() {
                    // Of one channel of the input, from zero: a long sum of small numbers would lose their last bits.
                    let mut block = [[V::splat(0.0); VECTORS]; OUTPUTS];
                    for (line, weights) in lines.chunks_exact(long).zip(kernel.chunks_exact(kernel_columns * OUTPUTS)) {
                        for (column, weights) in weights.chunks_exact(OUTPUTS).enumerate() {
                            let numbers = &line[number * step + column..][..step];
                            for vector in 0..VECTORS {
                                let numbers = V::load(&numbers[vector * V::LANES..]);
                                for output in 0..OUTPUTS {
                                    let weight = V::splat(weights[output]);
                                    block[output][vector] = numbers.mul_add(weight, block[output][vector]);
                                }
                            }
                        }
                    }
                    for (place, sum) in sums.chunks_exact_mut(V::LANES).enumerate() {
                        V::load(sum).add(block[place / VECTORS][place % VECTORS]).store(sum);
                    }
                }
            }
        }
        // Not below that; NaN is not.
        let lowest = if layer.relu { 0.0 } else { f32::NEG_INFINITY };
        for (row, sums) in sums.chunks_exact(wide * OUTPUTS).enumerate() {
            for (number, sums) in sums.chunks_exact(step * OUTPUTS).enumerate() {
                for (output, (sums, bias)) in sums.chunks_exact(step).zip(&layer.bias).enumerate() {
                    for (to, sum) in band.row(output, row)[number * step..].iter_mut().zip(sums) {
                        let sum = sum + bias;
                        *to = if sum < lowest { lowest } else { sum };
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
