//! Colours of any kind of file to sRGB.

use image::{DynamicImage, ImageBuffer, Pixel};
use moxcms::{
    BarycentricWeightScale, ColorProfile, DataColorSpace, InterpolationMethod, Layout, RenderingIntent,
    TransformExecutor, TransformOptions,
};

use super::Remark;

/// Pixels as a file has them.
pub(super) enum Pixels {
    /// Of any kind that `image` has, but floats.
    Light(DynamicImage),
    /// Four inks, where 0 is none: `[height, width, 4]`.
    Inks8 { width: u32, height: u32, inks: Vec<u8> },
    /// The same in 16 bits.
    Inks16 { width: u32, height: u32, inks: Vec<u16> },
}

/// A profile whose sRGB is off by no more than this anywhere, of 255, is sRGB's: its pixels stay as they are.
const SAME: i32 = 1;

/// Steps of each channel in which a profile is tried against [`SAME`].
const STEPS: usize = 18;

/// Brings pixels to sRGB, as `ImageRgb8`, `ImageRgba8`, `ImageRgb16` or `ImageRgba16`.
pub(super) fn to_srgb(pixels: Pixels, profile: Option<&[u8]>) -> (DynamicImage, Option<Remark>) {
    let Some(profile) = profile else {
        return (plain(pixels), None);
    };
    let parsed = ColorProfile::new_from_slice(profile).ok();
    match parsed.and_then(|profile| applied(&pixels, &profile)) {
        Some(image) => (image, None),
        None => (plain(pixels), Some(Remark::Profile)),
    }
}

/// The same without a profile.
fn plain(pixels: Pixels) -> DynamicImage {
    match pixels {
        Pixels::Light(image) => normal(image),
        Pixels::Inks8 { width, height, inks } => {
            let light = |ink: u8, black: u8| {
                let product = u32::from(255 - ink) * u32::from(255 - black);
                ((product + 127) / 255) as u8
            };
            let colours = inks.as_chunks().0.iter().flat_map(|&[c, m, y, k]| [c, m, y].map(|ink| light(ink, k)));
            buffer(width, height, colours.collect(), DynamicImage::ImageRgb8)
        }
        Pixels::Inks16 { width, height, inks } => {
            let light = |ink: u16, black: u16| {
                let product = u64::from(u16::MAX - ink) * u64::from(u16::MAX - black);
                ((product + 32767) / 65535) as u16
            };
            let colours = inks.as_chunks().0.iter().flat_map(|&[c, m, y, k]| [c, m, y].map(|ink| light(ink, k)));
            buffer(width, height, colours.collect(), DynamicImage::ImageRgb16)
        }
    }
}

/// One of the four kinds, with the depth and the transparency that it has.
fn normal(image: DynamicImage) -> DynamicImage {
    let has_alpha = image.color().has_alpha();
    let is_deep = image.color().bytes_per_pixel() > image.color().channel_count();
    match (is_deep, has_alpha) {
        (false, false) => image.into_rgb8().into(),
        (false, true) => image.into_rgba8().into(),
        (true, false) => image.into_rgb16().into(),
        (true, true) => image.into_rgba16().into(),
    }
}

/// Pixels through a profile; none if it is not for such pixels.
fn applied(pixels: &Pixels, profile: &ColorProfile) -> Option<DynamicImage> {
    match (pixels, profile.color_space) {
        (Pixels::Light(image), DataColorSpace::Rgb) => {
            let image = normal(image.clone());
            let layout = if image.color().has_alpha() { Layout::Rgba } else { Layout::Rgb };
            let through = Through { profile, from: layout, to: layout };
            Some(match image {
                DynamicImage::ImageRgb8(image) => through.same_kind8(image)?.into(),
                DynamicImage::ImageRgba8(image) => through.same_kind8(image)?.into(),
                DynamicImage::ImageRgb16(image) => through.same_kind16(image)?.into(),
                DynamicImage::ImageRgba16(image) => through.same_kind16(image)?.into(),
                _ => unreachable!("`normal` makes one of four"),
            })
        }
        (Pixels::Light(image), DataColorSpace::Gray) => {
            let (width, height) = (image.width(), image.height());
            let opaque = Through { profile, from: Layout::Gray, to: Layout::Rgb };
            let transparent = Through { profile, from: Layout::GrayAlpha, to: Layout::Rgba };
            Some(match image {
                DynamicImage::ImageLuma8(grey) => {
                    buffer(width, height, opaque.samples8(grey)?, DynamicImage::ImageRgb8)
                }
                DynamicImage::ImageLumaA8(grey) => {
                    buffer(width, height, transparent.samples8(grey)?, DynamicImage::ImageRgba8)
                }
                DynamicImage::ImageLuma16(grey) => {
                    buffer(width, height, opaque.samples16(grey)?, DynamicImage::ImageRgb16)
                }
                DynamicImage::ImageLumaA16(grey) => {
                    buffer(width, height, transparent.samples16(grey)?, DynamicImage::ImageRgba16)
                }
                _ => return None,
            })
        }
        (Pixels::Inks8 { width, height, inks }, DataColorSpace::Cmyk) => {
            let through = Through { profile, from: Layout::Rgba, to: Layout::Rgb };
            Some(buffer(*width, *height, through.samples8(inks)?, DynamicImage::ImageRgb8))
        }
        (Pixels::Inks16 { width, height, inks }, DataColorSpace::Cmyk) => {
            let through = Through { profile, from: Layout::Rgba, to: Layout::Rgb };
            Some(buffer(*width, *height, through.samples16(inks)?, DynamicImage::ImageRgb16))
        }
        _ => None,
    }
}

