//! From what the network gives to a file's bytes.

use std::time::Instant;

use anyhow::{bail, ensure};
use pictures::photo::{self, Depth, Encoding, Kept};

use super::{Decoded, Pipeline};
use crate::output::OutputArguments;
use crate::plan::Format;
use crate::report::Facts;

/// A translation, ready to be written.
#[derive(Debug)]
pub struct Encoded {
    /// Its file's bytes.
    pub content: Vec<u8>,
    /// What is told of it.
    pub facts: Facts,
}

impl Pipeline<'_> {
    /// Brings what the network gives back to a picture, and encodes it in a format, or where none is said in that of the
    /// input; in PNG where that one is only read.
    ///
    /// # Errors
    /// If the network gives something that is no number, or the format cannot hold the picture as it is asked for.
    pub fn encode(&self, picture: Decoded, asked: Option<Format>) -> anyhow::Result<Encoded> {
        let began = Instant::now();
        let Decoded { format, depth, kept, alpha, placement, numbers, mut facts, .. } = picture;
        let format = match asked {
            Some(asked) => asked.into(),
            None if photo::can_write(format) => format,
            None => pictures::Format::Png,
        };
        let encoding = self.encoding(format, depth)?;
        let (width, height) = placement.padded;
        let scale = self.contract.scale;
        // Scaled back in as many bits as are written.
        let deep = encoding.depth == Depth::Sixteen;
        let translated = self.conversion.to_picture(numbers.view(), width * scale, height * scale, deep)?;
        drop(numbers);
        let colours = placement.undo(&translated, scale, self.output.restore_size);
        facts.output_size = Some((colours.width(), colours.height()));
        let whole = match &alpha {
            Some(alpha) => photo::join_alpha(colours, alpha),
            None => colours,
        };
        let kept = if self.output.strip { Kept::default() } else { kept };
        let content = photo::encode(whole, &kept, &encoding)?;
        facts.seconds.encode = began.elapsed().as_secs_f64();
        Ok(Encoded { content, facts })
    }

    fn encoding(&self, format: pictures::Format, depth: Depth) -> anyhow::Result<Encoding> {
        let has_sixteen = photo::has_sixteen_bits(format);
        let depth = match self.output.depth {
            Some(Depth::Sixteen) if !has_sixteen => {
                bail!("{format:?} has no 16 bits a channel; use --format png or tiff, or leave --depth 16 out")
            }
            Some(depth) => depth,
            None if has_sixteen => depth,
            None => Depth::Eight,
        };
        let is_lossy = format == pictures::Format::Jpeg;
        ensure!(
            !(self.output.lossless && is_lossy),
            "JPEG is never lossless; use --format png, or leave --lossless out"
        );
        let OutputArguments { quality, lossless, background, .. } = self.output;
        Ok(Encoding {
            format,
            quality: quality.filter(|_| is_lossy),
            lossless: *lossless,
            depth,
            background: background.0,
        })
    }
}
