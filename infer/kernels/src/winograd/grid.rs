//! How a picture's tiles are cut into bands, and where their points lie.

use super::Tiles;
use crate::raw::Machine;

/// Channels of which the points lie together: so many that a panel of them fits into the nearest cache while they are made.
pub(super) const GROUP: usize = 8;

/// Tiles of a band, at most, where a row of them is not more.
const TILES: usize = 128;

/// What it costs to begin a band, in fortieths of what a tile costs, for each tile in a row: bands overlap by two rows of
/// the picture.
const OVERLAP: usize = 1;

/// Bands of tile rows. In a band, tiles lie in panels of two vectors; a group of channels has in each panel, point after
/// point, its channels, and in each of these the tiles:
///
/// ```text
/// [bands, groups, (panels, points, channels of the group, tiles of the panel) and some numbers more]
/// ```
///
/// All follows from sizes alone, so that whoever makes or reads points of a picture agrees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grid {
    /// Products of a tile.
    points: usize,
    /// Tiles of a panel.
    panel: usize,
    /// Rows of tiles.
    down: usize,
    /// Tiles in each.
    pub(super) across: usize,
    /// Rows of tiles of a band; the last may have fewer.
    pub(super) height: usize,
}

impl Grid {
    /// Of the rows and columns that come out.
    pub(super) fn new(machine: Machine, tiles: Tiles, [rows, columns]: [usize; 2]) -> Self {
        let (down, across) = (rows.div_ceil(tiles.side()), columns.div_ceil(tiles.side()));
        let panel = 2 * machine.lanes();
        Self { points: tiles.points(), panel, down, across, height: height(down, across, panel) }
    }

    pub(super) fn bands(&self) -> usize {
        self.down.div_ceil(self.height)
    }

    /// Rows of tiles of a band.
    pub(super) fn rows(&self, band: usize) -> usize {
        self.height.min(self.down - band * self.height)
    }

    /// Panels of a band; the memory of the last is that of the others.
    pub(super) fn panels(&self) -> usize {
        (self.height * self.across).div_ceil(self.panel)
    }

    /// Panels of a band that have tiles.
    pub(super) fn full_panels(&self, band: usize) -> usize {
        (self.rows(band) * self.across).div_ceil(self.panel)
    }

    /// Whether there are tiles in the second vector of a band's panel.
    pub(super) fn is_wide(&self, band: usize, panel: usize) -> bool {
        self.rows(band) * self.across > panel * self.panel + self.panel / 2
    }

    /// Tiles of a panel.
    pub(super) fn panel(&self) -> usize {
        self.panel
    }

    /// Numbers of a group in a band: an odd number of pieces, or those of one point would lie in the same few sets of a cache.
    pub(super) fn group(&self) -> usize {
        (self.panels() * self.points + 1) * GROUP * self.panel
    }

    /// Where in a band a group's channels begin, at one point of a panel.
    pub(super) fn piece_at(&self, group: usize, panel: usize, point: usize) -> usize {
        group * self.group() + (panel * self.points + point) * GROUP * self.panel
    }

    /// Numbers of a band with so many channels.
    pub(super) fn band(&self, channels: usize) -> usize {
        channels.div_ceil(GROUP) * self.group()
    }

    /// Numbers of an image with so many channels.
    pub(super) fn image(&self, channels: usize) -> usize {
        self.bands() * self.band(channels)
    }
}

/// Rows of tiles of a band: those that leave the fewest places of vectors empty.
fn height(down: usize, across: usize, panel: usize) -> usize {
    let tiles = |rows: usize| (rows * across).next_multiple_of(panel / 2);
    let cost = |height: &usize| {
        let all = down / height * tiles(*height) + tiles(down % height);
        40 * all + OVERLAP * across * down.div_ceil(*height)
    };
    (1..=(TILES / across.max(1)).clamp(1, down.max(1))).min_by_key(cost).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_leave_few_places_of_panels_empty() {
        assert_eq!(height(16, 16, 32), 8, "four full panels");
        assert_eq!(height(16, 12, 32), 8, "three full panels");
        assert_eq!(height(4, 4, 32), 4, "half a panel");
        assert_eq!(height(9, 300, 32), 1, "a row is more than enough");
    }
}
