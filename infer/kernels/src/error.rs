//! What can go wrong in a kernel.

/// Why a kernel did not compute.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum KernelError {
    /// The picture is smaller than the convolution or its padding needs.
    #[error("a picture of {columns}×{rows} is smaller than this convolution takes")]
    Small {
        /// Of the picture.
        rows: usize,
        /// Of the picture.
        columns: usize,
    },
    /// Numbers are not as many as the shape says.
    #[error("the numbers are not as many as the shape says")]
    Shape,
    /// The system gave none.
    #[error("out of memory: {bytes} bytes are not to be had")]
    Memory {
        /// What was asked for.
        bytes: usize,
    },
    /// A fault of this program.
    #[error("a kernel failed: {0}")]
    Fault(String),
}
