//! A data set: two sides for training and, where there are any, two for tests.

use std::path::{Path, PathBuf};

use pictures::{FindError, Picture, ReadError};

use super::augment::TooSmall;
use super::scene::Scene;

/// Name of the built-in data set.
const STRIPES: &str = "stripes";
/// Scenes of each training side of the built-in data set.
const TRAIN_SCENES: u64 = 400;
/// Scenes of its test split, each drawn both ways.
const TEST_SCENES: u64 = 24;

/// Why a data set cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DataError {
    /// No folder of that name.
    #[error("--data {name}: there is no folder {name}, nor {}; give a folder that holds trainA and trainB, or `{STRIPES}`, which is built in", below_root.display())]
    NotFound {
        /// What the user said.
        name: String,
        /// Where else it was looked for.
        below_root: PathBuf,
    },
    /// A folder without the two sides.
    #[error("{}: no folder {side}; a data set has trainA and trainB, and may have testA and testB", folder.display())]
    NoSide {
        /// The data set.
        folder: PathBuf,
        /// The side.
        side: &'static str,
    },
    /// A side without pictures.
    #[error("{}: no pictures there (png, jpg, webp, bmp or tiff)", folder.display())]
    Empty {
        /// The side.
        folder: PathBuf,
    },
    /// A side that cannot be listed.
    #[error(transparent)]
    Find(#[from] FindError),
    /// Not one picture of a side can be read.
    #[error("none of the {count} pictures like {} can be read", example.display())]
    Unreadable {
        /// Pictures tried.
        count: usize,
        /// One of them.
        example: PathBuf,
    },
    /// Pictures that a crop does not fit into.
    #[error("{} {error}, as {count} of {of} pictures there are; lower --size, let --resize squash them, or take them out", example.display())]
    TooSmall {
        /// So many.
        count: usize,
        /// Pictures of the side.
        of: usize,
        /// One of them.
        example: PathBuf,
        /// Its size.
        error: TooSmall,
    },
}

/// The pictures of one side.
#[derive(Clone, Debug)]
pub(crate) enum Pictures {
    /// Files, in the order of their paths.
    Files(Vec<PathBuf>),
    /// Scenes drawn by this program.
    Scenes { seed: u64, first: u64, count: u64, striped: bool },
}

impl Pictures {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Files(paths) => paths.len(),
            Self::Scenes { count, .. } => *count as usize,
        }
    }

    /// A name without ending: the same on both test sides for the same motif.
    pub(crate) fn name(&self, index: usize) -> String {
        match self {
            Self::Files(paths) => paths[index].file_stem().unwrap_or_default().to_string_lossy().into_owned(),
            Self::Scenes { first, .. } => format!("scene-{:04}", first + index as u64),
        }
    }

    /// What to call a picture in a message.
    pub(crate) fn path(&self, index: usize) -> PathBuf {
        match self {
            Self::Files(paths) => paths[index].clone(),
            Self::Scenes { .. } => PathBuf::from(self.name(index)),
        }
    }

    /// Reads a file, or draws a scene at `size`.
    pub(crate) fn read(&self, index: usize, size: u32) -> Result<Picture, ReadError> {
        match self {
            Self::Files(paths) => pictures::read(&paths[index]),
            Self::Scenes { seed, first, striped, .. } => {
                Ok(Scene::draw_up(*seed, first + index as u64).picture(size, *striped))
            }
        }
    }

    /// How many files are too small by their headers, with the first of them and what is said of it. Scenes never are.
    pub(crate) fn too_small(
        &self,
        check: impl Fn((u32, u32)) -> Option<TooSmall>,
    ) -> Option<(usize, PathBuf, TooSmall)> {
        let Self::Files(paths) = self else { return None };
        let errors = paths.iter().filter_map(|path| Some((path, check(pictures::dimensions(path).ok()?)?)));
        let mut errors = errors.peekable();
        let (path, error) = errors.peek().copied()?;
        let path = path.clone();
        Some((errors.count(), path, error))
    }

    /// Whether pictures come in the training size and must keep their pixel grid: a stripe's place is fixed to it.
    pub(crate) fn keep_their_grid(&self) -> bool {
        matches!(self, Self::Scenes { .. })
    }
}

