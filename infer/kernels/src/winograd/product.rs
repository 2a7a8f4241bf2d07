//! The matrix product at one point: outputs' weights by tiles.

use std::ops::Range;

use crate::product::accumulate;
use crate::raw::Vector;

/// Some channels of the input.
pub(super) struct Channels {
    pub(super) some: Range<usize>,
    pub(super) all: usize,
}

/// `sums[output][tile] = Σ weights[output][input] × tiles[input][tile]` over some channels, added to what the ones before
/// gave: weights in panels of `V::ROWS` outputs, tiles in panels of two vectors, sums in rows of `wide` tiles.
#[inline(always)]
pub(super) fn product<V: Vector>(weights: &[f32], tiles: &[f32], channels: &Channels, sums: &mut [f32], wide: usize) {
    // A constant for each kind of vector: the others are not compiled.
    match V::ROWS {
        6 => product_of::<V, 6>(weights, tiles, channels, sums, wide),
        8 => product_of::<V, 8>(weights, tiles, channels, sums, wide),
        _ => unreachable!("no vector has other rows"),
    }
}

#[inline(always)]
fn product_of<V: Vector, const ROWS: usize>(
    weights: &[f32],
    tiles: &[f32],
    Channels { some, all }: &Channels,
    sums: &mut [f32],
    wide: usize,
) {
    let panel = 2 * V::LANES;
    let panels = weights.chunks_exact(all * ROWS);
    let mut after = panels.clone().skip(1);
    for (weights, sums) in panels.zip(sums.chunks_exact_mut(ROWS * wide)) {
        let weights = &weights[some.start * ROWS..some.end * ROWS];
        let mut next = after.next().map_or(&[][..], |next| &next[some.start * ROWS..some.end * ROWS]);
        for (column, tiles) in tiles.chunks_exact(some.len() * panel).enumerate() {
            let mut total = [[V::splat(0.0); 2]; ROWS];
            if some.start > 0 {
                for (total, sums) in total.iter_mut().zip(sums.chunks_exact(wide)) {
                    let sums = &sums[column * panel..][..panel];
                    *total = [V::load(sums), V::load(&sums[V::LANES..])];
                }
            }
            accumulate::<V, ROWS>(weights, tiles, next, &mut total);
            next = &[];
            for (total, sums) in total.into_iter().zip(sums.chunks_exact_mut(wide)) {
                let sums = &mut sums[column * panel..][..panel];
                total[0].store(sums);
                total[1].store(&mut sums[V::LANES..]);
            }
        }
    }
}
