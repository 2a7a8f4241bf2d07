//! The inner loop of all products: weights of some outputs by numbers at some places, summed over channels.

use crate::raw::Vector;

/// Channels that are summed before they are added to the others: a long sum of small numbers would lose their last bits.
pub(crate) const BLOCK: usize = 64;

/// Sums of `ROWS` outputs at two vectors of places.
pub(crate) type Sums<V, const ROWS: usize> = [[V; 2]; ROWS];

/// Adds `Σ weights[channel][row] × numbers[channel][place]` to sums, in blocks.
#[inline(always)]
pub(crate) fn accumulate<V: Vector, const ROWS: usize>(weights: &[f32], numbers: &[f32], total: &mut Sums<V, ROWS>) {
    for (weights, numbers) in weights.chunks(BLOCK * ROWS).zip(numbers.chunks(BLOCK * 2 * V::LANES)) {
        let mut block = [[V::splat(0.0); 2]; ROWS];
        multiply(weights, numbers, &mut block);
        add(block, total);
    }
}

/// Adds them to a block's sums.
#[inline(always)]
pub(crate) fn multiply<V: Vector, const ROWS: usize>(weights: &[f32], numbers: &[f32], block: &mut Sums<V, ROWS>) {
    for (weights, numbers) in weights.chunks_exact(ROWS).zip(numbers.chunks_exact(2 * V::LANES)) {
        let numbers = [V::load(numbers), V::load(&numbers[V::LANES..])];
        for row in 0..ROWS {
            let weight = V::splat(weights[row]);
            block[row] = [weight.mul_add(numbers[0], block[row][0]), weight.mul_add(numbers[1], block[row][1])];
        }
    }
}

/// Adds a block's sums to all.
#[inline(always)]
pub(crate) fn add<V: Vector, const ROWS: usize>(block: Sums<V, ROWS>, total: &mut Sums<V, ROWS>) {
    for row in 0..ROWS {
        total[row] = [total[row][0].add(block[row][0]), total[row][1].add(block[row][1])];
    }
}
