//! Convolutions of 3×3 by Winograd's minimal filtering: the picture in overlapping tiles, each multiplied at points.
//!
//! ```text
//! input ──▶ points of tiles ──▶ a matrix product at each point ──▶ sums ──▶ output
//! weights ─▶ points, once ──────▲
//! ```
//!
//! A task is a band of tile rows. Its tiles lie in panels of two vectors, channel after channel, so that a product reads
//! inputs and weights from the first number to the last. Sums over channels are made in blocks, each from zero: that is what keeps the
//! error low. What a task computes does not depend on the others, so results are the same with any number of threads.

mod input;
mod output;
mod product;
mod tile;

use crate::banded::{Batch, check_parts};
use crate::error::KernelError;
use crate::layer::Layer;
use crate::padding::Padding;
use crate::raw::{Band, Machine, Vector, Work, dispatch};
use crate::scratch::{Memory, Scratch, memory};
use crate::threads::Threads;
use product::Channels;
use tile::{Four, Six, Tile};

/// Outputs of a tile, in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tiles {
    /// `F(4×4, 3×3)`.
    Four,
    /// `F(6×6, 3×3)`: fewer multiplications, twice the memory and the error.
    Six,
}

/// What a convolution is.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem<'a> {
    /// Channels in.
    pub inputs: usize,
    /// Channels out.
    pub outputs: usize,
    /// `[outputs, inputs, 3, 3]`.
    pub weights: &'a [f32],
    /// One for each output.
    pub bias: Option<&'a [f32]>,
    /// Around the picture.
    pub padding: Padding,
    /// Whether what is below zero becomes zero.
    pub relu: bool,
}

/// A convolution, ready for a machine.
#[derive(Debug)]
pub struct Winograd {
    machine: Machine,
    tiles: Tiles,
    inputs: usize,
    outputs: usize,
    padding: Padding,
    relu: bool,
    bias: Vec<f32>,
    /// `[points, panels of outputs, inputs, outputs of a panel]`; zeros fill the last panel.
    weights: Vec<f32>,
}

/// Floats between the planes of two points beyond what they hold: without them, all would lie in the same few sets of a cache.
const APART: usize = 48;

/// Tiles of a task, at most, where a row of them is not more: what is computed of them stays in a cache.
const TILES: usize = 96;

/// What it costs a task to read the weights, in tiles.
const WEIGHTS: usize = 8;

/// Channels that are transformed and multiplied at a time, so that they are still in a cache when they are multiplied. A
/// multiple of what the products sum at a time.
const CHANNELS: usize = 128;

/// Outputs and rows of tiles of a task, so that the last thread to end ends earliest: with as many tasks for each thread, and
/// panels of tiles that are full. Where a picture is too small for that, threads share its outputs, each with the inputs for
/// itself.
fn split(outputs: usize, [images, down, across]: [usize; 3], panel: usize, threads: usize) -> (usize, usize) {
    let tasks = |height: usize| images.max(1) * down.div_ceil(height);
    let shares = |height: usize| (threads / tasks(height)).clamp(1, outputs);
    // In twentieths of what a tile costs: three of those are the maps of its inputs.
    let cost = |height: &usize| {
        let tiles = (height * across).next_multiple_of(panel);
        let rounds = tasks(*height).div_ceil(threads);
        rounds * (3 * tiles + (17 * tiles + 20 * WEIGHTS) / shares(*height))
    };
    let height = (1..=(TILES / across.max(1)).clamp(1, down)).min_by_key(cost).unwrap_or(1);
    (outputs.div_ceil(shares(height)), height)
}

impl Winograd {
    /// Transforms the weights.
    ///
    /// # Errors
    /// If there is no memory.
    ///
    /// # Panics
    /// If weights or bias are not as many as the channels say.
    pub fn new(machine: Machine, tiles: Tiles, problem: &Problem<'_>) -> Result<Self, KernelError> {
        let &Problem { inputs, outputs, weights, bias, padding, relu } = problem;
        assert_eq!(weights.len(), 9 * inputs * outputs, "nine weights for each pair of channels");
        let bias = bias.map_or_else(|| vec![0.0; outputs], <[f32]>::to_vec);
        assert_eq!(bias.len(), outputs, "a bias for each output");
        let mut this = Self { machine, tiles, inputs, outputs, padding, relu, bias, weights: Vec::new() };
        this.weights = memory(this.points() * outputs.next_multiple_of(this.rows()) * inputs)?;
        match tiles {
            Tiles::Four => this.transform_weights::<Four, 6, 4>(weights),
            Tiles::Six => this.transform_weights::<Six, 8, 6>(weights),
        }
        Ok(this)
    }

    fn transform_weights<T: Tile<POINTS, SIDE>, const POINTS: usize, const SIDE: usize>(&mut self, weights: &[f32]) {
        let rows = self.rows();
        let (inputs, plane) = (self.inputs, self.outputs.next_multiple_of(rows) * self.inputs);
        for (place, kernel) in weights.chunks_exact(9).enumerate() {
            let (output, input) = (place / inputs, place % inputs);
            let at = (output / rows * inputs + input) * rows + output % rows;
            let columns = T::WEIGHTS.map(|map| {
                [0, 1, 2].map(|column| (0..3).map(|row| map[row] * f64::from(kernel[3 * row + column])).sum::<f64>())
            });
            for (row, column) in columns.iter().enumerate() {
                for (number, map) in T::WEIGHTS.iter().enumerate() {
                    let weight: f64 = map.iter().zip(column).map(|(map, number)| map * number).sum();
                    self.weights[(row * POINTS + number) * plane + at] = weight as f32;
                }
            }
        }
    }

