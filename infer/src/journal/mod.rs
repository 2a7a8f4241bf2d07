//! What is done, kept beside it: `.infer.jsonl` in the output directory.
//!
//! A translation's line is on the disk before the translation takes its place, so that nothing lies there of which the
//! journal does not know. The reverse can be: a program that was killed in between leaves a line whose output is missing or
//! an older one. Lines behind the last `closed` are therefore believed only where the output has the hash that they say.
//! At its end a run writes the journal anew, sorted and closed: however often it was stopped, the directory is in the end
//! the same to the byte. A long run also writes `closed` now and then, so that little has to be read again after a kill.
//!
//! The directory itself is locked meanwhile (flock(2), which a kill gives back): a second run is refused.

mod commit;
mod line;

use std::collections::{BTreeMap, HashSet};
use std::fs::{File, Metadata, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use program::files;

pub use commit::{Commits, NotCommitted};
pub use line::{Entry, Hash, Line, Made, PathText, Recipe, RecipeName, Stamp, sha256};
use line::{VERSION, hex, nanoseconds};

/// The journal's name in the output directory.
pub const NAME: &str = ".infer.jsonl";

/// Why a run cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The system's, with the path.
    #[error(transparent)]
    System(#[from] io::Error),
    /// Another run has the directory.
    #[error("{0}: another `infer` writes there; wait for it, or take another directory")]
    Busy(PathBuf),
    /// A later version of this program wrote it.
    #[error(
        "{path}: is a journal of version {found}, this program knows {VERSION}; use the newer program, or another directory",
        path = path.display()
    )]
    Version {
        /// Of the journal.
        path: PathBuf,
        /// What it says.
        found: u32,
    },
}

/// What a run knows of the ones before it in the same directory.
#[derive(Debug)]
pub struct Journal {
    /// The output directory, locked as long as this is open.
    _lock: File,
    is_locked: bool,
    folder: PathBuf,
    recipe: Recipe,
    recipes: BTreeMap<RecipeName, Recipe>,
    entries: BTreeMap<PathText, Entry>,
    /// Outputs that may lack or be older than their line says, with what an earlier run said of them.
    doubtful: BTreeMap<PathText, Option<Entry>>,
    /// Lines that could not be read, as after a power failure.
    unreadable: usize,
    is_closed: bool,
}

/// What is to be done with a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Translated already, by the same recipe; with the input's stamp as it is now.
    Done(Made),
    /// To be translated.
    ToDo,
    /// Something lies in its output's place of which no run says that it wrote it.
    Foreign,
}

