//! ONNX files to what they hold.

use std::path::Path;

use bytes::Bytes;
use half::f16;
use models::{Metadata, Network, Weight, parameters};
use program::files;
use prost::Message;

use crate::bias::cancelled_biases;
use crate::error::ReadError;
use crate::external::{self, Beside, bytes_of};
use crate::graph::{METADATA_KEY, WRITTEN_KEY, is_learned};
use crate::proto::{DataType, ModelProto, TensorProto};
use crate::target::Precision;

/// Reads a model's file, and the data beside it where it names any.
///
/// # Errors
/// See [`parse`]; also data that is missing, outside the model's folder, or does not fit.
pub fn open(path: &Path) -> Result<ModelProto, ReadError> {
    open_with_data(path).map(|(model, _)| model)
}

/// The same, with the files that its data was in.
///
/// # Errors
/// Those of [`open`].
pub fn open_with_data(path: &Path) -> Result<(ModelProto, Vec<Beside>), ReadError> {
    let mut model = parse(std::fs::read(path).map_err(ReadError::Read)?)?;
    let data = external::resolve(&mut model, files::folder_of(path))?;
    Ok((model, data))
}

/// Reads a file's content. Weights are not copied: they share the memory of `bytes`. Those in a file beside are left
/// there; see [`open`].
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
    Ok(Metadata::from_json(property(model, METADATA_KEY).ok_or(ReadError::NoMetadata)?.as_bytes())?)
}

/// [`models::weights_hash`] of what [`weights`] gave when the file was written: a file that gives another was changed since.
/// None in a file from elsewhere.
pub fn written_hash(model: &ModelProto) -> Option<&str> {
    property(model, WRITTEN_KEY)
}

fn property<'a>(model: &'a ModelProto, key: &str) -> Option<&'a str> {
    let mut entries = model.metadata_props.iter();
    entries.find(|entry| entry.key == key).map(|entry| entry.value.as_str())
}

/// The learned tensors of one of our exports, in the file's order, as 32-bit floats: 16-bit ones are widened, which is
/// exact, but gives what they were rounded to. Biases that were left out are not among them: see [`dropped_biases`].
///
/// # Errors
/// If one is stored otherwise than [`crate::export`] does, or in a file that was not read with [`open`].
pub fn weights(model: &ModelProto) -> Result<Vec<Weight>, ReadError> {
    learned(model).map(weight).collect()
}

/// Names of the biases that an export left out since a norm takes them away: any number in their place computes the same.
///
/// # Errors
/// If anything else that the network learns is missing.
pub fn dropped_biases(model: &ModelProto, network: &Network) -> Result<Vec<String>, ReadError> {
    let cancelled = cancelled_biases(network);
    let is_there = |name: &str| learned(model).any(|tensor| tensor.name == name);
    let missing = parameters::table(network).into_iter().map(|parameter| parameter.name).filter(|name| !is_there(name));
    missing.map(|name| if cancelled.contains(&name) { Ok(name) } else { Err(ReadError::Missing { name }) }).collect()
}

/// What an export's convolutions compute in, by its weights.
pub fn precision(model: &ModelProto) -> Precision {
    let is_half = |tensor: &TensorProto| tensor.data_type == i32::from(DataType::Float16);
    if learned(model).any(is_half) { Precision::F16 } else { Precision::F32 }
}

fn learned(model: &ModelProto) -> impl Iterator<Item = &TensorProto> {
    let initializers = model.graph.iter().flat_map(|graph| &graph.initializer);
    initializers.filter(|tensor| is_learned(&tensor.name))
}

pub(crate) fn weight(tensor: &TensorProto) -> Result<Weight, ReadError> {
    let storage = || ReadError::Storage { name: tensor.name.clone() };
    let shape: Vec<usize> =
        tensor.dims.iter().map(|&side| usize::try_from(side)).collect::<Result<_, _>>().map_err(|_| storage())?;
    if bytes_of(tensor) != Some(tensor.raw_data.len() as u64) {
        return Err(storage());
    }
    let wide = |bytes: &[u8]| f16::from_le_bytes(bytes.try_into().expect("chunks of two")).to_f32().to_le_bytes();
    let bytes = match DataType::try_from(tensor.data_type) {
        Ok(DataType::Float) => tensor.raw_data.clone(),
        Ok(DataType::Float16) => tensor.raw_data.chunks_exact(2).flat_map(wide).collect::<Vec<u8>>().into(),
        _ => return Err(storage()),
    };
    Ok(Weight { name: tensor.name.clone(), shape, bytes })
}

#[cfg(test)]
mod tests {
    use models::families::Family;
    use models::{Role, weights_hash};

    use super::*;
    use crate::samples::{metadata_of, model_of, ramp};
    use crate::{ExportError, Exported, Io, OPSETS, Target, export, interface};

    #[test]
    fn what_is_exported_is_read_back() {
        let target = Target { keep_bias: true, ..Target::default() };
        for family in [Family::Paper, Family::Concat] {
            let metadata_before = metadata_of(Role::GAb, family);
            let weights_before = ramp(&metadata_before);
            let model = model_of(family, &target);
            assert_eq!(weights(&model).expect("our own storage"), weights_before);
            let expected = Metadata { weights_sha256: Some(weights_hash(&weights_before)), ..metadata_before };
            assert_eq!(metadata(&model).expect("our own metadata"), expected);
        }
    }

