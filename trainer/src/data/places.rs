//! Where a data set is looked for by its name.

use std::path::{Path, PathBuf};
use std::time::Duration;

use program::{Console, Exit, Failure, OrExit, interrupt};

use super::catalogue::{self, HOSTS, Kind, STRIPES};
use super::fetch::{Fetch, Patience};

/// Where data sets are looked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Places<'a> {
    /// The folder in which they lie by name.
    pub(crate) root: &'a Path,
    /// Where they are fetched from, instead of the published addresses.
    pub(crate) url: Option<&'a str>,
    /// How long a server may be silent.
    pub(crate) patience: Duration,
}

/// What a name stands for.
#[derive(Debug, PartialEq)]
pub(crate) enum Found {
    Folder(PathBuf),
    BuiltIn,
}

/// Why a name stands for nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NameError {
    /// Something of that name is there, but no folder.
    #[error("--data {name}: {} is a file; a data set is a folder that holds trainA and trainB", path.display())]
    File {
        /// What the user said.
        name: String,
        /// What is there.
        path: PathBuf,
    },
    /// Nothing is there, and the name is nobody's.
    #[error("--data {name}: there is no folder {name}, nor {}, and no data set is called so{}; give a folder that holds trainA and trainB, or one of: {}", below_root.display(), meant(name), catalogue::names().collect::<Vec<_>>().join(", "))]
    Unknown {
        /// What the user said.
        name: String,
        /// Where else it was looked for.
        below_root: PathBuf,
    },
    /// It is there, and not for training.
    #[error("--data {name}: it is in {0}, and holds only pictures to translate, as with `infer --model MODEL {0} OUT`; to train, name a data set with two sides", folder.display())]
    TestsOnly {
        /// What the user said.
        name: String,
        /// Where it is.
        folder: PathBuf,
    },
    /// It cannot be fetched by anybody.
    #[error("--data {name}: it cannot be fetched: the licence of Cityscapes forbids passing its pictures on; register at cityscapes-dataset.com, get leftImg8bit and gtFine, and make {0}/trainA and {0}/testA of the photos, {0}/trainB and {0}/testB of the coloured label maps, the same picture under the same name", below_root.display())]
    Withheld {
        /// What the user said.
        name: String,
        /// Where it would be found.
        below_root: PathBuf,
    },
}

fn meant(name: &str) -> String {
    match catalogue::nearest(name).as_slice() {
        [] => String::new(),
        near => format!(" (did you mean {}?)", near.join(" or ")),
    }
}

impl Places<'_> {
    /// The folder that a name stands for, where there is one on this disk.
    pub(crate) fn folder(&self, name: &str) -> Option<PathBuf> {
        [PathBuf::from(name), self.root.join(name)].into_iter().find(|folder| folder.is_dir())
    }

    /// What a name stands for; a published data set is fetched.
    pub(crate) fn find_or_fetch(&self, name: &str, console: &mut Console) -> Result<Found, Failure> {
        if let Some(folder) = self.folder(name) {
            return for_training(name, folder);
        }
        if name == STRIPES {
            return Ok(Found::BuiltIn);
        }
        let kind = self.kind(name).or_exit(Exit::CannotStart)?;
        interrupt::watch("stopping; what has come is kept").or_exit(Exit::CannotStart)?;
        let fetch = Fetch {
            name,
            root: self.root,
            bases: self.url.map_or_else(|| HOSTS.to_vec(), |url| vec![url]),
            tests_only: kind == Kind::TestsOnly,
            patience: Patience(self.patience),
        };
        let folder = fetch.run(console).map_err(|error| Failure { exit: error.exit(), error: error.into() })?;
        for_training(name, folder)
    }

    /// What can be fetched under a name. With an address of one's own that is everything.
    fn kind(&self, name: &str) -> Result<Kind, NameError> {
        let below_root = self.root.join(name);
        // Before gigabytes come that could not be moved to their place.
        if let Some(path) = [Path::new(name), &below_root].into_iter().find(|path| path.exists()) {
            return Err(NameError::File { name: name.into(), path: path.into() });
        }
        match catalogue::find(name) {
            Some(published) if published.kind == Kind::Withheld => {
                Err(NameError::Withheld { name: name.into(), below_root })
            }
            Some(published) => Ok(published.kind),
            None if self.url.is_some() && is_plain(name) => Ok(Kind::Whole),
            None => Err(NameError::Unknown { name: name.into(), below_root }),
        }
    }
}

/// A folder, unless it is a published one without sides to train on.
fn for_training(name: &str, folder: PathBuf) -> Result<Found, Failure> {
    let tests_only = catalogue::find(name).is_some_and(|published| published.kind == Kind::TestsOnly);
    if tests_only && !folder.join("trainA").exists() {
        let error = NameError::TestsOnly { name: name.into(), folder };
        return Err(error).or_exit(Exit::CannotStart);
    }
    Ok(Found::Folder(folder))
}

/// Whether a name can be part of an address and of a path without leading elsewhere.
fn is_plain(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    !name.is_empty() && !name.starts_with('.') && name.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places<'a>(root: &'a Path, url: Option<&'a str>) -> Places<'a> {
        Places { root, url, patience: Duration::from_secs(1) }
    }

    #[test]
    fn an_unknown_name_says_which_is_near_and_which_there_are() {
        let error = places(Path::new("data/sets"), None).kind("horse2zebr").expect_err("no such name").to_string();
        let parts = [
            "there is no folder horse2zebr, nor data/sets/horse2zebr",
            "did you mean horse2zebra",
            "one of: stripes, horse2zebra, apple2orange",
            "ae_photos",
        ];
        for part in parts {
            assert!(error.contains(part), "{part} in {error}");
        }
    }

    #[test]
    fn only_plain_names_become_addresses() {
        let places = places(Path::new("sets"), Some("http://127.0.0.1"));
        for name in ["", ".", "..", "../up", "a/b", "/etc", "a b", "a?b", "a%2e", "ä", ".hidden"] {
            assert!(places.kind(name).is_err(), "{name}");
        }
        assert_eq!(places.kind("my-set_2.1").expect("plain"), Kind::Whole);
    }

    #[test]
    fn cityscapes_says_why_it_cannot_be_fetched_and_how_the_folder_must_look() {
        let error = places(Path::new("sets"), Some("http://127.0.0.1")).kind("cityscapes").expect_err("withheld");
        assert!(error.to_string().contains("licence of Cityscapes forbids"), "{error}");
        assert!(error.to_string().contains("make sets/cityscapes/trainA"), "{error}");
    }

    #[test]
    fn a_folder_wins_over_the_root_and_the_root_over_everything_else() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let places = places(root.path(), None);
        let mut console = Console::new(program::ConsoleArguments { quiet: true, verbose: false });
        let mut find = |name: &str| places.find_or_fetch(name, &mut console).map_err(|failure| failure.to_string());
        assert_eq!(find(STRIPES), Ok(Found::BuiltIn));
        for name in [STRIPES, "horse2zebra"] {
            fs_err::create_dir(root.path().join(name)).expect("writable");
            assert_eq!(find(name), Ok(Found::Folder(root.path().join(name))));
        }
        let own = root.path().join("own");
        fs_err::write(&own, b"").expect("writable");
        let error = find(own.to_str().expect("UTF-8")).expect_err("a file");
        assert!(error.contains("is a file; a data set is a folder"), "{error}");
    }
}
