//! The matrix product at one point: outputs' weights by tiles.

use crate::product::accumulate;
use crate::raw::Vector;

/// `sums[output][tile] = Σ weights[output][input] × tiles[input][tile]`: weights in panels of `V::ROWS` outputs, tiles in
/// panels of two vectors, sums in rows of `wide` tiles.
#[inline(always)]
pub(super) fn product<V: Vector>(weights: &[f32], tiles: &[f32], sums: &mut [f32], inputs: usize, wide: usize) {
    // A constant for each kind of vector: the others are not compiled.
    match V::ROWS {
        6 => product_of::<V, 6>(weights, tiles, sums, inputs, wide),
        8 => product_of::<V, 8>(weights, tiles, sums, inputs, wide),
        _ => unreachable!("no vector has other rows"),
    }
}

#[inline(always)]
fn product_of<V: Vector, const ROWS: usize>(
    weights: &[f32],
    tiles: &[f32],
    sums: &mut [f32],
    inputs: usize,
    wide: usize,
) {
    let panel = 2 * V::LANES;
    for (column, tiles) in tiles.chunks_exact(inputs * panel).enumerate() {
        for (weights, sums) in weights.chunks_exact(inputs * ROWS).zip(sums.chunks_exact_mut(ROWS * wide)) {
            let mut total = [[V::splat(0.0); 2]; ROWS];
            accumulate::<V, ROWS>(weights, tiles, &mut total);
            for (total, sums) in total.into_iter().zip(sums.chunks_exact_mut(wide)) {
                let sums = &mut sums[column * panel..][..panel];
                total[0].store(sums);
                total[1].store(&mut sums[V::LANES..]);
            }
        }
    }
}
