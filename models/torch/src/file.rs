//! Networks as files that say everything about themselves: `.ot` and `.safetensors`.
//!
//! An `.ot` is libtorch's own archive of named tensors, which Python reads with `torch.jit.load`; one of them, `metadata`,
//! holds JSON as bytes. In a `.safetensors` the same JSON stands in the header. Nothing in a file is ignored, and nothing
//! that the network needs may be missing. libtorch writes, but `models-archive` reads: a file may be anybody's.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use models::{Metadata, MetadataError, Weight, WeightsError, check_weights, parameters};
use models_archive::{ArchiveError, Contents, Element, METADATA};
use safetensors::tensor::{Dtype, TensorView};
use tch::{Kind, TchError, Tensor};

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
    /// What is in the file.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// safetensors does not take what is to be written.
    #[error("cannot be written as safetensors: {0}")]
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
    #[error("tensor `{name}` holds {found}, not 32-bit floats, which `trainer` writes")]
    Kind {
        /// Its name.
        name: String,
        /// What it holds.
        found: Element,
    },
    /// libtorch fails on tensors that are to be written.
    #[error(transparent)]
    Torch(#[from] TchError),
}

/// Reads a network's file. Its content says of which format it is, whatever its name.
///
/// # Errors
/// See [`FileError`].
pub fn read(path: &Path) -> Result<SavedNetwork, FileError> {
    let file = std::fs::read(path).map_err(FileError::Read)?;
    saved(models_archive::read(file.into(), None)?)
}

/// A network from what its file holds.
///
/// # Errors
/// If there is no metadata or it is not readable, or the tensors are not exactly those of its network in 32-bit floats.
pub fn saved(contents: Contents) -> Result<SavedNetwork, FileError> {
    let Contents { metadata, tensors: weights, converted, .. } = contents;
    let metadata = Metadata::from_json(metadata.ok_or(FileError::NoMetadata)?.as_bytes())?;
    if let Some((name, found)) = converted.into_iter().next() {
        return Err(FileError::Kind { name, found });
    }
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
            data_set: Some("none".into()),
            training_size: Some(16),
            pixel_range: pixels::RANGE,
            steps: Some(0),
            seed: Some(1),
            program: "test".into(),
            weights_sha256: None,
            assumptions: Vec::new(),
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
        let archive = |tensors: &[(&str, Tensor)]| {
            let mut bytes = Vec::new();
            Tensor::save_multi_to_stream(tensors, &mut bytes).expect("a small archive");
            bytes
        };
        let without_metadata = archive(&[("a", Tensor::from_slice(&[1.0_f32]))]);
        let json = saved(Family::Paper).metadata.to_json();
        let metadata = || (METADATA, Tensor::from_slice(json.as_bytes()));
        let of_doubles = archive(&[metadata(), ("a", Tensor::from_slice(&[1.0_f64]))]);
        let of_later = json.replace("\"format_version\":1", "\"format_version\":2");
        let of_later = archive(&[(METADATA, Tensor::from_slice(of_later.as_bytes()))]);
        let cases: [(&[u8], &str); 6] = [
            (b"hello", "is no file of weights that is read here"),
            (&whole[..whole.len() / 2], "is a damaged zip archive"),
            (&without_metadata, "has no `metadata`"),
            (&of_doubles, "tensor `a` holds 64-bit floats"),
            (&of_later, "metadata has format version 2"),
            (b"\x09\0\0\0\0\0\0\0{}", "is no safetensors file"),
        ];
        for (bytes, expected) in cases {
            let error = read(&written(bytes, ".ot")).expect_err(expected).to_string();
            assert!(error.starts_with(expected), "{error}");
        }
        let error = read(Path::new("/no/such/file.ot")).expect_err("nothing there").to_string();
        assert!(error.starts_with("cannot be read"), "{error}");
        assert!(matches!(Format::of(Path::new("g_ab.pth")), Err(FileError::Extension)));
    }

    #[test]
    fn a_file_is_told_by_its_content_whatever_its_name() {
        let saved = saved(Family::Paper);
        let bytes = encode(&saved, Format::Safetensors).expect("fitting weights");
        assert_eq!(sorted(read(&written(&bytes, ".ot")).expect("our own file")), sorted(saved));
    }
}
