//! `best/`: the networks with the least error on paired pictures, all of one step.
//!
//! A checkpoint says which they are. Until there is one that says so of newer networks, the older ones stay beside them:
//! a run that goes on from the checkpoint before has its best again.

use std::path::{Path, PathBuf};

use anyhow::Context;
use program::files::{remove_folder, sync_folder, unfinished, write_whole};

use crate::evaluation::Best;
use crate::run_directory::{Facts, SavedNow};

/// The folder of the best networks.
pub(crate) const BEST: &str = "best";
/// The folder of those before them.
pub(crate) const BEST_BEFORE: &str = "best.before";
/// Which step they are of, in either folder.
const FACTS: &str = "best.json";

/// Where the facts of the best networks lie in a run directory.
pub(crate) fn facts_path(run: &Path) -> PathBuf {
    run.join(BEST).join(FACTS)
}

/// The best networks of a run.
pub(crate) struct BestFolder<'a> {
    pub(crate) run: &'a Path,
}

impl BestFolder<'_> {
    /// Puts networks into its place, all of them or none.
    pub(crate) fn replace(&self, networks: &SavedNow<'_>, facts: &Facts<'_>, best: Best) -> anyhow::Result<()> {
        self.put(networks, facts, best).with_context(|| format!("cannot replace {}", self.run.join(BEST).display()))
    }

    fn put(&self, networks: &SavedNow<'_>, facts: &Facts<'_>, best: Best) -> anyhow::Result<()> {
        let [place, before] = [BEST, BEST_BEFORE].map(|name| self.run.join(name));
        let new = unfinished(&place);
        let filled = networks.write(&new, facts, best.step).and_then(|()| {
            let json = serde_json::to_vec(&best).expect("plain values");
            Ok(write_whole(&new.join(FACTS), &json)?)
        });
        if let Err(error) = filled {
            let _removed_when_the_run_goes_on = std::fs::remove_dir_all(&new);
            return Err(error);
        }
        match before.exists() {
            true => remove_folder(&place)?, // no checkpoint knows these
            false if place.exists() => fs_err::rename(&place, &before)?,
            false => {}
        }
        fs_err::rename(&new, &place)?;
        Ok(sync_folder(self.run)?)
    }

    /// A checkpoint says that they are the best.
    pub(crate) fn confirm(&self) -> std::io::Result<()> {
        remove_folder(&self.run.join(BEST_BEFORE))
    }

    /// Makes it what a checkpoint says. Networks of a step that comes again go, those before them take their place.
    pub(crate) fn restore(&self, best: Option<Best>) -> anyhow::Result<()> {
        let [place, before] = [BEST, BEST_BEFORE].map(|name| self.run.join(name));
        if read(&place) != best {
            remove_folder(&place)?;
            if best.is_some() && read(&before) == best {
                fs_err::rename(&before, &place)?;
            }
        }
        Ok(self.confirm()?)
    }

    /// Whether it is there.
    pub(crate) fn is_there(&self) -> bool {
        self.run.join(BEST).is_dir()
    }
}

/// Which networks a folder holds; none where it says none.
fn read(folder: &Path) -> Option<Best> {
    serde_json::from_slice(&std::fs::read(folder.join(FACTS)).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_checkpoint_says_is_there_again_wherever_the_run_was_stopped() {
        let old = Best { step: 3, l1: 20.0 };
        let new = Best { step: 6, l1: 10.0 };
        // What lies in `best` and `best.before`, what the checkpoint says, what is in `best` afterwards.
        for (place, before, said, left) in [
            (Some(old), None, Some(old), Some(old)),
            (None, Some(old), Some(old), Some(old)),      // between both renames
            (Some(new), Some(old), Some(old), Some(old)), // before the checkpoint
            (Some(new), Some(old), Some(new), Some(new)), // after it
            (Some(new), None, None, None),                // the first of all
            (Some(new), None, Some(old), None),           // a checkpoint from before the last one: it comes again
        ] {
            let folder = tempfile::tempdir().expect("a temporary folder");
            for (name, best) in [(BEST, place), (BEST_BEFORE, before)] {
                let Some(best) = best else { continue };
                let json = serde_json::to_vec(&best).expect("plain values");
                write_whole(&folder.path().join(name).join(FACTS), &json).expect("writable");
            }
            let best = BestFolder { run: folder.path() };
            best.restore(said).expect("renamable");
            assert_eq!(read(&folder.path().join(BEST)), left, "{place:?}, {before:?}, {said:?}");
            assert_eq!(best.is_there(), left.is_some());
            let names = fs_err::read_dir(folder.path()).expect("readable").count();
            assert_eq!(names, usize::from(left.is_some()), "nothing is left beside it");
        }
    }
}
