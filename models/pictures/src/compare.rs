//! How far two pictures are apart.

use image::RgbImage;

/// Two pictures that cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("one picture is {}×{}, the other {}×{}", first.0, first.1, second.0, second.1)]
pub struct SizesDiffer {
    /// Width and height of the first.
    pub first: (u32, u32),
    /// Width and height of the second.
    pub second: (u32, u32),
}

/// What [`psnr`] gives for equal pictures, where the ratio has no end: more than 8-bit pictures that differ can have.
pub const MOST_PSNR: f64 = 100.0;

/// Side of the window in which [`ssim`] compares, and its Gaussian's standard deviation (Wang et al. 2004, section III).
const WINDOW: usize = 11;
const DEVIATION: f64 = 1.5;

/// Mean absolute difference over all pixels and channels, in [0, 255].
///
/// # Errors
/// If the sizes differ.
pub fn mean_l1(first: &RgbImage, second: &RgbImage) -> Result<f64, SizesDiffer> {
    let sum: u64 = differences(first, second)?.map(u64::from).sum();
    Ok(sum as f64 / first.as_raw().len().max(1) as f64)
}

/// Peak signal-to-noise ratio over all pixels and channels, in decibels; at most [`MOST_PSNR`].
///
/// # Errors
/// If the sizes differ.
pub fn psnr(first: &RgbImage, second: &RgbImage) -> Result<f64, SizesDiffer> {
    let sum: u64 = differences(first, second)?.map(|difference| u64::from(difference).pow(2)).sum();
    let mean = sum as f64 / first.as_raw().len().max(1) as f64;
    Ok((10.0 * (255.0 * 255.0 / mean).log10()).min(MOST_PSNR))
}

/// Structural similarity (Wang et al. 2004, doi 10.1109/TIP.2003.819861): the mean over channels and over all places where
/// an 11×11 Gaussian window of deviation 1.5 fits. 1 for equal pictures; none for pictures smaller than the window.
///
/// # Errors
/// If the sizes differ.
pub fn ssim(first: &RgbImage, second: &RgbImage) -> Result<Option<f64>, SizesDiffer> {
    check_sizes(first, second)?;
    let (width, height) = (first.width() as usize, first.height() as usize);
    if width < WINDOW || height < WINDOW {
        return Ok(None);
    }
    let (c1, c2) = ((0.01_f64 * 255.0).powi(2), (0.03_f64 * 255.0).powi(2));
    let mut sum = 0.0;
    let mut places = 0;
    for channel in 0..3 {
        let plane = |picture: &RgbImage| -> Vec<f64> {
            picture.as_raw().iter().skip(channel).step_by(3).map(|&byte| f64::from(byte)).collect()
        };
        let (x, y) = (plane(first), plane(second));
        let local = |f: fn(f64, f64) -> f64| {
            blur(&x.iter().zip(&y).map(|(&x, &y)| f(x, y)).collect::<Vec<f64>>(), width, height)
        };
        let (mean_x, mean_y) = (local(|x, _| x), local(|_, y| y));
        let (square_x, square_y, product) = (local(|x, _| x * x), local(|_, y| y * y), local(|x, y| x * y));
        for place in 0..mean_x.len() {
            let (mx, my) = (mean_x[place], mean_y[place]);
            let (vx, vy, cov) = (square_x[place] - mx * mx, square_y[place] - my * my, product[place] - mx * my);
            sum += (2.0 * mx * my + c1) * (2.0 * cov + c2) / ((mx * mx + my * my + c1) * (vx + vy + c2));
        }
        places += mean_x.len();
    }
    Ok(Some(sum / places as f64))
}

fn check_sizes(first: &RgbImage, second: &RgbImage) -> Result<(), SizesDiffer> {
    let (first, second) = (first.dimensions(), second.dimensions());
    if first == second { Ok(()) } else { Err(SizesDiffer { first, second }) }
}

fn differences(first: &RgbImage, second: &RgbImage) -> Result<impl Iterator<Item = u8>, SizesDiffer> {
    check_sizes(first, second)?;
    Ok(first.as_raw().iter().zip(second.as_raw()).map(|(&a, &b)| a.abs_diff(b)))
}

/// The Gaussian mean around each place where the window fits: `[height - 10, width - 10]` of `[height, width]`.
fn blur(plane: &[f64], width: usize, height: usize) -> Vec<f64> {
    let kernel: Vec<f64> = (0..WINDOW)
        .map(|place| (-(place as f64 - (WINDOW / 2) as f64).powi(2) / (2.0 * DEVIATION * DEVIATION)).exp())
        .collect();
    let total: f64 = kernel.iter().sum();
    let weighted = |values: &mut dyn Iterator<Item = f64>| -> f64 {
        kernel.iter().zip(values).map(|(weight, value)| weight * value).sum::<f64>() / total
    };
    let columns = width + 1 - WINDOW;
    let mut rows = Vec::with_capacity(columns * height);
    for row in plane.chunks_exact(width) {
        rows.extend((0..columns).map(|left| weighted(&mut row[left..].iter().copied())));
    }
    let mut blurred = Vec::with_capacity(columns * (height + 1 - WINDOW));
    for top in 0..=height - WINDOW {
        let column = |left: usize| rows[top * columns + left..].iter().step_by(columns).copied();
        blurred.extend((0..columns).map(|left| weighted(&mut column(left))));
    }
    blurred
}

#[cfg(test)]
mod tests {
    use super::*;

    const L1: f64 = 46.208_333_333_333_336;
    const PSNR: f64 = 9.757_044_927_793_97;
    const SSIM: f64 = 0.376_697_516_091_604_57;

    /// Pictures that numpy makes alike: see compare.py beside this file.
    fn pair() -> [RgbImage; 2] {
        let first = RgbImage::from_fn(24, 20, |x, y| {
            [(x * 10 % 256) as u8, ((x * x + 3 * y) % 256) as u8, (y * 12 % 256) as u8].into()
        });
        let second = RgbImage::from_fn(24, 20, |x, y| {
            let noise = (x * 7 + y * 13) % 32;
            [((x * 10 + noise) % 256) as u8, ((x * x + 3 * y) % 256) as u8, (255 - y * 12 % 256) as u8].into()
        });
        [first, second]
    }

    #[test]
    fn measures_agree_with_scikit_image() {
        let [first, second] = pair();
        let found = [mean_l1(&first, &second), psnr(&first, &second)].map(|measure| measure.expect("of one size"));
        let ssim = ssim(&first, &second).expect("of one size").expect("large enough");
        for (found, expected) in [(found[0], L1), (found[1], PSNR), (ssim, SSIM)] {
            assert!((found - expected).abs() < 1e-9, "{found} against {expected}");
        }
    }

    #[test]
    fn equal_pictures_are_as_like_as_can_be() {
        let [picture, other] = pair();
        assert_eq!(mean_l1(&picture, &picture), Ok(0.0));
        assert_eq!(psnr(&picture, &picture), Ok(MOST_PSNR));
        assert!((ssim(&picture, &picture).expect("of one size").expect("large enough") - 1.0).abs() < 1e-12);
        assert_eq!(ssim(&RgbImage::new(10, 30), &RgbImage::new(10, 30)), Ok(None), "no window fits");
        let smaller = RgbImage::new(10, 30);
        assert!(psnr(&other, &smaller).is_err() && ssim(&other, &smaller).is_err());
    }
}
