//! A network and its weights to an ONNX file.
//!
//! Only standard operators are used. The same network, weights, metadata and target give the same bytes.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use half::f16;
use models::shapes::{self, ShapeError};
use models::{Metadata, Weight, WeightsError, check_weights, fold, parameters, weights_hash};
use program::files;
use prost::Message;

use crate::bias::cancelled_biases;
use crate::external::{Data, move_out};
use crate::graph::{Graph, INPUT, METADATA_KEY, OUTPUT, WRITTEN_KEY, tensor};
use crate::interface::{begin, end, finish};
use crate::layers::Layers;
use crate::proto::{DataType, GraphProto, ModelProto, OperatorSetIdProto, StringStringEntryProto, TensorProto};
use crate::read::weight;
use crate::target::{Io, OPSETS, Target, ir_version};

/// Why a network cannot be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// Weights that are not the network's.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// A discriminator: its input and output are no pictures.
    #[error("this is the {0}; only generators (g_ab, g_ba) translate pictures")]
    NotAGenerator(models::Role),
    /// An operator set that is not written.
    #[error("--opset {0}: use one from {first} to {last}", first = OPSETS.start(), last = OPSETS.end())]
    Opset(i64),
    /// A batch without pictures.
    #[error("--batch 0: a model needs at least one picture")]
    EmptyBatch,
    /// A size that the network does not take.
    #[error("--size: {0}")]
    Size(#[source] ShapeError),
    /// A weight that 16 bits cannot hold.
    #[error(
        "tensor `{name}` holds {value:e}, and 16-bit floats end at {most}; export with --precision f32",
        most = f16::MAX
    )]
    Range {
        /// The tensor.
        name: String,
        /// The number.
        value: f32,
    },
    /// Bytes for a network whose black and white say nothing of the numbers between.
    #[error("--io uint8: the metadata has pixels from {0} to {1}, which no byte can be scaled to")]
    PixelRange(f32, f32),
    /// Bytes for a network that takes or gives no colours.
    #[error("--io uint8: the network takes {} channels and gives {}, a picture has 3", .0[0], .0[1])]
    Channels([usize; 2]),
}

impl ExportError {
    /// Whether the target is at fault, not the network or its weights.
    pub fn is_of_target(&self) -> bool {
        match self {
            Self::Opset(_) | Self::EmptyBatch | Self::Size(_) => true,
            Self::Weights(_) | Self::NotAGenerator(_) | Self::Range { .. } => false,
            Self::PixelRange(..) | Self::Channels(_) => false,
        }
    }
}

/// An ONNX file, and what became of the weights on the way.
#[derive(Clone, Debug, PartialEq)]
pub struct Exported {
    /// The bytes of the model's file.
    pub model: Vec<u8>,
    /// Weights that are too large for it; none in most cases.
    pub data: Option<Data>,
    /// Biases that are left out: see [`cancelled_biases`].
    pub dropped: Vec<String>,
    /// Weights that are not zero but became so in 16 bits: those below 2⁻²⁵ (3e-8). From there to 2⁻¹⁴ (6e-5) a weight is
    /// off by up to 2⁻²⁵, above by up to 2⁻¹¹ of itself.
    pub vanished: usize,
}

impl Exported {
    /// Writes the model, and before it the data that it names: at no time does a reader see half of either, or a model
    /// without its data. The data of a model that was there before stays, since a copy of that model may name it.
    ///
    /// # Errors
    /// The system's, with the path.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        if let Some(data) = &self.data {
            data.write(files::folder_of(path))?;
        }
        files::write_whole(path, &self.model)
    }
}

