//! Pictures decoded ahead of the step.
//!
//! A pool of threads decodes whole batches. The queue to the training loop holds, in order, a one-place channel for each
//! batch under way: a thread of the pool never waits for room, only the one that hands out work does, so the pool
//! cannot block itself.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use models::pixels;
use pictures::{Picture, ReadError};
use rayon::ThreadPool;

use super::augment::{Augmentation, TooSmall};
use super::cache::Cache;
use super::order::Order;
use super::set::{DataError, DataSet, Pictures};
use crate::random::{Purpose, generator};
use crate::settings::Settings;

/// Batches decoded ahead.
pub(crate) const AHEAD: usize = 8;

/// Pictures for one update, `[batch, 3, size, size]` in [-1, 1] each.
#[derive(Debug, PartialEq)]
pub(crate) struct Batch {
    pub(crate) sides: [Vec<f32>; 2],
}

/// Batches in the order of their steps.
pub(crate) struct Loader {
    queue: Receiver<Receiver<Result<Batch, DataError>>>,
    waited: Duration,
    unreadable: Arc<Unreadable>,
}

impl Loader {
    /// Starts to decode for the updates from `first` on, without end; it stops when it is dropped. Decoded pictures are kept
    /// in at most `cache` bytes.
    pub(crate) fn start(data: &DataSet, settings: &Settings, first: u64, cache: u64) -> Self {
        let (sender, queue) = sync_channel(AHEAD);
        let unreadable = Arc::new(Unreadable::default());
        let cache = Arc::new(Cache::new(cache, [0, 1].map(|side| data.train[side].len())));
        let sides = [0, 1].map(|number| {
            let pictures = data.train[number].clone();
            let order = Order::new(settings.seed, number as u64, pictures.len());
            Side { pictures, order, number, cache: Arc::clone(&cache), unreadable: Arc::clone(&unreadable) }
        });
        let augmentation = Augmentation::new(settings);
        let making = Making { batch: settings.batch, augmentation, seed: settings.seed };
        // Decoding is a small share of a step: one thread keeps ahead on a small machine, and takes no core from libtorch.
        let threads = thread::available_parallelism().map_or(1, |cores| (cores.get() / 4).clamp(1, 8));
        thread::spawn(move || hand_out(sides, making, first, threads, &sender));
        Self { queue, waited: Duration::ZERO, unreadable }
    }

    /// The next batch.
    pub(crate) fn next(&mut self) -> Result<Batch, DataError> {
        let start = Instant::now();
        let batch = self.queue.recv().expect("work is handed out without end");
        let batch = batch.recv().expect("a batch under way is sent, or its thread panicked");
        self.waited += start.elapsed();
        batch
    }

    /// How long the training loop has waited for pictures since it last asked.
    pub(crate) fn take_waited(&mut self) -> Duration {
        std::mem::take(&mut self.waited)
    }

    /// Messages about pictures that could not be read and are left out, each once.
    pub(crate) fn take_warnings(&self) -> Vec<String> {
        std::mem::take(&mut self.unreadable.0.lock().expect("no thread panics while it holds the lock").new)
    }
}

fn hand_out(
    mut sides: [Side; 2],
    making: Making,
    first: u64,
    threads: usize,
    sender: &SyncSender<Receiver<Result<Batch, DataError>>>,
) {
    let name = |index| format!("decode-{index}");
    let pool: ThreadPool =
        rayon::ThreadPoolBuilder::new().num_threads(threads).thread_name(name).build().expect("threads can be started");
    for update in first.. {
        let (one_place, batch) = sync_channel(1);
        if sender.send(batch).is_err() {
            return; // the training loop has ended
        }
        let positions = update * making.batch as u64..(update + 1) * making.batch as u64;
        // The order is looked up here, in turn; decoding needs only a copy of where it stands.
        let work: Vec<Side> = sides.iter_mut().map(|side| side.at(positions.start)).collect();
        pool.spawn(move || {
            let made = making.batch(work, positions.clone());
            let _ended = one_place.send(made); // an error means that the training loop has ended
        });
    }
}

#[derive(Clone)]
struct Side {
    pictures: Pictures,
    order: Order,
    number: usize,
    cache: Arc<Cache>,
    unreadable: Arc<Unreadable>,
}

impl Side {
    /// A copy whose order is shuffled up to a position.
    fn at(&mut self, position: u64) -> Self {
        self.order.at(position);
        self.clone()
    }

    /// A picture as it is before the crop.
    fn load(&self, index: usize, augmentation: Augmentation) -> Result<Arc<Picture>, Unusable> {
        self.cache.get(self.number, index, || {
            let picture = self.pictures.read(index, augmentation.size)?;
            Ok(augmentation.load(picture, self.pictures.keep_their_grid())?)
        })
    }
}

/// Why a file gives no training picture.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    TooSmall(#[from] TooSmall),
}

/// How pictures become numbers.
#[derive(Clone, Copy)]
struct Making {
    batch: usize,
    augmentation: Augmentation,
    seed: u64,
}

