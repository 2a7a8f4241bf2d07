//! From sums at points to the picture.

use super::Tiles;
use super::grid::Grid;
use super::tile::{Four, Six, Tile};
use crate::raw::{Band, Vector, Work};

/// Lanes of the widest vector.
const MOST_LANES: usize = 16;
/// Outputs of the largest tile.
const MOST_OUTPUTS: usize = 36;

/// Some outputs of a band.
pub(super) struct Task<'a> {
    pub(super) tiles: Tiles,
    pub(super) grid: &'a Grid,
    /// `[points, (panels, outputs, tiles of a panel) and some numbers more]`.
    pub(super) sums: &'a [f32],
    /// Numbers from one point to the next.
    pub(super) plane: usize,
    /// The band's first panel there.
    pub(super) panel: usize,
    /// Outputs there.
    pub(super) outputs: usize,
    /// Of the band's outputs.
    pub(super) bias: &'a [f32],
    pub(super) relu: bool,
    /// Columns that come out.
    pub(super) columns: usize,
    pub(super) band: Band<'a>,
}

impl Work for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        match self.tiles {
            Tiles::Four => self.run_with::<V, Four, 6, 4>(),
            Tiles::Six => self.run_with::<V, Six, 8, 6>(),
        }
    }
}

impl Task<'_> {
    #[inline(always)]
    fn run_with<V: Vector, T: Tile<POINTS, SIDE>, const POINTS: usize, const SIDE: usize>(self) {
        let Self { grid, sums, bias, relu, mut band, .. } = self;
        let (wide, count) = (2 * V::LANES, band.rows.div_ceil(SIDE) * grid.across);
        let mut pixels = [[0.0; MOST_LANES]; MOST_OUTPUTS];
        for output in 0..band.planes {
            let bias = V::splat(bias[output]);
            for first in (0..count).step_by(V::LANES) {
                let at = ((self.panel + first / wide) * self.outputs + band.plane + output) * wide + first % wide;
                let mut columns = [[V::splat(0.0); SIDE]; POINTS];
                for (across, column) in columns.iter_mut().enumerate() {
                    let mut points = [V::splat(0.0); POINTS];
                    for (down, number) in points.iter_mut().enumerate() {
                        *number = V::load(&sums[(down * POINTS + across) * self.plane + at..]);
                    }
                    *column = T::output(points);
                }
                let lanes = V::LANES.min(count - first);
                let (row, column) = (first / grid.across, first % grid.across);
                let is_inside =
                    lanes == V::LANES && (column + lanes) * SIDE <= self.columns && (row + 1) * SIDE <= band.rows;
                for down in 0..SIDE {
                    let mut points = [V::splat(0.0); POINTS];
                    for (point, column) in points.iter_mut().zip(&columns) {
                        *point = column[down];
                    }
                    let mut numbers = T::output(points);
                    for number in &mut numbers {
                        *number = number.add(bias);
                        *number = if relu { number.relu() } else { *number };
                    }
                    if is_inside && SIDE == 4 {
                        let to = &mut band.row(output, row * SIDE + down)[column * SIDE..];
                        V::store_fourths([numbers[0], numbers[1], numbers[2], numbers[3]], to);
                    } else {
                        for (numbers, pixels) in numbers.into_iter().zip(&mut pixels[down * SIDE..]) {
                            numbers.store(pixels);
                        }
                    }
                }
                if is_inside && SIDE == 4 {
                    continue;
                }
                if is_inside {
                    for down in 0..SIDE {
                        let to = &mut band.row(output, row * SIDE + down)[column * SIDE..][..V::LANES * SIDE];
                        let pixels = &pixels[down * SIDE..][..SIDE];
                        for (lane, to) in to.chunks_exact_mut(SIDE).enumerate() {
                            to.iter_mut().zip(pixels).for_each(|(to, pixels)| *to = pixels[lane]);
                        }
                    }
                } else {
                    for lane in 0..lanes {
                        let (row, column) = ((first + lane) / grid.across * SIDE, (first + lane) % grid.across * SIDE);
                        for down in 0..SIDE.min(band.rows - row) {
                            let to = &mut band.row(output, row + down)[column..];
                            to.iter_mut()
                                .zip(&pixels[down * SIDE..][..SIDE])
                                .for_each(|(to, pixels)| *to = pixels[lane]);
                        }
                    }
                }
            }
        }
    }
}
