//! Transposed convolutions of stride 2, by the parity of the output's rows and columns.
//!
//! A transposed convolution spreads the input over every other row and column, with zeros between, and convolves that
//! (Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016, 4.4). Which of the kernel's weights
//! meet a zero follows from whether an output's row and column are even: each of the four kinds is a convolution of its own
//! by the others, with two weights in each direction or three. All four read the same tiles of the input, so that minimal
//! filtering makes points of these once, and a kind is no more than other outputs.

use crate::error::KernelError;
use crate::padding::{Fill, Padding};
use crate::raw::Machine;
use crate::scratch::memory;
use crate::winograd::{self, Part, Tiles, Winograd};

/// What a transposed convolution is; its stride is 2.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem<'a> {
    /// Channels in.
    pub inputs: usize,
    /// Parts that they come in.
    pub parts: usize,
    /// Channels out.
    pub outputs: usize,
    /// Rows and columns of the kernel, [`LARGEST_KERNEL`] at most.
    pub kernel: usize,
    /// `[inputs, outputs, kernel, kernel]`.
    pub weights: &'a [f32],
    /// One for each output.
    pub bias: Option<&'a [f32]>,
    /// Rows and columns cut off the output: above, left, below, right. The first two are less than the kernel's.
    pub crop: [usize; 4],
    /// Rows and columns that the output has beyond what the kernel reaches.
    pub extra: [usize; 2],
    /// Whether what is below zero becomes zero.
    pub relu: bool,
}

/// Rows and columns of a kernel, at most: outputs of a larger one come from more inputs than there are tiles for.
pub const LARGEST_KERNEL: usize = 4;

/// From where outputs of one parity take their inputs: the weight's place, and how far beyond half the output's.
fn taps(kernel: usize, parity: usize, crop: usize) -> impl Iterator<Item = (usize, isize)> {
    // Output 2m + parity gets input m + offset by weight `place`: 2(m + offset) + place − cropped = 2m + parity.
    let twice = move |place: usize| (place, (parity + crop) as isize - place as isize);
    (0..kernel).map(twice).filter(|(_, twice)| twice % 2 == 0).map(|(place, twice)| (place, twice / 2))
}

/// A transposed convolution, ready for a machine.
///
/// # Errors
/// If there is no memory.
///
/// # Panics
/// If weights or bias are not as many as the channels say, or kernel or crop are too large.
pub fn new(machine: Machine, problem: &Problem<'_>) -> Result<Winograd, KernelError> {
    let &Problem { inputs, parts, outputs, kernel, weights, bias, crop, extra, relu } = problem;
    assert_eq!(weights.len(), inputs * outputs * kernel * kernel, "a kernel for each pair of channels");
    let [top, left, bottom, right] = crop;
    assert!(kernel <= LARGEST_KERNEL && top.max(left) < kernel, "a kernel that reaches the first row and column");
    // The first input of a tile's first outputs, and how many there are to the last.
    let reach = |crop: usize| {
        let offsets = [0, 1].into_iter().flat_map(|parity| taps(kernel, parity, crop)).map(|(_, offset)| offset);
        let (first, last) = offsets.fold((0, 0), |(first, last), offset| (first.min(offset), last.max(offset)));
        (first, (last - first + 1) as usize)
    };
    let [(first_row, rows), (first_column, columns)] = [reach(top), reach(left)];
    let side = rows.max(columns);
    let tiles = match side {
        1 => Tiles::One,
        2 => Tiles::Two,
        _ => Tiles::Four,
    };
    // Each kind's weights, in the order of what they meet.
    let mut kinds = memory(4 * outputs * inputs * side * side)?;
    for kind in 0..4 {
        for (row, down) in taps(kernel, kind / 2, top) {
            for (column, across) in taps(kernel, kind % 2, left) {
                let place = (down - first_row) as usize * side + (across - first_column) as usize;
                for (pair, weights) in weights.chunks_exact(kernel * kernel).enumerate() {
                    let (input, output) = (pair / outputs, pair % outputs);
                    kinds[((output * 4 + kind) * inputs + input) * side * side + place] =
                        weights[row * kernel + column];
                }
            }
        }
    }
    let [above, before] = [first_row, first_column].map(isize::unsigned_abs);
    let padding = Padding { top: above, left: before, bottom: 0, right: 0, fill: Fill::Zero };
    let parts = vec![Part::Picture; parts];
    let problem =
        winograd::Problem { inputs, parts: &parts, outputs: 4 * outputs, weights: &kinds, bias, padding, relu };
    let beyond = |extra: usize, cropped: usize| (kernel + extra) as isize - 2 - cropped as isize;
    let grows = [beyond(extra[0], top + bottom), beyond(extra[1], left + right)];
    Winograd::with(machine, tiles, &problem, Some(grows))
}

#[cfg(test)]
mod tests;
