//! An ONNX graph as it grows: nodes, constants, and the attributes of both.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::proto::{AttributeProto, AttributeType, DataType, NodeProto, TensorProto};

/// Name of the graph's input.
pub const INPUT: &str = "image";

/// Name of the graph's output, shaped like the input.
pub const OUTPUT: &str = "translated";

/// Under this key the file's properties hold [`models::Metadata`] as JSON.
pub const METADATA_KEY: &str = "cyclegan";

/// Under this key the file's properties hold [`models::weights_hash`] of the weights as they were written, with what was
/// rounded and without what was left out.
pub(crate) const WRITTEN_KEY: &str = "cyclegan.written_sha256";

/// How the names of initializers that were not learned begin.
const CONSTANT_PREFIX: &str = "constant.";

/// Whether an initializer was learned, rather than being a constant of an operator.
pub(crate) fn is_learned(name: &str) -> bool {
    !name.starts_with(CONSTANT_PREFIX)
}

/// A tensor in the graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Value {
    /// Its name.
    pub name: String,
    /// What its numbers are.
    pub kind: DataType,
}

/// The graph as it grows.
#[derive(Default)]
pub(crate) struct Graph {
    pub nodes: Vec<NodeProto>,
    pub constants: BTreeMap<String, TensorProto>,
    /// Learned tensors in the order of their layers, with what their numbers are here.
    pub learned: Vec<(String, DataType)>,
    /// Casts that are there: of a value, to a kind.
    casts: BTreeMap<(String, DataType), String>,
    /// The layer after which those without a name are called.
    last_named: Option<String>,
}

impl Graph {
    /// Adds a node with one output and gives that output's name: the node's, so that a dump reads like the network.
    pub fn node(&mut self, name: &str, operator: &str, input: Vec<String>, attribute: Vec<AttributeProto>) -> String {
        let name = self.unused(name);
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
    pub fn unnamed(
        &mut self,
        kind: &str,
        operator: &str,
        input: Vec<String>,
        attribute: Vec<AttributeProto>,
    ) -> String {
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

    /// The value as another kind of number; each cast is made once.
    pub fn cast(&mut self, value: Value, kind: DataType) -> Value {
        if value.kind == kind {
            return value;
        }
        let key = (value.name, kind);
        if let Some(name) = self.casts.get(&key) {
            return Value { name: name.clone(), kind };
        }
        let suffix = match kind {
            DataType::Float16 => "f16",
            DataType::Uint8 => "uint8",
            _ => "f32",
        };
        let to = vec![int("to", i32::from(kind).into())];
        let name = self.node(&format!("{}.{suffix}", key.0), "Cast", vec![key.0.clone()], to);
        self.casts.insert(key, name.clone());
        Value { name, kind }
    }

    /// Inputs of a layer with weight and, where it has an effect, bias.
    pub fn with_parameters(&mut self, layer: &str, input: Value, bias: bool) -> Vec<String> {
        self.last_named = Some(layer.into());
        let suffixes = if bias { ["weight", "bias"].as_slice() } else { &["weight"] };
        let learned: Vec<String> = suffixes.iter().map(|suffix| format!("{layer}.{suffix}")).collect();
        self.learned.extend(learned.iter().map(|name| (name.clone(), input.kind)));
        [vec![input.name], learned].concat()
    }

    /// A constant that several nodes may share.
    pub fn constant(&mut self, name: &str, shape: &[usize], kind: DataType, bytes: Vec<u8>) -> String {
        let name = format!("{CONSTANT_PREFIX}{name}");
        let constant = tensor(name.clone(), shape, kind, bytes.into());
        self.constants.entry(name.clone()).or_insert(constant);
        name
    }

    /// A constant of one 32-bit float.
    pub fn number(&mut self, name: &str, value: f32) -> String {
        self.constant(name, &[], DataType::Float, value.to_le_bytes().into())
    }

    /// Calls a value, the last, by another name.
    pub fn rename(&mut self, value: &Value, name: &str) {
        match self.nodes.iter_mut().find(|node| node.output[0] == value.name) {
            Some(node) => node.output[0] = name.into(),
            // A network without layers gives back what it gets.
            None => {
                let node = self.node(name, "Identity", vec![value.name.clone()], Vec::new());
                debug_assert_eq!(node, name);
            }
        }
    }
}

pub(crate) fn tensor(name: String, shape: &[usize], kind: DataType, raw_data: Bytes) -> TensorProto {
    let dims = shape.iter().map(|&side| side as i64).collect();
    TensorProto { name, dims, data_type: kind.into(), raw_data, ..Default::default() }
}

pub(crate) fn ints(name: &str, values: impl IntoIterator<Item = usize>) -> AttributeProto {
    let ints = values.into_iter().map(|value| value as i64).collect();
    AttributeProto { name: name.into(), r#type: AttributeType::Ints.into(), ints, ..Default::default() }
}

pub(crate) fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto { name: name.into(), r#type: AttributeType::Int.into(), i: value, ..Default::default() }
}

pub(crate) fn float(name: &str, value: f64) -> AttributeProto {
    AttributeProto { name: name.into(), r#type: AttributeType::Float.into(), f: value as f32, ..Default::default() }
}

pub(crate) fn string(name: &str, value: &'static str) -> AttributeProto {
    let s = Bytes::from_static(value.as_bytes());
    AttributeProto { name: name.into(), r#type: AttributeType::String.into(), s, ..Default::default() }
}