    #[test]
    fn the_graph_says_what_it_was_made_for() {
        let targets = [
            Target::default(),
            Target { batch: Some(2), size: Some([16, 24]), io: Io::Uint8, ..Target::default() },
            Target { size: Some([8, 8]), io: Io::F16, precision: Precision::F16, opset: 26, ..Target::default() },
        ];
        let said = targets.map(|target| {
            let model = model_of(Family::Paper, &target);
            let found = interface(&model).expect("our own");
            assert_eq!((found.io, found.batch, found.size), (target.io, target.batch, target.size));
            assert_eq!((precision(&model), model.opset_import[0].version), (target.precision, target.opset));
            found.to_string()
        });
        assert_eq!(
            said,
            ["[batch, 3, height, width] 32-bit floats", "[2, 16, 24, 3] bytes", "[batch, 3, 8, 8] 16-bit floats"]
        );
        let mut odd = model_of(Family::Paper, &Target::default());
        odd.graph.iter_mut().for_each(|graph| graph.output.clear());
        assert!(matches!(interface(&odd), Err(ReadError::Interface)));
    }

    #[test]
    fn what_was_written_has_its_own_hash_whatever_was_rounded_or_left_out() {
        let hash_of = |model: &ModelProto| weights_hash(&weights(model).expect("our own storage"));
        for keep_bias in [false, true] {
            for precision in [Precision::F32, Precision::F16] {
                let mut model = model_of(Family::Paper, &Target { keep_bias, precision, ..Target::default() });
                let written = written_hash(&model).expect("an export says it").to_owned();
                assert_eq!(hash_of(&model), written);
                let of_the_source = metadata(&model).expect("our own").weights_sha256;
                // The samples' numbers are exact in 16 bits.
                assert_eq!(of_the_source == Some(written.clone()), keep_bias, "{keep_bias} {precision}");
                let tensor = &mut model.graph.as_mut().expect("has one").initializer[0];
                let mut bytes = tensor.raw_data.to_vec();
                bytes[1] ^= 1;
                tensor.raw_data = bytes.into();
                assert_ne!(hash_of(&model), written);
            }
        }
    }

    #[test]
    fn biases_that_were_left_out_are_listed_and_nothing_else_may_be_missing() {
        let mut model = model_of(Family::Paper, &Target::default());
        let network = metadata(&model).expect("our own").network;
        let dropped = dropped_biases(&model, &network).expect("a norm takes them away");
        assert_eq!(dropped[0], "stem.conv.bias");
        assert!(dropped.len() == 9 && !dropped.contains(&"head.conv.bias".into()), "{dropped:?}");
        let all = weights(&model).expect("our own").len() + dropped.len();
        assert_eq!(all, parameters::table(&network).len());

        let graph = model.graph.as_mut().expect("has one");
        graph.initializer.retain(|tensor| tensor.name != "head.conv.bias");
        let error = dropped_biases(&model, &network).expect_err("no norm behind it").to_string();
        assert!(error.starts_with("tensor `head.conv.bias` is missing"), "{error}");
    }

    #[test]
    fn a_file_read_and_written_again_has_the_same_bytes() {
        for opset in OPSETS {
            let metadata = metadata_of(Role::GBa, Family::Paper);
            let target = Target { opset, io: Io::Uint8, precision: Precision::F16, ..Target::default() };
            let Exported { model: file, .. } = export(&metadata, ramp(&metadata), &target).expect("fitting weights");
            assert_eq!(parse(file.clone()).expect("our own file").encode_to_vec(), file);
        }
    }

    #[test]
    fn the_order_in_which_weights_come_does_not_change_the_bytes() {
        let metadata = metadata_of(Role::GAb, Family::Concat);
        let mut reversed = ramp(&metadata);
        reversed.reverse();
        let file = |weights| export(&metadata, weights, &Target::default()).expect("fits");
        assert_eq!(file(ramp(&metadata)), file(reversed));
    }

    #[test]
    fn nodes_are_called_after_their_layers() {
        let graph = model_of(Family::Paper, &Target::default()).graph.expect("has one");
        let names: Vec<_> = graph.node.iter().map(|node| node.name.as_str()).collect();
        assert_eq!(names[..5], ["image.reflect", "stem.conv", "stem.conv.norm", "stem.conv.relu", "down1.conv"]);
        assert_eq!(names[names.len() - 2..], ["head.conv", "head.conv.tanh"]);
        assert!(names.contains(&"block2.conv2.add"));
    }

    #[test]
    fn a_discriminator_and_foreign_weights_are_refused() {
        let metadata = metadata_of(Role::DA, Family::Paper);
        let error = export(&metadata, ramp(&metadata), &Target::default()).expect_err("judges, does not translate");
        assert!(matches!(error, ExportError::NotAGenerator(Role::DA)), "{error}");
        let metadata = metadata_of(Role::GAb, Family::Paper);
        let mut weights = ramp(&metadata);
        weights.pop();
        let error = export(&metadata, weights, &Target::default()).expect_err("the last bias is missing").to_string();
        assert!(error.contains("`head.conv.bias` is missing"), "{error}");
    }

    #[test]
    fn what_is_no_onnx_file_is_refused() {
        for bytes in [&b""[..], b"hello, world", &[0x3a, 0xff, 0xff, 0xff, 0xff, 0x0f]] {
            assert!(parse(bytes.to_vec()).is_err());
        }
        let mut model = model_of(Family::Paper, &Target::default());
        model.metadata_props.clear();
        assert!(matches!(metadata(&model), Err(ReadError::NoMetadata)));
    }
}
