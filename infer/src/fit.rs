//! Pictures brought to a size that the network takes, and back.

use std::fmt;
use std::str::FromStr;

use image::DynamicImage;
use pictures::{Picture, crop, resize, shorter_size};

use crate::contract::Sizes;
use crate::numbers::{Conversion, NotANumber, Numbers, NumbersRef};

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

/// A picture as the network sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Fitted {
    /// Its numbers, padding included.
    pub numbers: Numbers,
    /// Columns and rows with the padding.
    pub padded: (u32, u32),
    /// Columns and rows without it; the padding is right and below, so that the
    /// network's grid begins where the picture does, as in training.
    pub content: (u32, u32),
}

/// Scales a picture as `fit` says, pads it by reflection to a size that the network takes, and brings it to what the
/// model's graph takes.
///
/// # Errors
/// If it would then have more than `most` pixels, or more than the model takes; nothing is allocated before that is known.
pub fn fit(picture: &Picture, fit: Fit, sizes: Sizes, conversion: Conversion, most: u64) -> Result<Fitted, FitError> {
    let content = fit.scaled(picture.dimensions(), sizes);
    let (width, height) = content;
    if u64::from(width) * u64::from(height) > most {
        return Err(TooLarge { width, height, most }.into());
    }
    if let Some(fixed) = sizes.fixed.filter(|fixed| width > fixed.0 || height > fixed.1) {
        return Err(FitError::Fixed { width, height, fixed });
    }
    let scaled = resize(picture, width, height);
    let legal = |side: u32| side.max(sizes.smallest).next_multiple_of(sizes.multiple);
    let padded = sizes.fixed.unwrap_or_else(|| (legal(width), legal(height)));
    let whole = match padded == content {
        true => scaled,
        false => Picture::from_fn(padded.0, padded.1, |x, y| {
            *scaled.get_pixel(mirrored(x, content.0), mirrored(y, content.1))
        }),
    };
    let numbers = conversion.to_numbers(&DynamicImage::ImageRgb8(whole));
    Ok(Fitted { numbers, padded, content })
}

/// The translated picture without the padding, from numbers of the padded size, both `scale` times as large.
///
/// # Errors
/// If there is NaN among them.
pub fn unfit(
    numbers: NumbersRef<'_>,
    conversion: Conversion,
    scale: u32,
    padded: (u32, u32),
    content: (u32, u32),
) -> Result<Picture, NotANumber> {
    let whole = conversion.to_picture(numbers, scale * padded.0, scale * padded.1, false)?;
    Ok(crop(&whole.into_rgb8(), 0, 0, scale * content.0, scale * content.1))
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
    use proptest::prelude::*;

    use super::*;
    use crate::contract::{Element, Layout, Tensor};
    use crate::numbers::Normalization;

    fn conversion(element: Element) -> Conversion {
        let layout = if element == Element::U8 { Layout::Nhwc } else { Layout::Nchw };
        let normalization = Normalization { range: [-1.0, 1.0], mean: [0.0; 3], std: [1.0; 3] };
        Conversion::new([Tensor { element, layout }; 2], normalization, [-1.0, 1.0], false, 1)
    }

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
        let strip = Picture::new(1, 60_000);
        let refused = |chosen| {
            fit(&strip, chosen, sizes(256), conversion(Element::F32), 50_000_000).expect_err("256×15360000 pixels")
        };
        assert_eq!(refused(Fit::Train), TooLarge { width: 256, height: 15_360_000, most: 50_000_000 }.into());
        assert!(refused(Fit::Shorter(65_535)).to_string().contains("room for 50 million at most"));
        assert!(fit(&strip, Fit::Native, sizes(256), conversion(Element::F32), 50_000_000).is_ok());
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
        for (chosen, (width, height), content) in cases {
            let fitted = fit(&Picture::new(width, height), chosen, sizes, conversion(Element::U8), u64::MAX)
                .expect("it has room");
            assert_eq!((fitted.content, fitted.padded), (content, (48, 32)), "{chosen} {width}×{height}");
        }
        let refused =
            fit(&Picture::new(49, 5), Fit::Native, sizes, conversion(Element::U8), u64::MAX).expect_err("49 columns");
        assert_eq!(
            refused.to_string(),
            "would be 49×5 pixels for the network, and the model takes 48×32 only; use --fit train or squash"
        );
    }

    proptest! {
        #[test]
        fn any_picture_gets_a_legal_size_and_comes_back_as_it_was(
            width in 1..70_u32,
            height in 1..70_u32,
            training in 8..40_u32,
            element in prop_oneof![Just(Element::F32), Just(Element::U8)],
            chosen in prop_oneof![Just(Fit::Train), Just(Fit::Native), Just(Fit::Squash), (1..50_u32).prop_map(Fit::Shorter)],
        ) {
            let sizes = sizes(training);
            let picture = Picture::from_fn(width, height, |x, y| [x as u8, y as u8, (x * y) as u8].into());
            let fitted = fit(&picture, chosen, sizes, conversion(element), u64::MAX).expect("there is room");
            let (padded_width, padded_height) = fitted.padded;
            for side in [padded_width, padded_height] {
                prop_assert!(side % 4 == 0 && side >= 8, "{side}");
            }
            prop_assert_eq!(fitted.numbers.view().len() as u32, 3 * padded_width * padded_height);
            let numbers = fitted.numbers.view();
            let back = unfit(numbers, conversion(element), 1, fitted.padded, fitted.content).expect("numbers");
            prop_assert_eq!(back.dimensions(), fitted.content);
            let (scaled_width, scaled_height) = chosen.scaled((width, height), sizes);
            prop_assert_eq!(&back, &resize(&picture, scaled_width, scaled_height));
            if chosen == Fit::Native {
                prop_assert_eq!(back, picture);
            }
        }
    }
}
