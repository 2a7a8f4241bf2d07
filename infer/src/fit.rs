//! Pictures brought to a size that the network takes, and back.

use std::fmt;
use std::str::FromStr;

use image::{DynamicImage, ImageBuffer, Pixel, Primitive, Rgb};
use pictures::{photo, shorter_size};

use crate::contract::Sizes;

/// The size that the network sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fit {
    /// The shorter side becomes the training size.
    #[default]
    Train,
    /// The picture's own.
    Native,
    /// The shorter side becomes this many pixels.
    Shorter(u32),
    /// Both sides become the training size.
    Squash,
}

impl FromStr for Fit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "train" => Ok(Self::Train),
            "native" => Ok(Self::Native),
            "squash" => Ok(Self::Squash),
            number => match number.parse() {
                Ok(pixels @ 1..=65_535) => Ok(Self::Shorter(pixels)),
                _ => Err("use train, native, squash, or a number of pixels for the shorter side".into()),
            },
        }
    }
}

impl fmt::Display for Fit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Train => f.write_str("train"),
            Self::Native => f.write_str("native"),
            Self::Shorter(pixels) => write!(f, "{pixels}"),
            Self::Squash => f.write_str("squash"),
        }
    }
}

impl Fit {
    /// What happens to the size, in plain words: shrinking photos must not surprise.
    pub fn describe(self, sizes: Sizes) -> String {
        let Sizes { training, usual, multiple, fixed, .. } = sizes;
        let known = if training.is_some() { "the training size" } else { "the training size is unknown" };
        let padded = match (fixed, multiple) {
            (Some((width, height)), _) => {
                format!("padded by reflection to {width}×{height}, all that the model takes, while it is translated")
            }
            (None, 1) => "not padded".to_owned(),
            (None, _) => format!("padded by reflection to a multiple of {multiple} while it is translated"),
        };
        if let Some((width, height)) = fixed {
            match self {
                Self::Train => return format!("scaled to fit into {width}×{height}; {padded}"),
                Self::Squash => return format!("squashed to {width}×{height}, all that the model takes"),
                Self::Native | Self::Shorter(_) => {}
            }
        }
        match (self, usual) {
            (Self::Train | Self::Squash, None) => format!("as it is, since the model says no training size; {padded}"),
            (Self::Train, Some(size)) => {
                format!("the shorter side is scaled to {size} ({known}; --fit native keeps it); {padded}")
            }
            (Self::Native, _) => format!("as it is; {padded}"),
            (Self::Shorter(pixels), _) => format!("the shorter side is scaled to {pixels}; {padded}"),
            (Self::Squash, Some(size)) => format!("squashed to {size}×{size}, {known}"),
        }
    }

    /// Columns and rows of a picture once it is scaled.
    fn scaled(self, picture: (u32, u32), sizes: Sizes) -> (u32, u32) {
        match (self, sizes.fixed) {
            (Self::Train, None) => sizes.usual.map_or(picture, |size| shorter_size(picture, size)),
            (Self::Train, Some(room)) => fitting_into(room, picture),
            (Self::Native, _) => picture,
            (Self::Shorter(pixels), _) => shorter_size(picture, pixels),
            (Self::Squash, fixed) => fixed.or(sizes.usual.map(|size| (size, size))).unwrap_or(picture),
        }
    }
}

/// The largest size of a picture's shape that has room.
fn fitting_into(room: (u32, u32), (width, height): (u32, u32)) -> (u32, u32) {
    let scale = (f64::from(room.0) / f64::from(width)).min(f64::from(room.1) / f64::from(height));
    let side = |side: u32, most: u32| ((f64::from(side) * scale).round() as u32).clamp(1, most);
    (side(width, room.0), side(height, room.1))
}

/// Why a picture does not get to the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FitError {
    /// It has no room in the memory.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    /// It is larger than the one size that the model takes.
    #[error(
        "would be {width}×{height} pixels for the network, and the model takes {0}×{1} only; use --fit train or squash",
        fixed.0, fixed.1
    )]
    Fixed {
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
        /// Columns and rows that the model takes.
        fixed: (u32, u32),
    },
}

