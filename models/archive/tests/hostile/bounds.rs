//! The bounds on time and memory that hold for every file.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATED: PeakAlloc = PeakAlloc;

/// What a byte of a file may cost at most. Eight times for what is read from it and half of that again while a list grows;
/// a zip archive's directory beside it.
const PER_BYTE: usize = 24;

/// What the smallest file may cost: 16 MiB, and half of it again while a list grows.
const ALWAYS: usize = 24 << 20;

/// A second is promised; a debug build is a few times slower, and machines are shared.
const LONGEST: Duration = Duration::from_secs(5);

/// One at a time: memory is counted for the whole process.
static ALONE: Mutex<()> = Mutex::new(());

/// Runs something on a file of so many bytes, and checks what it took.
pub fn within<T>(file: usize, run: impl FnOnce() -> T) -> T {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let before = ALLOCATED.current_usage();
    ALLOCATED.reset_peak_usage();
    let start = Instant::now();
    let result = run();
    let took = start.elapsed();
    let most = ALLOCATED.peak_usage().saturating_sub(before);
    assert!(took < LONGEST, "{took:?} for {file} bytes");
    assert!(most <= PER_BYTE * file + ALWAYS, "{most} bytes of memory for {file}");
    result
}
