//! Pictures brought to a size that the network takes, and back.

use std::fmt;
use std::str::FromStr;

use models::pixels;
use pictures::{Picture, crop, resize, shorter_size};

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
        let Sizes { training, usual: size, multiple, .. } = sizes;
        let known = if training.is_some() { "the training size" } else { "the training size is unknown" };
        let padded = match multiple {
            1 => "not padded".to_owned(),
            _ => format!("padded by reflection to a multiple of {multiple} while it is translated"),
        };
        match self {
            Self::Train => {
                format!("the shorter side is scaled to {size} ({known}; --fit native keeps it); {padded}")
            }
            Self::Native => format!("as it is; {padded}"),
            Self::Shorter(pixels) => format!("the shorter side is scaled to {pixels}; {padded}"),
            Self::Squash => format!("squashed to {size}×{size}, {known}"),
        }
    }

    /// Columns and rows of a picture once it is scaled.
    fn scaled(self, picture: (u32, u32), sizes: Sizes) -> (u32, u32) {
        match self {
            Self::Train => shorter_size(picture, sizes.usual),
            Self::Native => picture,
            Self::Shorter(pixels) => shorter_size(picture, pixels),
            Self::Squash => (sizes.usual, sizes.usual),
        }
    }
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
    /// `[3, height, width]` in [-1, 1], padding included.
    pub planes: Vec<f32>,
    /// Columns and rows with the padding.
    pub padded: (u32, u32),
    /// Columns and rows without it; the padding is right and below, so that the
    /// network's grid begins where the picture does, as in training.
    pub content: (u32, u32),
}

/// Scales a picture as `fit` says and pads it by reflection to a size that the network takes.
///
/// # Errors
/// If it would then have more than `most` pixels; nothing is allocated before that is known.
pub fn fit(picture: &Picture, fit: Fit, sizes: Sizes, most: u64) -> Result<Fitted, TooLarge> {
    let content = fit.scaled(picture.dimensions(), sizes);
    let (width, height) = content;
    if u64::from(width) * u64::from(height) > most {
        return Err(TooLarge { width, height, most });
    }
    let scaled = resize(picture, width, height);
    let legal = |side: u32| side.max(sizes.smallest).next_multiple_of(sizes.multiple);
    let padded = (legal(width), legal(height));
    let whole = match padded == content {
        true => scaled,
        false => Picture::from_fn(padded.0, padded.1, |x, y| {
            *scaled.get_pixel(mirrored(x, content.0), mirrored(y, content.1))
        }),
    };
    let mut planes = vec![0.0; whole.as_raw().len()];
    pixels::to_planes(&whole, &mut planes);
    Ok(Fitted { planes, padded, content })
}

/// The translated picture without the padding, from planes `[3, height, width]` of the padded size.
pub fn unfit(planes: &[f32], padded: (u32, u32), content: (u32, u32)) -> Picture {
    let whole =
        Picture::from_raw(padded.0, padded.1, pixels::to_interleaved(planes)).expect("as many planes as pixels");
    crop(&whole, 0, 0, content.0, content.1)
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

    /// The sizes of a paper generator: multiples of 4, 8 or more.
    fn sizes(training: u32) -> Sizes {
        Sizes { training: Some(training), usual: training, multiple: 4, smallest: 8 }
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
        let refused = |chosen| fit(&strip, chosen, sizes(256), 50_000_000).expect_err("256×15360000 pixels");
        assert_eq!(refused(Fit::Train), TooLarge { width: 256, height: 15_360_000, most: 50_000_000 });
        assert!(refused(Fit::Shorter(65_535)).to_string().contains("room for 50 million at most"));
        assert!(fit(&strip, Fit::Native, sizes(256), 50_000_000).is_ok());
    }

    proptest! {
        #[test]
        fn any_picture_gets_a_legal_size_and_comes_back_as_it_was(
            width in 1..70_u32,
            height in 1..70_u32,
            training in 8..40_u32,
            chosen in prop_oneof![Just(Fit::Train), Just(Fit::Native), Just(Fit::Squash), (1..50_u32).prop_map(Fit::Shorter)],
        ) {
            let sizes = sizes(training);
            let picture = Picture::from_fn(width, height, |x, y| [x as u8, y as u8, (x * y) as u8].into());
            let fitted = fit(&picture, chosen, sizes, u64::MAX).expect("there is room");
            let (padded_width, padded_height) = fitted.padded;
            for side in [padded_width, padded_height] {
                prop_assert!(side % 4 == 0 && side >= 8, "{side}");
            }
            prop_assert_eq!(fitted.planes.len() as u32, 3 * padded_width * padded_height);
            let back = unfit(&fitted.planes, fitted.padded, fitted.content);
            prop_assert_eq!(back.dimensions(), fitted.content);
            let (scaled_width, scaled_height) = chosen.scaled((width, height), sizes);
            prop_assert_eq!(&back, &resize(&picture, scaled_width, scaled_height));
            if chosen == Fit::Native {
                prop_assert_eq!(back, picture);
            }
        }
    }
}
