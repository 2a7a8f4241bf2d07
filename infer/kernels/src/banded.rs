//! One layer over a batch: a task for each band of rows.

use crate::error::KernelError;
use crate::raw::{Band, Bands};
use crate::scratch::{Memory, Scratch};
use crate::threads::Threads;

/// Numbers of one layer, with what tasks work in and who does them.
pub(crate) struct Batch<'a> {
    /// Parts of the input, of each all images.
    pub(crate) parts: &'a [&'a [f32]],
    pub(crate) output: &'a mut [f32],
    /// Images, channels, rows and columns.
    pub(crate) output_shape: [usize; 4],
    pub(crate) scratch: &'a Scratch,
    pub(crate) threads: &'a dyn Threads,
}

impl Batch<'_> {
    /// Does a task for each band of so many channels and rows: with the parts of its image, and memory to work in.
    ///
    /// # Errors
    /// If the output's numbers are not as many as its shape says, and those of tasks and threads.
    pub(crate) fn each_band(
        self,
        band: [usize; 2],
        task: impl Fn(&[&[f32]], Band<'_>, &mut Memory) -> Result<(), KernelError> + Sync,
    ) -> Result<(), KernelError> {
        let Self { parts, output, output_shape, scratch, threads } = self;
        if output.len() != output_shape.iter().product::<usize>() {
            return Err(KernelError::Shape);
        }
        if output.is_empty() {
            return Ok(());
        }
        let bands = Bands::new(output, output_shape, band);
        threads.each(bands.len(), &|place| {
            let band = bands.take(place);
            let part = |part: &&'_ [f32]| {
                let size = part.len() / output_shape[0];
                band.image * size..(band.image + 1) * size
            };
            let parts: Vec<&[f32]> = parts.iter().map(|numbers| &numbers[part(numbers)]).collect();
            let mut memory = scratch.tasks.take();
            let result = task(&parts, band, &mut memory);
            scratch.tasks.give_back(memory);
            result
        })
    }
}

/// Whether parts hold `[images, channels, rows, columns]` together, each of them all images with some of the channels.
///
/// # Errors
/// If they do not.
pub(crate) fn check_parts(parts: &[&[f32]], [images, channels, rows, columns]: [usize; 4]) -> Result<(), KernelError> {
    let pixels = images * rows * columns;
    let are_whole = pixels == 0 || parts.iter().all(|part| part.len().is_multiple_of(pixels));
    let numbers: usize = parts.iter().map(|part| part.len()).sum();
    if are_whole && numbers == channels * pixels { Ok(()) } else { Err(KernelError::Shape) }
}

/// Channels of one image, part after part, of so many pixels each.
pub(crate) fn planes<'a>(parts: &'a [&'a [f32]], pixels: usize) -> impl Iterator<Item = &'a [f32]> {
    parts.iter().flat_map(move |part| part.chunks_exact(pixels))
}

/// Rows of a band, `most` about: as many bands for each thread.
pub(crate) fn band_height(rows: usize, most: usize, threads: usize) -> usize {
    rows.div_ceil(rows.div_ceil(most).next_multiple_of(threads).min(rows))
}
