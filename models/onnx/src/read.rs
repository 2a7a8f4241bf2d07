//! ONNX files to what they hold.

use bytes::Bytes;
use models::{Metadata, MetadataError, Weight};
use prost::Message;

use crate::export::{METADATA_KEY, is_learned};
use crate::proto::{DataType, ModelProto, TensorProto};

/// Why an ONNX file is refused.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The bytes are no protobuf message of this kind.
    #[error("is no ONNX file, or a damaged one: {0}")]
    Protobuf(#[from] prost::DecodeError),
    /// A message that holds no graph: another protobuf file, or an empty one.
    #[error("is no ONNX file, or a damaged one: it holds no graph")]
    NoGraph,
    /// A file from elsewhere.
    #[error(
        "has no `{METADATA_KEY}` metadata, so its pixel range and sizes are unknown; was it written by `exporter`?"
    )]
    NoMetadata,
    /// Metadata of another version.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// A learned tensor whose numbers are not 32-bit floats inside the file.
    #[error("tensor `{name}` is not stored as 32-bit floats inside the file; was it written by `exporter`?")]
    Storage {
        /// Its name.
        name: String,
    },
}

/// Reads a file's content. Weights are not copied: they share the memory of `bytes`.
///
/// # Errors
/// If the bytes are no ONNX model. Nesting deeper than protobuf's usual 100 levels is refused.
pub fn parse(bytes: impl Into<Bytes>) -> Result<ModelProto, ReadError> {
    let model = ModelProto::decode(bytes.into())?;
    if model.graph.is_none() {
        return Err(ReadError::NoGraph);
    }
    Ok(model)
}

/// What one of our exports says about itself.
///
/// # Errors
/// If there is no metadata, or it is of another version.
pub fn metadata(model: &ModelProto) -> Result<Metadata, ReadError> {
    let entry = model.metadata_props.iter().find(|entry| entry.key == METADATA_KEY);
    Ok(Metadata::from_json(entry.ok_or(ReadError::NoMetadata)?.value.as_bytes())?)
}

/// The learned tensors of one of our exports, in the file's order.
///
/// # Errors
/// If one is stored otherwise than [`crate::export`] does.
pub fn weights(model: &ModelProto) -> Result<Vec<Weight>, ReadError> {
    let initializers = model.graph.iter().flat_map(|graph| &graph.initializer);
    initializers.filter(|tensor| is_learned(&tensor.name)).map(weight).collect()
}

fn weight(tensor: &TensorProto) -> Result<Weight, ReadError> {
    let storage = || ReadError::Storage { name: tensor.name.clone() };
    let shape: Vec<usize> =
        tensor.dims.iter().map(|&side| usize::try_from(side)).collect::<Result<_, _>>().map_err(|_| storage())?;
    let length = shape.iter().try_fold(4_usize, |product, &side| product.checked_mul(side));
    if tensor.data_type != i32::from(DataType::Float) || length != Some(tensor.raw_data.len()) {
        return Err(storage());
    }
    Ok(Weight { name: tensor.name.clone(), shape, bytes: tensor.raw_data.clone() })
}

#[cfg(test)]
mod tests {
    use models::families::{Family, GeneratorOptions};
    use models::{FORMAT_VERSION, Role, parameters, pixels, weights_hash};

    use super::*;
    use crate::{ExportError, export};

    fn metadata_of(role: Role, family: Family) -> Metadata {
        let size = GeneratorOptions::sized(2, 2);
        Metadata {
            format_version: FORMAT_VERSION,
            role,
            family: Some(family),
            network: family.generator(size),
            data_set: "none".into(),
            training_size: 16,
            pixel_range: pixels::RANGE,
            steps: 0,
            seed: 0,
            program: "test".into(),
            weights_sha256: None,
        }
    }

    fn ramp(metadata: &Metadata) -> Vec<Weight> {
        let weight = |(index, parameter): (usize, parameters::Parameter)| {
            let bytes = (0..parameter.len()).flat_map(|number| ((number + index) as f32).to_le_bytes()).collect();
            Weight { name: parameter.name, shape: parameter.shape, bytes }
        };
        parameters::table(&metadata.network).into_iter().enumerate().map(weight).collect()
    }

    #[test]
    fn what_is_exported_is_read_back() {
        for family in [Family::Paper, Family::Concat] {
            let metadata_before = metadata_of(Role::GAb, family);
            let weights_before = ramp(&metadata_before);
            let file = export(&metadata_before, weights_before.clone()).expect("fitting weights");
            let model = parse(file).expect("our own file");
            assert_eq!(weights(&model).expect("our own storage"), weights_before);
            let expected = Metadata { weights_sha256: Some(weights_hash(&weights_before)), ..metadata_before };
            assert_eq!(metadata(&model).expect("our own metadata"), expected);
        }
    }

    #[test]
    fn a_file_read_and_written_again_has_the_same_bytes() {
        let metadata = metadata_of(Role::GBa, Family::Paper);
        let file = export(&metadata, ramp(&metadata)).expect("fitting weights");
        assert_eq!(parse(file.clone()).expect("our own file").encode_to_vec(), file);
    }

    #[test]
    fn the_order_in_which_weights_come_does_not_change_the_bytes() {
        let metadata = metadata_of(Role::GAb, Family::Concat);
        let mut reversed = ramp(&metadata);
        reversed.reverse();
        assert_eq!(export(&metadata, ramp(&metadata)).expect("fits"), export(&metadata, reversed).expect("fits"));
    }

    #[test]
    fn nodes_are_called_after_their_layers() {
        let metadata = metadata_of(Role::GAb, Family::Paper);
        let model = parse(export(&metadata, ramp(&metadata)).expect("fits")).expect("our own file");
        let graph = model.graph.expect("has one");
        let names: Vec<_> = graph.node.iter().map(|node| node.name.as_str()).collect();
        assert_eq!(names[..5], ["image.reflect", "stem.conv", "stem.conv.norm", "stem.conv.relu", "down1.conv"]);
        assert_eq!(names[names.len() - 2..], ["head.conv", "head.conv.tanh"]);
        assert!(names.contains(&"block2.conv2.add"));
    }

    #[test]
    fn a_discriminator_and_foreign_weights_are_refused() {
        let metadata = metadata_of(Role::DA, Family::Paper);
        let error = export(&metadata, ramp(&metadata)).expect_err("judges, does not translate");
        assert!(matches!(error, ExportError::NotAGenerator(Role::DA)), "{error}");
        let metadata = metadata_of(Role::GAb, Family::Paper);
        let mut weights = ramp(&metadata);
        weights.pop();
        let error = export(&metadata, weights).expect_err("the last bias is missing").to_string();
        assert!(error.contains("`head.conv.bias` is missing"), "{error}");
    }

    #[test]
    fn what_is_no_onnx_file_is_refused() {
        for bytes in [&b""[..], b"hello, world", &[0x3a, 0xff, 0xff, 0xff, 0xff, 0x0f]] {
            assert!(parse(bytes.to_vec()).is_err());
        }
        let metadata_of = metadata_of(Role::GAb, Family::Paper);
        let mut model = parse(export(&metadata_of, ramp(&metadata_of)).expect("fits")).expect("our own file");
        model.metadata_props.clear();
        assert!(matches!(metadata(&model), Err(ReadError::NoMetadata)));
    }
}
