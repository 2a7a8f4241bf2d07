//! What reading a file may take, in time and memory.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use peak_alloc::PeakAlloc;

use crate::target::LIMITS;

#[global_allocator]
pub static ALLOCATED: PeakAlloc = PeakAlloc;

/// What reading may take beside the limits: a JPEG decoder's tables, a profile's.
pub const ALWAYS: usize = 24 << 20;

/// Places of strips and tiles cost 32 bytes for each of theirs, and are read for the photo and for the number of pages.
const PER_BYTE: usize = 70;

/// A debug build on a shared machine.
const LONGEST: Duration = Duration::from_secs(10);

/// One at a time: memory is counted for the whole process.
static ALONE: Mutex<()> = Mutex::new(());

/// Runs something on a file within the bounds.
pub fn within<T>(name: &str, file: &[u8], run: impl FnOnce(&[u8]) -> T) -> T {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let before = ALLOCATED.current_usage();
    ALLOCATED.reset_peak_usage();
    let start = Instant::now();
    let result = run(file);
    let took = start.elapsed();
    let most = ALLOCATED.peak_usage().saturating_sub(before);
    assert!(took < LONGEST, "{name}: {took:?}");
    let allowed = LIMITS.most_bytes as usize + ALWAYS + PER_BYTE * file.len();
    assert!(most <= allowed, "{name}: {most} bytes of memory, more than {allowed}");
    result
}
