//! From the picture to points.

use super::Tiles;
use super::grid::{GROUP, Grid};
use super::tile::{Four, One, Six, Tile, Two};
use crate::error::KernelError;
use crate::padding::Padding;
use crate::raw::{Vector, Work};
use crate::scratch::Memory;

/// A band of a group of channels.
pub(super) struct Task<'a> {
    pub(super) tiles: Tiles,
    pub(super) grid: &'a Grid,
    pub(super) band: usize,
    /// The group's channels.
    pub(super) image: &'a [f32],
    /// Their rows and columns.
    pub(super) size: [usize; 2],
    pub(super) padding: Padding,
    /// What is to be written: [`Grid::group`] numbers.
    pub(super) points: &'a mut [f32],
    pub(super) memory: &'a mut Memory,
}

impl Work for Task<'_> {
    type Output = Result<(), KernelError>;

    #[inline(always)]
    fn run<V: Vector>(self) -> Self::Output {
        match self.tiles {
            Tiles::Four => self.run_with::<V, Four, 6, 4>(),
            Tiles::Six => self.run_with::<V, Six, 8, 6>(),
            Tiles::Two => self.run_with::<V, Two, 5, 4>(),
            Tiles::One => self.run_with::<V, One, 4, 4>(),
        }
    }
}

impl Task<'_> {
    #[inline(always)]
    fn run_with<V: Vector, T: Tile<POINTS, SIDE>, const POINTS: usize, const SIDE: usize>(
        self,
    ) -> Result<(), KernelError> {
        let Self { grid, band, image, size: [rows, columns], padding, points, memory, .. } = self;
        let (across, down, first_row) = (grid.across, grid.rows(band), band * grid.height * SIDE);
        let (lines, tiles) = (Lines::new::<V>(across, down, SIDE), down * across);
        let padded = (across + 1).next_multiple_of(V::LANES) * SIDE;
        let (padded, memory) = memory.numbers(padded + lines.len(POINTS))?.split_at_mut(padded);
        let (panel, piece) = (2 * V::LANES, GROUP * 2 * V::LANES);
        for (channel, plane) in image.chunks_exact(rows * columns).enumerate() {
            for number in 0..down * SIDE + POINTS - SIDE {
                match padding.row(first_row + number, rows) {
                    Some(row) => padding.fill_row(&plane[row * columns..][..columns], padded),
                    None => padded.fill(0.0),
                }
                lines.take_apart::<V, POINTS>(padded, number, memory);
            }
            for first in (0..tiles).step_by(V::LANES) {
                // Loops, not closures: those would be compiled for any processor.
                let mut numbers = [[V::splat(0.0); POINTS]; POINTS];
                for across in 0..POINTS {
                    let mut column = [V::splat(0.0); POINTS];
                    for (down, number) in column.iter_mut().enumerate() {
                        *number = V::load(&memory[lines.at(across, down) + first..]);
                    }
                    let column = T::input(column);
                    for down in 0..POINTS {
                        numbers[down][across] = column[down];
                    }
                }
                let soon = if first + V::LANES < tiles { (first + V::LANES, channel) } else { (0, channel + 1) };
                let soon = soon.0 / panel * POINTS * POINTS * piece + soon.1 * panel + soon.0 % panel;
                for point in 0..POINTS * POINTS {
                    V::prefetch(points.get(soon + point * piece..soon + point * piece + 1).unwrap_or_default());
                }
                let to = &mut points[first / panel * POINTS * POINTS * piece + channel * panel + first % panel..];
                for (down, numbers) in numbers.into_iter().enumerate() {
                    for (across, numbers) in T::input(numbers).into_iter().enumerate() {
                        numbers.store(&mut to[(down * POINTS + across) * piece..]);
                    }
                }
            }
        }
        Ok(())
    }
}

/// Rows of one channel of a band, taken apart by their columns' places in a tile and their own, so that a vector holds tiles,
/// one row of them after the other: `[columns of a tile, rows of one that no other has, tiles and some more]`.
struct Lines {
    /// Tiles of a row.
    across: usize,
    /// Rows of a tile that no other has, and columns.
    side: usize,
    /// Numbers of a line: those of one more row of tiles, which has the rows that the last one overlaps with, and of a vector.
    step: usize,
}

impl Lines {
    fn new<V: Vector>(across: usize, down: usize, side: usize) -> Self {
        Self { across, side, step: ((down + 1) * across).next_multiple_of(V::LANES) + V::LANES }
    }

    /// Numbers of all lines, of tiles with so many columns.
    fn len(&self, columns: usize) -> usize {
        columns * self.side * self.step
    }

    /// Where the first tile's number is.
    #[inline(always)]
    fn at(&self, column: usize, row: usize) -> usize {
        (column * self.side + row % self.side) * self.step + row / self.side * self.across
    }

    /// Puts a padded row to where it belongs, after those above it: it may write beyond its end, where the next ones go.
    #[inline(always)]
    fn take_apart<V: Vector, const COLUMNS: usize>(&self, padded: &[f32], row: usize, lines: &mut [f32]) {
        let &Self { across, side, .. } = self;
        if side == 4 {
            for (first, numbers) in (0..across).step_by(V::LANES).zip(padded.chunks_exact(4 * V::LANES)) {
                for (column, fourth) in V::load_fourths(numbers).into_iter().enumerate() {
                    fourth.store(&mut lines[self.at(column, row) + first..]);
                }
            }
            // The last columns of a tile are the first of the next.
            for column in side..COLUMNS {
                let (from, to) = (self.at(column - side, row), self.at(column, row));
                for first in (0..across).step_by(V::LANES) {
                    V::load(&lines[from + 1 + first..]).store(&mut lines[to + first..]);
                }
                lines[to + across - 1] = padded[across * side + column - side];
            }
        } else {
            for column in 0..COLUMNS {
                let to = &mut lines[self.at(column, row)..][..across];
                for (to, from) in to.iter_mut().zip(padded[column..].iter().step_by(side)) {
                    *to = *from;
                }
            }
        }
    }
}
