//! Small models for tests: whole networks, for this crate, and [`Sample`]s as others could have written them, for all.

#[cfg(test)]
mod networks;

#[cfg(test)]
pub(crate) use networks::{metadata_of, model_of, ramp};

use prost::Message;

use crate::graph::{Graph, Value, int, string};
use crate::proto::{
    DataType, Dimension, DimensionValue, GraphProto, ModelProto, OperatorSetIdProto, TensorShapeProto, TensorType,
    TypeProto, TypeValue, ValueInfoProto,
};
use crate::target::ir_version;

/// What a [`Sample`] does with a batch of pictures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Operation {
    /// Nothing.
    Identity,
    /// The last of the three channels becomes the first.
    Reverse,
    /// Each pixel becomes this many, each way.
    Enlarge(usize),
    /// Each number times this one; of floats only.
    Times(f32),
}

/// A model without metadata whose output is known without running it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// What it does.
    pub operation: Operation,
    /// What goes in: 32-bit or 16-bit floats, or bytes.
    pub input: DataType,
    /// What comes out.
    pub output: DataType,
    /// Whether both are `[batch, height, width, 3]` and not `[batch, 3, height, width]`.
    pub interleaved: bool,
    /// Pictures at once; none: any.
    pub batch: Option<usize>,
    /// Rows and columns; none: any.
    pub size: Option<[usize; 2]>,
    /// Operator set, from 11 on.
    pub opset: i64,
}

impl Default for Sample {
    fn default() -> Self {
        Self {
            operation: Operation::Identity,
            input: DataType::Float,
            output: DataType::Float,
            interleaved: false,
            batch: None,
            size: None,
            opset: 17,
        }
    }
}

impl Sample {
    /// The model.
    pub fn model(&self) -> ModelProto {
        let mut graph = Graph::default();
        let input = Value { name: "picture".into(), kind: self.input };
        // The one kind for which a CPU has all operators.
        let input = if self.input == DataType::Float16 { graph.cast(input, DataType::Float) } else { input };
        let value = self.operate(&mut graph, input);
        let value = graph.cast(value, self.output);
        graph.rename(&value, "result");
        let scale = match self.operation {
            Operation::Enlarge(scale) => scale,
            _ => 1,
        };
        let graph = GraphProto {
            name: "sample".into(),
            node: graph.nodes,
            initializer: graph.constants.into_values().collect(),
            input: vec![self.end("picture", self.input, 1)],
            output: vec![self.end("result", self.output, scale)],
            ..Default::default()
        };
        ModelProto {
            ir_version: ir_version(self.opset),
            producer_name: "sample".into(),
            opset_import: vec![OperatorSetIdProto { domain: String::new(), version: self.opset }],
            graph: Some(graph),
            ..Default::default()
        }
    }

    /// Its file.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.model().encode_to_vec()
    }

    fn operate(&self, graph: &mut Graph, input: Value) -> Value {
        let kind = input.kind;
        let name = match self.operation {
            Operation::Identity => graph.node("same", "Identity", vec![input.name], Vec::new()),
            Operation::Reverse => {
                let order: Vec<u8> = [2_i64, 1, 0].iter().flat_map(|place| place.to_le_bytes()).collect();
                let order = graph.constant("order", &[3], DataType::Int64, order);
                let axis = if self.interleaved { 3 } else { 1 };
                graph.node("reversed", "Gather", vec![input.name, order], vec![int("axis", axis)])
            }
            Operation::Enlarge(scale) => {
                let scale = scale as f32;
                let scales = if self.interleaved { [1.0, scale, scale, 1.0] } else { [1.0, 1.0, scale, scale] };
                let scales = scales.iter().flat_map(|scale| scale.to_le_bytes()).collect();
                let scales = graph.constant("scales", &[4], DataType::Float, scales);
                let mode = [
                    string("mode", "nearest"),
                    string("coordinate_transformation_mode", "asymmetric"),
                    string("nearest_mode", "floor"),
                ];
                // The second input is optional from operator set 13 on.
                let region = graph.constant("region", &[0], DataType::Float, Vec::new());
                graph.node("enlarged", "Resize", vec![input.name, region, scales], mode.into())
            }
            Operation::Times(factor) => {
                let factor = graph.number("factor", factor);
                graph.node("product", "Mul", vec![input.name, factor], Vec::new())
            }
        };
        Value { name, kind }
    }

    fn end(&self, name: &str, kind: DataType, scale: usize) -> ValueInfoProto {
        let batch = self.batch.map_or_else(|| DimensionValue::Param("n".into()), fixed);
        let side = |place: usize, name: &str| match (self.size, scale) {
            (Some(size), _) => fixed(scale * size[place]),
            (None, 1) => DimensionValue::Param(name.into()),
            (None, _) => DimensionValue::Param(format!("{scale}*{name}")), // as PyTorch writes it
        };
        let (height, width, channels) = (side(0, "h"), side(1, "w"), fixed(3));
        let sides = match self.interleaved {
            true => [batch, height, width, channels],
            false => [batch, channels, height, width],
        };
        let dim = sides.map(|value| Dimension { value: Some(value), ..Default::default() }).into();
        let tensor = TensorType { elem_type: kind.into(), shape: Some(TensorShapeProto { dim }) };
        let r#type = TypeProto { value: Some(TypeValue::Tensor(tensor)), ..Default::default() };
        ValueInfoProto { name: name.into(), r#type: Some(r#type), ..Default::default() }
    }
}

fn fixed(side: usize) -> DimensionValue {
    DimensionValue::Value(side as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{End, Side, parse, summary};

    #[test]
    fn a_sample_says_of_itself_what_it_was_made_for() {
        let sample = Sample {
            operation: Operation::Enlarge(3),
            input: DataType::Uint8,
            output: DataType::Float16,
            interleaved: true,
            batch: Some(2),
            size: Some([4, 5]),
            opset: 13,
        };
        let said = summary(&parse(sample.to_bytes()).expect("our own file"));
        let end = |name: &str, kind: &str, sides: [i64; 4]| End {
            name: name.into(),
            kind: kind.into(),
            shape: Some(sides.map(Side::Fixed).into()),
        };
        assert_eq!(said.inputs, [end("picture", "uint8", [2, 4, 5, 3])]);
        assert_eq!(said.outputs, [end("result", "float16", [2, 12, 15, 3])]);
        assert_eq!(said.opsets["ai.onnx"], 13);
        assert!(said.operators.contains_key("Resize"), "{said:?}");
    }
}
