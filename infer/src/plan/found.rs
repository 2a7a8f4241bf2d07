//! A picture before its output has a name.

use std::cmp::Ordering;
use std::ffi::OsStr;
use std::fs::Metadata;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Device and inode: what a file is, whatever it is called.
pub(super) type FileId = (u64, u64);

pub(super) fn id_of(metadata: &Metadata) -> FileId {
    (metadata.dev(), metadata.ino())
}

/// A picture whose output has no name yet.
#[derive(Debug)]
pub(super) struct Found {
    /// Where it is read, without `.` between.
    pub input: Box<Path>,
    /// Bytes of that before the part that it would be called below the output directory.
    above: usize,
    /// None for what leads nowhere, and fails when it is read.
    pub id: Option<FileId>,
    /// The folder that it was found in.
    pub folder: FileId,
    /// Whether a link below the input leads to it.
    pub linked: bool,
}

impl Found {
    /// A picture, the last `parts` of whose path are what it would be called below the output directory.
    pub fn new(input: &Path, parts: usize, id: Option<FileId>, folder: FileId, linked: bool) -> Self {
        let below: usize = input.iter().rev().take(parts).map(|part| part.len() + 1).sum();
        let above = (input.as_os_str().len() + 1).saturating_sub(below);
        Self { input: input.into(), above, id, folder, linked }
    }

    /// Where it would be below the output directory, were its ending to stay.
    pub fn below(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.input.as_os_str().as_bytes()[self.above..]))
    }

    /// What of two paths to one picture is taken: not a link, then the shorter one.
    fn rank(&self) -> impl Ord {
        (self.linked, self.below().components().count(), self.below(), &self.input)
    }
}

/// Each picture once, in no order. One name in one folder is one picture, by whatever path the folder was found; and
/// where two names of one file, links, are to have one output, that is one picture, too. Others, in other places or called
/// otherwise, have outputs of their own: somebody gave them their names.
pub(super) fn each_once(pictures: &mut Vec<Found>) {
    first_of_each(pictures, |one, other| {
        one.folder.cmp(&other.folder).then_with(|| one.input.file_name().cmp(&other.input.file_name()))
    });
    let file = |picture: &Found| picture.id.ok_or(picture.folder);
    first_of_each(pictures, |one, other| file(one).cmp(&file(other)).then_with(|| one.below().cmp(other.below())));
}

/// Sorts, since that takes no memory, and there may be millions.
fn first_of_each(pictures: &mut Vec<Found>, order: impl Fn(&Found, &Found) -> Ordering) {
    pictures.sort_unstable_by(|one, other| order(one, other).then_with(|| one.rank().cmp(&other.rank())));
    pictures.dedup_by(|other, first| order(first, other).is_eq());
}
