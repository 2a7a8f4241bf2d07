//! Memory, asked for so that the lack of it is an error.

use std::sync::Mutex;

use crate::error::KernelError;

/// Memory that is kept from one layer to the next.
#[derive(Debug, Default)]
pub struct Scratch {
    /// What tasks work in.
    pub(crate) tasks: Pool,
    /// What tasks of a layer leave for each other: points of its inputs.
    pub(crate) points: Pool,
    /// And sums of its outputs.
    pub(crate) sums: Pool,
}

/// Memory that is kept from one who needs it to the next.
#[derive(Debug, Default)]
pub(crate) struct Pool(Mutex<Vec<Memory>>);

impl Pool {
    pub(crate) fn take(&self) -> Memory {
        self.0.lock().map(|mut free| free.pop()).ok().flatten().unwrap_or_default()
    }

    pub(crate) fn give_back(&self, memory: Memory) {
        if let Ok(mut free) = self.0.lock() {
            free.push(memory);
        }
    }
}

/// Numbers of which the first lies at the start of a line of the cache: vectors that lie in two lines take twice the time.
#[derive(Debug, Default)]
pub(crate) struct Memory(Vec<f32>);

/// Bytes of a line.
const LINE: usize = 64;

impl Memory {
    /// So many numbers, whatever they are.
    ///
    /// # Errors
    /// If there is no memory.
    pub(crate) fn numbers(&mut self, count: usize) -> Result<&mut [f32], KernelError> {
        const SPARE: usize = LINE / size_of::<f32>() - 1;
        grow(&mut self.0, count.saturating_add(SPARE))?;
        let first = self.0.as_ptr().align_offset(LINE).min(SPARE);
        Ok(&mut self.0[first..][..count])
    }
}

#[cfg(test)]
impl Memory {
    /// Some memory in which something was left.
    pub(crate) fn of(number: f32) -> Self {
        Self(vec![number; 100_000])
    }
}

/// So many zeros, or an error.
pub(crate) fn memory(count: usize) -> Result<Vec<f32>, KernelError> {
    let mut numbers = Vec::new();
    grow(&mut numbers, count)?;
    Ok(numbers)
}

/// At least so many numbers; what is there stays.
fn grow(numbers: &mut Vec<f32>, count: usize) -> Result<(), KernelError> {
    let more = count.saturating_sub(numbers.len());
    numbers.try_reserve_exact(more).map_err(|_| KernelError::Memory { bytes: count.saturating_mul(4) })?;
    numbers.resize(count.max(numbers.len()), 0.0);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_begins_at_a_line_and_is_as_much_as_was_asked_for() {
        let mut memory = Memory::default();
        for count in [1, 1000, 10, 100_000] {
            let numbers = memory.numbers(count).expect("there is memory");
            assert_eq!((numbers.len(), numbers.as_ptr().align_offset(LINE)), (count, 0));
        }
        assert!(matches!(memory.numbers(usize::MAX), Err(KernelError::Memory { .. })));
    }
}
