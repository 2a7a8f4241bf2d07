//! The formats that outputs are written in, told by the endings of their names.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

/// A format that outputs are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// PNG.
    Png,
    /// JPEG.
    Jpg,
    /// WebP.
    Webp,
    /// Windows bitmap.
    Bmp,
    /// TIFF.
    Tiff,
    /// Portable anymap: PBM, PGM, PPM, PAM.
    Pnm,
    /// Quite OK Image.
    Qoi,
}

impl Format {
    /// The endings that mean it, the one that outputs get first.
    pub fn endings(self) -> &'static [&'static str] {
        match self {
            Self::Png => &["png"],
            Self::Jpg => &["jpg", "jpeg", "jpe", "jfif"],
            Self::Webp => &["webp"],
            Self::Bmp => &["bmp", "dib"],
            Self::Tiff => &["tiff", "tif"],
            Self::Pnm => &["pnm", "ppm", "pgm", "pbm", "pam"],
            Self::Qoi => &["qoi"],
        }
    }

    /// What a file's name says, where it is a format that can be written.
    pub fn of(name: &Path) -> Option<Self> {
        let ending = name.extension()?.to_str()?;
        let means = |format: &&Self| format.endings().iter().any(|known| known.eq_ignore_ascii_case(ending));
        Self::value_variants().iter().find(means).copied()
    }
}

impl From<Format> for pictures::Format {
    fn from(format: Format) -> Self {
        match format {
            Format::Png => Self::Png,
            Format::Jpg => Self::Jpeg,
            Format::Webp => Self::WebP,
            Format::Bmp => Self::Bmp,
            Format::Tiff => Self::Tiff,
            Format::Pnm => Self::Pnm,
            Format::Qoi => Self::Qoi,
        }
    }
}

/// A path with the ending of what is written there: one that already means the format stays as it is spelled, that of
/// another picture format is replaced, and to anything else it is added.
pub(super) fn with_ending(path: &Path, asked: Option<Format>) -> PathBuf {
    let said = Format::of(path);
    let format = asked.or(said).unwrap_or(Format::Png);
    if said == Some(format) {
        return path.to_owned();
    }
    if said.is_some() || pictures::is_picture(path) {
        return path.with_extension(format.endings()[0]);
    }
    with_added_ending(path, format)
}

/// A path with the format's ending behind whatever it has.
pub(super) fn with_added_ending(path: &Path, format: Format) -> PathBuf {
    let mut longer = OsString::from(path);
    longer.push(".");
    longer.push(format.endings()[0]);
    longer.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ending_that_is_found_means_a_format_or_one_that_is_only_read() {
        for ending in pictures::EXTENSIONS {
            let name = Path::new("picture").with_extension(ending);
            assert!(Format::of(&name).is_some() || ["gif", "apng"].contains(&ending), "{ending}");
        }
    }
}
