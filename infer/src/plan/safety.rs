//! No photo is ever replaced, and no output is found as an input by the next run.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use program::Failure;

use super::found::{FileId, Found, id_of};
use super::usage;

/// Refuses outputs that are inputs, their own or another's, by whatever path, link or hard link, and outputs in a folder
/// that was walked for inputs.
pub(super) fn refuse_to_replace(named: &[(Found, PathBuf)], folders: &HashMap<FileId, PathBuf>) -> Result<(), Failure> {
    let mut inputs: Option<HashMap<FileId, &Path>> = None;
    let mut folder_before: Option<(&Path, Option<FileId>)> = None;
    let mut walked = None;
    for (found, output) in named {
        let folder = program::files::folder_of(output);
        // Outputs are in order: those of one folder follow each other.
        let id = match folder_before {
            Some((before, id)) if before == folder => id,
            _ => id_at(folder),
        };
        folder_before = Some((folder, id));
        let Some(id) = id else { continue }; // where no folder is, no file is either
        walked = walked.or_else(|| folders.get(&id));
        let Some(there) = id_at(output) else { continue };
        let inputs = inputs
            .get_or_insert_with(|| named.iter().filter_map(|(found, _)| Some((found.id?, &*found.input))).collect());
        match inputs.get(&there) {
            None => {}
            Some(_) if found.id == Some(there) => {
                let input = found.input.display();
                return usage(format!("{input} would be replaced by its own translation; choose another output"));
            }
            Some(other) => {
                return usage(format!(
                    "{}, an input too, would be replaced by the translation of {}; choose another output",
                    other.display(),
                    found.input.display()
                ));
            }
        }
    }
    match walked {
        None => Ok(()),
        Some(folder) => usage(format!(
            "translations would come into {}, an input, and be inputs the next time; choose another output",
            folder.display()
        )),
    }
}

fn id_at(path: &Path) -> Option<FileId> {
    path.metadata().ok().as_ref().map(id_of)
}
