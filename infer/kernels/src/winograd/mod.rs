//! Convolutions by Winograd's minimal filtering: the picture in overlapping tiles, each multiplied at points ([`tile`]).
//!
//! ```text
//! input ──▶ points of tiles ──▶ a matrix product at each point ──▶ sums ──▶ output
//! weights ─▶ points, once ──────▲
//! ```
//!
//! Each step is made by all threads, for some bands of tiles: weights, which are most of the memory, are read once for all of
//! these. Points lie in panels of two vectors of tiles ([`grid`]), so that a product reads inputs and weights from the first
//! number to the last. Sums over channels are made in blocks, each from zero: that is what keeps the error low. What a task
//! computes does not depend on the others, so results are the same with any number of threads.

mod grid;
mod input;
mod output;
mod points;
mod product;
mod run;
mod tile;

use crate::error::KernelError;
use crate::layer::Layer;
use crate::padding::Padding;
use crate::raw::{Bands, Machine};
use crate::scratch::{Scratch, memory};
use crate::threads::Threads;
use grid::Grid;
pub use points::Points;
use run::Run;
use tile::{Four, One, Six, Tile, Two};

/// Outputs of a tile, and the kernel's weights, in both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tiles {
    /// `F(4×4, 3×3)`.
    Four,
    /// `F(6×6, 3×3)`: fewer multiplications, twice the memory and the error.
    Six,
    /// `F(4×4, 2×2)`.
    Two,
    /// `F(4×4, 1×1)`, which saves nothing.
    One,
}

impl Tiles {
    /// Outputs of a tile, in each direction.
    pub(crate) fn side(self) -> usize {
        if self == Self::Six { 6 } else { 4 }
    }

    /// Weights, in each direction.
    fn kernel(self) -> usize {
        match self {
            Self::Four | Self::Six => 3,
            Self::Two => 2,
            Self::One => 1,
        }
    }

    /// Products of a tile.
    pub(crate) fn points(self) -> usize {
        (self.side() + self.kernel() - 1).pow(2)
    }
}

/// What a convolution reads some of its channels from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The picture.
    Picture,
    /// Its [`Points`], of so many channels.
    Points(usize),
}

/// What a convolution is.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem<'a> {
    /// Channels in.
    pub inputs: usize,
    /// What they are read from, in their order.
    pub parts: &'a [Part],
    /// Channels out.
    pub outputs: usize,
    /// `[outputs, inputs, rows, columns]`, of the latter as many as tiles say.
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
    parts: Vec<Part>,
    outputs: usize,
    padding: Padding,
    /// For a transposed convolution: rows and columns that come out beyond twice those that come in.
    grows: Option<[isize; 2]>,
    relu: bool,
    bias: Vec<f32>,
    /// `[points, panels of outputs, inputs, outputs of a panel]`; zeros fill the last panel. Where it is transposed, four
    /// outputs are one: those of even and odd rows, and in each of even and odd columns.
    weights: Vec<f32>,
}

/// Tiles of a turn, about: for these the weights are read once.
const TURN: usize = 512;

/// Outputs of a task that brings sums to the picture.
const OUTPUTS: usize = 16;

/// Weights in one direction, at most.
const MOST_WEIGHTS: usize = 3;

impl Winograd {
    /// Transforms the weights.
    ///
    /// # Errors
    /// If there is no memory.
    ///
    /// # Panics
    /// If weights or bias are not as many as the channels say.
    pub fn new(machine: Machine, tiles: Tiles, problem: &Problem<'_>) -> Result<Self, KernelError> {
        Self::with(machine, tiles, problem, None)
    }

    /// Where it is transposed, the output's rows and columns are taken apart by their parity, and each output of the problem
    /// is one of the four kinds; there is a bias for four of them.
    pub(crate) fn with(
        machine: Machine,
        tiles: Tiles,
        problem: &Problem<'_>,
        grows: Option<[isize; 2]>,
    ) -> Result<Self, KernelError> {
        let &Problem { inputs, parts, outputs, weights, bias, padding, relu } = problem;
        assert_eq!(weights.len(), tiles.kernel().pow(2) * inputs * outputs, "a kernel for each pair of channels");
        let kinds = if grows.is_some() { 4 } else { 1 };
        let bias = bias.map_or_else(|| vec![0.0; outputs / kinds], <[f32]>::to_vec);
        assert_eq!(bias.len() * kinds, outputs, "a bias for each output");
        let parts = parts.to_vec();
        let mut this = Self { machine, tiles, inputs, parts, outputs, padding, grows, relu, bias, weights: Vec::new() };
        this.weights = memory(tiles.points() * this.padded_outputs() * inputs)?;
        match tiles {
            Tiles::Four => this.transform_weights::<Four, 6, 4>(weights),
            Tiles::Six => this.transform_weights::<Six, 8, 6>(weights),
            Tiles::Two => this.transform_weights::<Two, 5, 4>(weights),
            Tiles::One => this.transform_weights::<One, 4, 4>(weights),
        }
        Ok(this)
    }

