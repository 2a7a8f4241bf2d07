//! What all convolutions are to those who run them.

use std::fmt::Debug;

use crate::error::KernelError;
use crate::scratch::Scratch;
use crate::threads::Threads;

/// A convolution, ready for a machine.
pub trait Layer: Debug + Send + Sync {
    /// Channels out.
    fn outputs(&self) -> usize;

    /// Rows and columns of what comes out of so many.
    ///
    /// # Errors
    /// If the picture is smaller than its padding asks for, or nothing would come out.
    fn output_size(&self, size: [usize; 2]) -> Result<[usize; 2], KernelError>;

    /// Convolves `[images, inputs, rows, columns]` numbers into `[images, outputs, …]`; the shape is images, rows and columns.
    /// The input may come in parts, each with some of the channels of all images.
    ///
    /// # Errors
    /// If sizes do not fit, there is no memory, or the threads fail.
    fn run(
        &self,
        parts: &[&[f32]],
        shape: [usize; 3],
        output: &mut [f32],
        scratch: &Scratch,
        threads: &dyn Threads,
    ) -> Result<(), KernelError>;
}
