//! A data set from the network into `--data-root`: its archive, from the first address that gives it, over as many tries
//! as the line needs; then its pictures, moved into their place whole.

mod part;
mod transfer;

use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use program::{Console, Exit, ProgressBar, bytes, interrupt};

use self::part::Part;
use self::transfer::{Failed, transfer};
use super::catalogue::SIDES;
use super::unpack::{UnpackError, unpack};

/// Tries at one address that may come to nothing, one after the other; one that gets further starts the count anew.
const TRIES: u32 = 5;

/// How long nothing may come before a try has failed. The pause before the next try follows from it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience(pub(crate) Duration);

impl Patience {
    /// A second before the second try, for 30 seconds of patience; twice as long before each further one.
    fn pause(self, failures: u32) -> Duration {
        self.0 / 30 * 2_u32.pow(failures.saturating_sub(1).min(5))
    }
}

/// Why a data set did not come.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    /// No address gave it.
    #[error("{name} could not be fetched: {}{}; try again later, give another address with --data-url, or unpack {name}.zip to {} by hand", tried.join("; "), kept(*.length), place.display())]
    NotGiven {
        /// The data set.
        name: String,
        /// Each address, and what is wrong there.
        tried: Vec<String>,
        /// Bytes that have come.
        length: u64,
        /// Where it would be.
        place: PathBuf,
    },
    /// Its archive cannot be unpacked.
    #[error("{url} cannot be unpacked: {error}")]
    Unpack {
        /// Where it is from.
        url: String,
        /// What is wrong with it.
        error: UnpackError,
    },
    /// It is no data set.
    #[error("{url} holds no data set: {why}; a data set has folders trainA and trainB with pictures")]
    NoDataSet {
        /// Where it is from.
        url: String,
        /// What is missing.
        why: String,
    },
    /// Nothing can be written where it is to be.
    #[error("{name} cannot be fetched to {}: {error}; choose another --data-root", root.display())]
    NoPlace {
        /// The data set.
        name: String,
        /// Where it was to be.
        root: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The disk.
    #[error("{name} could not be fetched: {error}{}", if is_full(error) { "; free some space, or choose another --data-root: what has come is kept" } else { "" })]
    Disk {
        /// The data set.
        name: String,
        /// What the system says, with the path.
        error: io::Error,
    },
    /// The user.
    #[error("stopped while fetching {name}; what has come is kept, and the same command goes on from there")]
    Stopped {
        /// The data set.
        name: String,
    },
}

fn kept(length: u64) -> String {
    if length == 0 { String::new() } else { format!("; the {} that have come are kept", bytes(length)) }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

impl FetchError {
    /// The code that the program ends with.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::NoPlace { .. } | Self::NotGiven { .. } | Self::Unpack { .. } | Self::NoDataSet { .. } => {
                Exit::CannotStart
            }
            Self::Disk { .. } => Exit::Fault,
            Self::Stopped { .. } => Exit::Stopped,
        }
    }
}

/// What to fetch, from where, to where.
pub(crate) struct Fetch<'a> {
    /// A plain name: it becomes part of an address and of paths.
    pub(crate) name: &'a str,
    pub(crate) root: &'a Path,
    /// Addresses that `/NAME.zip` is added to.
    pub(crate) bases: Vec<&'a str>,
    /// Whether pictures to translate are enough.
    pub(crate) tests_only: bool,
    pub(crate) patience: Patience,
}

