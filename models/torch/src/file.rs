//! Networks as files that say everything about themselves: `.ot` and `.safetensors`.
//!
//! An `.ot` is libtorch's own archive of named tensors, which Python reads with `torch.jit.load`; one of them, `metadata`,
//! holds JSON as bytes. In a `.safetensors` the same JSON stands in the header. Nothing in a file is ignored, and nothing
//! that the network needs may be missing.

use std::collections::HashMap;
use std::io::{self, Cursor};
use std::path::Path;

use models::{Metadata, MetadataError, Weight, WeightsError, check_weights, parameters};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use tch::{Kind, TchError, Tensor};

use crate::weights::tensor_bytes;

/// Name of the tensor, or of the header's entry, that holds the metadata.
const METADATA: &str = "metadata";

/// A network as a file holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct SavedNetwork {
    /// What the file says about itself.
    pub metadata: Metadata,
    /// Exactly the tensors that the network learns.
    pub weights: Vec<Weight>,
}

/// The formats of a network's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// libtorch's archive.
    Ot,
    /// safetensors.
    Safetensors,
}

impl Format {
    /// The format that a file's name says.
    ///
    /// # Errors
    /// [`FileError::Extension`].
    pub fn of(path: &Path) -> Result<Self, FileError> {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("ot") => Ok(Self::Ot),
            Some("safetensors") => Ok(Self::Safetensors),
            _ => Err(FileError::Extension),
        }
    }
}

