//! A checkpoint: all that a run needs to go on as if it had never stopped, in one file.
//!
//! It is a `.safetensors` file, so that Python and our own tools can look inside: the tensors of [`Cyclegan::state`] and
//! the losses that are not logged yet, and in the header, as JSON, what the loop remembers besides. A checksum over all of
//! it stands in the header too, so that a file that a full disk or a failing one has damaged is not taken for a whole one.
//! Order of the pictures, crops, flips and pool draws are keyed by the update and need no saved generator.
//!
//! [`Cyclegan::state`]: crate::update::Cyclegan::state

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};
use tch::{Kind, TchError, Tensor};

use crate::evaluation::Best;
use crate::guards::Guards;

/// Version of the checkpoints that this program writes and reads.
const FORMAT_VERSION: u32 = 2;
/// Entry of the header that holds the checksum, a space and the progress. One entry: several would come in any order.
const PROGRESS: &str = "crc32c_and_progress";
/// Ending of a checkpoint's name.
const EXTENSION: &str = "safetensors";

/// What the loop remembers from step to step, besides tensors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Progress {
    format_version: u32,
    /// Updates made.
    pub(crate) step: u64,
    /// What the pictures were: [`crate::data::fingerprint`].
    pub(crate) data: String,
    /// What was seen of known failures.
    pub(crate) guards: Guards,
    /// The best measurement on paired pictures.
    pub(crate) best: Option<Best>,
}

impl Progress {
    /// Before the first update.
    pub(crate) fn new(data: String) -> Self {
        Self { format_version: FORMAT_VERSION, step: 0, data, guards: Guards::default(), best: None }
    }
}

/// A run at one step.
#[derive(Debug)]
pub(crate) struct Checkpoint {
    pub(crate) progress: Progress,
    pub(crate) tensors: BTreeMap<String, Tensor>,
}

/// Why a file is no checkpoint to go on from. The messages go behind the path.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckpointError {
    /// The system's.
    #[error("cannot be read: {0}")]
    Read(#[from] std::io::Error),
    /// Cut short, or never a checkpoint.
    #[error("is damaged: {0}")]
    Damaged(#[from] safetensors::SafeTensorError),
    /// Its bytes are not those that were written.
    #[error("is damaged: its checksum does not fit")]
    Checksum,
    /// Written by another program, or another version of this one.
    #[error("is none of this version's checkpoints ({0}); go on with the version that wrote it")]
    Version(String),
    /// libtorch fails: no memory.
    #[error(transparent)]
    Torch(#[from] TchError),
}

impl Checkpoint {
    /// The file's bytes. The same state gives the same bytes. Waits for the device.
    ///
    /// # Errors
    /// If the device fails.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, CheckpointError> {
        let progress = serde_json::to_string(&self.progress).expect("plain values");
        let mut parts = Vec::new();
        for (name, tensor) in &self.tensors {
            let shape: Vec<usize> = tensor.size().into_iter().map(|side| side as usize).collect();
            parts.push((name.as_str(), shape, models_torch::tensor_bytes(tensor)?));
        }
        let checksum = checksum(&progress, parts.iter().map(|(name, _, bytes)| (*name, bytes.as_slice())));
        let views =
            parts.iter().map(|(name, shape, bytes)| Ok((*name, TensorView::new(Dtype::F32, shape.clone(), bytes)?)));
        let views: Vec<_> = views.collect::<Result<_, safetensors::SafeTensorError>>()?;
        let header = [(PROGRESS.to_owned(), format!("{checksum} {progress}"))];
        Ok(safetensors::serialize(views, Some(HashMap::from(header)))?)
    }

    /// A checkpoint from its file's bytes.
    ///
    /// # Errors
    /// If they are not exactly what was written.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let (_, header) = SafeTensors::read_metadata(bytes)?;
        let entry = header.metadata().as_ref().and_then(|entries| entries.get(PROGRESS));
        let Some((written, progress)) = entry.and_then(|entry| entry.split_once(' ')) else {
            return Err(CheckpointError::Version("its header has no progress".into()));
        };
        let file = SafeTensors::deserialize(bytes)?;
        let views: BTreeMap<String, TensorView<'_>> = file.tensors().into_iter().collect();
        if checksum(progress, views.iter().map(|(name, view)| (name.as_str(), view.data()))) != written {
            return Err(CheckpointError::Checksum);
        }
        let progress: Progress =
            serde_json::from_str(progress).map_err(|error| CheckpointError::Version(error.to_string()))?;
        if progress.format_version != FORMAT_VERSION {
            return Err(CheckpointError::Version(format!("it has version {}", progress.format_version)));
        }
        let mut tensors = BTreeMap::new();
        for (name, view) in views {
            let shape: Vec<i64> = view.shape().iter().map(|&side| side as i64).collect();
            tensors.insert(name, Tensor::f_from_data_size(view.data(), &shape, Kind::Float)?);
        }
        Ok(Self { progress, tensors })
    }
}

