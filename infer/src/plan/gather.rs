//! The pictures that the inputs mean.

use std::collections::HashMap;
use std::path::PathBuf;

use anyhow::Context;
use program::{Exit, Failure, OrExit};

use super::found::{FileId, Found, id_of};
use super::inputs::Input;
use super::patterns::Patterns;
use super::{PlanArguments, usage};

/// What the inputs gave.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// In no order, some of them more than once.
    pub pictures: Vec<Found>,
    /// Folders that were looked into.
    pub folders: HashMap<FileId, PathBuf>,
    /// Links to directories that were not followed.
    pub links_left: usize,
}

/// Input after input.
#[derive(Debug)]
pub(super) struct Gathering<'a> {
    pub(super) arguments: &'a PlanArguments,
    pub(super) include: Patterns,
    pub(super) exclude: Patterns,
    /// The output directory, where it is there already.
    pub(super) own: Option<(FileId, PathBuf)>,
    pub(super) gathered: Gathered,
    /// A directory without pictures.
    empty: Option<PathBuf>,
}

impl<'a> Gathering<'a> {
    /// With nothing yet.
    pub fn new(arguments: &'a PlanArguments) -> Result<Self, Failure> {
        let own = || Some((id_of(&arguments.output().metadata().ok()?), arguments.output().canonicalize().ok()?));
        Ok(Self {
            arguments,
            include: Patterns::new("--include", &arguments.include)?,
            exclude: Patterns::new("--exclude", &arguments.exclude)?,
            own: own(),
            gathered: Gathered::default(),
            empty: None,
        })
    }

    /// Adds the pictures of an input.
    pub fn take(&mut self, input: &Input) -> Result<(), Failure> {
        let path = &input.path;
        let at = || format!("input {}", path.display());
        let metadata = path.metadata().with_context(at).or_exit(Exit::CannotStart)?;
        if metadata.is_dir() {
            let before = self.gathered.pictures.len();
            self.walk(input)?;
            if self.gathered.pictures.len() == before {
                self.empty.get_or_insert_with(|| path.clone());
            }
            return Ok(());
        }
        if !metadata.is_file() {
            let message = format!("input {}: is neither a file nor a directory", path.display());
            return Err(Failure::new(Exit::CannotStart, message)); // a pipe would be waited for without end
        }
        let folder = program::files::folder_of(path).metadata().with_context(at).or_exit(Exit::CannotStart)?;
        let found = Found::new(path, input.below.max(1), Some(id_of(&metadata)), id_of(&folder), path.is_symlink());
        self.gathered.pictures.push(found);
        Ok(())
    }

    /// All of it, or which flag, pattern or directory is of no use. Of a list's directories some may be.
    pub fn end(self) -> Result<Gathered, Failure> {
        let PlanArguments { max_depth, follow_links, from_file, .. } = self.arguments;
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
        match self.empty {
            Some(empty) if from_file.is_none() || self.gathered.pictures.is_empty() => {
                let why = match self.include.is_empty() && self.exclude.is_empty() && max_depth.is_none() {
                    true => "no pictures there (png, jpg, webp, bmp or tiff)",
                    false => "no pictures there that --include, --exclude and --max-depth leave",
                };
                Err(Failure::new(Exit::CannotStart, format!("input {}: {why}", empty.display())))
            }
            _ => Ok(self.gathered),
        }
    }
}
