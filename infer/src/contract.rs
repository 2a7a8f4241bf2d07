//! What a model wants of its input: read from its metadata, never guessed.

use models::{Metadata, pixels, shapes};

/// The sizes that a model takes, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Side of the training pictures.
    pub training: u32,
    /// What both sides must be a multiple of.
    pub multiple: u32,
    /// The smallest side.
    pub smallest: u32,
}

/// What one of our exports says about itself, as far as translating needs it.
#[derive(Clone, Debug, PartialEq)]
pub struct Contract {
    /// The sizes that it takes.
    pub sizes: Sizes,
    metadata: Metadata,
}

/// Why a model is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ContractError {
    /// The file, or its metadata.
    #[error(transparent)]
    File(#[from] models_onnx::ReadError),
    /// The network in the metadata contradicts itself.
    #[error(transparent)]
    Network(#[from] shapes::ShapeError),
    /// A discriminator.
    #[error("is the {0}, which judges pictures; translate with g_ab.onnx or g_ba.onnx")]
    NotAGenerator(models::Role),
    /// Other numbers for black and white than this program makes.
    #[error("wants pixels from {0} to {1}; this program knows -1 to 1")]
    Range(f32, f32),
    /// A size that no picture has.
    #[error("has the training size {0}; it must be from 1 to 65535")]
    TrainingSize(usize),
}

impl Contract {
    /// The contract of a model's file.
    ///
    /// # Errors
    /// See [`ContractError`]; the messages go behind the path, which the caller knows.
    pub fn read(file: &[u8]) -> Result<Self, ContractError> {
        Self::of(models_onnx::metadata(&models_onnx::parse(file.to_vec())?)?)
    }

    fn of(metadata: Metadata) -> Result<Self, ContractError> {
        if !metadata.role.is_generator() {
            return Err(ContractError::NotAGenerator(metadata.role));
        }
        if metadata.pixel_range != pixels::RANGE {
            let [black, white] = metadata.pixel_range;
            return Err(ContractError::Range(black, white));
        }
        let training_size = u16::try_from(metadata.training_size).ok().filter(|&size| size > 0);
        let training_size = training_size.ok_or(ContractError::TrainingSize(metadata.training_size))?;
        let smallest = shapes::smallest_size(&metadata.network)? as u32;
        let multiple = shapes::size_multiple(&metadata.network) as u32;
        Ok(Self { sizes: Sizes { training: training_size.into(), multiple, smallest }, metadata })
    }

    /// The model in a few words.
    pub fn describe(&self) -> String {
        let Metadata { role, family, data_set, steps, .. } = &self.metadata;
        let family = family.map_or(String::new(), |family| format!(" ({family:?})").to_lowercase());
        format!("{role}{family}, trained on {data_set} at {0}×{0}, {steps} steps", self.sizes.training)
    }
}