fn checksum<'a>(progress: &str, tensors: impl Iterator<Item = (&'a str, &'a [u8])>) -> String {
    let mut sum = crc32c::crc32c(progress.as_bytes());
    for (name, bytes) in tensors {
        sum = crc32c::crc32c_append(crc32c::crc32c_append(sum, name.as_bytes()), bytes);
    }
    format!("{sum:08x}")
}

/// Where the checkpoint of a step lies.
pub(crate) fn path(folder: &Path, step: u64) -> PathBuf {
    folder.join(format!("{step:06}.{EXTENSION}"))
}

/// The steps of the checkpoints in a folder, newest first; none where there is no folder.
pub(crate) fn steps(folder: &Path) -> std::io::Result<Vec<u64>> {
    let entries = match fs_err::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut steps = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let is_one = path.extension().is_some_and(|extension| extension == EXTENSION);
        let step = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse::<u64>().ok());
        steps.extend(step.filter(|_| is_one));
    }
    steps.sort_unstable_by_key(|&step| std::cmp::Reverse(step));
    Ok(steps)
}

/// The newest whole checkpoint in a folder, and why newer ones are not.
#[derive(Debug, Default)]
pub(crate) struct Newest {
    pub(crate) checkpoint: Option<Checkpoint>,
    pub(crate) damaged: Vec<(PathBuf, CheckpointError)>,
}

/// Finds the newest whole checkpoint. Only damaged ones are passed over: one that cannot be read now, or is of another
/// version, is somebody's work, and going on without it would remove it.
pub(crate) fn newest(folder: &Path) -> anyhow::Result<Newest> {
    let mut newest = Newest::default();
    for step in steps(folder)? {
        let path = path(folder, step);
        let read = std::fs::read(&path).map_err(CheckpointError::from).and_then(|bytes| Checkpoint::decode(&bytes));
        match read {
            Ok(checkpoint) => {
                newest.checkpoint = Some(checkpoint);
                break;
            }
            Err(error @ (CheckpointError::Damaged(_) | CheckpointError::Checksum)) => {
                newest.damaged.push((path, error));
            }
            Err(error) => return Err(anyhow::Error::from(error).context(path.display().to_string())),
        }
    }
    Ok(newest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint(step: u64) -> Checkpoint {
        let tensors = [("a", vec![1.0_f32, -0.0, f32::MIN_POSITIVE / 2.0]), ("b", vec![step as f32])];
        let tensors = tensors.map(|(name, values)| (name.to_owned(), Tensor::from_slice(&values)));
        Checkpoint { progress: Progress { step, ..Progress::new("set".into()) }, tensors: tensors.into() }
    }

    #[test]
    fn a_checkpoint_gives_back_every_bit_and_its_bytes_repeat() {
        let bytes = checkpoint(7).encode().expect("small");
        assert!(checkpoint(7).encode().expect("small") == bytes);
        let back = Checkpoint::decode(&bytes).expect("whole");
        assert_eq!(back.progress, checkpoint(7).progress);
        assert!(back.encode().expect("small") == bytes, "also the denormal number and the negative zero");
    }

    #[test]
    fn no_damage_passes_unseen() {
        let whole = checkpoint(7).encode().expect("small");
        for length in 0..whole.len() {
            assert!(Checkpoint::decode(&whole[..length]).is_err(), "cut to {length}");
        }
        for place in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[place] ^= 1;
            let Ok(taken) = Checkpoint::decode(&flipped) else { continue };
            // Padding of the header, or its way to write the same.
            assert!(taken.encode().expect("small") == whole, "a flipped bit at {place} changed the state");
        }
    }

    #[test]
    fn the_newest_whole_one_is_found_and_the_damaged_are_named() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        assert!(newest(&folder.path().join("none")).expect("no folder is no error").checkpoint.is_none());
        for step in [5, 10, 20] {
            fs_err::write(path(folder.path(), step), checkpoint(step).encode().expect("small")).expect("writable");
        }
        fs_err::write(folder.path().join("notes.txt"), "not one").expect("writable");
        assert_eq!(steps(folder.path()).expect("readable"), [20, 10, 5]);
        let cut = fs_err::read(path(folder.path(), 20)).expect("just written");
        fs_err::write(path(folder.path(), 20), &cut[..cut.len() - 1]).expect("writable");
        let Newest { checkpoint, damaged } = newest(folder.path()).expect("readable");
        assert_eq!(checkpoint.map(|checkpoint| checkpoint.progress.step), Some(10));
        assert_eq!(damaged.len(), 1);
        assert!(damaged[0].1.to_string().starts_with("is damaged"), "{}", damaged[0].1);
    }

    #[test]
    fn another_versions_checkpoint_is_refused_with_the_remedy() {
        let mut other = checkpoint(7);
        other.progress.format_version = 9;
        let bytes = other.encode().expect("small");
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs_err::write(path(folder.path(), 7), &bytes).expect("writable");
        let error = newest(folder.path()).expect_err("it is not passed over").to_string();
        assert!(error.ends_with("000007.safetensors"), "{error}");
        let error = Checkpoint::decode(&bytes).expect_err("version 9").to_string();
        assert_eq!(
            error,
            "is none of this version's checkpoints (it has version 9); go on with the version that wrote it"
        );
    }
}
