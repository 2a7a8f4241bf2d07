//! From a file to what the network sees.

use std::io::Read;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, bail};
use pictures::photo::{self, Depth, Photo};
use program::bytes;

use super::{Decoded, Pipeline};
use crate::fit::Placement;
use crate::journal::Stamp;
use crate::report::Facts;

/// A picture whose file is in memory and whose header is known: what it will need is known, and not yet taken.
#[derive(Debug)]
pub struct Opened {
    content: Vec<u8>,
    stamp: Stamp,
    placement: Placement,
    /// Bytes that it needs, at most, until it is written.
    pub room: u64,
    /// What is told of it.
    pub facts: Facts,
    began: Instant,
}

impl Pipeline<'_> {
    /// Reads a file, once: what is decoded is what was hashed.
    ///
    /// # Errors
    /// If it cannot be read, is no picture, or one that is too large.
    pub fn open(&self, path: &Path) -> anyhow::Result<Opened> {
        let began = Instant::now();
        let (content, modified) = self.read(path).context("cannot be opened")?;
        self.opened(content, modified, began)
    }

    /// The same of a content that comes from elsewhere.
    ///
    /// # Errors
    /// Those of [`Self::open`].
    pub fn open_bytes(&self, content: Vec<u8>) -> anyhow::Result<Opened> {
        self.opened(content, None, Instant::now())
    }

    fn opened(
        &self,
        content: Vec<u8>,
        modified: Option<std::time::SystemTime>,
        began: Instant,
    ) -> anyhow::Result<Opened> {
        let size = photo::decode_header(&content)?;
        let pixels = u64::from(size.0) * u64::from(size.1);
        if pixels > self.limits.most_pixels {
            bail!(
                "has {}×{} pixels, more than the {} million that are taken; --max-pixels raises that",
                size.0,
                size.1,
                self.limits.most_pixels / 1_000_000
            );
        }
        let placement = Placement::new(size, self.fit, self.contract.sizes, self.most_pixels)?;
        let stamp = Stamp::new(&content, modified);
        let facts = Facts { size: Some(size), ..Facts::default() };
        Ok(Opened { room: self.room(&placement), content, stamp, placement, facts, began })
    }

    fn read(&self, path: &Path) -> std::io::Result<(Vec<u8>, Option<std::time::SystemTime>)> {
        let most = self.limits.most_bytes;
        let file = std::fs::File::open(path)?;
        let metadata = file.metadata()?;
        let mut content = Vec::with_capacity(metadata.len().min(most) as usize);
        file.take(most + 1).read_to_end(&mut content)?;
        if content.len() as u64 > most {
            let message = format!("the file is larger than {}, as no picture is that can be decoded", bytes(most));
            return Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, message));
        }
        Ok((content, metadata.modified().ok()))
    }

    /// Decodes it, and brings it to what the network sees.
    ///
    /// # Errors
    /// If it is damaged.
    pub fn decode(&self, picture: usize, opened: Opened) -> anyhow::Result<Decoded> {
        let Opened { content, stamp, placement, room, mut facts, began } = opened;
        let Photo { image, format, kept, remarks } = photo::decode(&content, &self.limits)?;
        drop(content);
        facts.remarks = remarks.iter().map(ToString::to_string).collect();
        let depth = match image {
            image::DynamicImage::ImageRgb16(_) | image::DynamicImage::ImageRgba16(_) => Depth::Sixteen,
            _ => Depth::Eight,
        };
        // What the header says of the size is what is decoded, or the decoder would have failed.
        let (colours, alpha) = photo::split_alpha(image);
        let numbers = self.conversion.to_numbers(&placement.apply(&colours));
        facts.seconds.decode = began.elapsed().as_secs_f64();
        Ok(Decoded { picture, stamp, format, depth, kept, alpha, placement, numbers, room, facts })
    }
}
