//! What happens to one picture: read, decoded and fitted; seen by the network; brought back, encoded.
//!
//! The stages know nothing of each other, of threads, or of what is done already: [`crate::run`] joins them.

mod decode;
mod encode;
mod translate;

use models_runtime::Numbers;
use pictures::Format;
use pictures::photo::{Alpha, Depth, Kept, Limits};

use crate::contract::Contract;
use crate::fit::{Fit, Placement};
use crate::journal::Stamp;
use crate::numbers::Conversion;
use crate::output::OutputArguments;
use crate::report::Facts;

pub use decode::Opened;
pub use encode::Encoded;
pub use translate::Translator;

/// What all pictures of a run have in common.
#[derive(Debug)]
pub struct Pipeline<'a> {
    /// What the model takes and gives.
    pub contract: &'a Contract,
    /// Between pictures and the model's numbers.
    pub conversion: Conversion,
    /// The size that the network sees.
    pub fit: Fit,
    /// How translations are written.
    pub output: &'a OutputArguments,
    /// Pixels of a picture that the network may see: what the machine has memory for.
    pub most_pixels: u64,
    /// What a picture may have before it is scaled.
    pub limits: Limits,
}

/// A picture as the network sees it, with all that the network does not see.
#[derive(Debug)]
pub struct Decoded {
    /// Its place in the plan.
    pub picture: usize,
    /// Its file.
    pub stamp: Stamp,
    /// What that holds.
    pub format: Format,
    /// Bits of a channel there.
    pub depth: Depth,
    /// EXIF and XMP.
    pub kept: Kept,
    /// Its transparency, of its own size.
    pub alpha: Option<Alpha>,
    /// Where it lies in what the network sees.
    pub placement: Placement,
    /// What the network sees, and then what it gives.
    pub numbers: Numbers,
    /// Bytes that it takes, at most, until it is written.
    pub room: u64,
    /// What is told of it.
    pub facts: Facts,
}

impl Pipeline<'_> {
    /// Bytes that a picture takes, at most, from decoding to writing.
    fn room(&self, placement: &Placement) -> u64 {
        /// Sixteen bits for each of red, green, blue and alpha.
        const DECODED: u64 = 8;
        /// A float for each of red, green and blue.
        const NUMBERS: u64 = 12;
        let scale = u64::from(self.contract.scale);
        let picture = u64::from(placement.picture.0) * u64::from(placement.picture.1);
        let translated = placement.pixels() * scale * scale;
        let written = if self.output.restore_size { picture } else { translated };
        DECODED * picture + NUMBERS * (placement.pixels() + translated) + DECODED * written
    }
}
