//! From the picture to points.

use super::tile::Tile;
use crate::padding::Padding;
use crate::raw::Vector;

/// Rows of one channel, each taken apart by its columns' places in a tile: those of one place follow each other, tile after
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
    pub(super) fn new<V: Vector, const SIDE: usize>(across: usize, count: usize) -> Self {
        Self { count, step: across.next_multiple_of(V::LANES) + V::LANES, side: SIDE }
    }

    /// Numbers in all.
    pub(super) fn len(&self) -> usize {
        self.count * self.step * self.side
    }
}

/// What a task reads, and where it writes.
pub(super) struct Place {
    /// Of the picture.
    pub(super) size: [usize; 2],
    /// Around it.
    pub(super) padding: Padding,
    /// The first row.
    pub(super) first: usize,
    /// Rows of tiles.
    pub(super) down: usize,
    /// Tiles in each.
    pub(super) across: usize,
    /// Numbers from one point to the next.
    pub(super) plane: usize,
    /// Channels.
    pub(super) inputs: usize,
}

/// Writes `[points, panels of tiles, inputs, tiles of a panel]`.
#[inline(always)]
pub(super) fn transform<V: Vector, T: Tile<POINTS, SIDE>, const POINTS: usize, const SIDE: usize>(
    image: &[f32],
    place: &Place,
    lines: &Lines,
    memory: &mut [f32],
    transformed: &mut [f32],
) {
    let [rows, columns] = place.size;
    let line = lines.step * SIDE;
    let panel = 2 * V::LANES;
    for (channel, plane) in image.chunks_exact(rows * columns).enumerate() {
        for (number, to) in memory.chunks_exact_mut(line).enumerate() {
            match place.padding.row(place.first + number, rows) {
                Some(row) => take_apart::<V, SIDE>(&plane[row * columns..][..columns], place.padding, to),
                None => to.fill(0.0),
            }
        }
        for row in 0..place.down {
            for first in (0..place.across).step_by(V::LANES) {
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
                let tile = row * place.across + first;
                let count = V::LANES.min(place.across - first);
                let start = tile / panel * place.inputs * panel + channel * panel + tile % panel;
                for (down, numbers) in numbers.into_iter().enumerate() {
                    for (across, numbers) in T::input(numbers).into_iter().enumerate() {
                        let plane = &mut transformed[(down * POINTS + across) * place.plane..][..place.plane];
                        if count == V::LANES && tile.is_multiple_of(V::LANES) {
                            numbers.store(&mut plane[start..]);
                        } else {
                            scatter(numbers, tile..tile + count, channel, place.inputs, plane);
                        }
                    }
                }
            }
        }
    }
}

/// Stores tiles that are not a whole vector of a panel.
#[inline(always)]
fn scatter<V: Vector>(numbers: V, tiles: std::ops::Range<usize>, channel: usize, inputs: usize, plane: &mut [f32]) {
    const MOST: usize = 16;
    let panel = 2 * V::LANES;
    let mut lanes = [0.0; MOST];
    numbers.store(&mut lanes);
    for (tile, number) in tiles.zip(lanes) {
        plane[(tile / panel * inputs + channel) * panel + tile % panel] = number;
    }
}

/// A row with its padding, by the columns' places in a tile.
#[inline(always)]
fn take_apart<V: Vector, const SIDE: usize>(row: &[f32], padding: Padding, to: &mut [f32]) {
    let step = to.len() / SIDE;
    // Tiles that lie wholly inside, and all that see anything.
    let first = padding.left.div_ceil(SIDE).min(step);
    let inside = row.get(first * SIDE - padding.left..).unwrap_or_default();
    let whole = (inside.len() / SIDE).min(step - first);
    let end = (padding.left + row.len() + padding.right).div_ceil(SIDE).min(step);
    let mut done = 0;
    if SIDE == 4 {
        for numbers in inside[..whole * SIDE].chunks_exact(4 * V::LANES) {
            for (place, fourth) in V::load_fourths(numbers).into_iter().enumerate() {
                fourth.store(&mut to[place * step + first + done..]);
            }
            done += V::LANES;
        }
    }
    for (place, to) in to.chunks_exact_mut(step).enumerate() {
        for (to, from) in to[first + done..first + whole].iter_mut().zip(inside[done * SIDE..].chunks_exact(SIDE)) {
            *to = from[place];
        }
        for tile in (0..first).chain(first + whole..end) {
            to[tile] = padding.column(tile * SIDE + place, row.len()).map_or(0.0, |column| row[column]);
        }
        to[end.max(first + whole)..].fill(0.0);
    }
}
