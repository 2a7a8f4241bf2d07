//! Pictures as files: finding, reading, resizing, writing and comparing them.
//!
//! A picture is 8-bit sRGB, `[h, w, 3]`: what the networks of this project see. Reading applies the EXIF orientation,
//! lays transparency on white, and brings grey, palette and 16-bit files to that form. [`photo`] keeps what that loses:
//! depth, transparency, colour profiles and descriptions.

mod arrange;
mod backdrop;
mod compare;
mod find;
pub mod photo;
mod read;
mod resize;
mod write;

pub use arrange::{crop, flip_horizontal, grid};
pub use compare::{MOST_PSNR, SizesDiffer, mean_l1, psnr, ssim};
pub use find::{EXTENSIONS, FindError, find, is_picture};
pub use image::{ImageFormat as Format, RgbImage as Picture};
pub use read::{ReadError, decode, dimensions, format, read, read_with_format};
pub use resize::{resize, resize_shorter, shorter_size};
pub use write::{EncodeError, encode, encode_jpeg};
