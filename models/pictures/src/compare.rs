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

/// Mean absolute difference over all pixels and channels, in [0, 255].
///
/// # Errors
/// If the sizes differ.
pub fn mean_l1(first: &RgbImage, second: &RgbImage) -> Result<f64, SizesDiffer> {
    if first.dimensions() != second.dimensions() {
        return Err(SizesDiffer { first: first.dimensions(), second: second.dimensions() });
    }
    let pairs = first.as_raw().iter().zip(second.as_raw());
    let sum: u64 = pairs.map(|(&a, &b)| u64::from(a.abs_diff(b))).sum();
    Ok(sum as f64 / first.as_raw().len().max(1) as f64)
}
