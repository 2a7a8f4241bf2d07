//! Between a picture's pixels and a model's numbers, in any layout, element, range and order of channels.
//!
//! For our own exports this is [`models::pixels`], bit by bit.

use image::{DynamicImage, ImageBuffer};
use models::pixels::Scale;
pub use models_runtime::{Numbers, NumbersRef};

use crate::contract::{Element, Layout, Tensor};

/// What a pixel is for a model: `(range - mean) / std`, channel by channel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Normalization {
    /// Black and white.
    pub(crate) range: [f32; 2],
    /// Of red, green and blue.
    pub(crate) mean: [f32; 3],
    /// Of red, green and blue.
    pub(crate) std: [f32; 3],
}

/// Between pictures and a model's numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conversion {
    input: Tensor,
    output: Tensor,
    from: Normalization,
    /// Without mean and deviation.
    to: [f32; 2],
    /// Blue first.
    reversed: bool,
    scale: u32,
}

/// A network's output that holds no number somewhere. Of bytes nobody can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the network gives NaN for it")]
pub struct NotANumber;

/// White in 16 bits, and in bytes.
const WHITE: [u16; 2] = [u16::MAX, 255];

/// From bytes to 16 bits.
const WIDEN: u16 = 257;

impl Conversion {
    pub(crate) const fn new(
        [input, output]: [Tensor; 2],
        from: Normalization,
        to: [f32; 2],
        reversed: bool,
        scale: u32,
    ) -> Self {
        Self { input, output, from, to, reversed, scale }
    }

    /// A picture as the model takes it. Depths other than 8 bits of red, green and blue are seen in 16; a model that takes
    /// bytes gets the nearest ones.
    pub fn to_numbers(&self, picture: &DynamicImage) -> Numbers {
        let is_bytes = self.input.element == Element::U8;
        match picture {
            DynamicImage::ImageRgb8(picture) if is_bytes => Numbers::Bytes(self.lay_out(picture, |_, byte| byte)),
            DynamicImage::ImageRgb8(picture) => self.floats(picture, WHITE[1]),
            DynamicImage::ImageRgb16(picture) if is_bytes => {
                let nearest = |_, pixel: u16| ((u32::from(pixel) + u32::from(WIDEN / 2)) / u32::from(WIDEN)) as u8;
                Numbers::Bytes(self.lay_out(picture, nearest))
            }
            DynamicImage::ImageRgb16(picture) => self.floats(picture, WHITE[0]),
            other => self.to_numbers(&DynamicImage::ImageRgb16(other.to_rgb16())),
        }
    }

    fn floats<S: Copy + Into<u16>>(&self, samples: &[S], white: u16) -> Numbers {
        let scale = Scale::new(self.from.range, white);
        let Normalization { mean, std, .. } = self.from;
        let number = |color: usize, sample: S| (scale.to_network(sample.into()) - mean[color]) / std[color];
        Numbers::Floats(self.lay_out(samples, number))
    }

    /// From red, green, blue, red, … to the model's order. The conversion is told the colour.
    fn lay_out<S: Copy, N>(&self, samples: &[S], number: impl Fn(usize, S) -> N) -> Vec<N> {
        let mut numbers = Vec::with_capacity(samples.len());
        let pixels = samples.as_chunks::<3>().0;
        match self.input.layout {
            // One loop a plane: the compiler does several pixels of it at once.
            Layout::Nchw => self.order().into_iter().for_each(|color| {
                numbers.extend(pixels.iter().map(|pixel| number(color, pixel[color])));
            }),
            Layout::Nhwc => {
                let order = self.order();
                numbers.extend(pixels.iter().flat_map(|pixel| order.map(|color| number(color, pixel[color]))));
            }
        }
        numbers
    }

