//! The matrix product at one point: outputs' weights by tiles.

use super::grid::{GROUP, Grid};
use crate::raw::{Vector, Work};

/// Channels that are multiplied at a time: a panel of them stays in the nearest cache for all outputs.
const CHANNELS: usize = 128;

/// Channels that are summed before they are added to the others: a long sum of small numbers would lose their last bits.
const BLOCK: usize = 64;

/// Outputs that are computed at a time, at most, so that their weights for those channels stay in a cache for all panels.
const OUTPUTS: usize = 256;

/// Numbers of a line in a cache.
const LINE: usize = 16;

/// Some channels of the input.
pub(super) struct Source<'a> {
    /// The points, in the form of a [`Grid`].
    pub(super) points: &'a [f32],
    /// Where those of each band begin.
    pub(super) bands: Vec<usize>,
    /// How many channels.
    pub(super) channels: usize,
    /// The first of them, among all that the convolution reads.
    pub(super) first: usize,
}

/// A panel of tiles.
#[derive(Clone, Copy, Debug)]
pub(super) struct Panel {
    /// Of which of the sources' bands.
    pub(super) place: usize,
    /// Which there.
    pub(super) number: usize,
    /// Whether there are tiles in its second vector.
    pub(super) is_wide: bool,
}

/// The sums at one point, of all outputs in some panels.
pub(super) struct Task<'a> {
    pub(super) grid: &'a Grid,
    pub(super) point: usize,
    /// `[panels of outputs, inputs, outputs of a panel]` of this point.
    pub(super) weights: &'a [f32],
    /// Channels that the convolution reads.
    pub(super) inputs: usize,
    pub(super) sources: &'a [Source<'a>],
    /// Panels of tiles.
    pub(super) panels: &'a [Panel],
    /// `[panels of tiles, outputs, tiles of a panel]`.
    pub(super) sums: &'a mut [f32],
    /// Whether to add to what is there.
    pub(super) adds: bool,
}

impl Work for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        // A constant for each kind of vector: the others are not compiled.
        match V::ROWS {
            6 => self.run_with::<V, 6>(),
            8 => self.run_with::<V, 8>(),
            _ => unreachable!("no vector has other rows"),
        }
    }
}

/// Of one panel, the groups of the channels that are multiplied at a time.
type Pieces<'a> = [&'a [f32]; CHANNELS / GROUP];

impl<'a> Task<'a> {
    #[inline(always)]
    fn run_with<V: Vector, const ROWS: usize>(self) {
        let outputs = self.weights.len() / self.inputs;
        let depth = outputs.div_ceil(outputs.div_ceil(OUTPUTS)).next_multiple_of(ROWS);
        for first in (0..outputs).step_by(depth) {
            let weights = &self.weights[first * self.inputs..(first + depth).min(outputs) * self.inputs];
            let mut adds = self.adds;
            for source in self.sources {
                for from in (0..source.channels).step_by(CHANNELS) {
                    let channels = source.first + from..source.first + source.channels.min(from + CHANNELS);
                    let mut pieces = self.pieces::<V>(source, from, self.panels.first());
                    for (number, panel) in self.panels.iter().enumerate() {
                        let next = self.pieces::<V>(source, from, self.panels.get(number + 1));
                        let sums = &mut self.sums[(number * outputs + first) * 2 * V::LANES..];
                        let mut after = weights.chunks_exact(self.inputs * ROWS).skip(1);
                        for (place, (weights, sums)) in weights
                            .chunks_exact(self.inputs * ROWS)
                            .zip(sums.chunks_exact_mut(ROWS * 2 * V::LANES))
                            .enumerate()
                        {
                            let some = channels.start * ROWS..channels.end * ROWS;
                            let after = if number == 0 { after.next() } else { None };
                            let soon = [
                                after.map_or(&[][..], |after| &after[some.clone()]),
                                next.get(place).copied().unwrap_or_default(),
                            ];
                            if panel.is_wide {
                                sum::<V, ROWS, 2>(&weights[some], &pieces, soon, sums, adds);
                            } else {
                                sum::<V, ROWS, 1>(&weights[some], &pieces, soon, sums, adds);
                            }
                        }
                        pieces = next;
                    }
                    adds = true;
                }
            }
        }
    }

