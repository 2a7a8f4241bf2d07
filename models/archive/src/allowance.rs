//! What a file may make us allocate.

use crate::ArchiveError;

/// How many times its size a file may become. 16-bit floats become twice as large, bytes four times, and trained weights
/// hardly shrink when they are compressed.
const MOST_GROWTH: u64 = 8;

/// What even the smallest file may become.
const ALWAYS_ALLOWED: u64 = 16 << 20;

/// The memory that is left to a file. Everything whose size a file decides is taken from it before it is allocated.
#[derive(Debug)]
pub(crate) struct Allowance {
    total: u64,
    left: u64,
}

impl Allowance {
    /// For a file of so many bytes.
    pub(crate) fn of(file: usize) -> Self {
        let total = (file as u64).saturating_mul(MOST_GROWTH).saturating_add(ALWAYS_ALLOWED);
        Self { total, left: total }
    }

    /// Takes bytes that are about to be allocated.
    pub(crate) fn take(&mut self, bytes: u64) -> Result<(), ArchiveError> {
        self.left = self.left.checked_sub(bytes).ok_or(ArchiveError::TooMuch { most: self.total })?;
        Ok(())
    }

    /// Pushes onto a list whose length a file decides.
    pub(crate) fn push<T>(&mut self, list: &mut Vec<T>, item: T) -> Result<(), ArchiveError> {
        self.reserve(list, 1)?;
        list.push(item);
        Ok(())
    }

    /// Makes room in a list: at least as much again as it has, so that all growth is linear in what is pushed.
    pub(crate) fn reserve<T>(&mut self, list: &mut Vec<T>, more: usize) -> Result<(), ArchiveError> {
        if list.capacity() - list.len() < more {
            let more = more.max(list.capacity()).max(4);
            self.take((more as u64).saturating_mul(size_of::<T>() as u64))?;
            list.reserve_exact(more);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_gone_and_more_than_all_is_refused() {
        let mut allowance = Allowance::of(1 << 20);
        allowance.take(23 << 20).expect("of 24 MiB");
        let mut list = Vec::new();
        let pushed = (0..1 << 20).try_for_each(|number: u64| allowance.push(&mut list, number));
        let error = pushed.expect_err("8 MiB do not fit into the last one").to_string();
        assert!(error.starts_with("needs more than 24 MiB of memory"), "{error}");
        assert!(list.capacity() * size_of::<u64>() <= 1 << 20, "nothing was allocated beyond it");
    }
}