    /// What the model gives for one picture, `width` columns and `height` rows, in 8 or 16 bits. Numbers outside the range
    /// are clamped.
    ///
    /// # Errors
    /// If there is NaN among them.
    ///
    /// # Panics
    /// If there are not three numbers a pixel.
    pub fn to_picture(
        &self,
        numbers: NumbersRef<'_>,
        width: u32,
        height: u32,
        sixteen_bits: bool,
    ) -> Result<DynamicImage, NotANumber> {
        const WHOLE: &str = "three numbers a pixel";
        assert_eq!(numbers.len() as u64, 3 * u64::from(width) * u64::from(height), "{WHOLE}");
        if matches!(numbers, NumbersRef::Floats(numbers) if numbers.iter().any(|number| number.is_nan())) {
            return Err(NotANumber);
        }
        let scale = Scale::new(self.to, WHITE[usize::from(!sixteen_bits)]);
        Ok(if sixteen_bits {
            let samples = match numbers {
                NumbersRef::Floats(numbers) => self.interleave(numbers, |number| scale.to_picture(number)),
                NumbersRef::Bytes(bytes) => self.interleave(bytes, |byte| u16::from(byte) * WIDEN),
            };
            DynamicImage::ImageRgb16(ImageBuffer::from_raw(width, height, samples).expect(WHOLE))
        } else {
            let samples = match numbers {
                NumbersRef::Floats(numbers) => self.interleave(numbers, |number| scale.to_picture(number) as u8),
                NumbersRef::Bytes(bytes) => self.interleave(bytes, |byte| byte),
            };
            DynamicImage::ImageRgb8(ImageBuffer::from_raw(width, height, samples).expect(WHOLE))
        })
    }

    /// From the model's order to red, green, blue, red, …
    fn interleave<N: Copy, S: Copy + Default>(&self, numbers: &[N], sample: impl Fn(N) -> S) -> Vec<S> {
        let mut samples = vec![S::default(); numbers.len()];
        let order = self.order();
        match self.output.layout {
            Layout::Nchw => {
                let planes = numbers.chunks_exact((numbers.len() / 3).max(1));
                for (color, plane) in order.into_iter().zip(planes) {
                    for (pixel, number) in samples.chunks_exact_mut(3).zip(plane) {
                        pixel[color] = sample(*number);
                    }
                }
            }
            Layout::Nhwc => {
                for (pixel, numbers) in samples.chunks_exact_mut(3).zip(numbers.chunks_exact(3)) {
                    for (color, number) in order.into_iter().zip(numbers) {
                        pixel[color] = sample(*number);
                    }
                }
            }
        }
        samples
    }

    /// The colours, 0 for red, in the model's order.
    fn order(&self) -> [usize; 3] {
        if self.reversed { [2, 1, 0] } else { [0, 1, 2] }
    }

    /// The shape of the input for pictures of one size.
    pub fn shape(&self, batch: usize, width: usize, height: usize) -> [usize; 4] {
        match self.input.layout {
            Layout::Nchw => [batch, 3, height, width],
            Layout::Nhwc => [batch, height, width, 3],
        }
    }