    /// Those of a source's channels from one on.
    #[inline(always)]
    fn pieces<V: Vector>(&self, source: &Source<'a>, from: usize, panel: Option<&Panel>) -> Pieces<'a> {
        let mut pieces = [&[][..]; CHANNELS / GROUP];
        let Some(&Panel { place: band, number: panel, .. }) = panel else { return pieces };
        for (place, piece) in pieces.iter_mut().enumerate() {
            let first = from + place * GROUP;
            if first < source.channels {
                let start = source.bands[band] + self.grid.piece_at(first / GROUP, panel, self.point);
                *piece = &source.points[start..][..GROUP.min(source.channels - first) * 2 * V::LANES];
            }
        }
        pieces
    }
}

/// Sums of a panel of outputs in `WIDE` vectors of tiles, over the channels of some pieces; meanwhile weights and a piece are
/// fetched that come soon.
#[inline(always)]
fn sum<V: Vector, const ROWS: usize, const WIDE: usize>(
    mut weights: &[f32],
    pieces: &Pieces<'_>,
    [soon_weights, soon_piece]: [&[f32]; 2],
    sums: &mut [f32],
    adds: bool,
) {
    let mut total: Sums<V, ROWS, WIDE> = [[V::splat(0.0); WIDE]; ROWS];
    if adds {
        for (total, sums) in total.iter_mut().zip(sums.chunks_exact(2 * V::LANES)) {
            *total = vectors(sums);
        }
    }
    let (mut soon_weights, mut soon_piece) = (soon_weights.chunks(GROUP * ROWS), soon_piece.chunks(LINE));
    for pieces in pieces.chunks(BLOCK / GROUP) {
        let mut block = [[V::splat(0.0); WIDE]; ROWS];
        for piece in pieces {
            V::prefetch(soon_weights.next().unwrap_or_default());
            V::prefetch(soon_piece.next().unwrap_or_default());
            let (now, rest) = weights.split_at(piece.len() / (2 * V::LANES) * ROWS);
            multiply(now, piece, &mut block);
            weights = rest;
        }
        add(block, &mut total);
    }
    for (total, sums) in total.into_iter().zip(sums.chunks_exact_mut(2 * V::LANES)) {
        for (total, sums) in total.into_iter().zip(sums.chunks_exact_mut(V::LANES)) {
            total.store(sums);
        }
    }
}

/// Sums of `ROWS` outputs at `WIDE` vectors of places.
type Sums<V, const ROWS: usize, const WIDE: usize> = [[V; WIDE]; ROWS];

/// The first numbers.
#[inline(always)]
fn vectors<V: Vector, const WIDE: usize>(numbers: &[f32]) -> [V; WIDE] {
    let mut vectors = [V::splat(0.0); WIDE];
    for (vector, numbers) in vectors.iter_mut().zip(numbers.chunks_exact(V::LANES)) {
        *vector = V::load(numbers);
    }
    vectors
}

/// Adds `Σ weights[channel][row] × numbers[channel][place]` to a block's sums.
#[inline(always)]
fn multiply<V: Vector, const ROWS: usize, const WIDE: usize>(
    weights: &[f32],
    numbers: &[f32],
    block: &mut Sums<V, ROWS, WIDE>,
) {
    for (weights, numbers) in weights.chunks_exact(ROWS).zip(numbers.chunks_exact(2 * V::LANES)) {
        let numbers: [V; WIDE] = vectors(numbers);
        for row in 0..ROWS {
            let weight = V::splat(weights[row]);
            for place in 0..WIDE {
                block[row][place] = weight.mul_add(numbers[place], block[row][place]);
            }
        }
    }
}

/// Adds a block's sums to all.
#[inline(always)]
fn add<V: Vector, const ROWS: usize, const WIDE: usize>(block: Sums<V, ROWS, WIDE>, total: &mut Sums<V, ROWS, WIDE>) {
    for row in 0..ROWS {
        for place in 0..WIDE {
            total[row][place] = total[row][place].add(block[row][place]);
        }
    }
}
