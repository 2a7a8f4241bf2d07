//! Pickles and archives that PyTorch would not write.

use super::targets::wrapped;

/// A pickle being written, operation by operation (their letters are those of Python's `pickletools`).
#[derive(Clone)]
pub struct Pickle(pub Vec<u8>);

impl Pickle {
    /// One of protocol 2.
    pub fn new() -> Self {
        Self(b"\x80\x02".to_vec())
    }

    /// Operations as they stand.
    pub fn raw(mut self, operations: &[u8]) -> Self {
        self.0.extend_from_slice(operations);
        self
    }

    /// The same operations again and again.
    pub fn repeat(mut self, operations: &[u8], times: usize) -> Self {
        self.0.extend(operations.repeat(times));
        self
    }

    /// A class or function.
    pub fn global(self, module: &str, name: &str) -> Self {
        self.raw(format!("c{module}\n{name}\n").as_bytes())
    }

    /// A text.
    pub fn text(self, text: &str) -> Self {
        self.raw(b"X").raw(&(text.len() as u32).to_le_bytes()).raw(text.as_bytes())
    }

    /// An integer of 64 bits.
    pub fn int(self, number: i64) -> Self {
        self.raw(b"\x8a\x08").raw(&number.to_le_bytes())
    }

    /// A tuple of integers.
    pub fn ints(self, numbers: &[i64]) -> Self {
        numbers.iter().fold(self.raw(b"("), |pickle, &number| pickle.int(number)).raw(b"t")
    }

    /// A storage of floats.
    pub fn storage(self, class: &str, key: &str, count: i64) -> Self {
        self.raw(b"(").text("storage").global("torch", class).text(key).text("cpu").int(count).raw(b"tQ")
    }

    /// A tensor over a storage of floats.
    pub fn tensor(self, key: &str, count: i64, offset: i64, shape: &[i64], strides: &[i64]) -> Self {
        let storage = self.global("torch._utils", "_rebuild_tensor_v2").raw(b"(").storage("FloatStorage", key, count);
        storage.int(offset).ints(shape).ints(strides).raw(b"\x89)tR")
    }

    /// The whole as a file, with one storage of so many bytes.
    pub fn file(self, storage: usize) -> Vec<u8> {
        wrapped(&self.raw(b".").0, &[vec![0; storage]], &[])
    }
}

/// A state_dict with a single tensor under `w`.
pub fn single(count: i64, offset: i64, shape: &[i64], strides: &[i64]) -> Vec<u8> {
    Pickle::new().raw(b"}").text("w").tensor("0", count, offset, shape, strides).raw(b"s").file(16)
}
