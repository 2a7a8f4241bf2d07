//! What a model wants of its input: read from its metadata, never guessed.

use models::shapes::{self, Shape};
use models::{Metadata, Network, pixels};
use models_onnx::proto::ModelProto;
use models_onnx::{Interface, Precision};

/// Pictures that a network may see at once.
pub const MOST_AT_ONCE: usize = 256;

/// The sizes that a model takes, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Side of the training pictures, where known.
    pub training: Option<u32>,
    /// Side to scale to where none is asked for: that of the training pictures, or the published one.
    pub usual: u32,
    /// What both sides must be a multiple of.
    pub multiple: u32,
    /// The smallest side.
    pub smallest: u32,
    /// The one width and height that a model of fixed size takes.
    pub fixed: Option<(u32, u32)>,
}

/// What one of our exports says about itself, as far as translating needs it.
#[derive(Clone, Debug, PartialEq)]
pub struct Contract {
    /// The sizes that it takes.
    pub sizes: Sizes,
    /// Memory without which it cannot translate a pixel: the layer with the largest input and output keeps both.
    pub bytes_per_pixel: u64,
    /// What goes into its graph and comes out.
    pub interface: Interface,
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
    /// A network that does not give back pictures.
    #[error("gives {output} for a picture of {input}; a translation is as large as its picture, in three channels")]
    NotAPicture {
        /// Channels, rows and columns in.
        input: Shape,
        /// Channels, rows and columns out.
        output: Shape,
    },
    /// A size that no picture has.
    #[error("has the training size {0}; it must be from 1 to 65535")]
    TrainingSize(usize),
    /// A fixed batch that no machine needs.
    #[error("takes {0} pictures at once; this program knows batches of 1 to {MOST_AT_ONCE}")]
    Batch(usize),
    /// A fixed size that no picture has.
    #[error("takes pictures of {width}×{height} only; sides must be from 1 to 65535")]
    FixedSize {
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
    },
}

impl Contract {
    /// The contract of a model: what its metadata says of the network, and its graph of itself.
    ///
    /// # Errors
    /// See [`ContractError`]; the messages go behind the path, which the caller knows.
    pub fn read(model: &ModelProto) -> Result<Self, ContractError> {
        let (metadata, precision) = (models_onnx::metadata(model)?, models_onnx::precision(model));
        // What is wrong with the network is worth more to a person than what is wrong with the graph.
        let interface = models_onnx::interface(model);
        Self::of(metadata, interface, precision)
    }

    fn of(
        metadata: Metadata,
        interface: Result<Interface, models_onnx::ReadError>,
        precision: Precision,
    ) -> Result<Self, ContractError> {
        if !metadata.role.is_generator() {
            return Err(ContractError::NotAGenerator(metadata.role));
        }
        if metadata.pixel_range != pixels::RANGE {
            let [black, white] = metadata.pixel_range;
            return Err(ContractError::Range(black, white));
        }
        let size = metadata.usual_size();
        let usual = u16::try_from(size).ok().filter(|&size| size > 0).ok_or(ContractError::TrainingSize(size))?.into();
        let training = metadata.training_size.map(|_| usual);
        let smallest = shapes::smallest_size(&metadata.network)? as u32;
        let multiple = shapes::size_multiple(&metadata.network) as u32;
        let number = match precision {
            Precision::F32 => 4,
            Precision::F16 => 2,
        };
        let bytes_per_pixel = number * numbers_per_pixel(&metadata.network, smallest as usize * MANY)?;
        let interface = interface?;
        if let Some(batch) = interface.batch.filter(|&batch| batch > MOST_AT_ONCE) {
            return Err(ContractError::Batch(batch));
        }
        let fixed = interface.size.map(|[height, width]| fixed_size(&metadata.network, height, width)).transpose()?;
        let sizes = Sizes { training, usual, multiple, smallest, fixed };
        Ok(Self { sizes, bytes_per_pixel, interface, metadata })
    }

    /// The model in a few words.
    pub fn describe(&self) -> String {
        let Metadata { role, family, .. } = &self.metadata;
        let family = family.map_or(String::new(), |family| format!(" ({family:?})").to_lowercase());
        format!("{role}{family}, {}; takes {}", self.metadata.training(), self.interface)
    }
}

/// Beside this many times the smallest side, the borders that layers add are next to nothing.
const MANY: usize = 256;