impl Fetch<'_> {
    /// Fetches, unpacks and moves into place; gives the folder.
    pub(crate) fn run(&self, console: &mut Console) -> Result<PathBuf, FetchError> {
        let place = self.root.join(self.name);
        let part = Part::open(self.root, self.name, console).map_err(|error| {
            let (name, root) = (self.name.into(), self.root.into());
            FetchError::NoPlace { name, root, error }
        })?;
        let Some(mut part) = part else { return Err(self.stopped()) };
        // Another process, which this one has waited for, may have done it all.
        if !place.is_dir() {
            let archive = self.archive(&mut part, console);
            console.end_bar();
            if archive.is_err() && part.length == 0 {
                part.remove().map_err(|error| self.disk(error))?; // nothing came: nothing is left behind
                return archive.map(|()| place);
            }
            archive?;
            let unpacked = self.unpack(&part, &place, console);
            console.end_bar();
            match unpacked {
                Err(FetchError::Unpack { error, .. }) if !error.is_the_archives() => return Err(self.local(error)),
                // The same archive would fail the same way: the next call is to fetch it anew.
                Err(error) if error.exit() == Exit::CannotStart => {
                    part.remove().map_err(|error| self.disk(error))?;
                    return Err(error);
                }
                unpacked => unpacked?,
            }
        }
        part.remove().map_err(|error| self.disk(error))?;
        Ok(place)
    }

    fn archive(&self, part: &mut Part, console: &mut Console) -> Result<(), FetchError> {
        let mut urls: Vec<String> =
            self.bases.iter().map(|base| format!("{}/{}.zip", base.trim_end_matches('/'), self.name)).collect();
        if part.is_whole() && urls.contains(&part.origin.url) {
            return Ok(()); // it was stopped before it was unpacked
        }
        // What has come can only be gone on with where it came from.
        urls.sort_by_key(|url| *url != part.origin.url);
        let mut tried = Vec::new();
        for url in urls {
            match self.from(&url, part, console)? {
                None => return Ok(()),
                Some(why) => tried.push(format!("{url}: {why}")),
            }
            console.end_bar();
        }
        let (name, length) = (self.name.to_owned(), part.length);
        Err(FetchError::NotGiven { name, tried, length, place: self.root.join(self.name) })
    }

    /// Tries one address until it gives the archive; says why it does not.
    fn from(&self, url: &str, part: &mut Part, console: &mut Console) -> Result<Option<String>, FetchError> {
        console.say(format!("fetching  {url}"));
        let bar = console.start_bytes_bar(None, "fetched");
        // What came before is no part of the rate: the bar has to have seen it before it begins to measure.
        bar.set_position(part.length);
        bar.tick();
        bar.reset_eta();
        let (mut furthest, mut failures) = (part.length, 0);
        loop {
            let got = transfer(part, url, self.patience, |length, total| show(&bar, length, total));
            let why = match got {
                Ok(()) => return Ok(None),
                Err(Failed::ForGood(why)) => return Ok(Some(why)),
                Err(Failed::Disk(error)) => return Err(self.disk(error)),
                Err(Failed::Stopped) => return Err(self.stopped()),
                // A network that was there may come back; one that was not is not waited for.
                Err(Failed::NoHost(why)) if failures == 0 => return Ok(Some(why)),
                Err(Failed::NoHost(why) | Failed::ForNow(why)) => why,
            };
            failures = if part.length > furthest { 1 } else { failures + 1 };
            furthest = furthest.max(part.length);
            if failures >= TRIES {
                return Ok(Some(format!("{why} ({TRIES} tries)")));
            }
            console.say(format!("{why}: trying again"));
            self.wait(self.patience.pause(failures))?;
        }
    }

    /// Waits, but not for Ctrl-C.
    fn wait(&self, pause: Duration) -> Result<(), FetchError> {
        const LOOK: Duration = Duration::from_millis(50);
        let mut left = pause;
        while !left.is_zero() {
            if interrupt::requested() {
                return Err(self.stopped());
            }
            let now = left.min(LOOK);
            thread::sleep(now);
            left -= now;
        }
        Ok(())
    }

    fn unpack(&self, part: &Part, place: &Path, console: &mut Console) -> Result<(), FetchError> {
        // One fixed name: what a crash left there is cleared by the next call. The part's lock guards it.
        let beside = self.root.join(format!(".unpack-{}", self.name));
        let clear = || if beside.exists() { fs_err::remove_dir_all(&beside) } else { Ok(()) };
        clear().and_then(|()| fs_err::create_dir(&beside)).map_err(|error| self.disk(error))?;
        let bar = console.start_bytes_bar(None, "unpacked");
        let unpacked = unpack(&part.path, &beside, |length, total| show(&bar, length, total))
            .map_err(|error| FetchError::Unpack { url: part.origin.url.clone(), error })
            .and_then(|()| self.data_set_in(&beside, &part.origin.url))
            .and_then(|found| fs_err::rename(found, place).map_err(|error| self.disk(error)));
        clear().map_err(|error| self.disk(error))?;
        unpacked?;
        // The rename itself lives in the root.
        let root = fs_err::File::open(self.root).and_then(|root| root.sync_all());
        root.map_err(|error| self.disk(error))?;
        console.say(format!("data      {} is in {}", self.name, place.display()));
        Ok(())
    }

    /// The folder that is the data set: where the sides are, which is at the archive's top or in its one folder there.
    fn data_set_in(&self, folder: &Path, url: &str) -> Result<PathBuf, FetchError> {
        let no_data_set = |why: String| FetchError::NoDataSet { url: url.into(), why };
        let entries = fs_err::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let entries = entries.map_err(|error| self.disk(error))?;
        let found = match entries.as_slice() {
            [only] if only.path().is_dir() && !SIDES.iter().any(|side| *side == only.file_name()) => only.path(),
            _ => folder.to_owned(),
        };
        let needed: &[&str] = if self.tests_only { &["."] } else { &SIDES[..2] };
        for side in needed {
            match pictures::find(&found.join(side)) {
                Ok(pictures) if pictures.is_empty() => {
                    return Err(no_data_set(format!("there is no picture in {side}")));
                }
                Ok(_) => {}
                Err(_) => return Err(no_data_set(format!("there is no folder {side} in it"))),
            }
        }
        Ok(found)
    }

    /// An error of unpacking that is this machine's or the user's.
    fn local(&self, error: UnpackError) -> FetchError {
        match error {
            UnpackError::Stopped => self.stopped(),
            UnpackError::Disk(error) => self.disk(error),
            error => self.disk(io::Error::new(io::ErrorKind::StorageFull, error.to_string())),
        }
    }

    fn disk(&self, error: io::Error) -> FetchError {
        FetchError::Disk { name: self.name.into(), error }
    }

    fn stopped(&self) -> FetchError {
        FetchError::Stopped { name: self.name.into() }
    }
}

/// Moves a bar, whose length may not be known.
fn show(bar: &ProgressBar, length: u64, total: Option<u64>) {
    match total {
        None => bar.unset_length(),
        total if bar.length() != total => bar.set_length(total.unwrap_or_default()),
        _ => {}
    }
    bar.set_position(length);
}

#[cfg(test)]
mod tests;