/// Both sides of a split, A and B.
pub(crate) type Split = [Pictures; 2];

/// A data set.
#[derive(Clone, Debug)]
pub(crate) struct DataSet {
    /// What files and the run directory call it.
    pub(crate) name: String,
    /// Unpaired pictures to learn from.
    pub(crate) train: Split,
    /// Pictures to look at, and to measure on where names match.
    pub(crate) test: Option<Split>,
}

impl DataSet {
    /// Finds what `--data` names. A folder of that name wins over the built-in data set.
    pub(crate) fn open(name: &str, root: &Path, seed: u64) -> Result<Self, DataError> {
        let below_root = root.join(name);
        let folder = [Path::new(name), below_root.as_path()].into_iter().find(|folder| folder.is_dir());
        match folder {
            Some(folder) => Self::in_folder(folder),
            None if name == STRIPES => Ok(Self::stripes(seed)),
            None => Err(DataError::NotFound { name: name.into(), below_root }),
        }
    }

    /// The built-in data set: unpaired scenes for training, the same scenes drawn both ways for tests.
    pub(crate) fn stripes(seed: u64) -> Self {
        let scenes = |first, count, striped| Pictures::Scenes { seed, first, count, striped };
        let tests = 2 * TRAIN_SCENES;
        Self {
            name: STRIPES.into(),
            train: [scenes(0, TRAIN_SCENES, false), scenes(TRAIN_SCENES, TRAIN_SCENES, true)],
            test: Some([scenes(tests, TEST_SCENES, false), scenes(tests, TEST_SCENES, true)]),
        }
    }

    fn in_folder(folder: &Path) -> Result<Self, DataError> {
        let side = |side: &'static str| -> Result<Pictures, DataError> {
            let path = folder.join(side);
            if !path.is_dir() {
                return Err(DataError::NoSide { folder: folder.into(), side });
            }
            match pictures::find(&path)? {
                pictures if pictures.is_empty() => Err(DataError::Empty { folder: path }),
                pictures => Ok(Pictures::Files(pictures)),
            }
        };
        let has_tests = folder.join("testA").is_dir() && folder.join("testB").is_dir();
        let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.into());
        Ok(Self {
            name: absolute.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            train: [side("trainA")?, side("trainB")?],
            test: if has_tests { Some([side("testA")?, side("testB")?]) } else { None },
        })
    }

    /// Pictures to show on sample sheets: those of the test split where there is one.
    pub(crate) fn to_show(&self) -> &Split {
        self.test.as_ref().unwrap_or(&self.train)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_set_that_is_not_there_says_where_it_was_looked_for() {
        let error = DataSet::open("horse2zebra", Path::new("data/sets"), 0).expect_err("no such folder").to_string();
        assert!(error.contains("no folder horse2zebra, nor data/sets/horse2zebra"), "{error}");
    }

    #[test]
    fn folders_without_two_sides_of_pictures_are_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let open = || DataSet::in_folder(folder.path()).expect_err("incomplete").to_string();
        assert!(open().contains("no folder trainA"));
        fs_err::create_dir(folder.path().join("trainA")).expect("writable");
        assert!(open().contains("trainA: no pictures there"));
        fs_err::write(folder.path().join("trainA/a.png"), b"").expect("writable");
        fs_err::write(folder.path().join("trainB"), b"").expect("writable");
        assert!(open().contains("no folder trainB"), "a side that is a file");
    }

    #[test]
    fn no_scene_of_the_built_in_set_is_in_two_splits() {
        let set = DataSet::stripes(0);
        let test = set.test.as_ref().expect("it has one");
        let names = |pictures: &Pictures| (0..pictures.len()).map(|index| pictures.name(index)).collect::<Vec<_>>();
        assert_eq!(names(&test[0]), names(&test[1]), "the same scenes, drawn both ways");
        let mut all = [names(&set.train[0]), names(&set.train[1]), names(&test[0])].concat();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}