impl Making {
    fn batch(self, sides: Vec<Side>, positions: std::ops::Range<u64>) -> Result<Batch, DataError> {
        let picture = 3 * (self.augmentation.size as usize).pow(2);
        let mut made = [Vec::new(), Vec::new()];
        for (mut side, values) in sides.into_iter().zip(&mut made) {
            values.resize(self.batch * picture, 0.0);
            for (position, planes) in positions.clone().zip(values.chunks_exact_mut(picture)) {
                self.picture(&mut side, position, planes)?;
            }
        }
        Ok(Batch { sides: made })
    }

    /// The picture at a position of a side's order; where it cannot be read, the next that can.
    fn picture(self, side: &mut Side, position: u64, planes: &mut [f32]) -> Result<(), DataError> {
        let count = side.pictures.len();
        for later in 0..count as u64 {
            let index = side.order.at(position + later);
            match side.load(index, self.augmentation) {
                Ok(loaded) => {
                    let mut random = generator(self.seed, Purpose::Augmentation, [side.number as u64, position]);
                    pixels::to_planes(&self.augmentation.draw(&loaded, &mut random), planes);
                    return Ok(());
                }
                Err(error) => side.unreadable.warn(side.pictures.path(index), &error),
            }
        }
        Err(DataError::Unreadable { count, example: side.pictures.path(0) })
    }
}

/// Files that could not be read, so that each is reported once.
#[derive(Default)]
struct Unreadable(Mutex<Warnings>);

#[derive(Default)]
struct Warnings {
    known: BTreeSet<PathBuf>,
    new: Vec<String>,
}

impl Unreadable {
    fn warn(&self, path: PathBuf, error: &Unusable) {
        let mut warnings = self.0.lock().expect("no thread panics while it holds the lock");
        let message = format!("warning: {} {error}; it is left out", path.display());
        if warnings.known.insert(path) {
            warnings.new.push(message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::tests::small;

    const CACHE: u64 = 1 << 20;

    fn take(data: &DataSet, settings: &Settings, first: u64, count: usize) -> (Vec<Batch>, Vec<String>) {
        let mut loader = Loader::start(data, settings, first, CACHE);
        let batches = (0..count).map(|_| loader.next().expect("readable pictures")).collect();
        (batches, loader.take_warnings())
    }

    #[test]
    fn batches_do_not_depend_on_where_a_run_starts() {
        let settings = Settings { load_scale: 1.2, flip: true, batch: 2, ..small() };
        let data = DataSet::stripes(1);
        let (all, _) = take(&data, &settings, 0, 12);
        let (later, _) = take(&data, &settings, 5, 7);
        assert!(all[5..] == later, "the same pictures, crops and flips");
        assert!(all[0] != all[1]);
    }

    #[test]
    fn pictures_from_memory_are_those_from_the_files() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (side, colour) in [("trainA", 10), ("trainB", 200)] {
            for number in 0..3 {
                let picture = Picture::from_fn(40, 30, |x, y| [x as u8, (y + number * 9) as u8, colour].into());
                let png = pictures::encode(&picture, pictures::Format::Png).expect("small");
                let path = folder.path().join(side).join(format!("{number}.png"));
                program::files::write_whole(&path, &png).expect("writable");
            }
        }
        let data = DataSet::in_folder(folder.path()).expect("two sides");
        let settings = Settings { load_scale: 1.2, flip: true, ..small() };
        let batches = |cache| {
            let mut loader = Loader::start(&data, &settings, 0, cache);
            (0..12).map(|_| loader.next().expect("readable pictures")).collect::<Vec<_>>()
        };
        let uncached = batches(0);
        assert!(batches(CACHE) == uncached && batches(2000) == uncached, "all, and the two that fit");
    }

    #[test]
    fn a_picture_that_cannot_be_read_is_left_out_and_named_once() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let good = pictures::encode(&Picture::new(8, 8), pictures::Format::Png).expect("small");
        for side in ["trainA", "trainB"] {
            fs_err::create_dir(folder.path().join(side)).expect("writable");
            fs_err::write(folder.path().join(side).join("good.png"), &good).expect("writable");
        }
        fs_err::write(folder.path().join("trainA/bad.png"), &good[..20]).expect("writable");
        let data = DataSet::in_folder(folder.path()).expect("two sides");
        let (batches, warnings) = take(&data, &small(), 0, 6);
        assert_eq!(batches.len(), 6);
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].contains("bad.png cannot be decoded"), "{warnings:?}");

        fs_err::remove_file(folder.path().join("trainB/good.png")).expect("was there");
        fs_err::write(folder.path().join("trainB/bad.png"), b"no picture").expect("writable");
        let data = DataSet::in_folder(folder.path()).expect("two sides");
        let error = Loader::start(&data, &small(), 0, CACHE).next().expect_err("no picture of B can be read");
        assert!(error.to_string().contains("none of the 1 pictures"), "{error}");
    }
}
