//! A picture before its output has a name.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ffi::OsStr;
use std::fs::Metadata;
use std::hash::Hash;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// Device and inode: what a file is, whatever it is called.
pub(super) type FileId = (u64, u64);

pub(super) fn id_of(metadata: &Metadata) -> FileId {
    (metadata.dev(), metadata.ino())
}

/// A picture whose output has no name yet.
#[derive(Debug)]
pub(super) struct Found {
    /// Where it is read, without `.` between.
    pub input: PathBuf,
    /// Where it would be below the output directory, were its ending to stay.
    pub below: PathBuf,
    /// None for what leads nowhere, and fails when it is read.
    pub id: Option<FileId>,
    /// The folder that it was found in.
    pub folder: FileId,
    /// Whether a link below the input leads to it.
    pub linked: bool,
}

impl Found {
    /// What of two paths to one picture is taken: not a link, then the shorter one.
    fn rank(&self) -> impl Ord {
        (self.linked, self.below.components().count(), &self.below, &self.input)
    }
}

/// Each picture once, in no order. One name in one folder is one picture, by whatever path the folder was found; and
/// where two names of one file, links, are to have one output, that is one picture, too. Others, in other places or called
/// otherwise, have outputs of their own: somebody gave them their names.
pub(super) fn each_once(pictures: Vec<Found>) -> Vec<Found> {
    let names = first_of_each(pictures, |picture| (picture.folder, picture.input.file_name().map(OsStr::to_owned)));
    first_of_each(names, |picture| (picture.id.ok_or(picture.folder), picture.below.clone()))
}

fn first_of_each<K: Eq + Hash>(pictures: Vec<Found>, key: impl Fn(&Found) -> K) -> Vec<Found> {
    let mut first: HashMap<K, Found> = HashMap::with_capacity(pictures.len());
    for picture in pictures {
        match first.entry(key(&picture)) {
            Entry::Vacant(place) => drop(place.insert(picture)),
            Entry::Occupied(mut other) if picture.rank() < other.get().rank() => drop(other.insert(picture)),
            Entry::Occupied(_) => {}
        }
    }
    first.into_values().collect()
}
