//! What lies below a directory.

use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;
use program::{Exit, Failure, OrExit};
use walkdir::{DirEntry, WalkDir};

use super::cleaned;
use super::found::{FileId, Found, id_of};
use super::gather::Gathering;
use super::inputs::Input;

/// Where a walk is.
struct Place<'a> {
    input: &'a Input,
    /// The output directory, where it is below the input.
    own: Option<(FileId, PathBuf)>,
    /// The folders above, the input first.
    folders: Vec<FileId>,
    /// Depth of the first of them that is a link.
    link: Option<usize>,
}

/// Something that a walk came to.
struct Seen {
    path: PathBuf,
    depth: usize,
    /// A directory that is entered.
    is_folder: bool,
    is_link: bool,
    /// Of what a link leads to.
    metadata: io::Result<Metadata>,
}

impl Gathering<'_> {
    /// Adds the pictures below a directory. Hidden files and folders are left out: archives made on a Mac put one beside
    /// every picture, desktops keep thumbnails and deleted files so.
    pub(super) fn walk(&mut self, input: &Input) -> Result<(), Failure> {
        let root = &input.path;
        let own = match (&self.own, root.canonicalize()) {
            // An output directory that is the input, or holds it, is for the check of all outputs to judge.
            (Some((id, own)), Ok(root)) if !root.starts_with(own) => Some((*id, own.clone())),
            _ => None,
        };
        let mut place = Place { input, own, folders: Vec::new(), link: None };
        let depth = self.arguments.max_depth.map_or(usize::MAX, |depth| depth as usize);
        let walk = WalkDir::new(root).follow_links(self.arguments.follow_links).max_depth(depth).sort_by_file_name();
        let mut entries = walk.into_iter();
        while let Some(entry) = entries.next() {
            let (path, depth, is_folder) = match &entry {
                Ok(entry) => (entry.path().to_owned(), entry.depth(), entry.file_type().is_dir()),
                Err(error) if error.loop_ancestor().is_some() => continue, // what it leads to is found by its own path
                Err(error) => (error.path().unwrap_or(root).to_owned(), error.depth(), false),
            };
            let is_left_out = depth > 0 && self.is_left_out(path.strip_prefix(root).expect("it was found there"));
            let is_link = depth > 0 && entry.as_ref().map_or_else(|_| path.is_symlink(), DirEntry::path_is_symlink);
            if !is_left_out {
                let metadata = match entry {
                    Ok(_) if !is_folder && !is_link && !pictures::is_picture(&path) => continue,
                    Ok(_) => path.metadata(),
                    Err(error) if path.exists() => return cannot_list(&path, error.into()),
                    Err(error) => Err(error.into()),
                };
                let seen = Seen { path, depth, is_folder, is_link, metadata };
                if !place.is_own(&seen) {
                    self.add(&mut place, seen)?;
                    continue;
                }
            }
            if is_folder {
                entries.skip_current_dir();
            }
        }
        Ok(())
    }

    /// Hidden, or excluded.
    fn is_left_out(&mut self, below: &Path) -> bool {
        let is_excluded = !self.exclude.is_empty() && self.exclude.match_path(below);
        is_excluded || below.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
    }

    fn add(
        &mut self,
        place: &mut Place<'_>,
        Seen { path, depth, is_folder, is_link, metadata }: Seen,
    ) -> Result<(), Failure> {
        place.folders.truncate(depth);
        place.link = place.link.filter(|link| *link < depth);
        let id = match metadata {
            Ok(metadata) if is_folder => {
                place.folders.push(id_of(&metadata));
                place.link = place.link.or(is_link.then_some(depth));
                self.gathered.folders.insert(id_of(&metadata), path);
                return Ok(());
            }
            Ok(metadata) if metadata.is_file() => Some(id_of(&metadata)),
            Ok(metadata) => {
                self.gathered.links_left += usize::from(metadata.is_dir());
                return Ok(());
            }
            Err(_) if depth > 0 && pictures::is_picture(&path) => None, // who reads it learns why not
            Err(error) if is_link && !hides_a_folder(&error, self.arguments.follow_links) => return Ok(()),
            Err(error) => return cannot_list(&path, error),
        };
        let below = path.strip_prefix(&place.input.path).expect("it was found there");
        if pictures::is_picture(&path) && (self.include.is_empty() || self.include.match_path_or_folder(below)) {
            let parts = place.input.below + below.components().count();
            let folder = *place.folders.last().expect("the input comes before what it holds");
            let linked = is_link || place.link.is_some();
            self.gathered.pictures.push(Found::new(&cleaned(&path), parts, id, folder, linked));
        }
        Ok(())
    }
}

impl Place<'_> {
    /// Whether something is the output directory, or a link into it: translations of an earlier run are no inputs of this
    /// one.
    fn is_own(&self, seen: &Seen) -> bool {
        let Some((id, own)) = &self.own else { return false };
        seen.metadata.as_ref().is_ok_and(|metadata| id_of(metadata) == *id)
            || seen.is_link && seen.path.canonicalize().is_ok_and(|path| path.starts_with(own))
    }
}

/// Whether a link that leads nowhere known may lead to a directory that is asked for.
fn hides_a_folder(error: &io::Error, follow_links: bool) -> bool {
    follow_links && error.kind() == io::ErrorKind::PermissionDenied
}

fn cannot_list(path: &Path, error: io::Error) -> Result<(), Failure> {
    let message = format!("cannot list {}; --exclude leaves it out", path.display());
    Err(error).context(message).or_exit(Exit::CannotStart)
}
