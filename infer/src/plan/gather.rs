//! The pictures that the inputs mean.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use program::{Exit, Failure, OrExit};
use walkdir::{DirEntry, WalkDir};

use super::inputs::{Input, cleaned};
use super::patterns::Patterns;
use super::{PlanArguments, usage};

/// Device and inode: what a file is, whatever it is called.
pub(super) type FileId = (u64, u64);

/// A picture whose output has no name yet.
#[derive(Debug)]
pub(super) struct Found {
    /// Where it is read, without `.` between.
    pub input: PathBuf,
    /// Where it would be below the output directory, were its ending to stay.
    pub below: PathBuf,
    /// None for a link to nowhere, which fails when it is read.
    pub id: Option<FileId>,
    /// Its path where the file alone does not tell it from others: hard links are pictures of their own, for somebody gave
    /// each its name.
    real_path: Option<PathBuf>,
    /// Whether a link below the input leads to it.
    linked: bool,
}

impl Found {
    fn new(path: &Path, below: PathBuf, metadata: Option<&Metadata>, linked: bool) -> Self {
        let real_path = match metadata {
            Some(metadata) if metadata.nlink() == 1 => None,
            Some(_) => path.canonicalize().ok(),
            None => program::files::folder_of(path)
                .canonicalize()
                .ok()
                .map(|folder| folder.join(path.file_name().unwrap_or_default())),
        };
        Self { input: cleaned(path), below, id: metadata.map(id_of), real_path, linked }
    }

    /// What of two paths to one picture its output is called after: not a link, then the shorter one.
    fn rank(&self) -> impl Ord {
        (self.linked, self.below.components().count(), &self.below, &self.input)
    }
}

/// Each picture once, however often and by whatever path it was found.
pub(super) fn each_once(pictures: Vec<Found>) -> Vec<Found> {
    let mut once: HashMap<(Option<FileId>, Option<PathBuf>), Found> = HashMap::with_capacity(pictures.len());
    for mut picture in pictures {
        match once.entry((picture.id, picture.real_path.take())) {
            Entry::Vacant(place) => drop(place.insert(picture)),
            Entry::Occupied(mut first) if picture.rank() < first.get().rank() => drop(first.insert(picture)),
            Entry::Occupied(_) => {}
        }
    }
    let mut pictures: Vec<Found> = once.into_values().collect();
    // A file that was replaced between two looks at it is one picture, too.
    pictures.sort_by(|one, other| one.input.cmp(&other.input));
    pictures.dedup_by(|one, other| one.input == other.input);
    pictures
}

/// What the inputs gave.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// In no order.
    pub pictures: Vec<Found>,
    /// Folders that were looked into.
    pub folders: HashMap<FileId, PathBuf>,
    /// Links to directories that were not followed.
    pub links_left: usize,
}

/// Input after input.
#[derive(Debug)]
pub(super) struct Gathering<'a> {
    arguments: &'a PlanArguments,
    include: Patterns,
    exclude: Patterns,
    /// The output directory, where it is there already.
    own: Option<(FileId, PathBuf)>,
    gathered: Gathered,
}

impl<'a> Gathering<'a> {
    pub fn new(arguments: &'a PlanArguments) -> Result<Self, Failure> {
        let own = || Some((id_of(&arguments.output().metadata().ok()?), arguments.output().canonicalize().ok()?));
        Ok(Self {
            arguments,
            include: Patterns::new("--include", &arguments.include)?,
            exclude: Patterns::new("--exclude", &arguments.exclude)?,
            own: own(),
            gathered: Gathered::default(),
        })
    }

    /// Adds the pictures of an input.
    pub fn take(&mut self, input: &Input) -> Result<(), Failure> {
        let path = &input.path;
        let metadata =
            std::fs::metadata(path).with_context(|| format!("input {}", path.display())).or_exit(Exit::CannotStart)?;
        if metadata.is_dir() {
            return self.walk(input);
        }
        if !metadata.is_file() {
            let message = format!("input {}: is neither a file nor a directory", path.display());
            return Err(Failure::new(Exit::CannotStart, message)); // a pipe would be waited for without end
        }
        let name = || path.file_name().expect("a file has a name").into();
        let below = if input.folder.as_os_str().is_empty() { name() } else { input.folder.clone() };
        self.gathered.pictures.push(Found::new(path, below, Some(&metadata), path.is_symlink()));
        Ok(())
    }

    /// All of it, or why a flag or pattern is of no use.
    pub fn end(self) -> Result<Gathered, Failure> {
        let PlanArguments { max_depth, follow_links, .. } = self.arguments;
        let of_directories = [
            ("--include", !self.include.is_empty()),
            ("--exclude", !self.exclude.is_empty()),
            ("--max-depth", max_depth.is_some()),
            ("--follow-links", *follow_links),
        ];
        match of_directories.iter().find(|(_, given)| *given) {
            Some((flag, _)) if self.gathered.folders.is_empty() => {
                return usage(format!("{flag} is about directories, and no input is one; leave it out"));
            }
            _ => {}
        }
        self.exclude.refuse_idle("file and no folder")?;
        self.include.refuse_idle("picture")?;
        Ok(self.gathered)
    }

