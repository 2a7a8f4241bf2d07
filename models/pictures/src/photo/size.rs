//! Sizes changed, as [`crate::resize`] does it.

use image::DynamicImage;

use crate::resize::bicubic;

/// A photo of exactly `width` × `height`, of the same kind. Colours count as much as they are visible.
///
/// # Panics
/// If either side is 0.
pub fn resize(image: &DynamicImage, width: u32, height: u32) -> DynamicImage {
    if (image.width(), image.height()) == (width, height) {
        return image.clone();
    }
    let mut resized = DynamicImage::new(width, height, image.color());
    bicubic(image, &mut resized);
    resized
}

#[cfg(test)]
mod tests {
    use image::{ImageBuffer, Rgb, RgbImage, Rgba};

    use super::*;

    #[test]
    fn photos_are_resized_as_pictures_are() {
        let picture = RgbImage::from_fn(31, 17, |x, y| Rgb([(x * 8) as u8, (y * 15) as u8, (255 - x * y / 2) as u8]));
        let expected = crate::resize(&picture, 12, 40);
        let deep = resize(&DynamicImage::from(picture.clone()).into_rgb16().into(), 12, 40);
        assert_eq!(resize(&picture.into(), 12, 40).as_rgb8(), Some(&expected));
        let apart = |(a, b): (&u16, &u8)| (f64::from(*a) / 257.0 - f64::from(*b)).abs();
        let deep = deep.as_rgb16().expect("16 bits").as_raw().iter();
        assert!(deep.zip(expected.as_raw()).map(apart).fold(0.0, f64::max) <= 1.0, "but for the rounding");
    }

    #[test]
    fn colours_that_nobody_sees_are_not_mixed_in() {
        let half = |x: u32| if x < 8 { Rgba([50_000_u16, 0, 0, 65535]) } else { Rgba([0, 65535, 0, 0]) };
        let deep: ImageBuffer<Rgba<u16>, Vec<u16>> = ImageBuffer::from_fn(16, 4, |x, _| half(x));
        let small = resize(&deep.into(), 5, 2);
        let visible = small.as_rgba16().expect("16 bits").pixels().filter(|pixel| pixel.0[3] > 1000);
        assert!(visible.clone().count() >= 4 && visible.clone().all(|pixel| pixel.0[1] == 0));
    }
}
