//! Decoded pictures kept in memory, so that each file is decoded once.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use pictures::Picture;

/// Loaded pictures of both sides, as many as the limit allows. Passes go over all pictures again and again, so those
/// that came first stay: throwing one out for another would save nothing.
#[derive(Debug)]
pub(crate) struct Cache {
    limit: u64,
    used: AtomicU64,
    sides: [Vec<OnceLock<Arc<Picture>>>; 2],
}

impl Cache {
    /// An empty cache for sides of so many pictures, which together take at most `limit` bytes.
    pub(crate) fn new(limit: u64, pictures: [usize; 2]) -> Self {
        let side = |count| (0..count).map(|_| OnceLock::new()).collect();
        Self { limit, used: AtomicU64::new(0), sides: pictures.map(side) }
    }

    /// A picture from memory, or else as `load` gives it.
    pub(crate) fn get<E>(
        &self,
        side: usize,
        index: usize,
        load: impl FnOnce() -> Result<Picture, E>,
    ) -> Result<Arc<Picture>, E> {
        let place = &self.sides[side][index];
        if let Some(picture) = place.get() {
            return Ok(Arc::clone(picture));
        }
        let picture = Arc::new(load()?);
        let bytes = picture.as_raw().len() as u64;
        if self.used.fetch_add(bytes, Ordering::Relaxed) + bytes > self.limit {
            self.used.fetch_sub(bytes, Ordering::Relaxed);
        } else if place.set(Arc::clone(&picture)).is_err() {
            self.used.fetch_sub(bytes, Ordering::Relaxed); // another thread has loaded the same meanwhile
        }
        Ok(picture)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_kept_until_the_limit_and_loaded_once() {
        let cache = Cache::new(2 * 12, [3, 3]); // two pictures of 2 × 2
        let mut loads = 0;
        for _pass in 0..3 {
            for index in 0..3 {
                let load = || {
                    loads += 1;
                    Ok::<_, ()>(Picture::from_pixel(2, 2, [index as u8; 3].into()))
                };
                assert_eq!(cache.get(0, index, load).expect("it loads").get_pixel(0, 0).0[0], index as u8);
            }
        }
        assert_eq!(loads, 2 + 3, "two once, the third each time");
        assert_eq!(cache.get(1, 0, || Err::<Picture, _>("broken")), Err("broken"));
    }
}