fn buffer<P: Pixel>(
    width: u32,
    height: u32,
    samples: Vec<P::Subpixel>,
    kind: fn(ImageBuffer<P, Vec<P::Subpixel>>) -> DynamicImage,
) -> DynamicImage {
    kind(ImageBuffer::from_raw(width, height, samples).expect("as many samples as pixels"))
}

/// A way from a profile's colours to sRGB. moxcms calls four inks RGBA.
struct Through<'a> {
    profile: &'a ColorProfile,
    from: Layout,
    to: Layout,
}

impl Through<'_> {
    fn options() -> TransformOptions {
        TransformOptions {
            rendering_intent: RenderingIntent::Perceptual,
            prefer_fixed_point: false,
            interpolation_method: InterpolationMethod::Tetrahedral,
            barycentric_weight_scale: BarycentricWeightScale::High,
            ..TransformOptions::default()
        }
    }

    fn samples8(&self, samples: &[u8]) -> Option<Vec<u8>> {
        let srgb = ColorProfile::new_srgb();
        let transform = self.profile.create_transform_8bit(self.from, &srgb, self.to, Self::options()).ok()?;
        self.run(&*transform, samples)
    }

    fn samples16(&self, samples: &[u16]) -> Option<Vec<u16>> {
        let srgb = ColorProfile::new_srgb();
        let transform = self.profile.create_transform_16bit(self.from, &srgb, self.to, Self::options()).ok()?;
        self.run(&*transform, samples)
    }

    fn run<S: Copy + Default>(&self, transform: &dyn TransformExecutor<S>, samples: &[S]) -> Option<Vec<S>> {
        let mut colours = vec![S::default(); samples.len() / self.from.channels() * self.to.channels()];
        transform.transform(samples, &mut colours).ok()?;
        Some(colours)
    }

    /// Colours of a kind that sRGB has too; they stay as they are if the profile is sRGB's, so that what was written tagged
    /// is read as the same.
    fn same_kind8<P: Pixel<Subpixel = u8>>(&self, image: ImageBuffer<P, Vec<u8>>) -> Option<ImageBuffer<P, Vec<u8>>> {
        let trial = trial(self.from.channels()).map(|level| level as u8).collect::<Vec<u8>>();
        let tried = self.samples8(&trial)?;
        if trial.iter().zip(&tried).all(|(&a, &b)| i32::from(a.abs_diff(b)) <= SAME) {
            return Some(image);
        }
        ImageBuffer::from_raw(image.width(), image.height(), self.samples8(&image)?)
    }

    fn same_kind16<P: Pixel<Subpixel = u16>>(
        &self,
        image: ImageBuffer<P, Vec<u16>>,
    ) -> Option<ImageBuffer<P, Vec<u16>>> {
        let trial = trial(self.from.channels()).map(|level| level as u16 * 257).collect::<Vec<u16>>();
        let tried = self.samples16(&trial)?;
        if trial.iter().zip(&tried).all(|(&a, &b)| i32::from(a.abs_diff(b)) <= 257 * SAME) {
            return Some(image);
        }
        ImageBuffer::from_raw(image.width(), image.height(), self.samples16(&image)?)
    }
}

/// All colours of a lattice, one after the other, opaque.
fn trial(channels: usize) -> impl Iterator<Item = usize> {
    let level = |step: usize| step % STEPS * 255 / (STEPS - 1);
    let colours =
        (0..STEPS.pow(3)).map(move |step| [level(step), level(step / STEPS), level(step / STEPS.pow(2)), 255]);
    colours.flat_map(move |colour| colour.into_iter().take(channels))
}