    fn transform_weights<T: Tile<POINTS, SIDE>, const POINTS: usize, const SIDE: usize>(&mut self, weights: &[f32]) {
        let rows = self.machine.rows();
        let (inputs, plane) = (self.inputs, self.padded_outputs() * self.inputs);
        let side = self.tiles.kernel();
        for (place, kernel) in weights.chunks_exact(side * side).enumerate() {
            let (output, input) = (place / inputs, place % inputs);
            let at = (output / rows * inputs + input) * rows + output % rows;
            for (row, down) in T::WEIGHTS.iter().enumerate() {
                let mut columns = [0.0; MOST_WEIGHTS];
                for (numbers, map) in kernel.chunks_exact(side).zip(*down) {
                    for (column, number) in columns.iter_mut().zip(numbers) {
                        *column += map * f64::from(*number);
                    }
                }
                for (number, across) in T::WEIGHTS.iter().enumerate() {
                    let weight: f64 = across.iter().zip(columns).map(|(map, column)| map * column).sum();
                    self.weights[(row * POINTS + number) * plane + at] = weight as f32;
                }
            }
        }
    }

    /// Outputs of all panels of weights.
    fn padded_outputs(&self) -> usize {
        self.outputs.next_multiple_of(self.machine.rows())
    }

    /// How tiles lie in a picture of so many rows and columns.
    fn grid(&self, size: [usize; 2]) -> Result<Grid, KernelError> {
        let size = self.output_size(size)?.map(|side| side.div_ceil(self.step()));
        Ok(Grid::new(self.machine, self.tiles, size))
    }

    /// From one output of a tile to the next, in each direction.
    fn step(&self) -> usize {
        if self.grows.is_some() { 2 } else { 1 }
    }

    /// Makes points of pictures.
    fn maker(&self) -> Points {
        Points { machine: self.machine, tiles: self.tiles, channels: self.inputs, padding: self.padding }
    }

    /// Channels of each part of an input, which must be as large as the shape says.
    fn channels(&self, parts: &[&[f32]], [images, rows, columns]: [usize; 3]) -> Result<Vec<usize>, KernelError> {
        let (grid, pixels) = (self.grid([rows, columns])?, rows * columns);
        let channels = parts.iter().zip(&self.parts).map(|(numbers, part)| match part {
            Part::Picture if images > 0 => numbers.len() / (images * pixels),
            Part::Picture => 0,
            Part::Points(channels) => *channels,
        });
        let channels: Vec<usize> = channels.collect();
        let are_whole = parts.iter().zip(&self.parts).zip(&channels).all(|((numbers, part), channels)| {
            let depth = if *part == Part::Picture { *channels } else { points::depth(&grid, *channels, pixels) };
            numbers.len() == images * depth * pixels
        });
        let are_all = parts.len() == self.parts.len() && (images == 0 || channels.iter().sum::<usize>() == self.inputs);
        if are_whole && are_all { Ok(channels) } else { Err(KernelError::Shape) }
    }
}

impl Layer for Winograd {
    fn outputs(&self) -> usize {
        self.bias.len()
    }

    fn output_size(&self, size: [usize; 2]) -> Result<[usize; 2], KernelError> {
        let Some(grows) = self.grows else { return self.padding.output_size(size, [self.tiles.kernel(); 2]) };
        let side = |side: usize, grows: isize| (2 * side).checked_add_signed(grows).filter(|out| side > 0 && *out > 0);
        let [rows, columns] = size;
        match [side(rows, grows[0]), side(columns, grows[1])] {
            [Some(rows), Some(columns)] => Ok([rows, columns]),
            _ => Err(KernelError::Small { rows, columns }),
        }
    }

    fn run(
        &self,
        parts: &[&[f32]],
        shape: [usize; 3],
        output: &mut [f32],
        scratch: &Scratch,
        threads: &dyn Threads,
    ) -> Result<(), KernelError> {
        let [images, rows, columns] = shape;
        let [out_rows, out_columns] = self.output_size([rows, columns])?;
        let channels = self.channels(parts, shape)?;
        if output.len() != images * self.outputs() * out_rows * out_columns {
            return Err(KernelError::Shape);
        }
        let grid = self.grid([rows, columns])?;
        let output_shape = [images, self.outputs(), out_rows, out_columns];
        let bands = Bands::new(output, output_shape, [OUTPUTS, grid.height * self.tiles.side() * self.step()]);
        let size = [rows, columns];
        let run = Run { winograd: self, grid, parts, channels, size, columns: out_columns, bands, scratch, threads };
        let all = images * grid.bands();
        let most = (TURN / (grid.panels() * grid.panel())).max(1);
        let (mut sums, mut points) = (scratch.sums.take(), scratch.points.take());
        // As many for each turn.
        let turn = all.div_ceil(all.div_ceil(most).max(1)).max(1);
        let mut turns = (0..all).step_by(turn).map(|first| first..all.min(first + turn));
        let result = turns.try_for_each(|bands| run.bands(bands, &mut sums, &mut points));
        scratch.sums.give_back(sums);
        scratch.points.give_back(points);
        result
    }
}

#[cfg(test)]
mod tests;
