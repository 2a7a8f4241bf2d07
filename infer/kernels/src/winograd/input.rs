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

/// Rows of one channel of a band, each taken apart by its columns' places in a tile: those of one place follow each other, tile after
/// tile, so that a vector holds as many tiles.
pub(super) struct Lines {
    /// Rows.
    count: usize,
    /// Numbers of each place in each row: one more than there are tiles, since those overlap, and what a vector needs.
    step: usize,
    side: usize,
}

impl Lines {
    #[inline(always)]
    fn new<V: Vector, const SIDE: usize>(across: usize, count: usize) -> Self {
        Self { count, step: across.next_multiple_of(V::LANES) + V::LANES, side: SIDE }
    }

    /// Numbers in all.
    fn len(&self) -> usize {
        self.count * self.step * self.side
    }
}

impl Task<'_> {
    #[inline(always)]
    fn run_with<V: Vector, T: Tile<POINTS, SIDE>, const POINTS: usize, const SIDE: usize>(
        self,
    ) -> Result<(), KernelError> {
        let Self { grid, band, image, size: [rows, columns], padding, points, memory, .. } = self;
        let (across, down, first_row) = (grid.across, grid.rows(band), band * grid.height * SIDE);
        let lines = Lines::new::<V, SIDE>(across, down * SIDE + POINTS - SIDE);
        let line = lines.step * SIDE;
        let (padded, memory) = memory.numbers(line + lines.len())?.split_at_mut(line);
        let (panel, piece) = (2 * V::LANES, GROUP * 2 * V::LANES);
        for (channel, plane) in image.chunks_exact(rows * columns).enumerate() {
            for (number, to) in memory.chunks_exact_mut(line).enumerate() {
                match padding.row(first_row + number, rows) {
                    Some(row) => take_apart::<V, SIDE>(&plane[row * columns..][..columns], padding, padded, to),
                    None => to.fill(0.0),
                }
            }
            for row in 0..down {
                for first in (0..across).step_by(V::LANES) {
                    // Loops, not closures: those would be compiled for any processor.
                    let mut numbers = [[V::splat(0.0); POINTS]; POINTS];
                    for across in 0..POINTS {
                        let mut column = [V::splat(0.0); POINTS];
                        for (down, number) in column.iter_mut().enumerate() {
                            let line = &memory[(row * SIDE + down) * line..][..line];
                            *number = V::load(&line[across % SIDE * lines.step + first + across / SIDE..]);
                        }
                        let column = T::input(column);
                        for down in 0..POINTS {
                            numbers[down][across] = column[down];
                        }
                    }
                    let tile = row * across + first;
                    let count = V::LANES.min(across - first);
                    let is_whole = count == V::LANES && tile.is_multiple_of(V::LANES);
                    let soon =
                        if tile + V::LANES < down * across { (tile + V::LANES, channel) } else { (0, channel + 1) };
                    let soon = soon.0 / panel * POINTS * POINTS * piece + soon.1 * panel + soon.0 % panel;
                    for point in 0..POINTS * POINTS {
                        V::prefetch(points.get(soon + point * piece..soon + point * piece + 1).unwrap_or_default());
                    }
                    let to = &mut points[tile / panel * POINTS * POINTS * piece + channel * panel..];
                    for (down, numbers) in numbers.into_iter().enumerate() {
                        for (across, numbers) in T::input(numbers).into_iter().enumerate() {
                            let to = &mut to[(down * POINTS + across) * piece..];
                            if is_whole {
                                numbers.store(&mut to[tile % panel..]);
                            } else {
                                scatter(numbers, tile % panel, count, POINTS * POINTS * piece, to);
                            }
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

/// Stores tiles that are not a whole vector of a panel: some may lie in the next.
#[inline(always)]
fn scatter<V: Vector>(numbers: V, first: usize, count: usize, next: usize, to: &mut [f32]) {
    const MOST: usize = 16;
    let panel = 2 * V::LANES;
    let mut lanes = [0.0; MOST];
    numbers.store(&mut lanes);
    for (tile, number) in (first..first + count).zip(lanes) {
        to[tile / panel * next + tile % panel] = number;
    }
}

/// A row with its padding, by the columns' places in a tile.
#[inline(always)]
fn take_apart<V: Vector, const SIDE: usize>(row: &[f32], padding: Padding, padded: &mut [f32], to: &mut [f32]) {
    padding.fill_row(row, padded);
    let step = to.len() / SIDE;
    if SIDE == 4 {
        for (tile, numbers) in (0..step).step_by(V::LANES).zip(padded.chunks_exact(4 * V::LANES)) {
            for (place, fourth) in V::load_fourths(numbers).into_iter().enumerate() {
                fourth.store(&mut to[place * step + tile..]);
            }
        }
    } else {
        for (place, to) in to.chunks_exact_mut(step).enumerate() {
            for (to, from) in to.iter_mut().zip(padded.chunks_exact(SIDE)) {
                *to = from[place];
            }
        }
    }
}
