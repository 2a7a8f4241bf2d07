//! Sizes changed: bicubic (Catmull-Rom, as Pillow's), antialiased when shrinking.

use fast_image_resize::{FilterType, IntoImageView, IntoImageViewMut, ResizeAlg, ResizeOptions, Resizer};
use image::RgbImage;

/// A picture of exactly `width` × `height`, squashed where the ratio differs.
///
/// # Panics
/// If either side is 0.
pub fn resize(picture: &RgbImage, width: u32, height: u32) -> RgbImage {
    if picture.dimensions() == (width, height) {
        return picture.clone();
    }
    let mut resized = RgbImage::new(width, height);
    bicubic(picture, &mut resized);
    resized
}

/// Fills a picture with another of the same kind. Where there is transparency, colours count as much as they are visible.
pub(crate) fn bicubic(source: &impl IntoImageView, target: &mut impl IntoImageViewMut) {
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::CatmullRom));
    Resizer::new().resize(source, target, &options).expect("both are of one kind, and no crop box is set");
}

/// A picture whose shorter side is `side`, the longer one in proportion.
pub fn resize_shorter(picture: &RgbImage, side: u32) -> RgbImage {
    let (width, height) = shorter_size(picture.dimensions(), side);
    resize(picture, width, height)
}

/// Columns and rows that [`resize_shorter`] gives a picture. A thin strip becomes a very long one: ask before.
pub fn shorter_size((width, height): (u32, u32), side: u32) -> (u32, u32) {
    let shorter = u64::from(width.min(height).max(1));
    let scale = |length: u32| {
        let scaled = (u64::from(length) * u64::from(side) + shorter / 2) / shorter;
        u32::try_from(scaled).unwrap_or(u32::MAX).max(1)
    };
    (scale(width), scale(height))
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    #[test]
    fn the_shorter_side_gets_the_size_and_the_ratio_stays() {
        let picture = RgbImage::new(300, 200);
        assert_eq!(resize_shorter(&picture, 100).dimensions(), (150, 100));
        assert_eq!(resize_shorter(&RgbImage::new(200, 301), 64).dimensions(), (64, 96));
        assert_eq!(shorter_size((1, 1_000_000), 60_000), (60_000, u32::MAX), "no length wraps around");
    }

    #[test]
    fn shrinking_averages_instead_of_picking() {
        let stripes = RgbImage::from_fn(64, 64, |x, _| if x % 2 == 0 { Rgb([0; 3]) } else { Rgb([255; 3]) });
        let small = resize(&stripes, 8, 8);
        assert!(small.pixels().all(|pixel| (118..=138).contains(&pixel.0[0])), "grey, not moiré");
    }
}
