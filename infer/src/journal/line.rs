//! The lines of the journal: JSON, one fact each, nothing that depends on the clock of this run.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The version of the journal's format that this program writes.
pub const VERSION: u32 = 1;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Line {
    /// The first one.
    Format {
        /// Of this file.
        journal: u32,
    },
    /// How pictures behind it were made.
    Recipe(Recipe),
    /// One translation.
    Entry(Entry),
    /// Whether all before it was in its place when it was written; false where a run begins.
    Closed {
        /// True where it was.
        closed: bool,
    },
}

/// What decides how a translation looks, beside its input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// By which entries name it: the beginning of the hash over all the rest.
    pub recipe: RecipeName,
    /// SHA-256 of the model's file, and of its data beside it.
    pub model: String,
    /// Flags and the model's contract, as far as they change pictures.
    pub options: serde_json::Value,
}

impl Recipe {
    /// The recipe of a model, by its hash, with options.
    pub fn new(model: String, options: serde_json::Value) -> Self {
        // serde_json sorts the keys of its maps.
        let hash = sha256(format!("{model} {options}").as_bytes());
        let (recipe, _) = hash.0.split_first_chunk().expect("a hash is longer");
        Self { recipe: Hex(*recipe), model, options }
    }
}

/// One translation that was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Where it lies, from the output directory.
    pub output: PathText,
    /// What it is of, as it was given.
    pub input: PathText,
    /// That file.
    pub read: Stamp,
    /// By which [`Recipe`]; where it is damaged, by none.
    pub by: RecipeName,
    /// Bytes of the translation.
    pub bytes: u64,
    /// Their SHA-256.
    pub sha256: Hash,
}

/// An [`Entry`] without what the plan and the run know, since there is one in memory for each of millions of pictures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// The input.
    pub read: Stamp,
    /// Bytes of the translation.
    pub bytes: u64,
    /// Their SHA-256.
    pub sha256: Hash,
}

/// What tells whether a file is still the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stamp {
    /// Its length.
    pub bytes: u64,
    /// When it was changed last: nanoseconds since 1970, where the file system knows.
    pub modified: Option<u64>,
    /// SHA-256 of its content.
    pub sha256: Hash,
}

impl Stamp {
    /// Of a file with this content.
    pub fn new(content: &[u8], modified: Option<SystemTime>) -> Self {
        Self { bytes: content.len() as u64, modified: modified.and_then(nanoseconds), sha256: sha256(content) }
    }
}

/// A time as the journal keeps it.
pub fn nanoseconds(time: SystemTime) -> Option<u64> {
    time.duration_since(UNIX_EPOCH).ok()?.as_nanos().try_into().ok()
}

/// The SHA-256 of bytes.
pub fn sha256(bytes: &[u8]) -> Hash {
    Hex(Sha256::digest(bytes).into())
}

/// A SHA-256.
pub type Hash = Hex<32>;

/// What names a [`Recipe`].
pub type RecipeName = Hex<8>;

impl RecipeName {
    /// Of no recipe.
    pub const NONE: Self = Hex([0; 8]);
}

/// So many bytes, in JSON hexadecimal digits: there are several for each of millions of pictures.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Hex<const N: usize>([u8; N]);

impl<const N: usize> From<Hex<N>> for String {
    fn from(bytes: Hex<N>) -> Self {
        hex(&bytes.0)
    }
}

impl<const N: usize> TryFrom<String> for Hex<N> {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let bytes = from_hex(&text).and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(|| format!("{text:?}: not {} hexadecimal digits", 2 * N))
    }
}

impl<const N: usize> std::fmt::Debug for Hex<N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of hexadecimal digits, two a byte; none where they are others.
fn from_hex(digits: &str) -> Option<Vec<u8>> {
    let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
    let is_whole = digits.len().is_multiple_of(2) && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_whole.then(|| digits.as_bytes().chunks(2).map(byte).collect()).flatten()
}

/// A path in JSON: text where it is Unicode, else its bytes. Both come back as they were.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PathText {
    /// Most.
    Text(String),
    /// The others.
    Bytes {
        /// Two hexadecimal digits a byte.
        hex: String,
    },
}

impl From<&Path> for PathText {
    fn from(path: &Path) -> Self {
        match path.to_str() {
            Some(text) => Self::Text(text.to_owned()),
            None => Self::Bytes { hex: hex(path.as_os_str().as_bytes()) },
        }
    }
}

impl PathText {
    /// The path; none where the digits are none.
    pub fn path(&self) -> Option<PathBuf> {
        match self {
            Self::Text(text) => Some(PathBuf::from(text)),
            Self::Bytes { hex } => {
                let bytes = from_hex(hex)?;
                Some(OsString::from_vec(bytes).into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn every_line_comes_back_as_it_was() {
        let entry = Entry {
            output: Path::new("ünï/\"a\nb\".png").into(),
            input: Path::new(OsStr::from_bytes(b"not-\xffunicode.jpg")).into(),
            read: Stamp::new(b"abc", Some(UNIX_EPOCH)),
            by: RecipeName::NONE,
            bytes: 3,
            sha256: sha256(b"xyz"),
        };
        assert_eq!(entry.input.path(), Some(OsStr::from_bytes(b"not-\xffunicode.jpg").into()));
        let recipe = Recipe::new("hash".into(), serde_json::json!({ "fit": "train", "batch": 4 }));
        for line in
            [Line::Format { journal: VERSION }, Line::Recipe(recipe), Line::Entry(entry), Line::Closed { closed: true }]
        {
            let text = serde_json::to_string(&line).expect("no map has keys that are no text");
            assert!(!text.contains('\n'), "{text}");
            assert_eq!(serde_json::from_str::<Line>(&text).expect("just written"), line);
        }
    }

    #[test]
    fn a_recipe_is_named_after_all_that_is_in_it() {
        let named = |model: &str, fit: &str| Recipe::new(model.into(), serde_json::json!({ "fit": fit })).recipe;
        assert_eq!(named("a", "train"), named("a", "train"));
        assert_ne!(named("a", "train"), named("b", "train"));
        assert_ne!(named("a", "train"), named("a", "native"));
    }
}