/// Why a network's file cannot be read or written. The messages go behind the path, which the caller knows.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// A name that says no format.
    #[error("is neither .ot nor .safetensors, the formats that a network is stored in")]
    Extension,
    /// The system's.
    #[error("cannot be read: {0}")]
    Read(#[source] io::Error),
    /// libtorch does not take the bytes.
    #[error("is no libtorch archive, or a damaged one ({})", first_line(.0))]
    Archive(#[source] TchError),
    /// safetensors does not take the bytes.
    #[error("is no safetensors file, or a damaged one ({0})")]
    Safetensors(#[from] safetensors::SafeTensorError),
    /// A file from elsewhere.
    #[error("has no `{METADATA}`, so its network is unknown; was it written by `trainer`?")]
    NoMetadata,
    /// Metadata of another version.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// Tensors that are not the network's.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// Numbers of another kind.
    #[error("tensor `{name}` holds {found}, not 32-bit floats")]
    Kind {
        /// Its name.
        name: String,
        /// What it holds.
        found: String,
    },
    /// libtorch fails on tensors already read.
    #[error(transparent)]
    Torch(#[from] TchError),
}

/// libtorch's messages end in a trace of C++ frames.
fn first_line(error: &TchError) -> String {
    error.to_string().lines().next().unwrap_or_default().into()
}

/// Reads a network's file.
///
/// # Errors
/// See [`FileError`].
pub fn read(path: &Path) -> Result<SavedNetwork, FileError> {
    let format = Format::of(path)?;
    let bytes = std::fs::read(path).map_err(FileError::Read)?;
    let (json, weights) = match format {
        Format::Ot => read_archive(&bytes)?,
        Format::Safetensors => read_safetensors(&bytes)?,
    };
    let metadata = Metadata::from_json(&json)?;
    let table = parameters::table(&metadata.network);
    check_weights(&table, weights.iter().map(|weight| (weight.name.as_str(), weight.shape.as_slice())))?;
    Ok(SavedNetwork { metadata, weights })
}

/// The bytes of a network's file. The same network gives the same bytes.
///
/// # Errors
/// If the weights are not exactly the network's, or libtorch fails.
pub fn encode(network: &SavedNetwork, format: Format) -> Result<Vec<u8>, FileError> {
    let table = parameters::table(&network.metadata.network);
    let shapes = network.weights.iter().map(|weight| (weight.name.as_str(), weight.shape.as_slice()));
    check_weights(&table, shapes)?;
    match format {
        Format::Ot => write_archive(network),
        Format::Safetensors => write_safetensors(network),
    }
}

fn read_archive(bytes: &[u8]) -> Result<(Vec<u8>, Vec<Weight>), FileError> {
    let tensors = Tensor::load_multi_from_stream(Cursor::new(bytes)).map_err(FileError::Archive)?;
    let mut json = None;
    let mut weights = Vec::new();
    for (name, tensor) in tensors {
        let expected = if name == METADATA { Kind::Uint8 } else { Kind::Float };
        let found = tensor.f_kind()?;
        if found != expected {
            return Err(FileError::Kind { name, found: format!("{found:?}") });
        }
        let bytes = tensor_bytes(&tensor)?;
        if name == METADATA {
            json = Some(bytes);
        } else {
            let shape = tensor.size().iter().map(|&side| side as usize).collect();
            weights.push(Weight { name, shape, bytes: bytes.into() });
        }
    }
    Ok((json.ok_or(FileError::NoMetadata)?, weights))
}

fn write_archive(network: &SavedNetwork) -> Result<Vec<u8>, FileError> {
    let json = network.metadata.to_json();
    let mut tensors = vec![(METADATA, Tensor::f_from_slice(json.as_bytes())?)];
    for weight in &network.weights {
        let shape: Vec<i64> = weight.shape.iter().map(|&side| side as i64).collect();
        tensors.push((&weight.name, Tensor::f_from_data_size(&weight.bytes, &shape, Kind::Float)?));
    }
    // Through a stream: an archive's inner folder is named after its file, which would change the bytes with the name.
    let mut bytes = Vec::new();
    Tensor::save_multi_to_stream(&tensors, &mut bytes)?;
    Ok(bytes)
}

fn read_safetensors(bytes: &[u8]) -> Result<(Vec<u8>, Vec<Weight>), FileError> {
    let (_, header) = SafeTensors::read_metadata(bytes)?;
    let json = header.metadata().as_ref().and_then(|entries| entries.get(METADATA));
    let json = json.ok_or(FileError::NoMetadata)?.clone().into_bytes();
    let mut weights = Vec::new();
    for (name, view) in SafeTensors::deserialize(bytes)?.iter() {
        if view.dtype() != Dtype::F32 {
            return Err(FileError::Kind { name: name.into(), found: format!("{:?}", view.dtype()) });
        }
        weights.push(Weight { name: name.into(), shape: view.shape().to_vec(), bytes: view.data().to_vec().into() });
    }
    Ok((json, weights))
}

fn write_safetensors(network: &SavedNetwork) -> Result<Vec<u8>, FileError> {
    let views = network.weights.iter().map(|weight| {
        TensorView::new(Dtype::F32, weight.shape.clone(), &weight.bytes).map(|view| (weight.name.as_str(), view))
    });
    let views: Vec<_> = views.collect::<Result<_, _>>()?;
    let header = HashMap::from([(METADATA.to_owned(), network.metadata.to_json())]);
    Ok(safetensors::serialize(views, Some(header))?)
}

#[cfg(test)]
mod tests {
    use models::families::{Family, GeneratorOptions};
    use models::{FORMAT_VERSION, Role, pixels};
    use rand::SeedableRng;

    use super::*;
    use crate::Module;

    fn saved(family: Family) -> SavedNetwork {
        let network = family.generator(GeneratorOptions::sized(2, 1));
        let mut random = rand_pcg::Pcg64::seed_from_u64(1);
        let module = Module::initialise(network.clone(), &mut random, tch::Device::Cpu).expect("small");
        let metadata = Metadata {
            format_version: FORMAT_VERSION,
            role: Role::GAb,
            family: Some(family),
            network,
            data_set: "none".into(),
            training_size: 16,
            pixel_range: pixels::RANGE,
            steps: 0,
            seed: 1,
            program: "test".into(),
            weights_sha256: None,
        };
        SavedNetwork { metadata, weights: module.weights().to_weights().expect("on the CPU") }
    }

    fn written(bytes: &[u8], extension: &str) -> tempfile::TempPath {
        let file = tempfile::Builder::new().suffix(extension).tempfile().expect("a temporary file");
        std::fs::write(file.path(), bytes).expect("writable");
        file.into_temp_path()
    }

    fn sorted(mut saved: SavedNetwork) -> SavedNetwork {
        saved.weights.sort_by(|one, other| one.name.cmp(&other.name));
        saved
    }

    #[test]
    fn files_give_back_what_was_saved_and_their_bytes_repeat() {
        for family in [Family::Paper, Family::Concat] {
            for (format, extension) in [(Format::Ot, ".ot"), (Format::Safetensors, ".safetensors")] {
                let saved = saved(family);
                let bytes = encode(&saved, format).expect("fitting weights");
                assert_eq!(encode(&saved, format).expect("fitting weights"), bytes, "{format:?}");
                let path = written(&bytes, extension);
                assert_eq!(sorted(read(&path).expect("our own file")), sorted(saved), "{format:?}");
            }
        }
    }

    #[test]
    fn a_tensor_too_many_or_too_few_is_refused_by_name() {
        let mut fewer = saved(Family::Concat);
        fewer.weights.retain(|weight| weight.name != "down1.conv.weight");
        let error = encode(&fewer, Format::Ot).expect_err("one is missing").to_string();
        assert!(error.starts_with("tensor `down1.conv.weight` is missing"), "{error}");

        // A file of another width under this network's metadata: written around the check.
        let mut other = saved(Family::Concat);
        let wider = Family::Concat.generator(GeneratorOptions::sized(4, 1));
        other.metadata.network = wider;
        let path = written(&write_archive(&other).expect("libtorch takes any tensors"), ".ot");
        let error = read(&path).expect_err("all shapes differ").to_string();
        assert_eq!(
            error,
            "tensor `stem.conv.weight` is [2, 3, 7, 7], the network needs [4, 3, 7, 7]; was it trained with another --width?"
        );
    }

    #[test]
    fn files_that_are_none_of_ours_say_so() {
        let whole = encode(&saved(Family::Paper), Format::Ot).expect("fitting weights");
        let foreign = [("a", Tensor::from_slice(&[1.0_f32]))];
        let mut without_metadata = Vec::new();
        Tensor::save_multi_to_stream(&foreign, &mut without_metadata).expect("a small archive");
        let cases: [(&[u8], &str, &str); 6] = [
            (b"hello", ".ot", "is no libtorch archive"),
            (&whole[..whole.len() / 2], ".ot", "is no libtorch archive"),
            (&without_metadata, ".ot", "has no `metadata`"),
            (b"hello", ".safetensors", "is no safetensors file"),
            (&whole, ".safetensors", "is no safetensors file"),
            (&whole, ".pth", "is neither .ot nor .safetensors"),
        ];
        for (bytes, extension, expected) in cases {
            let error = read(&written(bytes, extension)).expect_err(expected).to_string();
            assert!(error.starts_with(expected), "{error}");
        }
        let error = read(Path::new("/no/such/file.ot")).expect_err("nothing there").to_string();
        assert!(error.starts_with("cannot be read"), "{error}");
    }
}