/// The ONNX file of a generator. The metadata is written with the hash of these weights, before any is rounded or left
/// out: it says which file they come from. Beside it stands the hash of those in the file: it says whether somebody changed
/// them later. The vectors move; weights in 32 bits are not copied.
///
/// # Errors
/// See [`ExportError`].
pub fn export(metadata: &Metadata, weights: Vec<Weight>, target: &Target) -> Result<Exported, ExportError> {
    let network = &metadata.network;
    check(metadata, target)?;
    let table = parameters::table(network);
    check_weights(&table, weights.iter().map(|weight| (weight.name.as_str(), weight.shape.as_slice())))?;
    let named = Metadata { weights_sha256: Some(weights_hash(&weights)), ..metadata.clone() };
    let dropped = if target.keep_bias { Default::default() } else { cancelled_biases(network) };

    let mut graph = Graph::default();
    let input = begin(&mut graph, target.io, metadata.pixel_range);
    let mut layers = Layers::new(graph, target, dropped.clone());
    let output = match fold(&network.layers, &mut layers, input) {
        Ok(output) => output,
        Err(never) => match never {},
    };
    let mut graph = layers.graph;
    finish(&mut graph, target.io, metadata.pixel_range, output);
    let (learned, vanished) = learned(graph.learned, weights)?;
    let written: Vec<Weight> = learned.iter().map(weight).collect::<Result<_, _>>().expect("floats of 32 or 16 bits");
    let written = weights_hash(&written);
    let properties = [(METADATA_KEY, named.to_json()), (WRITTEN_KEY, written)];

    let mut model = ModelProto {
        ir_version: ir_version(target.opset),
        producer_name: "cyclegan exporter".into(),
        producer_version: env!("CARGO_PKG_VERSION").into(),
        graph: Some(GraphProto {
            name: metadata.role.stem().into(),
            node: graph.nodes,
            initializer: learned.into_iter().chain(graph.constants.into_values()).collect(),
            input: vec![end(INPUT, network.channels, target)],
            output: vec![end(OUTPUT, shapes::output_channels(network), target)],
            ..Default::default()
        }),
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: target.opset }],
        metadata_props: properties.map(|(key, value)| StringStringEntryProto { key: key.into(), value }).into(),
        ..Default::default()
    };
    let is_large = model.encoded_len() > target.largest_file;
    let data = if is_large { move_out(&mut model, metadata.role.stem()) } else { None };
    Ok(Exported { model: model.encode_to_vec(), data, dropped: dropped.into_iter().collect(), vanished })
}

fn check(metadata: &Metadata, target: &Target) -> Result<(), ExportError> {
    if !metadata.role.is_generator() {
        return Err(ExportError::NotAGenerator(metadata.role));
    }
    if !OPSETS.contains(&target.opset) {
        return Err(ExportError::Opset(target.opset));
    }
    if target.batch == Some(0) {
        return Err(ExportError::EmptyBatch);
    }
    if let Some([height, width]) = target.size {
        shapes::check_size(&metadata.network, height, width).map_err(ExportError::Size)?;
    }
    let [black, white] = metadata.pixel_range;
    let channels = [metadata.network.channels, shapes::output_channels(&metadata.network)];
    match target.io {
        Io::Uint8 if !(white - black).is_normal() => Err(ExportError::PixelRange(black, white)),
        Io::Uint8 if channels != [3; 2] => Err(ExportError::Channels(channels)),
        _ => Ok(()),
    }
}

/// The learned tensors as the graph wants them, in its order, and how many numbers became zero.
fn learned(wanted: Vec<(String, DataType)>, weights: Vec<Weight>) -> Result<(Vec<TensorProto>, usize), ExportError> {
    let mut by_name: BTreeMap<String, Weight> =
        weights.into_iter().map(|weight| (weight.name.clone(), weight)).collect();
    let mut vanished = 0;
    let tensors = wanted.into_iter().map(|(name, kind)| {
        let weight = by_name.remove(&name).expect("checked against the table");
        let bytes = match kind {
            DataType::Float16 => {
                let (bytes, zeros) = rounded(&weight)?;
                vanished += zeros;
                bytes.into()
            }
            _ => weight.bytes,
        };
        Ok(tensor(name, &weight.shape, kind, bytes))
    });
    let tensors = tensors.collect::<Result<_, ExportError>>()?;
    Ok((tensors, vanished))
}

/// A tensor's numbers in 16 bits, each the nearest, and how many became zero.
fn rounded(weight: &Weight) -> Result<(Vec<u8>, usize), ExportError> {
    let mut bytes = Vec::with_capacity(weight.bytes.len() / 2);
    let mut zeros = 0;
    for value in weight.values() {
        let number = f16::from_f32(value);
        if number.is_infinite() && value.is_finite() {
            return Err(ExportError::Range { name: weight.name.clone(), value });
        }
        zeros += usize::from(number.to_f32() == 0.0 && value != 0.0);
        bytes.extend(number.to_le_bytes());
    }
    Ok((bytes, zeros))
}

#[cfg(test)]
mod tests {
    use models::Role;
    use models::families::Family;

    use super::*;
    use crate::samples::{metadata_of, model_of, ramp};
    use crate::{Precision, parse, weights};

    fn refused(metadata: &Metadata, target: Target) -> String {
        export(metadata, ramp(metadata), &target).expect_err("nothing can be made for that").to_string()
    }

