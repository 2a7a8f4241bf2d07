//! Between 8-bit pixels and the numbers that networks work on: the one place where this is decided.
//!
//! A picture is `[h, w, 3]` bytes in sRGB, interleaved; a network's is `[3, h, w]` floats, 0 at -1 and 255 at 1.

/// What black and white are for the networks of this project.
pub const RANGE: [f32; 2] = [-1.0, 1.0];

/// Whole numbers of a picture's channel and what a network has in their place, in any pixel range. For bytes in
/// [`RANGE`] these are [`to_float`] and [`to_byte`], bit by bit, and what a graph that takes bytes computes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// The network's black.
    pub black: f32,
    /// Steps of the picture to 1 of the network's numbers; negative where white is the lesser number.
    pub step: f32,
    most: f32,
}

impl Scale {
    /// Bytes as most networks see them, from -1 to 1.
    pub const USUAL: Self = Self { black: RANGE[0], step: 127.5, most: 255.0 };

    /// From what black and white are for the network, which must differ, and the picture's number for white: 255 of
    /// bytes, 65535 of 16 bits.
    pub fn new([black, white]: [f32; 2], most: u16) -> Self {
        let most = f32::from(most);
        Self { black, step: most / (white - black), most }
    }

    /// A picture's number as the network sees it.
    pub fn to_network(self, pixel: u16) -> f32 {
        f32::from(pixel) / self.step + self.black
    }

    /// The nearest of the picture's numbers, halves to the even one; what lies outside the range is clamped, and NaN is
    /// black.
    pub fn to_picture(self, value: f32) -> u16 {
        /// 2²³: from here on 32-bit floats are whole numbers, and their last bits the number itself. Adding it rounds as IEEE 754
        /// does, halves to the even one, which is several times as fast as a call of the rounding function.
        const WHOLE: f32 = 8_388_608.0;
        // `max` takes NaN to 0. All that is left is below 2¹⁶.
        let within = ((value - self.black) * self.step).max(0.0).min(self.most);
        (within + WHOLE).to_bits() as u16
    }

    /// The network's number for one from -1, black, to 1, white.
    pub fn of_usual(self, value: f32) -> f32 {
        if self == Self::USUAL { value } else { (value + 1.0) * self.most / 2.0 / self.step + self.black }
    }

    /// How far two of the network's numbers are apart where black and white are 2 apart, for each 1 that they are apart.
    pub fn stretch(self) -> f32 {
        (self.step * 2.0 / self.most).abs()
    }
}

/// A byte as the networks see it, in [-1, 1].
pub fn to_float(byte: u8) -> f32 {
    Scale::USUAL.to_network(byte.into())
}

/// The nearest byte to a network's number; what lies outside [-1, 1] is clamped, and NaN is black. Halves go to the even
/// byte, as ONNX rounds: a model that gives bytes gives these.
pub fn to_byte(value: f32) -> u8 {
    Scale::USUAL.to_picture(value) as u8
}

/// Interleaved bytes `[h, w, 3]` to planes `[3, h, w]`.
///
/// # Panics
/// If `planes` is not as long as `interleaved`.
pub fn to_planes(interleaved: &[u8], planes: &mut [f32]) {
    assert_eq!(interleaved.len(), planes.len(), "three planes for three channels");
    let pixels = interleaved.len() / 3;
    for (channel, plane) in planes.chunks_exact_mut(pixels.max(1)).enumerate() {
        for (value, pixel) in plane.iter_mut().zip(interleaved.chunks_exact(3)) {
            *value = to_float(pixel[channel]);
        }
    }
}

/// Planes `[3, h, w]` to interleaved bytes `[h, w, 3]`.
pub fn to_interleaved(planes: &[f32]) -> Vec<u8> {
    let pixels = planes.len() / 3;
    let mut interleaved = vec![0; planes.len()];
    for (channel, plane) in planes.chunks_exact(pixels.max(1)).enumerate() {
        for (pixel, &value) in interleaved.chunks_exact_mut(3).zip(plane) {
            pixel[channel] = to_byte(value);
        }
    }
    interleaved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_survives() {
        for byte in 0..=255 {
            assert_eq!(to_byte(to_float(byte)), byte);
        }
    }

    #[test]
    fn any_range_and_depth_gives_every_pixel_back_and_the_usual_one_is_no_other() {
        for range in [RANGE, [0.0, 1.0], [0.0, 255.0], [1.0, -1.0], [-0.5, 0.5]] {
            for most in [255, 65_535] {
                let scale = Scale::new(range, most);
                assert_eq!([-1.0, 1.0].map(|end| scale.to_picture(scale.of_usual(end))), [0, most], "{range:?}");
                assert_eq!((scale.to_picture(range[0]), scale.to_picture(range[1])), (0, most), "{range:?}");
                for pixel in 0..=most {
                    assert_eq!(scale.to_picture(scale.to_network(pixel)), pixel, "{range:?}");
                }
            }
        }
        let scale = Scale::new(RANGE, 255);
        assert_eq!(scale, Scale::USUAL);
        for byte in 0..=255 {
            assert_eq!(scale.to_network(byte.into()), to_float(byte));
        }
        for value in [-1.5, -1.0, -0.2, 0.0, 0.3, 1.0, 9.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN] {
            assert_eq!(scale.to_picture(value), u16::from(to_byte(value)), "{value}");
        }
    }

    #[test]
    fn halves_go_to_the_even_byte() {
        let between = |byte: u8| (to_float(byte) + to_float(byte + 1)) / 2.0;
        // Two whose half is exact in 32 bits: most are not, and have a nearest byte.
        let exact = |byte: &u8| ((between(*byte) + 1.0) * 127.5).fract() == 0.5;
        let halves: Vec<u8> = (0..255).filter(exact).collect();
        assert!(halves.contains(&127), "0 lies between 127 and 128");
        for byte in halves {
            assert_eq!(to_byte(between(byte)) % 2, 0, "{byte}");
        }
    }

    #[test]
    fn what_lies_outside_the_range_is_clamped() {
        assert_eq!([-1.5, -1.0, 1.0, 9.0, f32::INFINITY, f32::NAN].map(to_byte), [0, 0, 255, 255, 255, 0]);
    }

    #[test]
    fn planes_and_pixels_are_the_same_picture() {
        let picture: Vec<u8> = (0..2 * 3 * 3).map(|value| value * 14).collect();
        let mut planes = vec![0.0; picture.len()];
        to_planes(&picture, &mut planes);
        assert_eq!(planes[6], to_float(picture[1]), "the second plane starts with the first pixel's green");
        assert_eq!(to_interleaved(&planes), picture);
    }
}
