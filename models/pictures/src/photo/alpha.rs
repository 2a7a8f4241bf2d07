//! Transparency beside colours.

use image::{DynamicImage, ImageBuffer, Luma, Pixel, Primitive, Rgb, Rgba};

type Samples<P> = ImageBuffer<P, Vec<<P as Pixel>::Subpixel>>;

/// The transparency of a photo, of its size and depth.
#[derive(Debug, Clone, PartialEq)]
pub struct Alpha(DynamicImage);

/// Colours (`ImageRgb8` or `ImageRgb16`) and transparency of a photo; none where all of it is opaque. What is fully
/// transparent gets the colour of what is visible next to it, so that neither a network nor [`super::resize`] mixes hidden
/// colours into the edges.
pub fn split_alpha(image: DynamicImage) -> (DynamicImage, Option<Alpha>) {
    match image {
        DynamicImage::ImageRgba8(rgba) => {
            let (colours, alpha) = split(&rgba);
            (colours.into(), alpha.map(|alpha| Alpha(alpha.into())))
        }
        DynamicImage::ImageRgba16(rgba) => {
            let (colours, alpha) = split(&rgba);
            (colours.into(), alpha.map(|alpha| Alpha(alpha.into())))
        }
        DynamicImage::ImageRgb16(_) => (image, None),
        other => (other.into_rgb8().into(), None),
    }
}

/// Colours with the transparency of another picture, which is resized to theirs and brought to their depth.
pub fn join_alpha(colours: DynamicImage, alpha: &Alpha) -> DynamicImage {
    let alpha = super::resize(&alpha.0, colours.width(), colours.height());
    match colours {
        DynamicImage::ImageRgb16(colours) => join(&colours, &alpha.into_luma16()).into(),
        other => join(&other.into_rgb8(), &alpha.into_luma8()).into(),
    }
}

/// Colours and, unless all is opaque, transparency.
fn split<S>(rgba: &Samples<Rgba<S>>) -> (Samples<Rgb<S>>, Option<Samples<Luma<S>>>)
where
    S: Primitive,
    Rgb<S>: Pixel<Subpixel = S>,
    Rgba<S>: Pixel<Subpixel = S>,
    Luma<S>: Pixel<Subpixel = S>,
{
    let (width, height) = rgba.dimensions();
    let colour = |[red, green, blue, _]: [S; 4]| Rgb([red, green, blue]);
    let mut colours = ImageBuffer::from_fn(width, height, |x, y| colour(rgba.get_pixel(x, y).0));
    if rgba.pixels().all(|pixel| pixel.0[3] == S::DEFAULT_MAX_VALUE) {
        return (colours, None);
    }
    fill_hidden(&mut colours, |x, y| rgba.get_pixel(x, y).0[3] > S::DEFAULT_MIN_VALUE);
    (colours, Some(ImageBuffer::from_fn(width, height, |x, y| Luma([rgba.get_pixel(x, y).0[3]]))))
}

