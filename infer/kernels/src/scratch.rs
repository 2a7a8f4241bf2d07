//! Memory, asked for so that the lack of it is an error.

use std::sync::Mutex;

use crate::error::KernelError;

/// Memory that tasks work in, kept from one to the next.
#[derive(Debug, Default)]
pub struct Scratch(Mutex<Vec<Vec<f32>>>);

impl Scratch {
    pub(crate) fn take(&self) -> Vec<f32> {
        self.0.lock().map(|mut free| free.pop()).ok().flatten().unwrap_or_default()
    }

    pub(crate) fn give_back(&self, numbers: Vec<f32>) {
        if let Ok(mut free) = self.0.lock() {
            free.push(numbers);
        }
    }
}

/// So many zeros, or an error.
pub(crate) fn memory(count: usize) -> Result<Vec<f32>, KernelError> {
    let mut numbers = Vec::new();
    grow(&mut numbers, count)?;
    Ok(numbers)
}

/// At least so many numbers; what is there stays.
pub(crate) fn grow(numbers: &mut Vec<f32>, count: usize) -> Result<(), KernelError> {
    let more = count.saturating_sub(numbers.len());
    numbers.try_reserve_exact(more).map_err(|_| KernelError::Memory { bytes: count.saturating_mul(4) })?;
    numbers.resize(count.max(numbers.len()), 0.0);
    Ok(())
}
