//! From sums at points to the picture.

use super::tile::Tile;
use crate::raw::{Band, Vector};

/// Lanes of the widest vector.
const MOST_LANES: usize = 16;
/// Outputs of the largest tile.
const MOST_OUTPUTS: usize = 36;

/// What sums are of.
pub(super) struct Place {
    /// Channels.
    pub(super) outputs: usize,
    /// Tiles.
    pub(super) count: usize,
    /// Tiles in a row.
    pub(super) across: usize,
    /// Columns of the output.
    pub(super) columns: usize,
    /// Numbers from one point to the next.
    pub(super) plane: usize,
    /// Numbers from one channel to the next.
    pub(super) wide: usize,
}

/// Brings sums, `[points, outputs, tiles]`, to rows of the band.
#[inline(always)]
pub(super) fn transform<V: Vector, T: Tile<POINTS, SIDE>, const POINTS: usize, const SIDE: usize>(
    sums: &[f32],
    place: &Place,
    bias: &[f32],
    relu: bool,
    band: &mut Band<'_>,
) {
    let mut pixels = [[0.0; MOST_LANES]; MOST_OUTPUTS];
    for output in 0..place.outputs {
        let bias = V::splat(bias[output]);
        for first in (0..place.count).step_by(V::LANES) {
            let at = output * place.wide + first;
            let mut columns = [[V::splat(0.0); SIDE]; POINTS];
            for (across, column) in columns.iter_mut().enumerate() {
                let mut points = [V::splat(0.0); POINTS];
                for (down, number) in points.iter_mut().enumerate() {
                    *number = V::load(&sums[(down * POINTS + across) * place.plane + at..]);
                }
                *column = T::output(points);
            }
            let count = V::LANES.min(place.count - first);
            let (row, column) = (first / place.across, first % place.across);
            let is_inside =
                count == V::LANES && (column + count) * SIDE <= place.columns && (row + 1) * SIDE <= band.rows;
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
                for lane in 0..count {
                    let (row, column) = ((first + lane) / place.across * SIDE, (first + lane) % place.across * SIDE);
                    for down in 0..SIDE.min(band.rows - row) {
                        let to = &mut band.row(output, row + down)[column..];
                        to.iter_mut().zip(&pixels[down * SIDE..][..SIDE]).for_each(|(to, pixels)| *to = pixels[lane]);
                    }
                }
            }
        }
    }
}
