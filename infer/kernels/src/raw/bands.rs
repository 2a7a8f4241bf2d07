//! One output, written by tasks that each own a band of its rows.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, Ordering};

/// `[images, planes, rows, columns]` numbers, cut into bands of rows: each band is some planes of one image, and a task may
/// take it once.
pub(crate) struct Bands<'a> {
    numbers: *mut f32,
    planes: usize,
    rows: usize,
    columns: usize,
    /// Rows of a band; the last of an image may have fewer.
    height: usize,
    /// Planes of a band; the last of an image may have fewer.
    depth: usize,
    /// Of each band, whether it was taken.
    taken: Vec<AtomicBool>,
    _borrowed: PhantomData<&'a mut [f32]>,
}

// SAFETY: the pointer is only used through `Band`s, of which each one reaches other numbers than all others.
#[expect(unsafe_code, reason = "shares the pointer")]
unsafe impl Sync for Bands<'_> {}

impl<'a> Bands<'a> {
    /// Cuts an output of images, planes, rows and columns into bands of `depth` planes and `height` rows.
    ///
    /// # Panics
    /// If the numbers are not as many as the shape says, or bands would have no planes or rows.
    pub(crate) fn new(numbers: &'a mut [f32], shape: [usize; 4], [depth, height]: [usize; 2]) -> Self {
        let [images, planes, rows, columns] = shape;
        let count = shape.iter().try_fold(1_usize, |count, &side| count.checked_mul(side));
        assert!(count == Some(numbers.len()), "the shape is that of the numbers");
        assert!(depth > 0 && height > 0, "a band has planes and rows");
        let count = images * planes.div_ceil(depth) * rows.div_ceil(height);
        let taken = (0..count).map(|_| AtomicBool::new(false)).collect();
        Self { numbers: numbers.as_mut_ptr(), planes, rows, columns, height, depth, taken, _borrowed: PhantomData }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.taken.len()
    }

    /// Takes a band: images follow each other, in each its planes, and of these its rows.
    ///
    /// # Panics
    /// If there is no such band, or it was taken before.
    pub(crate) fn take(&self, band: usize) -> Band<'_> {
        let was_taken = self.taken[band].swap(true, Ordering::Relaxed);
        assert!(!was_taken, "a band is taken once");
        let [across, down] = [self.planes.div_ceil(self.depth), self.rows.div_ceil(self.height)];
        let (first, plane) = (band % down * self.height, band / down % across * self.depth);
        let (rows, planes) = (self.height.min(self.rows - first), self.depth.min(self.planes - plane));
        Band { bands: self, image: band / down / across, plane, planes, first, rows }
    }
}

/// The rows of a task.
pub(crate) struct Band<'a> {
    bands: &'a Bands<'a>,
    /// Of which image.
    pub(crate) image: usize,
    /// The first plane.
    pub(crate) plane: usize,
    /// How many.
    pub(crate) planes: usize,
    /// The first row.
    pub(crate) first: usize,
    /// How many.
    pub(crate) rows: usize,
}

impl Band<'_> {
    /// A row of a plane, both counted from the band's first.
    ///
    /// # Panics
    /// If there is no such row or plane.
    #[inline(always)]
    pub(crate) fn row(&mut self, plane: usize, row: usize) -> &mut [f32] {
        let Bands { numbers, planes, rows, columns, .. } = *self.bands;
        assert!(plane < self.planes && row < self.rows, "the row is one of the band");
        let start = ((self.image * planes + self.plane + plane) * rows + self.first + row) * columns;
        // SAFETY: `Bands::new` has checked that the numbers are `images × planes × rows × columns`, and all four parts of
        // the place are below these, so the row lies within them. No other reference to it lives: bands share no rows of a plane, this
        // one was taken once, and it is borrowed for as long as the row is.
        #[expect(unsafe_code, reason = "a part of an output that others write, too")]
        unsafe {
            std::slice::from_raw_parts_mut(numbers.add(start), columns)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn bands_are_disjoint_and_cover_everything() {
        let shape = [2, 3, 7, 5];
        let mut numbers = vec![0.0; shape.iter().product()];
        let bands = Bands::new(&mut numbers, shape, [2, 3]);
        assert_eq!(bands.len(), 12);
        thread::scope(|scope| {
            for band in 0..bands.len() {
                let bands = &bands;
                scope.spawn(move || {
                    let mut band = bands.take(band);
                    for plane in 0..band.planes {
                        for row in 0..band.rows {
                            let value = ((band.image * 3 + band.plane + plane) * 7 + band.first + row) as f32;
                            band.row(plane, row).iter_mut().for_each(|number| *number += value);
                        }
                    }
                });
            }
        });
        for (place, row) in numbers.chunks(5).enumerate() {
            assert_eq!(row, [place as f32; 5]);
        }
    }

    #[test]
    #[should_panic(expected = "a band is taken once")]
    fn nobody_gets_a_band_twice() {
        let mut numbers = [0.0; 4];
        let bands = Bands::new(&mut numbers, [1, 1, 2, 2], [1, 1]);
        let _first = bands.take(1);
        let _second = bands.take(1);
    }

    #[test]
    #[should_panic(expected = "the row is one of the band")]
    fn nobody_gets_a_row_of_another_band() {
        let mut numbers = [0.0; 4];
        let bands = Bands::new(&mut numbers, [1, 1, 2, 2], [1, 1]);
        bands.take(0).row(0, 1);
    }

    #[test]
    #[should_panic(expected = "the row is one of the band")]
    fn nobody_gets_a_plane_of_another_band() {
        let mut numbers = [0.0; 4];
        let bands = Bands::new(&mut numbers, [1, 2, 1, 2], [1, 1]);
        bands.take(0).row(1, 0);
    }
}