    /// The shape that the output must have for pictures of one size.
    pub fn output_shape(&self, batch: usize, width: usize, height: usize) -> [usize; 4] {
        let scale = self.scale as usize;
        match self.output.layout {
            Layout::Nchw => [batch, 3, scale * height, scale * width],
            Layout::Nhwc => [batch, scale * height, scale * width, 3],
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PLAIN: Normalization = Normalization { range: [-1.0, 1.0], mean: [0.0; 3], std: [1.0; 3] };

    fn tensor(element: Element, layout: Layout) -> Tensor {
        Tensor { element, layout }
    }

    fn picture(width: u32, height: u32, samples: &[u16]) -> DynamicImage {
        let samples: Vec<u16> = samples.iter().copied().cycle().take((3 * width * height) as usize).collect();
        DynamicImage::ImageRgb16(ImageBuffer::from_raw(width, height, samples).expect("three a pixel"))
    }

    #[test]
    fn our_own_exports_get_what_the_networks_were_trained_with() {
        let picture = picture(5, 3, &[0, 257, 7 * 257, 200 * 257, u16::MAX, 31 * 257, 9 * 257]).to_rgb8();
        let conversion =
            Conversion::new([tensor(Element::F32, Layout::Nchw); 2], PLAIN, models::pixels::RANGE, false, 1);
        let mut planes = vec![0.0; picture.len()];
        models::pixels::to_planes(&picture, &mut planes);
        assert_eq!(conversion.to_numbers(&DynamicImage::ImageRgb8(picture.clone())), Numbers::Floats(planes.clone()));
        planes.iter_mut().for_each(|number| *number *= 1.3);
        let back = conversion.to_picture(NumbersRef::Floats(&planes), 5, 3, false).expect("numbers");
        assert_eq!(back.into_rgb8().into_raw(), models::pixels::to_interleaved(&planes));
    }

    #[test]
    fn a_mean_is_that_of_its_colour_in_either_order() {
        let pixel = DynamicImage::ImageRgb8(ImageBuffer::from_raw(1, 1, vec![255, 0, 51]).expect("one pixel"));
        let from = Normalization { range: [0.0, 1.0], mean: [0.5, 0.25, 0.0], std: [0.5, 0.25, 2.0] };
        for (reversed, expected) in [(false, [1.0, -1.0, 0.1]), (true, [0.1, -1.0, 1.0])] {
            let ends = [tensor(Element::F32, Layout::Nhwc); 2];
            let conversion = Conversion::new(ends, from, [0.0, 1.0], reversed, 1);
            assert_eq!(conversion.to_numbers(&pixel), Numbers::Floats(expected.into()));
        }
    }

    #[test]
    fn nan_is_no_picture_and_what_is_beyond_the_range_is_its_end() {
        let ends = [tensor(Element::F32, Layout::Nhwc); 2];
        let conversion = Conversion::new(ends, PLAIN, [0.0, 1.0], false, 1);
        let convert = |numbers: [f32; 3]| conversion.to_picture(NumbersRef::Floats(&numbers), 1, 1, true);
        let clamped = convert([f32::NEG_INFINITY, 1.5, 1.0]).expect("numbers").into_rgb16().into_raw();
        assert_eq!(clamped, [0, u16::MAX, u16::MAX]);
        assert_eq!(convert([0.0, f32::NAN, 1.0]), Err(NotANumber));
    }

    #[test]
    fn shapes_follow_layout_and_scale() {
        let ends = [tensor(Element::F32, Layout::Nchw), tensor(Element::U8, Layout::Nhwc)];
        let conversion = Conversion::new(ends, PLAIN, [0.0, 255.0], false, 4);
        assert_eq!(conversion.shape(2, 5, 7), [2, 3, 7, 5]);
        assert_eq!(conversion.output_shape(2, 5, 7), [2, 28, 20, 3]);
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_back_in_any_form(
            width in 1..9_u32,
            height in 1..9_u32,
            samples in proptest::collection::vec(any::<u16>(), 1..40),
            sixteen_bits: bool,
            bytes: bool,
            interleaved: bool,
            reversed: bool,
            range in prop_oneof![Just([-1.0, 1.0]), Just([0.0, 1.0]), Just([0.0, 255.0]), Just([1.0, 0.0])],
        ) {
            let picture = picture(width, height, &samples);
            let element = if bytes { Element::U8 } else { Element::F32 };
            let layout = if interleaved { Layout::Nhwc } else { Layout::Nchw };
            let from = Normalization { range, ..PLAIN };
            let conversion = Conversion::new([tensor(element, layout); 2], from, range, reversed, 1);
            // Bytes hold no 16 bits; all else comes back as it was.
            let picture = if bytes || !sixteen_bits { DynamicImage::ImageRgb8(picture.to_rgb8()) } else { picture };
            let numbers = conversion.to_numbers(&picture);
            let back = conversion.to_picture(numbers.view(), width, height, sixteen_bits).expect("numbers");
            prop_assert_eq!(back.to_rgb16(), picture.to_rgb16());
        }
    }
}
