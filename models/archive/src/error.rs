//! Why a file is not read.

use std::fmt;

/// How many names a message lists.
const LISTED: usize = 20;

/// How many characters of a name that a file chose a message shows.
const SHOWN_OF_NAME: usize = 100;

/// How many it shows of another library's message, which repeats what the file says.
const SHOWN_OF_MESSAGE: usize = 300;

/// Why a file is not read. The messages go behind the path, which the caller knows.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// A file of another kind.
    #[error("is no file of weights that is read here (.ot, .safetensors, .pth, .pt): it seems to be {0}")]
    Foreign(String),
    /// `torch.save` of before 1.6, or with `_use_new_zipfile_serialization=False`.
    #[error(
        "is in PyTorch's format from before version 1.6, which is not read here; convert it: \
         python -c \"import torch; torch.save(torch.load('OLD.pth', map_location='cpu', weights_only=True), 'NEW.pth')\""
    )]
    Legacy,
    /// `torch.save` of before 0.1.10.
    #[error(
        "is in PyTorch's first format, a tar archive, which is not read here; if you trust its source (PyTorch runs code that \
         such a file holds), convert it: \
         python -c \"import torch; torch.save(torch.load('OLD.pth', map_location='cpu', weights_only=False), 'NEW.pth')\""
    )]
    LegacyTar,
    /// safetensors does not take the bytes.
    #[error("is no safetensors file, or a damaged one ({0})")]
    Safetensors(String),
    /// Not the zip archive that it begins as.
    #[error("is a damaged zip archive ({0}); fetch or save it again")]
    Zip(String),
    /// A zip archive from elsewhere.
    #[error("is a zip archive, but not one of PyTorch: {0}")]
    NotPyTorch(String),
    /// An entry of a zip archive that contradicts the rest of the file.
    #[error("is damaged: its entry `{entry}` {why}; fetch or save it again")]
    Entry {
        /// Its name in the archive.
        entry: String,
        /// What is wrong with it.
        why: String,
    },
    /// Numbers in an order that no machine of today has.
    #[error(
        "was written on a big-endian machine, which is not read here; save it again on another: \
         python -c \"import torch; torch.save(torch.load('OLD.pth', map_location='cpu', weights_only=True), 'NEW.pth')\""
    )]
    BigEndian,
    /// A pickle that is none.
    #[error("is damaged: its data.pkl {why}, at byte {at}")]
    Pickle {
        /// Where.
        at: usize,
        /// What is wrong there.
        why: &'static str,
    },
    /// More than a file of its size can need.
    #[error("needs more than {} MiB of memory, which no file of its size does: it is damaged, or not to be trusted", most >> 20)]
    TooMuch {
        /// What is allowed, in bytes.
        most: u64,
    },
    /// A tensor that its numbers do not suffice for, or that this program cannot hold.
    #[error("tensor `{name}` {why}")]
    Tensor {
        /// Its name.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// Something else where a tensor belongs.
    #[error(
        "`{name}` is made by `{global}`, which is not known here, and nothing that a file names is ever called; save plain \
         tensors: torch.save(network.state_dict(), 'NEW.pth')"
    )]
    Global {
        /// Its name.
        name: String,
        /// What the file would have called: module and name.
        global: String,
    },
    /// No dictionary of tensors in it.
    #[error("holds no state_dict but {found}; save one: torch.save(network.state_dict(), 'NEW.pth')")]
    NoTensors {
        /// What it holds instead.
        found: String,
    },
    /// Several dictionaries of tensors.
    #[error("holds several state_dicts: {found}; choose one with --key")]
    Several {
        /// Where they are.
        found: Found,
    },
    /// Nothing under a key.
    #[error("has no state_dict under the key `{key}`; there is {found}")]
    NoKey {
        /// The key asked for.
        key: String,
        /// Where there are some.
        found: Found,
    },
    /// A key for a file without dictionaries.
    #[error("has no dictionaries to choose `{key}` from; leave --key out")]
    NoDictionaries {
        /// The key asked for.
        key: String,
    },
}

/// Dictionaries of tensors in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The first ones: where each is, and how many tensors it has.
    pub listed: Vec<(String, usize)>,
    /// How many there are beyond those.
    pub more: usize,
}

impl Found {
    /// Adds one.
    pub(crate) fn add(&mut self, path: impl FnOnce() -> String, tensors: usize) {
        match self.listed.len() < LISTED {
            true => self.listed.push((path(), tensors)),
            false => self.more += 1,
        }
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (path, tensors)) in self.listed.iter().enumerate() {
            let before = if index == 0 { "" } else { ", " };
            let plural = if *tensors == 1 { "" } else { "s" };
            write!(f, "{before}`{path}` ({tensors} tensor{plural})")?;
        }
        if self.more > 0 {
            write!(f, " and {} more", self.more)?;
        }
        Ok(())
    }
}

/// A name from a file as a message shows it: short, and without what a terminal would act on.
pub(crate) fn shown(name: &str) -> String {
    escaped(name, SHOWN_OF_NAME)
}

/// The same of another library's error.
pub(crate) fn said(error: impl fmt::Display) -> String {
    escaped(&error.to_string(), SHOWN_OF_MESSAGE)
}

fn escaped(text: &str, most: usize) -> String {
    let escape = |letter: char| match letter {
        '"' | '\'' => vec![letter],
        _ => letter.escape_debug().collect(),
    };
    let mut shown: String = text.chars().take(most).flat_map(escape).collect();
    if text.chars().nth(most).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_a_file_are_shown_short_and_harmless() {
        assert_eq!(shown("model.1.weight"), "model.1.weight");
        assert_eq!(shown("\u{1b}[2J"), "\\u{1b}[2J");
        assert_eq!(shown(&"x".repeat(1 << 20)).chars().count(), SHOWN_OF_NAME + 1);
    }

    #[test]
    fn a_long_list_is_cut_and_says_how_much_is_left_out() {
        let mut found = Found::default();
        (1..30).for_each(|number| found.add(|| format!("net{number}"), number));
        let message = ArchiveError::Several { found }.to_string();
        assert!(message.contains("`net1` (1 tensor), `net2` (2 tensors)"), "{message}");
        assert!(message.ends_with("`net20` (20 tensors) and 9 more; choose one with --key"), "{message}");
    }
}
