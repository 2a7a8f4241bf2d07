//! Pictures on their way from one stage to the next, in one place: who may take what, and when nobody may any more.
//!
//! ```text
//! decoders ──▶ decoded, by shape ──▶ translators, one a device ──▶ translated ──▶ encoders
//! ```
//!
//! A picture reserves room in bytes before it is decoded and gives it back once it is written, so that what is under way is
//! bounded wherever it waits. Only decoders wait for room, and a picture alone always has it; translators wait only for
//! encoders, and those for nobody: nothing can wait for ever. A batch is begun when it is full, or when no decoder can add to it:
//! because there is no more work, or because all that decode wait for room.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard};

/// Pictures that take one shape, which a network may see together.
type Group<S, D> = (S, VecDeque<D>);

/// The way of `items` pictures. `S` is the shape by which batches form, `D` a decoded picture, `T` a translated one.
#[derive(Debug)]
pub struct Flow<S, D, T> {
    state: Mutex<State<S, D, T>>,
    changed: Condvar,
    limits: Limits,
}

/// How much may be under way.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of all pictures from decoding to writing.
    pub bytes: u64,
    /// Pictures that wait for the network, so that small ones do not pile up by the thousand.
    pub decoded: usize,
    /// Pictures that wait to be written, from which on no batch is begun: the network must not run away from slow encoders.
    pub translated: usize,
    /// Pictures of one shape that the network sees together.
    pub batch: usize,
}

#[derive(Debug)]
struct State<S, D, T> {
    /// The next picture that nobody has taken.
    next: usize,
    end: usize,
    is_stopped: bool,
    used: u64,
    /// In the order of their oldest picture.
    decoded: VecDeque<Group<S, D>>,
    waiting: usize,
    translated: VecDeque<T>,
    decoders: usize,
    /// Of them, those that wait for room.
    blocked: usize,
    translators: usize,
}

impl<S: PartialEq, D, T> Flow<S, D, T> {
    /// A way on which nothing is yet. As many decoders and translators as are said here must [leave](Self::decoder)
    /// before it ends.
    pub fn new(items: usize, decoders: usize, translators: usize, limits: Limits) -> Self {
        let state = State {
            next: 0,
            end: items,
            is_stopped: false,
            used: 0,
            decoded: VecDeque::new(),
            waiting: 0,
            translated: VecDeque::new(),
            decoders,
            blocked: 0,
            translators,
        };
        Self { state: Mutex::new(state), changed: Condvar::new(), limits }
    }

    /// From now on no picture is begun, and none goes to the network that is not there yet. What is there is written.
    pub fn stop(&self) {
        self.change(|state| state.is_stopped = true);
    }

    /// Whether no more is begun.
    pub fn is_stopped(&self) -> bool {
        self.lock().is_stopped
    }

    /// The next picture to decode, by its place in the plan. None where there is none, or where the way is stopped.
    pub fn next(&self) -> Option<usize> {
        let mut state = self.lock();
        if state.is_stopped || state.next == state.end {
            return None;
        }
        state.next += 1;
        Some(state.next - 1)
    }

    /// Waits until there is room for a picture, and takes it. False where the way is stopped.
    pub fn reserve(&self, bytes: u64) -> bool {
        let mut state = self.lock();
        let is_full = |state: &State<S, D, T>| {
            state.used > 0 && state.used.saturating_add(bytes) > self.limits.bytes
                || state.waiting >= self.limits.decoded.max(self.limits.batch)
        };
        if is_full(&state) && !state.is_stopped {
            state.blocked += 1;
            // A batch that is not full may have waited for this one. Once: blocked decoders must not wake each other for ever.
            self.changed.notify_all();
            while is_full(&state) && !state.is_stopped {
                state = self.changed.wait(state).expect(NO_PANIC);
            }
            state.blocked -= 1;
        }
        if state.is_stopped {
            return false;
        }
        state.used = state.used.saturating_add(bytes);
        true
    }

    /// Gives back the room of a picture that is written, or has failed.
    pub fn give_back(&self, bytes: u64) {
        self.change(|state| state.used = state.used.saturating_sub(bytes));
    }

    /// Hands on a decoded picture.
    pub fn decoded(&self, shape: S, picture: D) {
        self.change(|state| {
            state.waiting += 1;
            match state.decoded.iter_mut().find(|(known, _)| *known == shape) {
                Some((_, group)) => group.push_back(picture),
                None => state.decoded.push_back((shape, VecDeque::from([picture]))),
            }
        });
    }

    /// Waits for pictures of one shape. None where there are no more, or where the way is stopped: a network may need
    /// minutes for all that is decoded ahead.
    pub fn batch(&self, most: usize) -> Option<(S, Vec<D>)>
    where
        S: Clone,
    {
        let mut state = self.lock();
        loop {
            if state.is_stopped {
                return None;
            }
            let nobody_adds = state.decoders == state.blocked;
            let full = state.decoded.iter().position(|(_, group)| group.len() >= most);
            let ready = full.or((nobody_adds && !state.decoded.is_empty()).then_some(0));
            let has_room = state.translated.len() < self.limits.translated;
            if let Some(place) = ready.filter(|_| has_room) {
                let (shape, group) = &mut state.decoded[place];
                let batch: Vec<D> = group.drain(..most.min(group.len())).collect();
                let shape = shape.clone();
                if group.is_empty() {
                    state.decoded.remove(place);
                }
                state.waiting -= batch.len();
                self.changed.notify_all();
                return Some((shape, batch));
            }
            if state.decoders == 0 && state.decoded.is_empty() {
                return None;
            }
            state = self.changed.wait(state).expect(NO_PANIC);
        }
    }

