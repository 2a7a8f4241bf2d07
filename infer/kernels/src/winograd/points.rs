//! Points of pictures: those that one convolution needs, and those that are kept, where several convolutions would make the
//! same.

use super::Tiles;
use super::grid::{GROUP, Grid};
use super::input::Task;
use crate::banded::check_parts;
use crate::error::KernelError;
use crate::padding::Padding;
use crate::raw::{Machine, dispatch};
use crate::scratch::Scratch;
use crate::threads::{Threads, each_of};

/// Makes the points of a picture that convolutions with the same padding and tiles read.
#[derive(Clone, Copy, Debug)]
pub struct Points {
    /// What computes them.
    pub machine: Machine,
    /// Those of the convolutions.
    pub tiles: Tiles,
    /// Of the picture.
    pub channels: usize,
    /// That of the convolutions.
    pub padding: Padding,
}

/// A band of an image, of which points are made.
pub(super) struct Job<'a> {
    pub(super) band: usize,
    /// Some channels of the image.
    pub(super) image: &'a [f32],
    /// [`Grid::band`] numbers.
    pub(super) points: &'a mut [f32],
}

/// Numbers for each of so many pixels, rounded up, of which kept points consist.
pub(super) fn depth(grid: &Grid, channels: usize, pixels: usize) -> usize {
    grid.image(channels).div_ceil(pixels)
}

impl Points {
    /// How bands and tiles lie in a picture of so many rows and columns.
    pub(super) fn grid(&self, size: [usize; 2]) -> Result<Grid, KernelError> {
        Ok(Grid::new(self.machine, self.tiles, self.padding.output_size(size, [self.tiles.kernel(); 2])?))
    }

    /// How many numbers there are for each pixel of a picture of so many rows and columns.
    ///
    /// # Errors
    /// If the picture is smaller than its padding asks for, or no convolution of it gives anything.
    pub fn depth(&self, size: [usize; 2]) -> Result<usize, KernelError> {
        Ok(depth(&self.grid(size)?, self.channels, size[0] * size[1]))
    }

    /// Makes the points, `[images, depth, rows, columns]` numbers in all, of `[images, channels, rows, columns]`; the shape is
    /// images, rows and columns.
    ///
    /// # Errors
    /// If sizes do not fit, there is no memory, or the threads fail.
    pub fn run(
        &self,
        input: &[f32],
        [images, rows, columns]: [usize; 3],
        output: &mut [f32],
        scratch: &Scratch,
        threads: &dyn Threads,
    ) -> Result<(), KernelError> {
        let (grid, pixels) = (self.grid([rows, columns])?, rows * columns);
        let stored = depth(&grid, self.channels, pixels) * pixels;
        check_parts(&[input], [images, self.channels, rows, columns])?;
        if output.len() != images * stored {
            return Err(KernelError::Shape);
        }
        let images = input.chunks_exact(self.channels * pixels).zip(output.chunks_exact_mut(stored));
        let jobs = images.flat_map(|(image, points)| {
            let bands = points.chunks_exact_mut(grid.band(self.channels)).take(grid.bands());
            bands.enumerate().map(move |(band, points)| Job { band, image, points })
        });
        self.make(&grid, [rows, columns], jobs, scratch, threads)
    }

    /// Makes those of some bands; the size is the images'.
    pub(super) fn make<'a>(
        &self,
        grid: &Grid,
        size: [usize; 2],
        jobs: impl Iterator<Item = Job<'a>>,
        scratch: &Scratch,
        threads: &dyn Threads,
    ) -> Result<(), KernelError> {
        let tasks = jobs.flat_map(|Job { band, image, points }| {
            let groups = image.chunks(GROUP * size[0] * size[1]).zip(points.chunks_exact_mut(grid.group()));
            groups.map(move |(image, points)| Job { band, image, points })
        });
        let Self { machine, tiles, padding, .. } = *self;
        each_of(threads, tasks.collect(), |Job { band, image, points }| {
            let mut memory = scratch.tasks.take();
            let memory_ = &mut memory;
            let result = dispatch(machine, Task { tiles, grid, band, image, size, padding, points, memory: memory_ });
            scratch.tasks.give_back(memory);
            result
        })
    }
}
