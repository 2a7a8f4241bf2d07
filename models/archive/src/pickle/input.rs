//! What the machine reads of the pickle's bytes. Nothing is read twice.

use super::machine::Machine;
use super::{Text, Value, text_in};
use crate::ArchiveError;

impl Machine<'_> {
    /// An error at the step.
    pub(super) fn fault(&self, why: &'static str) -> ArchiveError {
        ArchiveError::Pickle { at: self.step, why }
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&[u8], ArchiveError> {
        let end = self.at.checked_add(count).filter(|&end| end <= self.input.len());
        let bytes = &self.input[self.at..end.ok_or_else(|| self.fault("ends too early"))?];
        self.at += count;
        Ok(bytes)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], ArchiveError> {
        Ok(self.take(N)?.try_into().expect("as many bytes as were taken"))
    }

    /// Where bytes are that follow their count, which has `N` bytes.
    pub(super) fn counted<const N: usize>(&mut self) -> Result<Text, ArchiveError> {
        let mut count = [0; 8];
        count[..N].copy_from_slice(&self.array::<N>()?);
        let count = usize::try_from(u64::from_le_bytes(count)).unwrap_or(usize::MAX);
        let start = self.at;
        self.take(count)?;
        // The whole pickle is smaller than 4 GiB.
        Ok(Text { start: start as u32, length: count as u32 })
    }

    pub(super) fn bytes_of(&self, Text { start, length }: Text) -> &[u8] {
        &self.input[start as usize..start as usize + length as usize]
    }

    pub(super) fn push_text<const N: usize>(&mut self) -> Result<(), ArchiveError> {
        let text = self.counted::<N>()?;
        let text = self.checked(text)?;
        self.push(Value::Text(text))
    }

    /// Python 2's strings: names are ASCII in them, and what is not is no name.
    pub(super) fn push_bytes<const N: usize>(&mut self) -> Result<(), ArchiveError> {
        let text = self.counted::<N>()?;
        self.push(if self.bytes_of(text).is_ascii() { Value::Text(text) } else { Value::Plain })
    }

    pub(super) fn push_plain<const N: usize>(&mut self) -> Result<(), ArchiveError> {
        self.counted::<N>()?;
        self.push(Value::Plain)
    }

    pub(super) fn checked(&self, text: Text) -> Result<Text, ArchiveError> {
        match std::str::from_utf8(self.bytes_of(text)) {
            Ok(_) => Ok(text),
            Err(_) => Err(self.fault("has a text that is not UTF-8")),
        }
    }

    pub(super) fn line(&mut self) -> Result<Text, ArchiveError> {
        let start = self.at;
        let length = self.input[start..].iter().position(|&byte| byte == b'\n');
        let length = length.ok_or_else(|| self.fault("ends too early"))?;
        self.at += length + 1;
        self.checked(Text { start: start as u32, length: length as u32 })
    }

    pub(super) fn text(&self, text: Text) -> &str {
        text_in(self.input, text)
    }
}