/// Width and height of a model that takes no other.
fn fixed_size(network: &Network, height: usize, width: usize) -> Result<(u32, u32), ContractError> {
    let side = |side: usize| u16::try_from(side).ok().map(u32::from);
    let size = side(width).zip(side(height)).ok_or(ContractError::FixedSize { width, height })?;
    shapes::check_size(network, height, width)?;
    Ok(size)
}

/// All layers grow with the picture alike, so that one size speaks for all. Checks on the way that what comes out is a
/// picture like the one that went in.
fn numbers_per_pixel(network: &Network, side: usize) -> Result<u64, ContractError> {
    let trace = shapes::trace(network, side, side)?;
    let input = Shape { channels: 3, height: side, width: side };
    if network.channels != input.channels || trace.output() != input {
        return Err(ContractError::NotAPicture { input, output: trace.output() });
    }
    let numbers = |shape: Shape| (shape.channels * shape.height * shape.width) as u64;
    let outputs = trace.steps.iter().map(|step| numbers(step.output));
    let inputs = [numbers(input)].into_iter().chain(outputs.clone());
    let largest = inputs.zip(outputs).map(|(input, output)| input + output).max().unwrap_or(0);
    Ok(largest / (side * side) as u64)
}

#[cfg(test)]
mod tests {
    use models::families::{Family, GeneratorOptions};
    use models::{FORMAT_VERSION, Role};

    use models_onnx::Io;

    use super::*;

    const ANY: Interface = Interface { io: Io::Float, batch: None, size: None };

    fn metadata() -> Metadata {
        Metadata {
            format_version: FORMAT_VERSION,
            role: Role::GAb,
            family: Some(Family::Paper),
            network: Family::Paper.generator(GeneratorOptions::sized(64, 9)),
            data_set: Some("horse2zebra".into()),
            training_size: Some(256),
            pixel_range: pixels::RANGE,
            steps: Some(0),
            seed: Some(0),
            program: "tests".into(),
            weights_sha256: None,
            assumptions: Vec::new(),
        }
    }

    #[test]
    fn a_generator_says_its_sizes_and_what_a_pixel_costs_at_least() {
        let of = |precision| Contract::of(metadata(), Ok(ANY), precision).expect("a generator's");
        assert_eq!(
            of(Precision::F32).sizes,
            Sizes { training: Some(256), usual: 256, multiple: 4, smallest: 8, fixed: None }
        );
        // At full resolution 64 channels of floats go into a layer and 64 come out.
        for (precision, bytes) in [(Precision::F32, 512..520), (Precision::F16, 256..260)] {
            let found = of(precision).bytes_per_pixel;
            assert!(bytes.contains(&found), "{precision}: {found}");
        }
    }

    #[test]
    fn a_fixed_size_is_read_from_the_graph_and_must_be_the_networks() {
        let of = |size| Contract::of(metadata(), Ok(Interface { size: Some(size), ..ANY }), Precision::F32);
        assert_eq!(of([64, 96]).expect("multiples of 4").sizes.fixed, Some((96, 64)));
        for (size, message) in
            [([64, 90], "90×64 does not fit the network"), ([8, 70_000], "takes pictures of 70000×8 only")]
        {
            let error = of(size).expect_err(message).to_string();
            assert!(error.contains(message), "{error}");
        }
    }

    #[test]
    fn what_is_unknown_of_the_training_is_called_so() {
        let foreign = Metadata { data_set: None, training_size: None, steps: None, seed: None, ..metadata() };
        let contract = Contract::of(foreign, Ok(ANY), Precision::F32).expect("a generator's");
        assert_eq!((contract.sizes.training, contract.sizes.usual), (None, 256));
        let said = contract.describe();
        assert!(said.starts_with("generator A to B (paper), training unknown; takes [batch, 3, "), "{said}");
    }

    #[test]
    fn what_this_program_cannot_translate_with_is_refused() {
        let without_head = {
            let mut network = metadata().network;
            network.layers.truncate(3);
            network
        };
        let cases = [
            (Metadata { role: Role::DB, ..metadata() }, "is the discriminator of B"),
            (
                Metadata { pixel_range: [0.0, 1.0], ..metadata() },
                "wants pixels from 0 to 1; this program knows -1 to 1",
            ),
            (Metadata { training_size: Some(0), ..metadata() }, "has the training size 0"),
            (Metadata { network: without_head, ..metadata() }, "a translation is as large as its picture"),
        ];
        for (metadata, message) in cases {
            let error = Contract::of(metadata, Ok(ANY), Precision::F32).expect_err(message).to_string();
            assert!(error.contains(message), "{error}");
        }
    }
}