/// A picture that would have more pixels than the network can see at once on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "would be {width}×{height} pixels for the network, and this machine's memory has room for {:.0} million at most; use \
     a smaller --fit, or cut it into parts",
    *most as f64 / 1e6
)]
pub struct TooLarge {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Pixels that there is room for.
    pub most: u64,
}

/// Where a picture lies in what the network sees: known from its size alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// Columns and rows of the picture.
    pub picture: (u32, u32),
    /// Columns and rows once it is scaled.
    pub content: (u32, u32),
    /// Columns and rows with the padding, which is right and below, so that the network's grid begins where the picture
    /// does, as in training.
    pub padded: (u32, u32),
}

impl Placement {
    /// Scales a picture of some size as `fit` says, and pads it to a size that the network takes.
    ///
    /// # Errors
    /// If it would then have more than `most` pixels, or more than the model takes.
    pub fn new(picture: (u32, u32), fit: Fit, sizes: Sizes, most: u64) -> Result<Self, FitError> {
        let content = fit.scaled(picture, sizes);
        let (width, height) = content;
        if u64::from(width) * u64::from(height) > most {
            return Err(TooLarge { width, height, most }.into());
        }
        if let Some(fixed) = sizes.fixed.filter(|fixed| width > fixed.0 || height > fixed.1) {
            return Err(FitError::Fixed { width, height, fixed });
        }
        let legal = |side: u32| side.max(sizes.smallest).next_multiple_of(sizes.multiple);
        let padded = sizes.fixed.unwrap_or_else(|| (legal(width), legal(height)));
        Ok(Self { picture, content, padded })
    }

    /// Pixels that the network sees.
    pub fn pixels(&self) -> u64 {
        u64::from(self.padded.0) * u64::from(self.padded.1)
    }

    /// The picture as the network sees it: scaled, padded by reflection.
    pub fn apply(&self, picture: &DynamicImage) -> DynamicImage {
        let scaled = photo::resize(picture, self.content.0, self.content.1);
        if self.padded == self.content {
            return scaled;
        }
        match &scaled {
            DynamicImage::ImageRgb16(scaled) => self.padded(scaled).into(),
            other => self.padded(&other.to_rgb8()).into(),
        }
    }

    fn padded<T: Primitive>(&self, scaled: &ImageBuffer<Rgb<T>, Vec<T>>) -> ImageBuffer<Rgb<T>, Vec<T>>
    where
        Rgb<T>: Pixel<Subpixel = T>,
    {
        let ((columns, rows), (width, height)) = (self.content, self.padded);
        ImageBuffer::from_fn(width, height, |x, y| *scaled.get_pixel(mirrored(x, columns), mirrored(y, rows)))
    }

    /// The translated picture without the padding, from what the network makes of [`Self::apply`]; `scale` times as wide
    /// and high. With `restore` it gets the size of the picture that it is of.
    pub fn undo(&self, translated: &DynamicImage, scale: u32, restore: bool) -> DynamicImage {
        let content = translated.crop_imm(0, 0, self.content.0 * scale, self.content.1 * scale);
        match restore {
            true => photo::resize(&content, self.picture.0, self.picture.1),
            false => content,
        }
    }
}

/// Where the pixel at `place` of the padded side comes from: mirrored at the edges without repeating them, back and forth
/// where the padding is wider than the content.
fn mirrored(place: u32, content: u32) -> u32 {
    let period = i64::from(2 * content.max(2) - 2);
    let folded = i64::from(place).rem_euclid(period);
    let inside = if folded >= i64::from(content) { period - folded } else { folded };
    inside.min(i64::from(content) - 1) as u32
}

#[cfg(test)]
mod tests {
    use image::RgbImage;
    use proptest::prelude::*;

    use super::*;

    /// The sizes of a paper generator: multiples of 4, 8 or more.
    fn sizes(training: u32) -> Sizes {
        Sizes { training: Some(training), usual: Some(training), multiple: 4, smallest: 8, fixed: None }
    }

    #[test]
    fn a_training_size_that_is_unknown_is_not_called_one() {
        let known = Fit::Train.describe(sizes(256));
        assert!(known.starts_with("the shorter side is scaled to 256 (the training size; "), "{known}");
        let unknown = Fit::Train.describe(Sizes { training: None, ..sizes(256) });
        assert!(unknown.starts_with("the shorter side is scaled to 256 (the training size is unknown; "), "{unknown}");
    }

