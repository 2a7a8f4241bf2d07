//! A network and its weights to the bytes of an ONNX file.
//!
//! Only standard operators are used. The same network, weights and metadata give the same bytes.

use std::collections::BTreeMap;
use std::convert::Infallible;

use bytes::Bytes;
use models::{
    Backend, Join, Layer, Metadata, Pads, Weight, WeightsError, check_weights, fold, parameters, shapes, weights_hash,
};
use prost::Message;

use crate::proto::{
    AttributeProto, AttributeType, DataType, Dimension, DimensionValue, GraphProto, ModelProto, NodeProto,
    OperatorSetIdProto, StringStringEntryProto, TensorProto, TensorShapeProto, TensorType, TypeProto, TypeValue,
    ValueInfoProto,
};

/// The operator set that is written. 17 is the oldest that still gets every operator here in its present meaning, so
/// that the widest range of runtimes reads it: later sets change nothing that these networks use.
pub const OPSET: i64 = 17;

/// The file format's version that came with [`OPSET`].
const IR_VERSION: i64 = 8;

/// Name of the graph's input, `[batch, 3, height, width]`.
pub const INPUT: &str = "image";

/// Name of the graph's output, shaped like the input.
pub const OUTPUT: &str = "translated";

/// Under this key the file's properties hold [`Metadata`] as JSON.
pub const METADATA_KEY: &str = "cyclegan";

/// How the names of initializers that were not learned begin.
const CONSTANT_PREFIX: &str = "constant.";

/// Why a network cannot be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// Weights that are not the network's.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// A discriminator: its input and output are no pictures.
    #[error("this is the {0}; only generators (g_ab, g_ba) translate pictures")]
    NotAGenerator(models::Role),
}

/// The bytes of an ONNX file for a generator. Batch, height and width stay symbolic. The metadata is written with the
/// weights' hash.
///
/// # Errors
/// See [`ExportError`].
pub fn export(metadata: &Metadata, weights: Vec<Weight>) -> Result<Vec<u8>, ExportError> {
    if !metadata.role.is_generator() {
        return Err(ExportError::NotAGenerator(metadata.role));
    }
    let table = parameters::table(&metadata.network);
    check_weights(&table, weights.iter().map(|weight| (weight.name.as_str(), weight.shape.as_slice())))?;
    let metadata = Metadata { weights_sha256: Some(weights_hash(&weights)), ..metadata.clone() };

    let mut graph = Graph::default();
    let output = match fold(&metadata.network.layers, &mut graph, INPUT.to_owned()) {
        Ok(output) => output,
        Err(never) => match never {},
    };
    graph.rename_output(&output);
    let model = ModelProto {
        ir_version: IR_VERSION,
        producer_name: "cyclegan exporter".into(),
        producer_version: env!("CARGO_PKG_VERSION").into(),
        graph: Some(GraphProto {
            name: metadata.role.stem().into(),
            node: graph.nodes,
            initializer: initializers(&table, weights, graph.constants),
            input: vec![picture(INPUT, metadata.network.channels)],
            output: vec![picture(OUTPUT, metadata.network.channels)],
            ..Default::default()
        }),
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: OPSET }],
        metadata_props: vec![StringStringEntryProto { key: METADATA_KEY.into(), value: metadata.to_json() }],
        ..Default::default()
    };
    Ok(model.encode_to_vec())
}

/// Whether an initializer was learned, rather than being a constant of an operator.
pub(crate) fn is_learned(name: &str) -> bool {
    !name.starts_with(CONSTANT_PREFIX)
}

/// Learned tensors in the table's order, then constants by name. The bytes move; they are not copied.
fn initializers(
    table: &[parameters::Parameter],
    weights: Vec<Weight>,
    constants: BTreeMap<String, TensorProto>,
) -> Vec<TensorProto> {
    let mut by_name: BTreeMap<String, Weight> =
        weights.into_iter().map(|weight| (weight.name.clone(), weight)).collect();
    let learned = table.iter().map(|parameter| {
        let weight = by_name.remove(&parameter.name).expect("checked against the table");
        tensor(weight.name, &weight.shape, DataType::Float, weight.bytes)
    });
    learned.chain(constants.into_values()).collect()
}

