//! Who does the tasks.

use std::sync::Mutex;

use crate::error::KernelError;

/// Threads that share tasks.
pub trait Threads {
    /// How many there are.
    fn count(&self) -> usize;

    /// Does each task once.
    ///
    /// # Errors
    /// That of a task.
    fn each(&self, tasks: usize, task: &(dyn Fn(usize) -> Result<(), KernelError> + Sync)) -> Result<(), KernelError>;
}

/// Does a task with each item.
pub(crate) fn each_of<T: Send>(
    threads: &dyn Threads,
    items: Vec<T>,
    task: impl Fn(T) -> Result<(), KernelError> + Sync,
) -> Result<(), KernelError> {
    let items: Vec<Mutex<Option<T>>> = items.into_iter().map(|item| Mutex::new(Some(item))).collect();
    threads.each(items.len(), &|place| {
        let item = items[place].lock().ok().and_then(|mut item| item.take());
        task(item.ok_or_else(|| KernelError::Fault("a task was done twice".into()))?)
    })
}

/// This thread alone.
#[cfg(test)]
pub(crate) struct Alone;

#[cfg(test)]
impl Threads for Alone {
    fn count(&self) -> usize {
        1
    }

    fn each(&self, tasks: usize, task: &(dyn Fn(usize) -> Result<(), KernelError> + Sync)) -> Result<(), KernelError> {
        (0..tasks).try_for_each(task)
    }
}

/// So many new threads, each with every so-manieth task.
#[cfg(test)]
pub(crate) struct Scoped(pub(crate) usize);

#[cfg(test)]
impl Threads for Scoped {
    fn count(&self) -> usize {
        self.0
    }

    fn each(&self, tasks: usize, task: &(dyn Fn(usize) -> Result<(), KernelError> + Sync)) -> Result<(), KernelError> {
        let first = First::default();
        std::thread::scope(|scope| {
            for thread in 0..self.0 {
                let first = &first;
                scope.spawn(move || (thread..tasks).step_by(self.0).for_each(|place| first.keep(task(place))));
            }
        });
        first.result()
    }
}

/// The first error of many tasks.
#[derive(Debug, Default)]
pub(crate) struct First(Mutex<Option<KernelError>>);

impl First {
    /// Keeps it, where it is the first.
    pub(crate) fn keep(&self, result: Result<(), KernelError>) {
        if let (Err(error), Ok(mut kept)) = (result, self.0.lock()) {
            kept.get_or_insert(error);
        }
    }

    /// It, or that all went well.
    pub(crate) fn result(self) -> Result<(), KernelError> {
        self.0.into_inner().unwrap_or_default().map_or(Ok(()), Err)
    }
}