/// Gives hidden pixels the colour of the nearest visible one, counted in steps to the four neighbours.
fn fill_hidden<P: Pixel>(colours: &mut Samples<P>, is_visible: impl Fn(u32, u32) -> bool) {
    let (width, height) = colours.dimensions();
    let place = |(x, y): (u32, u32)| y as usize * width as usize + x as usize;
    let neighbours = |(x, y): (u32, u32)| {
        let around =
            [(x.wrapping_sub(1), y), (x.saturating_add(1), y), (x, y.wrapping_sub(1)), (x, y.saturating_add(1))];
        around.into_iter().filter(move |&(x, y)| x < width && y < height)
    };
    let all = || (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    let mut filled: Vec<bool> = all().map(|(x, y)| is_visible(x, y)).collect();
    let mut edge: Vec<(u32, u32)> =
        all().filter(|&at| filled[place(at)] && neighbours(at).any(|near| !filled[place(near)])).collect();
    while !edge.is_empty() {
        let mut reached = Vec::new();
        for at in edge {
            let colour = *colours.get_pixel(at.0, at.1);
            for near in neighbours(at) {
                if !std::mem::replace(&mut filled[place(near)], true) {
                    colours.put_pixel(near.0, near.1, colour);
                    reached.push(near);
                }
            }
        }
        edge = reached;
    }
}

fn join<S>(colours: &Samples<Rgb<S>>, alpha: &Samples<Luma<S>>) -> Samples<Rgba<S>>
where
    S: Primitive,
    Rgb<S>: Pixel<Subpixel = S>,
    Rgba<S>: Pixel<Subpixel = S>,
    Luma<S>: Pixel<Subpixel = S>,
{
    ImageBuffer::from_fn(colours.width(), colours.height(), |x, y| {
        let [red, green, blue] = colours.get_pixel(x, y).0;
        Rgba([red, green, blue, alpha.get_pixel(x, y).0[0]])
    })
}

#[cfg(test)]
mod tests {
    use image::RgbaImage;

    use super::*;

    /// A red square that fades out, in the midst of transparent green.
    fn faded() -> RgbaImage {
        RgbaImage::from_fn(12, 12, |x, y| match (x, y) {
            (4..8, 4..8) => Rgba([200, 10, 20, if x == 4 { 90 } else { 255 }]),
            _ => Rgba([0, 255, 0, 0]),
        })
    }

    #[test]
    fn hidden_colours_do_not_reach_the_edges() {
        let (colours, alpha) = split_alpha(faded().into());
        assert!(colours.as_rgb8().expect("8 bits").pixels().all(|pixel| pixel.0 == [200, 10, 20]));
        for (width, height) in [(12, 12), (24, 30), (5, 7)] {
            let joined = join_alpha(super::super::resize(&colours, width, height), &alpha.clone().expect("not opaque"));
            let joined = joined.as_rgba8().expect("8 bits");
            assert_eq!(joined.dimensions(), (width, height));
            assert!(joined.pixels().all(|pixel| pixel.0[..3] == [200, 10, 20]), "no green at {width}×{height}");
        }
    }

    #[test]
    fn splitting_and_joining_gives_the_same_where_it_can_be_seen() {
        let joined = |image: DynamicImage| match split_alpha(image) {
            (colours, Some(alpha)) => join_alpha(colours, &alpha),
            (colours, None) => colours,
        };
        let image = faded();
        let same = joined(image.clone().into());
        for (before, after) in image.pixels().zip(same.as_rgba8().expect("8 bits").pixels()) {
            assert!(before.0[3] == after.0[3] && (before.0[3] == 0 || before == after));
        }
        let deep = DynamicImage::from(image).into_rgba16();
        let same = joined(deep.clone().into());
        assert_eq!(same.as_rgba16().expect("16 bits").get_pixel(4, 5), deep.get_pixel(4, 5));
    }

    #[test]
    fn an_opaque_alpha_is_none_and_a_wholly_transparent_photo_keeps_its_colours() {
        let opaque = RgbaImage::from_pixel(3, 2, Rgba([1, 2, 3, 255]));
        let (colours, alpha) = split_alpha(opaque.into());
        assert_eq!((colours.color(), alpha), (image::ColorType::Rgb8, None));
        let (colours, alpha) = split_alpha(RgbaImage::from_pixel(3, 2, Rgba([1, 2, 3, 0])).into());
        assert_eq!(colours.as_rgb8().expect("8 bits").get_pixel(2, 1).0, [1, 2, 3]);
        assert!(alpha.is_some());
    }

    #[test]
    fn hidden_pixels_take_the_colour_of_the_nearest_visible_one() {
        let mut image = RgbaImage::from_pixel(9, 1, Rgba([0, 0, 0, 0]));
        image.put_pixel(1, 0, Rgba([10, 0, 0, 255]));
        image.put_pixel(6, 0, Rgba([60, 0, 0, 255]));
        let (colours, _) = split_alpha(image.into());
        let reds: Vec<u8> = colours.as_rgb8().expect("8 bits").pixels().map(|pixel| pixel.0[0]).collect();
        assert_eq!(reds, [10, 10, 10, 10, 60, 60, 60, 60, 60]);
    }
}