fn tensor(name: String, shape: &[usize], data_type: DataType, raw_data: Bytes) -> TensorProto {
    let dims = shape.iter().map(|&side| side as i64).collect();
    TensorProto { name, dims, data_type: data_type.into(), raw_data, ..Default::default() }
}

/// A graph's input or output: pictures of any number and size.
fn picture(name: &str, channels: usize) -> ValueInfoProto {
    let param = |name: &str| DimensionValue::Param(name.into());
    let sides = [param("batch"), DimensionValue::Value(channels as i64), param("height"), param("width")];
    let dim = sides.map(|value| Dimension { value: Some(value), ..Default::default() }).into();
    let tensor = TensorType { elem_type: DataType::Float.into(), shape: Some(TensorShapeProto { dim }) };
    let r#type = TypeProto { value: Some(TypeValue::Tensor(tensor)), ..Default::default() };
    ValueInfoProto { name: name.into(), r#type: Some(r#type), ..Default::default() }
}

/// The graph as it grows; values are names.
#[derive(Default)]
struct Graph {
    nodes: Vec<NodeProto>,
    constants: BTreeMap<String, TensorProto>,
    /// The layer after which those without a name are called.
    last_named: Option<String>,
}

impl Graph {
    /// Adds a node with one output and gives that output's name: the node's, so that a dump reads like the network.
    fn node(&mut self, layer: &str, operator: &str, input: Vec<String>, attribute: Vec<AttributeProto>) -> String {
        let name = self.unused(layer);
        self.nodes.push(NodeProto {
            name: name.clone(),
            op_type: operator.into(),
            input,
            output: vec![name.clone()],
            attribute,
            ..Default::default()
        });
        name
    }

    /// A node for a layer without a name of its own: called after the last that has one.
    fn unnamed(&mut self, kind: &str, operator: &str, input: Vec<String>, attribute: Vec<AttributeProto>) -> String {
        let name = format!("{}.{kind}", self.last_named.as_deref().unwrap_or(INPUT));
        self.node(&name, operator, input, attribute)
    }

    fn unused(&self, name: &str) -> String {
        let taken = |name: &str| self.nodes.iter().any(|node| node.name == name);
        if !taken(name) {
            return name.into();
        }
        let numbered = (2..).map(|number| format!("{name}{number}"));
        numbered.into_iter().find(|name| !taken(name)).expect("there are more numbers than nodes")
    }

    /// Inputs of a layer with weight and bias.
    fn with_parameters(&mut self, name: &str, input: String) -> Vec<String> {
        self.last_named = Some(name.into());
        vec![input, format!("{name}.weight"), format!("{name}.bias")]
    }

    /// A constant that several nodes may share.
    fn constant(&mut self, name: &str, shape: &[usize], data_type: DataType, bytes: Vec<u8>) -> String {
        let name = format!("{CONSTANT_PREFIX}{name}");
        let constant = tensor(name.clone(), shape, data_type, bytes.into());
        self.constants.entry(name.clone()).or_insert(constant);
        name
    }

    fn rename_output(&mut self, last: &str) {
        let node = self.nodes.iter_mut().find(|node| node.output[0] == last);
        node.expect("a network has layers").output[0] = OUTPUT.into();
    }
}

impl Backend for Graph {
    type Value = String;
    type Error = Infallible;

    fn share(&mut self, value: &String) -> String {
        value.clone()
    }

    fn leaf(&mut self, layer: &Layer, input: String) -> Result<String, Infallible> {
        Ok(match layer {
            Layer::Conv { name, kernel, stride, pad, .. } => {
                let attributes =
                    vec![square("kernel_shape", *kernel), ints("pads", pads(*pad)), square("strides", *stride)];
                let inputs = self.with_parameters(name, input);
                self.node(name, "Conv", inputs, attributes)
            }
            Layer::ConvTranspose { name, kernel, stride, crop, extra, .. } => {
                let attributes = vec![
                    square("kernel_shape", *kernel),
                    square("output_padding", *extra),
                    ints("pads", pads(*crop)),
                    square("strides", *stride),
                ];
                let inputs = self.with_parameters(name, input);
                self.node(name, "ConvTranspose", inputs, attributes)
            }
            Layer::InstanceNorm { name, channels, eps } => {
                let epsilon = vec![float("epsilon", *eps)];
                match name {
                    Some(name) => {
                        let inputs = self.with_parameters(name, input);
                        self.node(name, "InstanceNormalization", inputs, epsilon)
                    }
                    None => {
                        // The operator asks for scale and bias, also where none is trained.
                        let mut filled = |kind: &str, value: f32| {
                            let bytes = value.to_le_bytes().repeat(*channels);
                            self.constant(&format!("{kind}.{channels}"), &[*channels], DataType::Float, bytes)
                        };
                        let inputs = vec![input, filled("ones", 1.0), filled("zeros", 0.0)];
                        self.unnamed("norm", "InstanceNormalization", inputs, epsilon)
                    }
                }
            }
            Layer::ReflectPad { by } => {
                let around = [0, 0, *by, *by, 0, 0, *by, *by]; // before, then after, each axis
                let bytes = around.iter().flat_map(|&side| (side as i64).to_le_bytes()).collect();
                let pads = self.constant(&format!("pads.{by}"), &[8], DataType::Int64, bytes);
                self.unnamed("reflect", "Pad", vec![input, pads], vec![string("mode", "reflect")])
            }
            Layer::Upsample { factor } => {
                let scales = [1.0, 1.0, *factor as f32, *factor as f32];
                let bytes = scales.iter().flat_map(|scale| scale.to_le_bytes()).collect();
                let scales = self.constant(&format!("scales.{factor}"), &[4], DataType::Float, bytes);
                // Output pixel i is input pixel ⌊i / factor⌋.
                let attributes = vec![
                    string("coordinate_transformation_mode", "asymmetric"),
                    string("mode", "nearest"),
                    string("nearest_mode", "floor"),
                ];
                self.unnamed("upsample", "Resize", vec![input, String::new(), scales], attributes)
            }
            Layer::Relu => self.unnamed(shapes::label(layer), "Relu", vec![input], Vec::new()),
            Layer::LeakyRelu { slope } => {
                self.unnamed(shapes::label(layer), "LeakyRelu", vec![input], vec![float("alpha", *slope)])
            }
            Layer::Tanh => self.unnamed(shapes::label(layer), "Tanh", vec![input], Vec::new()),
            Layer::Skip { .. } => unreachable!("the fold opens skip connections itself"),
        })
    }

    fn join(&mut self, join: Join, body: String, carried: String) -> Result<String, Infallible> {
        let inputs = vec![body, carried];
        Ok(match join {
            Join::Add => self.unnamed("add", "Add", inputs, Vec::new()),
            Join::Concat => self.unnamed("concat", "Concat", inputs, vec![int("axis", 1)]),
        })
    }
}

fn pads(pads: Pads) -> Vec<usize> {
    vec![pads.top, pads.left, pads.bottom, pads.right]
}

fn square(name: &str, side: usize) -> AttributeProto {
    ints(name, vec![side, side])
}

fn ints(name: &str, values: Vec<usize>) -> AttributeProto {
    let ints = values.into_iter().map(|value| value as i64).collect();
    AttributeProto { name: name.into(), r#type: AttributeType::Ints.into(), ints, ..Default::default() }
}

fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto { name: name.into(), r#type: AttributeType::Int.into(), i: value, ..Default::default() }
}

fn float(name: &str, value: f64) -> AttributeProto {
    AttributeProto { name: name.into(), r#type: AttributeType::Float.into(), f: value as f32, ..Default::default() }
}

fn string(name: &str, value: &'static str) -> AttributeProto {
    let s = Bytes::from_static(value.as_bytes());
    AttributeProto { name: name.into(), r#type: AttributeType::String.into(), s, ..Default::default() }
}
