//! From sums at points to the picture.

use std::ops::Range;

use super::tile::Tile;
use crate::raw::{Band, Vector};

/// Lanes of the widest vector.
const MOST_LANES: usize = 16;
/// Outputs of the largest tile.
const MOST_OUTPUTS: usize = 36;

/// What sums are of.
pub(super) struct Place {
    /// Channels.
    pub(super) outputs: Range<usize>,
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
    for (number, output) in place.outputs.clone().enumerate() {
        let bias = V::splat(bias[output]);
        for first in (0..place.count).step_by(V::LANES) {
            let at = number * place.wide + first;
            let columns: [[V; SIDE]; POINTS] = std::array::from_fn(|across| {
                T::output(std::array::from_fn(|down| V::load(&sums[(down * POINTS + across) * place.plane + at..])))
            });
            for down in 0..SIDE {
                let row = T::output(std::array::from_fn(|across| columns[across][down]));
                for (across, numbers) in row.into_iter().enumerate() {
                    let numbers = numbers.add(bias);
                    let numbers = if relu { numbers.relu() } else { numbers };
                    numbers.store(&mut pixels[down * SIDE + across]);
                }
            }
            let count = V::LANES.min(place.count - first);
            let (row, column) = (first / place.across, first % place.across);
            let is_inside = count == V::LANES && (column + count) * SIDE <= place.columns;
            if is_inside && (row + 1) * SIDE <= band.rows {
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
