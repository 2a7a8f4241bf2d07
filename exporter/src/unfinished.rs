//! Where an export lies until it is verified: in a folder beside its place, named after it and locked while its program runs.
//!
//! A program that is killed removes nothing. By that folder the next export to the same place knows what is left and whose
//! it is: all that is in it, and a data file that had come to its place before its model could.

use std::fs::TryLockError;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use models_onnx::Exported;
use program::files;

/// The file in the folder that is locked.
const LOCK: &str = "lock";

/// An export that is not in its place yet. Where it is not finished, it is removed.
pub(crate) struct Unfinished {
    place: PathBuf,
    folder: PathBuf,
    _lock: fs_err::File,
}

impl Unfinished {
    /// Makes the folder, and removes what an export to the same place left that was killed.
    ///
    /// # Errors
    /// The system's, with the path, and that another export to this place is running.
    pub(crate) fn begin(place: &Path) -> io::Result<Self> {
        let folder = files::unfinished(place);
        fs_err::create_dir_all(&folder)?;
        let lock = fs_err::File::create(folder.join(LOCK))?;
        lock.file().try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => {
                let message = "another export to this file is running; wait for its end, or write to another file";
                io::Error::other(format!("{}: {message}", place.display()))
            }
            TryLockError::Error(error) => io::Error::other(format!("cannot lock {}: {error}", folder.display())),
        })?;
        let unfinished = Self { place: place.into(), folder, _lock: lock };
        unfinished.remove_left()?;
        Ok(unfinished)
    }

    /// Removes what is in the folder. Data beside the place was moved there by the export that was killed only if it is the
    /// very file that lies in the folder too, and is unused only if the model that names it still does.
    fn remove_left(&self) -> io::Result<()> {
        let has_model = self.model().exists();
        for entry in fs_err::read_dir(&self.folder)? {
            let entry = entry?;
            let beside = self.beside(&entry.file_name());
            if has_model && is_same_file(&entry.path(), &beside) {
                fs_err::remove_file(beside)?;
            }
            if entry.file_name() != LOCK {
                fs_err::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// Where the model is until then. ONNX Runtime finds its data beside it.
    pub(crate) fn model(&self) -> PathBuf {
        self.folder.join(self.place.file_name().unwrap_or_default())
    }

    /// Writes both files.
    ///
    /// # Errors
    /// The system's, with the path.
    pub(crate) fn write(&self, exported: &Exported) -> io::Result<()> {
        exported.write(&self.model())
    }

    /// Moves the data of that name, if there is any, and then the model to their places.
    ///
    /// # Errors
    /// The system's, with the path; what was there stays.
    pub(crate) fn finish(self, data: Option<&str>) -> io::Result<()> {
        let mut made = None;
        if let Some(name) = data {
            let (from, to) = (self.folder.join(name), self.beside(name.as_ref()));
            // What is there already may be of another model: then nothing must say that it came from here. The same is true
            // where a disk has no links: a kill at this moment leaves a file.
            match to.exists() {
                true => fs_err::rename(from, to)?,
                false => {
                    fs_err::hard_link(&from, &to).or_else(|_| fs_err::rename(&from, &to))?;
                    made = Some(to);
                }
            }
        }
        let parent = files::folder_of(&self.place);
        let moved = files::sync_folder(parent).and_then(|()| fs_err::rename(self.model(), &self.place));
        if let (Err(_), Some(data)) = (&moved, made) {
            fs_err::remove_file(data)?;
        }
        moved?;
        files::sync_folder(parent)
    }

    fn beside(&self, name: &std::ffi::OsStr) -> PathBuf {
        files::folder_of(&self.place).join(name)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // An error is on its way, or all is done. What cannot be removed now, the next export removes.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    let identity = |path: &Path| path.symlink_metadata().ok().map(|found| (found.dev(), found.ino()));
    identity(one).is_some_and(|one| Some(one) == identity(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs_err::read_dir(folder).expect("readable");
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("readable").file_name().into_string().expect("ASCII")).collect();
        names.sort();
        names
    }

    /// What an export to `g.onnx` has in its folder before it moves anything.
    fn left(folder: &Path) -> PathBuf {
        let left = folder.join(".writing-g.onnx");
        fs_err::create_dir(&left).expect("writable");
        for name in [LOCK, "g.onnx", ".writing-x1Y2z3", "g_ab.1.onnx.data"] {
            fs_err::write(left.join(name), name).expect("writable");
        }
        left
    }

    fn begun(folder: &Path) -> Vec<String> {
        drop(Unfinished::begin(&folder.join("g.onnx")).expect("nobody holds the lock"));
        names(folder)
    }

    #[test]
    fn what_a_killed_export_left_is_removed_and_nothing_of_others() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let here = folder.path();
        let others = [".writing-h.onnx", ".writing-q9", "g.onnx", "g_ab.0.onnx.data", "g_ab.1.onnx.data"];
        others.iter().for_each(|name| fs_err::write(here.join(name), "other").expect("writable"));
        left(here);
        assert_eq!(begun(here), others, "it had not moved its data: that of the same name is another's");

        let data = here.join("g_ab.2.onnx.data");
        fs_err::hard_link(left(here).join("g_ab.1.onnx.data"), &data).expect("one disk");
        fs_err::rename(here.join(".writing-g.onnx/g_ab.1.onnx.data"), here.join(".writing-g.onnx/g_ab.2.onnx.data"))
            .expect("writable");
        assert_eq!(begun(here), others, "killed between data and model");
    }

    #[test]
    fn data_that_a_model_came_to_use_stays() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let here = folder.path();
        let data = here.join("g_ab.1.onnx.data");
        let left_by = |finished: bool| {
            let left = left(here);
            fs_err::hard_link(left.join("g_ab.1.onnx.data"), &data).expect("one disk");
            if finished {
                fs_err::rename(left.join("g.onnx"), here.join("g.onnx")).expect("writable");
            }
        };
        left_by(true);
        assert_eq!(begun(here), ["g.onnx", "g_ab.1.onnx.data"], "killed when both were there");
        fs_err::remove_file(&data).expect("writable");
        left_by(false);
        let other = Unfinished::begin(&here.join("h.onnx")).expect("another place");
        fs_err::write(other.model(), "model").expect("writable");
        fs_err::write(other.folder.join("g_ab.1.onnx.data"), "the same weights").expect("writable");
        other.finish(Some("g_ab.1.onnx.data")).expect("writable");
        assert_eq!(begun(here), ["g.onnx", "g_ab.1.onnx.data", "h.onnx"], "a later export put its own there");
    }

    #[test]
    fn one_export_at_a_time_writes_to_a_place() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let place = folder.path().join("new/g.onnx");
        let first = Unfinished::begin(&place).expect("nobody else");
        fs_err::write(first.model(), "first").expect("writable");
        let error = Unfinished::begin(&place).err().expect("the first is there").to_string();
        assert!(error.contains("new/g.onnx: another export to this file is running"), "{error}");
        first.finish(None).expect("undisturbed");
        assert_eq!(names(&folder.path().join("new")), ["g.onnx"]);
    }

    #[test]
    fn a_model_that_cannot_come_to_its_place_leaves_no_data() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let unfinished = Unfinished::begin(&folder.path().join("g.onnx")).expect("nobody else");
        fs_err::write(unfinished.model(), "model").expect("writable");
        fs_err::write(unfinished.folder.join("g_ab.1.onnx.data"), "data").expect("writable");
        fs_err::create_dir_all(folder.path().join("g.onnx/in the way")).expect("writable");
        let error = unfinished.finish(Some("g_ab.1.onnx.data")).expect_err("a folder is there").to_string();
        assert!(error.contains("g.onnx"), "{error}");
        assert_eq!(names(folder.path()), ["g.onnx"]);
    }
}
