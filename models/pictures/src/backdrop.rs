//! Transparency laid on a colour.

use image::{DynamicImage, ImageBuffer, Rgb};

/// A picture laid on an 8-bit colour; 16 bits, unless there was nothing to lay. Rounded to 8 bits it is the nearest to the
/// exact sum: no 16-bit value lies midway between two of 8 bits.
pub(crate) fn on_background(image: DynamicImage, background: [u8; 3]) -> DynamicImage {
    if !image.color().has_alpha() {
        return image;
    }
    const MOST: u64 = u16::MAX as u64;
    let background = background.map(|value| u64::from(value) * 257);
    let rgba = image.into_rgba16();
    let laid: ImageBuffer<Rgb<u16>, Vec<u16>> = ImageBuffer::from_fn(rgba.width(), rgba.height(), |x, y| {
        let [colour @ .., alpha] = rgba.get_pixel(x, y).0.map(u64::from);
        let lay = |channel: usize| {
            let laid = colour[channel] * alpha + background[channel] * (MOST - alpha);
            ((laid + MOST / 2) / MOST) as u16
        };
        Rgb([lay(0), lay(1), lay(2)])
    });
    laid.into()
}
