//! The fold over ONNX nodes: each layer as the operators that it is.
//!
//! # Where 16-bit floats are
//!
//! With [`Precision::F16`], convolutions compute in 16 bits, and what only moves numbers (padding, upsampling,
//! concatenation) is cast before it, not behind: the result is the same, and half the bytes are moved. Norms compute in 32
//! bits. A rectifier takes what comes: rounding before or behind it is the same. A sum stays in 32 bits where one of its
//! terms is: the residual stream of a generator is a sum of norms, rounded only on its way into a convolution. The last
//! `tanh` computes in what the model gives, since the cast that has to come anyway costs less of the result before it.
//! A value is cast to a type once, however many layers ask.

use std::collections::BTreeSet;
use std::convert::Infallible;

use models::{Backend, Join, Layer, Pads, shapes};

use crate::graph::{Graph, Value, float, int, ints, string};
use crate::proto::{AttributeProto, DataType};
use crate::target::{Io, Precision, Target};

/// A graph to which layers are added.
pub(crate) struct Layers {
    pub graph: Graph,
    /// What convolutions compute in.
    convolution: DataType,
    /// What the last layer computes in.
    outside: DataType,
    /// Biases that are left out.
    dropped: BTreeSet<String>,
}

impl Layers {
    /// Ready for the first layer.
    pub fn new(graph: Graph, target: &Target, dropped: BTreeSet<String>) -> Self {
        let (convolution, outside) = match (target.precision, target.io) {
            (Precision::F32, _) => (DataType::Float, DataType::Float),
            (Precision::F16, Io::F16) => (DataType::Float16, DataType::Float16),
            (Precision::F16, Io::Float | Io::Uint8) => (DataType::Float16, DataType::Float),
        };
        Self { graph, convolution, outside, dropped }
    }

    fn convolution(&mut self, name: &str, operator: &str, input: Value, attributes: Vec<AttributeProto>) -> Value {
        let input = self.graph.cast(input, self.convolution);
        let kind = input.kind;
        let bias = !self.dropped.contains(&format!("{name}.bias"));
        let inputs = self.graph.with_parameters(name, input, bias);
        Value { name: self.graph.node(name, operator, inputs, attributes), kind }
    }

    fn norm(&mut self, name: Option<&str>, channels: usize, eps: f64, input: Value) -> Value {
        let kind = DataType::Float;
        let input = self.graph.cast(input, kind);
        let epsilon = vec![float("epsilon", eps)];
        let Some(name) = name else {
            // The operator asks for scale and bias, also where none is trained.
            let mut filled = |name: &str, value: f32| {
                let bytes = value.to_le_bytes().repeat(channels);
                self.graph.constant(&format!("{name}.{channels}"), &[channels], kind, bytes)
            };
            let inputs = vec![input.name, filled("ones", 1.0), filled("zeros", 0.0)];
            return Value { name: self.graph.unnamed("norm", "InstanceNormalization", inputs, epsilon), kind };
        };
        let inputs = self.graph.with_parameters(name, input, true);
        Value { name: self.graph.node(name, "InstanceNormalization", inputs, epsilon), kind }
    }

    fn reflect_pad(&mut self, by: usize, input: Value) -> Value {
        let Value { name: input, kind } = self.graph.cast(input, self.convolution);
        let around = [0, 0, by, by, 0, 0, by, by]; // before, then after, each axis
        let bytes = around.iter().flat_map(|&side| (side as i64).to_le_bytes()).collect();
        let pads = self.graph.constant(&format!("pads.{by}"), &[8], DataType::Int64, bytes);
        let name = self.graph.unnamed("reflect", "Pad", vec![input, pads], vec![string("mode", "reflect")]);
        Value { name, kind }
    }

    fn upsample(&mut self, factor: usize, input: Value) -> Value {
        let Value { name: input, kind } = self.graph.cast(input, self.convolution);
        let scales = [1.0, 1.0, factor as f32, factor as f32];
        let bytes = scales.iter().flat_map(|scale| scale.to_le_bytes()).collect();
        let scales = self.graph.constant(&format!("scales.{factor}"), &[4], DataType::Float, bytes);
        // Output pixel i is input pixel ⌊i / factor⌋.
        let attributes = vec![
            string("coordinate_transformation_mode", "asymmetric"),
            string("mode", "nearest"),
            string("nearest_mode", "floor"),
        ];
        let name = self.graph.unnamed("upsample", "Resize", vec![input, String::new(), scales], attributes);
        Value { name, kind }
    }

    /// An activation, in what its input is.
    fn pointwise(&mut self, layer: &Layer, operator: &str, input: Value, attributes: Vec<AttributeProto>) -> Value {
        let name = self.graph.unnamed(shapes::label(layer), operator, vec![input.name], attributes);
        Value { name, kind: input.kind }
    }
}

impl Backend for Layers {
    type Value = Value;
    type Error = Infallible;

    fn share(&mut self, value: &Value) -> Value {
        value.clone()
    }

    fn leaf(&mut self, layer: &Layer, input: Value) -> Result<Value, Infallible> {
        Ok(match layer {
            Layer::Conv { name, kernel, stride, pad, .. } => {
                let attributes =
                    vec![square("kernel_shape", *kernel), ints("pads", pads(*pad)), square("strides", *stride)];
                self.convolution(name, "Conv", input, attributes)
            }
            Layer::ConvTranspose { name, kernel, stride, crop, extra, .. } => {
                let attributes = vec![
                    square("kernel_shape", *kernel),
                    square("output_padding", *extra),
                    ints("pads", pads(*crop)),
                    square("strides", *stride),
                ];
                self.convolution(name, "ConvTranspose", input, attributes)
            }
            Layer::InstanceNorm { name, channels, eps } => self.norm(name.as_deref(), *channels, *eps, input),
            Layer::ReflectPad { by } => self.reflect_pad(*by, input),
            Layer::Upsample { factor } => self.upsample(*factor, input),
            Layer::Relu => self.pointwise(layer, "Relu", input, Vec::new()),
            Layer::LeakyRelu { slope } => self.pointwise(layer, "LeakyRelu", input, vec![float("alpha", *slope)]),
            Layer::Tanh => {
                let input = self.graph.cast(input, self.outside);
                self.pointwise(layer, "Tanh", input, Vec::new())
            }
            Layer::Skip { .. } => unreachable!("the fold opens skip connections itself"),
        })
    }

    fn join(&mut self, join: Join, body: Value, carried: Value) -> Result<Value, Infallible> {
        let (operator, attributes, kind) = match join {
            Join::Add if body.kind == carried.kind => ("Add", Vec::new(), body.kind),
            Join::Add => ("Add", Vec::new(), DataType::Float),
            Join::Concat => ("Concat", vec![int("axis", 1)], self.convolution),
        };
        let inputs = [body, carried].map(|value| self.graph.cast(value, kind).name);
        let name = self.graph.unnamed(&operator.to_lowercase(), operator, inputs.into(), attributes);
        Ok(Value { name, kind })
    }
}

fn pads(pads: Pads) -> [usize; 4] {
    [pads.top, pads.left, pads.bottom, pads.right]
}

fn square(name: &str, side: usize) -> AttributeProto {
    ints(name, [side, side])
}
