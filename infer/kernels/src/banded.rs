//! One layer over a batch: a task for each band of rows.

use crate::error::KernelError;
use crate::raw::{Band, Bands};
use crate::scratch::Scratch;
use crate::threads::Threads;

/// Numbers of one layer, `[images, channels, rows, columns]`, with what tasks work in and who does them.
pub(crate) struct Batch<'a> {
    pub(crate) input: &'a [f32],
    pub(crate) shape: [usize; 4],
    pub(crate) output: &'a mut [f32],
    pub(crate) output_shape: [usize; 4],
    pub(crate) scratch: &'a Scratch,
    pub(crate) threads: &'a dyn Threads,
}

impl Batch<'_> {
    /// Does a task for each band of so many channels and rows: with its image of the input, and memory to work in.
    ///
    /// # Errors
    /// If the numbers are not as many as the shapes say, and those of tasks and threads.
    pub(crate) fn each_band(
        self,
        band: [usize; 2],
        task: impl Fn(&[f32], Band<'_>, &mut Vec<f32>) -> Result<(), KernelError> + Sync,
    ) -> Result<(), KernelError> {
        let Self { input, shape, output, output_shape, scratch, threads } = self;
        if input.len() != shape.iter().product::<usize>() || output.len() != output_shape.iter().product::<usize>() {
            return Err(KernelError::Shape);
        }
        if output.is_empty() {
            return Ok(());
        }
        let bands = Bands::new(output, output_shape, band);
        let image: usize = shape[1..].iter().product();
        threads.each(bands.len(), &|place| {
            let band = bands.take(place);
            let mut numbers = scratch.take();
            let result = task(&input[band.image * image..][..image], band, &mut numbers);
            scratch.give_back(numbers);
            result
        })
    }
}

/// Rows of a band, `most` about: as many bands for each thread.
pub(crate) fn band_height(rows: usize, most: usize, threads: usize) -> usize {
    rows.div_ceil(rows.div_ceil(most).next_multiple_of(threads).min(rows))
}