    fn points(&self) -> usize {
        match self.tiles {
            Tiles::Four => 6 * 6,
            Tiles::Six => 8 * 8,
        }
    }

    fn side(&self) -> usize {
        match self.tiles {
            Tiles::Four => 4,
            Tiles::Six => 6,
        }
    }

    /// Outputs of a panel of weights.
    fn rows(&self) -> usize {
        self.machine.rows()
    }
}

impl Layer for Winograd {
    fn outputs(&self) -> usize {
        self.outputs
    }

    fn output_size(&self, size: [usize; 2]) -> Result<[usize; 2], KernelError> {
        self.padding.output_size(size, [3, 3])
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
        let side = self.side();
        let (down, across) = (out_rows.div_ceil(side), out_columns.div_ceil(side));
        let panel = 2 * self.machine.lanes();
        let (depth, height) = split(self.outputs, [images, down, across], panel, threads.count());
        let depth = depth.next_multiple_of(self.rows());
        check_parts(parts, [images, self.inputs, rows, columns])?;
        let output_shape = [images, self.outputs, out_rows, out_columns];
        let batch = Batch { parts, output, output_shape, scratch, threads };
        batch.each_band([depth, height * side], |parts, band, memory| {
            let size = [rows, columns];
            dispatch(self.machine, Task { winograd: self, parts, size, across, columns: out_columns, band, memory })
        })
    }
}

/// A band of tile rows.
struct Task<'a> {
    winograd: &'a Winograd,
    /// One image.
    parts: &'a [&'a [f32]],
    /// Its rows and columns.
    size: [usize; 2],
    /// Tiles in a row of them.
    across: usize,
    /// Columns of the output.
    columns: usize,
    band: Band<'a>,
    memory: &'a mut Memory,
}

impl Work for Task<'_> {
    type Output = Result<(), KernelError>;

    #[inline(always)]
    fn run<V: Vector>(self) -> Self::Output {
        match self.winograd.tiles {
            Tiles::Four => self.run_with::<V, Four, 6, 4>(),
            Tiles::Six => self.run_with::<V, Six, 8, 6>(),
        }
    }
}

impl Task<'_> {
    #[inline(always)]
    fn run_with<V: Vector, T: Tile<POINTS, SIDE>, const POINTS: usize, const SIDE: usize>(
        mut self,
    ) -> Result<(), KernelError> {
        let (inputs, outputs) = (self.winograd.inputs, self.band.planes);
        let (points, panel) = (POINTS * POINTS, 2 * V::LANES);
        let down = self.band.rows.div_ceil(SIDE);
        let count = down * self.across;
        let panels = count.div_ceil(panel);
        let wide = panels * panel;
        let some = inputs.min(CHANNELS);
        let in_plane = panels * some * panel + APART;
        let row_panels = outputs.div_ceil(V::ROWS);
        let sum_plane = row_panels * V::ROWS * wide + APART;
        let lines = input::Lines::new::<V, SIDE>(self.across, down * SIDE + POINTS - SIDE);
        let memory = self.memory.numbers(points * (in_plane + sum_plane) + lines.len())?;
        let (transformed, rest) = memory.split_at_mut(points * in_plane);
        let (sums, memory) = rest.split_at_mut(points * sum_plane);
        // Of each point, those of the band's outputs.
        let all = self.winograd.outputs.next_multiple_of(V::ROWS) * inputs;
        let of_band = self.band.plane * inputs..(self.band.plane + row_panels * V::ROWS) * inputs;
        let weights = self.winograd.weights.chunks_exact(all).map(|weights| &weights[of_band.clone()]);
        let pixels = self.size[0] * self.size[1];
        let mut before = 0;
        for part in self.parts {
            let channels = part.len() / pixels;
            for first in (0..channels).step_by(CHANNELS) {
                let some = first..channels.min(first + CHANNELS);
                let place = input::Place {
                    size: self.size,
                    padding: self.winograd.padding,
                    first: self.band.first,
                    down,
                    across: self.across,
                    plane: in_plane,
                    inputs: some.len(),
                };
                let image = &part[some.start * pixels..some.end * pixels];
                input::transform::<V, T, POINTS, SIDE>(image, &place, &lines, memory, transformed);
                let channels = Channels { some: before + some.start..before + some.end, all: inputs };
                for ((weights, transformed), sums) in
                    weights.clone().zip(transformed.chunks_exact(in_plane)).zip(sums.chunks_exact_mut(sum_plane))
                {
                    let tiles = &transformed[..panels * some.len() * panel];
                    product::product::<V>(weights, tiles, &channels, sums, wide);
                }
            }
            before += channels;
        }
        let place =
            output::Place { outputs, count, across: self.across, columns: self.columns, plane: sum_plane, wide };
        let Winograd { bias, relu, .. } = self.winograd;
        let bias = &bias[self.band.plane..];
        output::transform::<V, T, POINTS, SIDE>(sums, &place, bias, *relu, &mut self.band);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
