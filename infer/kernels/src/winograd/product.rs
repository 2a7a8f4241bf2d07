//! The matrix product at one point: outputs' weights by tiles.

use crate::raw::Vector;

/// Channels that are summed before they are added to the others: a long sum of small numbers would lose their last bits.
const BLOCK: usize = 64;

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
            for (weights, tiles) in weights.chunks(BLOCK * ROWS).zip(tiles.chunks(BLOCK * panel)) {
                let mut block = [[V::splat(0.0); 2]; ROWS];
                for (weights, tiles) in weights.chunks_exact(ROWS).zip(tiles.chunks_exact(panel)) {
                    let tiles = [V::load(tiles), V::load(&tiles[V::LANES..])];
                    for row in 0..ROWS {
                        let weight = V::splat(weights[row]);
                        block[row] = [weight.mul_add(tiles[0], block[row][0]), weight.mul_add(tiles[1], block[row][1])];
                    }
                }
                for row in 0..ROWS {
                    total[row] = [total[row][0].add(block[row][0]), total[row][1].add(block[row][1])];
                }
            }
            for (total, sums) in total.into_iter().zip(sums.chunks_exact_mut(wide)) {
                let sums = &mut sums[column * panel..][..panel];
                total[0].store(sums);
                total[1].store(&mut sums[V::LANES..]);
            }
        }
    }
}