impl Journal {
    /// Locks an output directory, which is made where it is missing, and reads what is known of it.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn open(folder: &Path, recipe: Recipe) -> Result<Self, JournalError> {
        fs_err::create_dir_all(folder)?;
        let lock = fs_err::File::open(folder)?.into_parts().0;
        let is_locked = match lock.try_lock() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock) => return Err(JournalError::Busy(folder.to_owned())),
            // As on some network file systems, each with an error of its own.
            Err(TryLockError::Error(_)) => false,
        };
        let mut journal = Self {
            _lock: lock,
            folder: folder.to_owned(),
            recipe,
            recipes: BTreeMap::new(),
            entries: BTreeMap::new(),
            doubtful: BTreeMap::new(),
            is_locked,
            unreadable: 0,
            is_closed: true,
        };
        journal.read()?;
        Ok(journal)
    }

    fn read(&mut self) -> Result<(), JournalError> {
        let path = self.path();
        let text = match fs_err::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        for line in text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            self.is_closed = false;
            match serde_json::from_slice(line) {
                Ok(Line::Format { journal: VERSION }) => {}
                Ok(Line::Format { journal: found }) => return Err(JournalError::Version { path, found }),
                Ok(Line::Recipe(recipe)) => {
                    self.recipes.insert(recipe.recipe, recipe);
                }
                Ok(Line::Entry(entry)) => {
                    self.doubt(entry);
                }
                Ok(Line::Closed { closed: false }) => {}
                Ok(Line::Closed { closed: true }) => {
                    self.doubtful.clear();
                    self.is_closed = true;
                }
                Err(_) => self.unreadable += 1,
            }
        }
        Ok(())
    }

    fn path(&self) -> PathBuf {
        self.folder.join(NAME)
    }

    /// Whether a second run would be refused: not every file system can lock.
    pub fn is_locked(&self) -> bool {
        self.is_locked
    }

    /// Whether the run before this one was killed, or there may have been one that was before it wrote anything.
    fn was_left_open(&self) -> bool {
        !self.is_closed || self.unreadable > 0 || !self.path().exists()
    }

    /// Lines that could not be read: what they said is not known any more.
    pub fn unreadable(&self) -> usize {
        self.unreadable
    }

    /// What is to be done with a picture. `verify` trusts no length and no time, but reads both files.
    ///
    /// # Errors
    /// If a file is there and cannot be read.
    pub fn state(&self, input: &Path, output: &Path, verify: bool) -> io::Result<State> {
        let there = match fs_err::symlink_metadata(output) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(State::ToDo),
            Err(error) => return Err(error),
        };
        let name = self.name(output);
        let Some(entry) = self.entries.get(&name) else { return Ok(State::Foreign) };
        let is_whole = || {
            let unsure = verify || self.doubtful.contains_key(&name);
            io::Result::Ok(there.len() == entry.bytes && (!unsure || sha256(&fs_err::read(output)?) == entry.sha256))
        };
        if entry.by != self.recipe.recipe || !there.is_file() || !is_whole()? {
            return Ok(State::ToDo);
        }
        let Some(read) = unchanged(&entry.read, input, verify)? else { return Ok(State::ToDo) };
        Ok(State::Done(Made { read, bytes: entry.bytes, sha256: entry.sha256 }))
    }

    /// What the output is called here.
    fn name(&self, output: &Path) -> PathText {
        output.strip_prefix(&self.folder).unwrap_or(output).into()
    }

    /// The line of a translation by this run's recipe.
    pub fn entry(&self, input: &Path, output: &Path, made: Made) -> Entry {
        let Made { read, bytes, sha256 } = made;
        Entry { output: self.name(output), input: input.into(), read, by: self.recipe.recipe, bytes, sha256 }
    }

    /// Readies the directory for new translations: removes what a killed run had begun in the folders of `outputs`, and
    /// opens the journal for more lines.
    ///
    /// # Errors
    /// The system's, with the path.
    pub fn begin<'a>(&mut self, outputs: impl Iterator<Item = &'a Path>) -> io::Result<Commits> {
        if self.was_left_open() {
            let mut folders: HashSet<&Path> = outputs.map(files::folder_of).collect();
            folders.insert(&self.folder);
            folders.into_iter().try_for_each(files::remove_unfinished)?;
            // It may end in the middle of a line.
            self.write(false)?;
        }
        // The next run must know that there may be a file that was not finished.
        let mut lines = vec![Line::Closed { closed: false }];
        if self.recipes.insert(self.recipe.recipe, self.recipe.clone()).is_none() {
            lines.push(Line::Recipe(self.recipe.clone()));
        }
        self.is_closed = false;
        Commits::open(&self.path(), &lines)
    }

    /// Takes up what is known now of a picture.
    pub fn take(&mut self, entry: Entry) {
        self.doubtful.remove(&entry.output);
        self.entries.insert(entry.output.clone(), entry);
    }

    /// Takes up what was written of a picture, but may not be what lies in its place.
    pub fn doubt(&mut self, entry: Entry) {
        let before = self.entries.insert(entry.output.clone(), entry.clone());
        // Of several lines that are doubtful, the one from before the first of them is sure.
        self.doubtful.entry(entry.output).or_insert(before);
    }

    /// Writes the journal as it is at the end of a run: sorted and closed.
    ///
    /// # Errors
    /// The system's, with the path.
    pub fn close(mut self) -> io::Result<()> {
        for (name, before) in std::mem::take(&mut self.doubtful) {
            self.settle(&name, before)?;
        }
        let used: HashSet<RecipeName> = self.entries.values().map(|entry| entry.by).collect();
        self.recipes.retain(|name, _| used.contains(name));
        self.write(true)
    }

    /// Finds out what a doubtful output is, to which this run did not come.
    fn settle(&mut self, name: &PathText, before: Option<Entry>) -> io::Result<()> {
        let path = name.path().map(|path| self.folder.join(path));
        let hash = match path.map(fs_err::read).transpose() {
            Ok(bytes) => bytes.map(|bytes| sha256(&bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let after = self.entries.remove(name);
        let entry = match hash {
            None => None,
            Some(hash) => {
                let damaged = after.clone().map(|entry| Entry { by: RecipeName::NONE, ..entry });
                [after, before].into_iter().flatten().find(|entry| entry.sha256 == hash).or(damaged)
            }
        };
        self.entries.extend(entry.map(|entry| (name.clone(), entry)));
        Ok(())
    }

    /// Writes what is sure, the end of that, and what is not; line by line, since millions need not lie in memory twice.
    fn write(&self, is_closed: bool) -> io::Result<()> {
        let sure = self.entries.iter().filter_map(|(name, entry)| match self.doubtful.get(name) {
            None => Some(entry),
            Some(before) => before.as_ref(),
        });
        let doubtful = self.doubtful.keys().filter_map(|name| self.entries.get(name));
        let recipes = self.recipes.values().cloned().map(Line::Recipe);
        let lines = [Line::Format { journal: VERSION }].into_iter().chain(recipes);
        let lines = lines.chain(sure.cloned().map(Line::Entry));
        let end = (is_closed || !self.entries.is_empty()).then_some(Line::Closed { closed: true });
        let mut file = io::BufWriter::new(files::Growing::begin(&self.path())?);
        for line in lines.chain(end).chain(doubtful.cloned().map(Line::Entry)) {
            file.write_all(text(&line).as_bytes())?;
        }
        file.into_inner().map_err(io::IntoInnerError::into_error)?.finish()
    }
}

/// A line with its end.
fn text(line: &Line) -> String {
    serde_json::to_string(line).expect("text, numbers and lists of them are JSON") + "\n"
}

/// An input's stamp as it is now, where its content is what it was.
fn unchanged(read: &Stamp, input: &Path, verify: bool) -> io::Result<Option<Stamp>> {
    let now: Metadata = fs_err::metadata(input)?;
    let modified = now.modified().ok().and_then(nanoseconds);
    if now.len() != read.bytes {
        return Ok(None);
    }
    if !verify && modified.is_some() && modified == read.modified {
        return Ok(Some(read.clone()));
    }
    let is_same = sha256(&fs_err::read(input)?) == read.sha256;
    Ok(is_same.then(|| Stamp { modified, ..read.clone() }))
}

/// The hash of a model: of its file, and of files beside it that hold its weights.
///
/// # Errors
/// If one cannot be read.
pub fn model_hash(file: &[u8], beside: &[PathBuf]) -> io::Result<String> {
    use sha2::{Digest, Sha256};
    let mut hash = Sha256::new_with_prefix(file);
    for path in beside {
        let mut data = fs_err::File::open(path)?;
        io::copy(&mut data, &mut HashWriter(&mut hash))?;
    }
    Ok(hex(&hash.finalize()))
}

struct HashWriter<'a>(&'a mut sha2::Sha256);

impl Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        sha2::Digest::update(self.0, bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