    #[test]
    fn padding_mirrors_the_picture_without_repeating_its_edge() {
        let sides: Vec<u32> = (0..12).map(|place| mirrored(place, 5)).collect();
        assert_eq!(sides, [0, 1, 2, 3, 4, 3, 2, 1, 0, 1, 2, 3]);
        assert_eq!((0..6).map(|place| mirrored(place, 1)).collect::<Vec<_>>(), [0; 6], "one pixel is all there is");
        assert_eq!((0..7).map(|place| mirrored(place, 2)).collect::<Vec<_>>(), [0, 1, 0, 1, 0, 1, 0]);
    }

    #[test]
    fn a_thin_strip_is_refused_before_it_fills_the_memory() {
        let place = |chosen| Placement::new((1, 60_000), chosen, sizes(256), 50_000_000);
        let refused = |chosen| place(chosen).expect_err("256×15360000 pixels");
        assert_eq!(refused(Fit::Train), TooLarge { width: 256, height: 15_360_000, most: 50_000_000 }.into());
        assert!(refused(Fit::Shorter(65_535)).to_string().contains("room for 50 million at most"));
        assert!(place(Fit::Native).is_ok());
    }

    #[test]
    fn a_model_of_one_size_gets_no_other() {
        let sizes = Sizes { fixed: Some((48, 32)), ..sizes(256) };
        let cases = [
            (Fit::Train, (100, 30), (48, 14)),
            (Fit::Train, (10, 20), (16, 32)),
            (Fit::Train, (1, 9000), (1, 32)),
            (Fit::Squash, (100, 30), (48, 32)),
            (Fit::Native, (48, 5), (48, 5)),
            (Fit::Shorter(20), (40, 20), (40, 20)),
        ];
        for (chosen, picture, content) in cases {
            let placement = Placement::new(picture, chosen, sizes, u64::MAX).expect("it has room");
            assert_eq!(placement, Placement { picture, content, padded: (48, 32) }, "{chosen}");
        }
        let refused = Placement::new((49, 5), Fit::Native, sizes, u64::MAX).expect_err("49 columns");
        assert_eq!(
            refused.to_string(),
            "would be 49×5 pixels for the network, and the model takes 48×32 only; use --fit train or squash"
        );
    }

    #[test]
    fn a_translation_is_scaled_back_to_its_pictures_size_where_that_is_asked_for() {
        let placement = Placement::new((40, 30), Fit::Train, sizes(16), u64::MAX).expect("it has room");
        assert_eq!((placement.content, placement.padded), ((21, 16), (24, 16)));
        let translated = DynamicImage::ImageRgb8(RgbImage::new(2 * 24, 2 * 16));
        let sides = |restore| {
            let whole = placement.undo(&translated, 2, restore);
            (whole.width(), whole.height())
        };
        assert_eq!((sides(false), sides(true)), ((42, 32), (40, 30)));
    }

    proptest! {
        #[test]
        fn any_picture_gets_a_legal_size_and_comes_back_as_it_was(
            width in 1..70_u32,
            height in 1..70_u32,
            training in 8..40_u32,
            deep in any::<bool>(),
            chosen in prop_oneof![Just(Fit::Train), Just(Fit::Native), Just(Fit::Squash), (1..50_u32).prop_map(Fit::Shorter)],
        ) {
            let picture = RgbImage::from_fn(width, height, |x, y| [x as u8, y as u8, (x * y) as u8].into());
            let picture = DynamicImage::ImageRgb8(picture);
            let picture = if deep { DynamicImage::ImageRgb16(picture.to_rgb16()) } else { picture };
            let placement = Placement::new((width, height), chosen, sizes(training), u64::MAX).expect("there is room");
            let seen = placement.apply(&picture);
            prop_assert_eq!((seen.width(), seen.height()), placement.padded);
            prop_assert_eq!(seen.color(), picture.color());
            for side in [seen.width(), seen.height()] {
                prop_assert!(side % 4 == 0 && side >= 8, "{side}");
            }
            let back = placement.undo(&seen, 1, false);
            let (width, height) = placement.content;
            prop_assert_eq!(&back, &photo::resize(&picture, width, height));
            if chosen == Fit::Native {
                prop_assert_eq!(back, picture);
            }
        }
    }
}
