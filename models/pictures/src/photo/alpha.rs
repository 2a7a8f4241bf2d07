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