    #[test]
    fn a_target_that_cannot_be_made_says_what_can() {
        let metadata = metadata_of(Role::GAb, Family::Paper);
        let cases = [
            (Target { opset: 16, ..Target::default() }, "--opset 16: use one from 17 to 26"),
            (Target { opset: 27, ..Target::default() }, "--opset 27: use one from 17 to 26"),
            (Target { batch: Some(0), ..Target::default() }, "--batch 0: a model needs at least one picture"),
            (
                Target { size: Some([30, 32]), ..Target::default() },
                "--size: 32×30 does not fit the network: both sides must be multiples of 4, 8 or more; 32×32 would fit",
            ),
        ];
        for (target, message) in cases {
            assert_eq!(refused(&metadata, target), message);
        }
        let bytes = Target { io: Io::Uint8, ..Target::default() };
        let flat = Metadata { pixel_range: [0.5, 0.5], ..metadata };
        assert!(refused(&flat, bytes).contains("pixels from 0.5 to 0.5, which no byte can be scaled to"));
    }

    #[test]
    fn a_weight_beyond_16_bits_is_refused_by_name_and_what_vanishes_is_counted() {
        let metadata = metadata_of(Role::GAb, Family::Concat);
        let half = Target { precision: Precision::F16, ..Target::default() };
        let with = |name: &str, value: f32| {
            let mut weights = ramp(&metadata);
            let weight = weights.iter_mut().find(|weight| weight.name == name).expect("it has one");
            weight.replace(|index, number| if index == 0 { value } else { number });
            export(&metadata, weights, &half)
        };
        let error = with("up1.conv.weight", 65_520.0).expect_err("rounds to infinity").to_string();
        assert_eq!(
            error,
            "tensor `up1.conv.weight` holds 6.552e4, and 16-bit floats end at 65504; export with --precision f32"
        );
        let first = |exported: &Exported| {
            let model = parse(exported.model.clone()).expect("our own file");
            let weights = weights(&model).expect("our own storage");
            let weight = weights.iter().find(|weight| weight.name == "up1.conv.weight").expect("it has one");
            weight.values().next().expect("not empty")
        };
        // Halves go to the even neighbour: 2⁻²⁵ is half of the smallest number above 0.
        for (value, found, vanished) in [
            (65_519.0, 65_504.0, 0),
            (f32::INFINITY, f32::INFINITY, 0),
            (3e-8, 2_f32.powi(-24), 0),
            (2_f32.powi(-25), 0.0, 1),
            (-1e-30, 0.0, 1),
            (1.0 + 2_f32.powi(-11), 1.0, 0),
        ] {
            let exported = with("up1.conv.weight", value).expect("in range");
            assert_eq!((first(&exported), exported.vanished), (found, vanished), "{value:e}");
        }
        // A bias that is left out is not rounded, and a norm's scale is not either.
        assert_eq!(with("up1.conv.bias", 1e30).map(|exported| exported.vanished).expect("left out"), 0);
        assert_eq!(with("up1.norm.weight", 1e30).map(|exported| exported.vanished).expect("in 32 bits"), 0);
    }

    #[test]
    fn casts_stand_only_around_norms_and_at_the_ends() {
        // Paper's nine norms have one before and one behind; concat's tenth goes into tanh in 32 bits. Then come the image
        // and the last convolution's output, the norm of concat among them, and with bytes one more at each end.
        let cases = [
            (Family::Paper, Io::Float, 9 + 9 + 2),
            (Family::Paper, Io::F16, 9 + 9),
            (Family::Paper, Io::Uint8, 9 + 9 + 4),
            (Family::Concat, Io::Float, 10 + 9 + 1),
            (Family::Concat, Io::F16, 10 + 10),
            (Family::Concat, Io::Uint8, 10 + 9 + 3),
        ];
        for (family, io, expected) in cases {
            let target = Target { precision: Precision::F16, io, ..Target::default() };
            let graph = model_of(family, &target).graph.expect("has one");
            let casts = graph.node.iter().filter(|node| node.op_type == "Cast").map(|node| node.name.as_str());
            let casts: Vec<_> = casts.collect();
            assert_eq!(casts.len(), expected, "{family:?}, {io}: {casts:?}");
        }
        let graph = model_of(Family::Paper, &Target::default()).graph.expect("has one");
        assert!(graph.node.iter().all(|node| node.op_type != "Cast"));
    }
}
