//! Whole networks.

use models::families::{Family, GeneratorOptions};
use models::{FORMAT_VERSION, Metadata, Role, Weight, parameters, pixels};

use crate::proto::ModelProto;
use crate::{Target, export, parse};

/// The metadata of a network with two blocks, two channels wide.
pub(crate) fn metadata_of(role: Role, family: Family) -> Metadata {
    Metadata {
        format_version: FORMAT_VERSION,
        role,
        family: Some(family),
        network: family.generator(GeneratorOptions::sized(2, 2)),
        data_set: Some("none".into()),
        training_size: Some(16),
        pixel_range: pixels::RANGE,
        steps: Some(0),
        seed: Some(0),
        program: "test".into(),
        weights_sha256: None,
        assumptions: Vec::new(),
    }
}

/// Weights of which no two tensors are alike.
pub(crate) fn ramp(metadata: &Metadata) -> Vec<Weight> {
    let weight = |(index, parameter): (usize, parameters::Parameter)| {
        let bytes = (0..parameter.len()).flat_map(|number| ((number + index) as f32).to_le_bytes()).collect();
        Weight { name: parameter.name, shape: parameter.shape, bytes }
    };
    parameters::table(&metadata.network).into_iter().enumerate().map(weight).collect()
}

/// A generator's export.
pub(crate) fn model_of(family: Family, target: &Target) -> ModelProto {
    let metadata = metadata_of(Role::GAb, family);
    let exported = export(&metadata, ramp(&metadata), target).expect("fitting weights");
    parse(exported.model).expect("our own file")
}