    /// Hands on a translated picture.
    pub fn translated(&self, picture: T) {
        self.change(|state| state.translated.push_back(picture));
    }

    /// Waits for a translated picture. None where there are no more.
    pub fn written_next(&self) -> Option<T> {
        let mut state = self.lock();
        loop {
            if let Some(picture) = state.translated.pop_front() {
                self.changed.notify_all(); // the next batch may have waited for this
                return Some(picture);
            }
            if state.translators == 0 {
                return None;
            }
            state = self.changed.wait(state).expect(NO_PANIC);
        }
    }

    /// A decoder, until it is dropped; also by a panic, so that nobody waits for it.
    pub fn decoder(&self) -> impl Drop {
        Leaving(move || self.change(|state| state.decoders -= 1))
    }

    /// A translator, until it is dropped.
    pub fn translator(&self) -> impl Drop {
        Leaving(move || self.change(|state| state.translators -= 1))
    }

    fn change(&self, change: impl FnOnce(&mut State<S, D, T>)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State<S, D, T>> {
        self.state.lock().expect(NO_PANIC)
    }
}

const NO_PANIC: &str = "no thread panics while it holds the way";

struct Leaving<F: Fn()>(F);

impl<F: Fn()> Drop for Leaving<F> {
    fn drop(&mut self) {
        self.0();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use proptest::prelude::*;

    use super::*;

    /// Sends pictures of these shapes through, each of as many bytes as its shape says; gives the batches.
    fn send(shapes: &[u64], decoders: usize, translators: usize, limits: Limits) -> Vec<(u64, Vec<usize>)> {
        let flow = Flow::new(shapes.len(), decoders, translators, limits);
        let (batches, written, used) = (Mutex::new(Vec::new()), AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..decoders {
                scope.spawn(|| {
                    let _leaving = flow.decoder();
                    while let Some(picture) = flow.next() {
                        let shape = shapes[picture];
                        assert!(flow.reserve(shape));
                        let before = used.fetch_add(shape as usize, Ordering::SeqCst) as u64;
                        assert!(before == 0 || before + shape <= limits.bytes, "{before} and {shape}");
                        flow.decoded(shape, picture);
                    }
                });
            }
            for _ in 0..translators {
                scope.spawn(|| {
                    let _leaving = flow.translator();
                    while let Some((shape, batch)) = flow.batch(limits.batch) {
                        batch.iter().for_each(|&picture| flow.translated(picture));
                        batches.lock().expect("no panic").push((shape, batch));
                    }
                });
            }
            while let Some(picture) = flow.written_next() {
                let waiting = flow.lock().translated.len();
                assert!(waiting < limits.translated + translators * limits.batch, "{waiting} wait to be written");
                written.fetch_add(1, Ordering::SeqCst);
                used.fetch_sub(shapes[picture] as usize, Ordering::SeqCst);
                flow.give_back(shapes[picture]);
            }
        });
        assert_eq!(written.into_inner(), shapes.len());
        batches.into_inner().expect("no panic")
    }

    proptest! {
        #[test]
        fn every_picture_arrives_once_in_a_batch_of_its_shape_and_within_the_room(
            shapes in prop::collection::vec(1..6_u64, 0..60),
            decoders in 1..4_usize,
            translators in 1..3_usize,
            bytes in 1..20_u64,
            decoded in 1..9_usize,
            translated in 1..5_usize,
            batch in 1..5_usize,
        ) {
            let batches = send(&shapes, decoders, translators, Limits { bytes, decoded, translated, batch });
            let mut seen = Vec::new();
            for (shape, pictures) in batches {
                prop_assert!((1..=batch).contains(&pictures.len()));
                prop_assert!(pictures.iter().all(|&picture| shapes[picture] == shape));
                seen.extend(pictures);
            }
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..shapes.len()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn batches_are_full_as_long_as_there_is_work_and_room() {
        let shapes = [1, 2].repeat(10);
        let batches = send(&shapes, 1, 1, Limits { bytes: 1000, decoded: 100, translated: 100, batch: 4 });
        let sizes: Vec<usize> = batches.iter().map(|(_, batch)| batch.len()).collect();
        assert_eq!(sizes.iter().filter(|&&size| size == 4).count(), 4, "{sizes:?}");
        assert_eq!(sizes.iter().sum::<usize>(), 20);
    }

    #[test]
    fn after_a_stop_nothing_is_begun_and_what_was_translated_is_written() {
        let flow: Flow<u64, usize, usize> =
            Flow::new(9, 1, 1, Limits { bytes: 10, decoded: 10, translated: 10, batch: 1 });
        assert_eq!(flow.next(), Some(0));
        assert!(flow.reserve(5));
        flow.decoded(5, 0);
        flow.translated(7);
        flow.stop();
        assert!(!flow.reserve(100), "who waits for room need not wait any more");
        assert_eq!((flow.next(), flow.batch(1)), (None, None));
        drop((flow.decoder(), flow.translator()));
        assert_eq!((flow.written_next(), flow.written_next()), (Some(7), None));
    }
}
