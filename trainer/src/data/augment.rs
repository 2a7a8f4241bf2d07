//! Pictures brought to the training size.

use pictures::{Picture, resize};
use rand::RngExt;
use rand_pcg::Pcg64;

use crate::settings::Augment;

/// A picture to `size` × `size`: squashed, or squashed to 286/256 of it, cropped at random and flipped half the time
/// (the published code's `resize_and_crop`). A picture that keeps its grid is only flipped.
pub(crate) fn to_training_size(
    picture: Picture,
    size: u32,
    augment: Augment,
    keeps_grid: bool,
    random: &mut Pcg64,
) -> Picture {
    match augment {
        Augment::Squash => resize(&picture, size, size),
        Augment::Jitter => {
            let larger = if keeps_grid { size } else { jittered(size) };
            let room = larger - size;
            let (x, y) = (random.random_range(0..=room), random.random_range(0..=room));
            let mut cropped = pictures::crop(&resize(&picture, larger, larger), x, y, size, size);
            if random.random_bool(0.5) {
                pictures::flip_horizontal(&mut cropped);
            }
            cropped
        }
    }
}

/// `round(size · 286/256)`: 286 for 256, as in the paper.
fn jittered(size: u32) -> u32 {
    (size * 286 + 128) / 256
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, generator};

    fn ramp(side: u32) -> Picture {
        Picture::from_fn(side, side, |x, y| [x as u8, y as u8, 0].into())
    }

    #[test]
    fn jitter_crops_at_random_places_and_flips_half_the_time() {
        assert_eq!((jittered(256), jittered(64)), (286, 72));
        let mut random = generator(1, Purpose::Augmentation, [0, 0]);
        let mut corners = std::collections::BTreeSet::new();
        let mut flipped = 0;
        for _ in 0..200 {
            // 72 wide already: what is cropped is not resized, so pixels say where they were.
            let picture = to_training_size(ramp(72), 64, Augment::Jitter, false, &mut random);
            assert_eq!(picture.dimensions(), (64, 64));
            let (left, right) = (picture.get_pixel(0, 0).0, picture.get_pixel(63, 0).0);
            flipped += u32::from(left[0] > right[0]);
            corners.insert((left[0].min(right[0]), left[1]));
        }
        assert!(corners.len() > 60, "{} of 81 places", corners.len());
        assert!((70..130).contains(&flipped), "{flipped} of 200");
    }

    #[test]
    fn scenes_keep_their_rows_whatever_the_augmentation() {
        let mut random = generator(1, Purpose::Augmentation, [0, 0]);
        for augment in [Augment::Squash, Augment::Jitter] {
            let picture = to_training_size(ramp(64), 64, augment, true, &mut random);
            assert!((0..64).all(|y| picture.get_pixel(10, y).0[1] == y as u8), "{augment:?}");
        }
    }
}
