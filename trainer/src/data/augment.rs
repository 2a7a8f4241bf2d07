//! Pictures brought to the training size: loaded at one size, then cropped and flipped at random (the published code's
//! `resize_and_crop`). What is loaded is the same in every pass and can be kept; what comes after is drawn anew.

use pictures::{Picture, resize};
use rand::RngExt;
use rand_pcg::Pcg64;

use crate::settings::{Resize, Settings};

/// How pictures become as large as training needs them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Augmentation {
    /// Side of a training picture.
    pub(crate) size: u32,
    load_size: u32,
    resize: Resize,
    flip: bool,
}

/// A picture that a crop does not fit into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is {width}×{height}, smaller than the crop of {size}×{size}")]
pub(crate) struct TooSmall {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) size: u32,
}

impl Augmentation {
    /// What the settings say.
    pub(crate) fn new(settings: &Settings) -> Self {
        let Settings { size, resize, flip, .. } = *settings;
        Self { size: size as u32, load_size: settings.load_size(), resize, flip }
    }

    /// A picture as it is before the crop. One that keeps its grid has the training size already.
    pub(crate) fn load(self, picture: Picture, keeps_grid: bool) -> Result<Picture, TooSmall> {
        let side = if keeps_grid { self.size } else { self.load_size };
        match self.resize {
            Resize::Squash => Ok(resize(&picture, side, side)),
            Resize::Off => self.check(picture.dimensions()).map(|()| picture),
        }
    }

    /// Whether a file of this size can be cropped.
    pub(crate) fn check(self, (width, height): (u32, u32)) -> Result<(), TooSmall> {
        let size = self.size;
        let fits = self.resize == Resize::Squash || width.min(height) >= size;
        if fits { Ok(()) } else { Err(TooSmall { width, height, size }) }
    }

    /// A loaded picture as training sees it this time.
    pub(crate) fn draw(self, loaded: &Picture, random: &mut Pcg64) -> Picture {
        let room = |side: u32| side - self.size;
        let (across, down) = (room(loaded.width()), room(loaded.height()));
        let (x, y) = (random.random_range(0..=across), random.random_range(0..=down));
        let mut picture = pictures::crop(loaded, x, y, self.size, self.size);
        if self.flip && random.random_bool(0.5) {
            pictures::flip_horizontal(&mut picture);
        }
        picture
    }

    /// Bytes of a picture that is kept before the crop; none where each has its own size.
    pub(crate) fn loaded_bytes(self, keeps_grid: bool) -> Option<u64> {
        let side = u64::from(if keeps_grid { self.size } else { self.load_size });
        (self.resize == Resize::Squash).then_some(3 * side * side)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, generator};
    use crate::settings::tests::small;

    fn ramp(width: u32, height: u32) -> Picture {
        Picture::from_fn(width, height, |x, y| [x as u8, y as u8, 0].into())
    }

    fn augmentation(size: usize, load_scale: f64, flip: bool, resize: Resize) -> Augmentation {
        Augmentation::new(&Settings { size, load_scale, flip, resize, ..small() })
    }

    #[test]
    fn crops_are_at_random_places_and_flipped_half_the_time() {
        let mut random = generator(1, Purpose::Augmentation, [0, 0]);
        let jitter = augmentation(64, 286.0 / 256.0, true, Resize::Squash);
        let mut corners = std::collections::BTreeSet::new();
        let mut flipped = 0;
        for _ in 0..200 {
            // 72 wide already: what is cropped is not resized, so pixels say where they were.
            let loaded = jitter.load(ramp(72, 72), false).expect("any size is squashed");
            let picture = jitter.draw(&loaded, &mut random);
            assert_eq!(picture.dimensions(), (64, 64));
            let (left, right) = (picture.get_pixel(0, 0).0, picture.get_pixel(63, 0).0);
            flipped += u32::from(left[0] > right[0]);
            corners.insert((left[0].min(right[0]), left[1]));
        }
        assert!(corners.len() > 60, "{} of 81 places", corners.len());
        assert!((70..130).contains(&flipped), "{flipped} of 200");
    }

    #[test]
    fn each_part_can_be_switched_off() {
        let mut random = generator(1, Purpose::Augmentation, [0, 0]);
        let plain = augmentation(64, 1.0, false, Resize::Squash);
        let loaded = plain.load(ramp(128, 64), false).expect("any size is squashed");
        assert_eq!(loaded.dimensions(), (64, 64));
        assert!((0..20).all(|_| plain.draw(&loaded, &mut random) == loaded), "nothing is left to chance");

        let crop = augmentation(64, 1.0, false, Resize::Off);
        let loaded = crop.load(ramp(200, 80), false).expect("larger than the crop");
        assert_eq!(loaded.dimensions(), (200, 80));
        for _ in 0..20 {
            let [x, y, _] = crop.draw(&loaded, &mut random).get_pixel(0, 0).0;
            assert!(x <= 136 && y <= 16, "the picture's own pixels, unflipped");
        }
        let error = crop.load(ramp(200, 63), false).expect_err("too low");
        assert_eq!(error.to_string(), "is 200×63, smaller than the crop of 64×64");
    }

    #[test]
    fn scenes_keep_their_rows_whatever_the_augmentation() {
        let mut random = generator(1, Purpose::Augmentation, [0, 0]);
        for (load_scale, flip) in [(1.0, false), (286.0 / 256.0, true)] {
            let augmentation = augmentation(64, load_scale, flip, Resize::Squash);
            let loaded = augmentation.load(ramp(64, 64), true).expect("the training size");
            let picture = augmentation.draw(&loaded, &mut random);
            assert!((0..64).all(|y| picture.get_pixel(10, y).0[1] == y as u8), "{load_scale}");
        }
    }
}