    fn walk(&mut self, input: &Input) -> Result<(), Failure> {
        let root = &input.path;
        let before = self.gathered.pictures.len();
        let own = match (&self.own, root.canonicalize()) {
            // An output directory that is the input, or holds it, is for the check of all outputs to judge.
            (Some((id, own)), Ok(root)) if !root.starts_with(own) => Some((*id, own.clone())),
            _ => None,
        };
        let depth = self.arguments.max_depth.map_or(usize::MAX, |depth| depth as usize);
        let walk = WalkDir::new(root).follow_links(self.arguments.follow_links).max_depth(depth).sort_by_file_name();
        let mut entries = walk.into_iter();
        let mut link_above: Option<usize> = None; // its depth
        while let Some(entry) = entries.next() {
            let (path, depth, entry) = match entry {
                Ok(entry) => (entry.path().to_owned(), entry.depth(), Ok(entry)),
                Err(error) if error.loop_ancestor().is_some() => continue, // found by its own path
                Err(error) => (error.path().unwrap_or(root).to_owned(), error.depth(), Err(error)),
            };
            let below = path.strip_prefix(root).expect("it was found there");
            let is_folder = entry.as_ref().is_ok_and(|entry| entry.file_type().is_dir());
            if depth > 0 && self.is_left_out(below) {
                if is_folder {
                    entries.skip_current_dir();
                }
                continue;
            }
            link_above = link_above.filter(|link| *link < depth);
            let is_link = depth > 0 && entry.as_ref().map_or_else(|_| path.is_symlink(), DirEntry::path_is_symlink);
            let metadata = match entry {
                Err(error) if !is_link => return cannot_list(&path, error.into()),
                Ok(_) if !is_folder && !is_link && !pictures::is_picture(&path) => continue,
                _ => std::fs::metadata(&path),
            };
            if own.as_ref().is_some_and(|own| depth > 0 && is_own(&path, metadata.as_ref().ok(), is_link, own)) {
                if is_folder {
                    entries.skip_current_dir();
                }
                continue;
            }
            match metadata {
                Ok(metadata) if is_folder => {
                    if is_link {
                        link_above = link_above.or(Some(depth));
                    }
                    self.gathered.folders.insert(id_of(&metadata), path);
                }
                Ok(metadata) if metadata.is_dir() => self.gathered.links_left += 1,
                Ok(metadata) if metadata.is_file() => {
                    self.add(&path, below, input, Some(&metadata), is_link || link_above.is_some());
                }
                Ok(_) => {}
                Err(_) if is_link && pictures::is_picture(&path) => self.add(&path, below, input, None, true),
                Err(error) if is_link && error.kind() != io::ErrorKind::PermissionDenied => {}
                Err(error) => return cannot_list(&path, error),
            }
        }
        if self.gathered.pictures.len() > before {
            return Ok(());
        }
        let why = match (self.include.is_empty() && self.exclude.is_empty(), self.arguments.max_depth) {
            (true, None) => "no pictures there (png, jpg, webp, bmp or tiff)",
            _ => "no pictures there that --include, --exclude and --max-depth leave",
        };
        Err(Failure::new(Exit::CannotStart, format!("input {}: {why}", root.display())))
    }

    /// Hidden, or excluded.
    fn is_left_out(&mut self, below: &Path) -> bool {
        let is_hidden = below.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        let is_excluded = !self.exclude.is_empty() && self.exclude.match_path(below);
        is_hidden || is_excluded
    }

    fn add(&mut self, path: &Path, below: &Path, input: &Input, metadata: Option<&Metadata>, linked: bool) {
        if pictures::is_picture(path) && (self.include.is_empty() || self.include.match_path_or_folder(below)) {
            self.gathered.pictures.push(Found::new(path, input.folder.join(below), metadata, linked));
        }
    }
}

/// Whether a path is the output directory, or a link into it: translations of an earlier run are no inputs of this one.
fn is_own(path: &Path, metadata: Option<&Metadata>, is_link: bool, (id, own): &(FileId, PathBuf)) -> bool {
    metadata.is_some_and(|metadata| id_of(metadata) == *id)
        || is_link && path.canonicalize().is_ok_and(|path| path.starts_with(own))
}

fn id_of(metadata: &Metadata) -> FileId {
    (metadata.dev(), metadata.ino())
}

fn cannot_list(path: &Path, error: io::Error) -> Result<(), Failure> {
    let message = format!("cannot list {}, which --exclude leaves out", path.display());
    Err(error).context(message).or_exit(Exit::CannotStart)
}
