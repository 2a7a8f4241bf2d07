//! Translations put into their place: line, flush, rename.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex};

use program::files::{self, Unfinished};

use super::{Entry, Line, text};

/// The journal's file, and what waits to be written to it.
///
/// Each commit costs a flush of the journal and one of a folder. Where several threads wait for theirs, one of them does it
/// for all: a disk that flushes slowly then flushes less often.
#[derive(Debug)]
pub struct Commits {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    file: Option<JournalFile>,
    /// Those that no thread has taken yet.
    waiting: Vec<(u64, Entry, Unfinished)>,
    ended: Vec<(u64, Result<(), NotCommitted>)>,
    next: u64,
}

#[derive(Debug)]
struct JournalFile {
    file: fs_err::File,
    /// Whether it ends in the middle of a line.
    is_torn: bool,
    /// Lines behind the last `closed`; none where one of them is of a translation that did not take its place.
    open: Option<usize>,
}

/// After so many lines it is noted that all of them are in their place.
const CLOSED_EVERY: usize = 1000;

/// Why a translation is not done.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct NotCommitted {
    /// The system's, with the path.
    pub error: io::Error,
    /// Whether it lies in its place all the same, and only a power failure could take it away again.
    pub is_in_place: bool,
}

impl Commits {
    /// Opens a journal that is there for more lines.
    pub(super) fn open(path: &Path, lines: &[Line]) -> io::Result<Self> {
        let file = fs_err::OpenOptions::new().append(true).open(path)?;
        let mut file = JournalFile { file, is_torn: false, open: Some(0) };
        file.write(&lines.iter().map(text).collect::<String>())?;
        let state = State { file: Some(file), waiting: Vec::new(), ended: Vec::new(), next: 0 };
        Ok(Self { state: Mutex::new(state), changed: Condvar::new() })
    }

    /// Writes a translation's line to the disk, then renames it to its place.
    ///
    /// # Errors
    /// See [`NotCommitted`].
    pub fn commit(&self, entry: Entry, output: Unfinished) -> Result<(), NotCommitted> {
        let mut state = self.state.lock().expect("no thread panics with it");
        let own = state.next;
        state.next += 1;
        state.waiting.push((own, entry, output));
        loop {
            if let Some(place) = state.ended.iter().position(|(number, _)| *number == own) {
                return state.ended.swap_remove(place).1;
            }
            state = match state.file.take() {
                None => self.changed.wait(state).expect("no thread panics with it"),
                Some(mut file) => {
                    let taken = std::mem::take(&mut state.waiting);
                    drop(state);
                    let ended = file.commit(taken);
                    let mut state = self.state.lock().expect("no thread panics with it");
                    state.file = Some(file);
                    state.ended.extend(ended);
                    self.changed.notify_all();
                    state
                }
            };
        }
    }
}

impl JournalFile {
    fn commit(&mut self, taken: Vec<(u64, Entry, Unfinished)>) -> Vec<(u64, Result<(), NotCommitted>)> {
        let (mut lines, mut outputs) = (String::new(), Vec::with_capacity(taken.len()));
        for (number, entry, output) in taken {
            lines += &text(&Line::Entry(entry));
            outputs.push((number, output));
        }
        if let Err(error) = self.write(&lines) {
            self.open = None;
            return outputs.into_iter().map(|(number, _)| (number, Err(not_committed(&error, false)))).collect();
        }
        let renamed: Vec<(u64, io::Result<PathBuf>)> =
            outputs.into_iter().map(|(number, output)| (number, output.rename())).collect();
        let mut flushed: Vec<(PathBuf, io::Result<()>)> = Vec::new();
        let mut ended = Vec::with_capacity(renamed.len());
        for (number, place) in renamed {
            let result = place.map_err(|error| not_committed(&error, false)).and_then(|place| {
                let folder = files::folder_of(&place);
                if !flushed.iter().any(|(known, _)| known == folder) {
                    flushed.push((folder.to_owned(), files::sync_folder(folder)));
                }
                let (_, result) = flushed.iter().find(|(known, _)| known == folder).expect("it was just put there");
                result.as_ref().map_err(|error| not_committed(error, true)).copied()
            });
            ended.push((number, result));
        }
        self.open = self.open.filter(|_| ended.iter().all(|(_, result)| result.is_ok())).map(|open| open + ended.len());
        if self.open.is_some_and(|open| open >= CLOSED_EVERY) {
            // No picture fails for its sake: without it, more is read again after a kill.
            let _unnoted = self.write(&text(&Line::Closed { closed: true }));
            self.open = Some(0);
        }
        ended
    }

    /// Appends lines and flushes them. What a failed write left of a line is ended by the next one.
    fn write(&mut self, lines: &str) -> io::Result<()> {
        let before = if self.is_torn { "\n" } else { "" };
        self.is_torn = true;
        self.file.write_all(format!("{before}{lines}").as_bytes())?;
        self.is_torn = false;
        self.file.sync_data()
    }
}

/// An error that several translations share.
fn not_committed(error: &io::Error, is_in_place: bool) -> NotCommitted {
    NotCommitted { error: io::Error::new(error.kind(), error.to_string()), is_in_place }
}
