//! Parts of pictures, and pictures put together.

use image::{Rgb, RgbImage, imageops};

/// The part of a picture that begins at (`x`, `y`).
///
/// # Panics
/// If the part reaches beyond the picture.
pub fn crop(picture: &RgbImage, x: u32, y: u32, width: u32, height: u32) -> RgbImage {
    assert!(x + width <= picture.width() && y + height <= picture.height(), "the part lies inside the picture");
    imageops::crop_imm(picture, x, y, width, height).to_image()
}

/// Exchanges left and right.
pub fn flip_horizontal(picture: &mut RgbImage) {
    imageops::flip_horizontal_in_place(picture);
}

/// Rows of pictures on a white sheet, `gap` pixels apart. Cells are as large as the largest picture.
pub fn grid(rows: &[Vec<RgbImage>], gap: u32) -> RgbImage {
    let largest = |side: fn(&RgbImage) -> u32| rows.iter().flatten().map(side).max().unwrap_or(0);
    let (width, height) = (largest(RgbImage::width), largest(RgbImage::height));
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0) as u32;
    let sheet_width = gap + columns * (width + gap);
    let mut sheet = RgbImage::from_pixel(sheet_width, gap + rows.len() as u32 * (height + gap), Rgb([255; 3]));
    for (row, pictures) in (0..).zip(rows) {
        for (column, picture) in (0..).zip(pictures) {
            let place = |index: i64, side: u32| i64::from(gap) + index * i64::from(side + gap);
            imageops::replace(&mut sheet, picture, place(column, width), place(row, height));
        }
    }
    sheet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_puts_pictures_in_rows_with_gaps() {
        let dark = RgbImage::new(2, 2);
        let sheet = grid(&[vec![dark.clone(), dark.clone()], vec![dark]], 1);
        assert_eq!(sheet.dimensions(), (7, 7));
        let is_dark = |x, y| sheet.get_pixel(x, y).0 == [0; 3];
        assert!(is_dark(1, 1) && is_dark(4, 2) && is_dark(2, 5));
        assert!(!is_dark(0, 0) && !is_dark(3, 1) && !is_dark(4, 4), "gaps and empty cells are white");
    }
}
