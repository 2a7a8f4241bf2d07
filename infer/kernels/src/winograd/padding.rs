//! What lies around a picture.

use crate::error::KernelError;

/// What padding is filled with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// Zeros.
    Zero,
    /// The picture, mirrored at its edge without repeating that.
    Reflect,
}

/// Rows and columns around a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Padding {
    /// Rows above.
    pub top: usize,
    /// Columns before.
    pub left: usize,
    /// Rows below.
    pub bottom: usize,
    /// Columns behind.
    pub right: usize,
    /// Filled with what.
    pub fill: Fill,
}

impl Padding {
    /// The same on each side.
    pub fn all(by: usize, fill: Fill) -> Self {
        Self { top: by, left: by, bottom: by, right: by, fill }
    }

    /// Rows and columns that a convolution of 3×3 gives.
    pub(super) fn output_size(&self, [rows, columns]: [usize; 2]) -> Result<[usize; 2], KernelError> {
        let side = |size: usize, before: usize, behind: usize| {
            let reflected = self.fill == Fill::Zero || size > before.max(behind);
            (size + before + behind).checked_sub(2).filter(|side| *side > 0 && reflected)
        };
        let size = [side(rows, self.top, self.bottom), side(columns, self.left, self.right)];
        match size {
            [Some(rows), Some(columns)] => Ok([rows, columns]),
            _ => Err(KernelError::Small { rows, columns }),
        }
    }

    /// Where row `padded` of the padded picture comes from; none: it is zero.
    pub(super) fn row(&self, padded: usize, rows: usize) -> Option<usize> {
        source(padded, rows, self.top, self.bottom, self.fill)
    }

    /// The same of a column.
    pub(super) fn column(&self, padded: usize, columns: usize) -> Option<usize> {
        source(padded, columns, self.left, self.right, self.fill)
    }
}

#[inline(always)]
fn source(padded: usize, size: usize, before: usize, behind: usize, fill: Fill) -> Option<usize> {
    if padded >= before && padded < before + size {
        return Some(padded - before);
    }
    // Behind the padding come tiles that reach beyond the picture: what they see there is not used.
    match fill {
        Fill::Reflect if padded < before => Some(before - padded),
        Fill::Reflect if padded < before + size + behind => Some(2 * (size - 1) + before - padded),
        _ => None,
    }
}
