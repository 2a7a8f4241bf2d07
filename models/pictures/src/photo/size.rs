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
