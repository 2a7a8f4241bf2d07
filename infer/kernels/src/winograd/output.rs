//! From sums at points to the picture.

use super::Tiles;
use super::grid::Grid;
use super::tile::{Four, One, Six, Tile, Two};
use crate::raw::{Band, Vector, Work};

/// Numbers of the longest line: eight outputs of each lane of the widest vector.
const MOST: usize = 16 * 8;

/// Some outputs of a band.
pub(super) struct Task<'a> {
    pub(super) tiles: Tiles,
    /// From one output of a tile to the next: where it is two, four outputs of the sums are one.
    pub(super) step: usize,
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
        // Six are for convolutions alone.
        match (self.tiles, self.step) {
            (Tiles::Four, 1) => self.run_with::<V, Four, 6, 4, 1>(),
            (Tiles::Six, _) => self.run_with::<V, Six, 8, 6, 1>(),
            (Tiles::Four, _) => self.run_with::<V, Four, 6, 4, 2>(),
            (Tiles::Two, _) => self.run_with::<V, Two, 5, 4, 2>(),
            (Tiles::One, _) => self.run_with::<V, One, 4, 4, 2>(),
        }
    }
}

impl Task<'_> {
    #[inline(always)]
    fn run_with<V: Vector, T: Tile<POINTS, SIDE>, const POINTS: usize, const SIDE: usize, const STEP: usize>(mut self) {
        let Self { grid, bias, .. } = self;
        let count = self.band.rows.div_ceil(SIDE * STEP) * grid.across;
        // Outputs of a tile in one row.
        let side = SIDE * STEP;
        for (output, bias) in bias.iter().enumerate() {
            for first in (0..count).step_by(V::LANES) {
                let lanes = V::LANES.min(count - first);
                let (row, column) = (first / grid.across, first % grid.across * side);
                // All tiles in one row, and nothing of them outside of the picture.
                let is_whole = lanes == V::LANES && column + lanes * side <= self.columns;
                let is_whole =
                    is_whole && first % grid.across + lanes <= grid.across && (row + 1) * side <= self.band.rows;
                for parity in 0..STEP {
                    let mut numbers = [[[V::splat(0.0); SIDE]; SIDE]; STEP];
                    for (kind, numbers) in numbers.iter_mut().enumerate() {
                        let from = ((self.band.plane + output) * STEP + parity) * STEP + kind;
                        *numbers = self.tiles::<V, T, POINTS, SIDE>(from, first, *bias);
                    }
                    for down in 0..SIDE {
                        let down_row = (row * SIDE + down) * STEP + parity;
                        if is_whole {
                            let to = &mut self.band.row(output, down_row)[column..][..V::LANES * side];
                            line_of::<V, SIDE, STEP>(&numbers, down, to);
                            continue;
                        }
                        let mut line = [0.0; MOST];
                        let line = &mut line[..V::LANES * side];
                        line_of::<V, SIDE, STEP>(&numbers, down, line);
                        // To each row of tiles what lies there.
                        let (mut row, mut column, mut rest) = (down_row, column, &line[..lanes * side]);
                        while !rest.is_empty() && row < self.band.rows {
                            let (numbers, after) = rest.split_at(rest.len().min(grid.across * side - column));
                            let to = &mut self.band.row(output, row)[column..];
                            let inside = numbers.len().min(to.len());
                            to[..inside].copy_from_slice(&numbers[..inside]);
                            (row, column, rest) = (row + side, 0, after);
                        }
                    }
                }
            }
        }
    }

    /// Outputs of some tiles, of one kind: `[rows, columns]` of a tile.
    #[inline(always)]
    fn tiles<V: Vector, T: Tile<POINTS, SIDE>, const POINTS: usize, const SIDE: usize>(
        &self,
        from: usize,
        first: usize,
        bias: f32,
    ) -> [[V; SIDE]; SIDE] {
        let wide = 2 * V::LANES;
        let at = ((self.panel + first / wide) * self.outputs + from) * wide + first % wide;
        let mut columns = [[V::splat(0.0); SIDE]; POINTS];
        for (across, column) in columns.iter_mut().enumerate() {
            let mut points = [V::splat(0.0); POINTS];
            for (down, number) in points.iter_mut().enumerate() {
                *number = V::load(&self.sums[(down * POINTS + across) * self.plane + at..]);
            }
            *column = T::output(points);
        }
        let bias = V::splat(bias);
        let mut outputs = [[V::splat(0.0); SIDE]; SIDE];
        for (down, outputs) in outputs.iter_mut().enumerate() {
            let mut points = [V::splat(0.0); POINTS];
            for (point, column) in points.iter_mut().zip(&columns) {
                *point = column[down];
            }
            *outputs = T::output(points);
            for number in outputs {
                *number = number.add(bias);
                *number = if self.relu { number.relu() } else { *number };
            }
        }
        outputs
    }
}

/// One row of each tile, tile after tile; numbers of both kinds take turns where there are two.
#[inline(always)]
fn line_of<V: Vector, const SIDE: usize, const STEP: usize>(
    numbers: &[[[V; SIDE]; SIDE]; STEP],
    down: usize,
    line: &mut [f32],
) {
    let side = SIDE * STEP;
    if side == 4 {
        let row = &numbers[0][down];
        V::store_fourths([row[0], row[1], row[2], row[3]], line);
    } else if side.is_multiple_of(4) {
        for quarter in 0..side / 4 {
            let mut fourths = [V::splat(0.0); 4];
            for (place, fourth) in fourths.iter_mut().enumerate() {
                let place = quarter * 4 + place;
                *fourth = numbers[place % STEP][down][place / STEP];
            }
            let mut together = [0.0; MOST];
            V::store_fourths(fourths, &mut together);
            for (to, from) in line.chunks_exact_mut(side).zip(together.chunks_exact(4)) {
                to[quarter * 4..quarter * 4 + 4].copy_from_slice(from);
            }
        }
    } else {
        let mut lanes = [0.0; 16];
        for place in 0..side {
            numbers[place % STEP][down][place / STEP].store(&mut lanes);
            for (to, number) in line.chunks_exact_mut(side).zip(lanes) {
                to[place] = number;
            }
        }
    }
}
