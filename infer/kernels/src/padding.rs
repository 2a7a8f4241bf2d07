//! What lies around a picture.

use crate::error::KernelError;

/// What padding is filled with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fill {
    /// Zeros.
    Zero,
    /// The picture, mirrored at its edge without repeating that.
    Reflect,
}

/// Rows and columns around a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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

    /// Rows and columns that a convolution gives, by a kernel of so many.
    ///
    /// # Errors
    /// If the picture is smaller than its padding asks for, or than the kernel with it.
    pub(crate) fn output_size(
        &self,
        [rows, columns]: [usize; 2],
        kernel: [usize; 2],
    ) -> Result<[usize; 2], KernelError> {
        let side = |size: usize, kernel: usize, before: usize, behind: usize| {
            let reflected = self.fill == Fill::Zero || size > before.max(behind);
            (size + before + behind + 1).checked_sub(kernel).filter(|side| size > 0 && *side > 0 && reflected)
        };
        let size = [side(rows, kernel[0], self.top, self.bottom), side(columns, kernel[1], self.left, self.right)];
        match size {
            [Some(rows), Some(columns)] => Ok([rows, columns]),
            _ => Err(KernelError::Small { rows, columns }),
        }
    }

    /// Where row `padded` of the padded picture comes from; none: it is zero.
    pub(crate) fn row(&self, padded: usize, rows: usize) -> Option<usize> {
        source(padded, rows, self.top, self.bottom, self.fill)
    }

    /// The same of a column.
    pub(crate) fn column(&self, padded: usize, columns: usize) -> Option<usize> {
        source(padded, columns, self.left, self.right, self.fill)
    }

    /// A row with its padding: what lies beyond that is zero.
    pub(crate) fn fill_row(&self, row: &[f32], to: &mut [f32]) {
        let whole = (self.left + row.len()).min(to.len());
        let (before, rest) = to.split_at_mut(self.left.min(whole));
        let (inside, behind) = rest.split_at_mut(whole - before.len());
        inside.copy_from_slice(&row[..inside.len()]);
        for (place, to) in before.iter_mut().enumerate() {
            *to = self.column(place, row.len()).map_or(0.0, |column| row[column]);
        }
        let (behind, beyond) = behind.split_at_mut(self.right.min(behind.len()));
        for (place, to) in behind.iter_mut().enumerate() {
            *to = self.column(whole + place, row.len()).map_or(0.0, |column| row[column]);
        }
        beyond.fill(0.0);
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
