//! What any ONNX file says about itself, whoever wrote it.

use std::collections::{BTreeMap, BTreeSet};

use models::Weight;
use serde::Serialize;

use crate::proto::{
    DataType, DimensionValue, GraphProto, ModelProto, NodeProto, TensorProto, TypeProto, TypeValue, ValueInfoProto,
};

/// A file's facts. As JSON, it is the `graph` of `exporter inspect --json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Version of the file format.
    pub ir_version: i64,
    /// Operator sets, the standard one under the domain `ai.onnx`.
    pub opsets: BTreeMap<String, i64>,
    /// Program and version that wrote it, as far as it says.
    pub producer: String,
    /// What goes in. Initializers that old files list too are not among them.
    pub inputs: Vec<End>,
    /// What comes out.
    pub outputs: Vec<End>,
    /// Nodes by operator, those of inner graphs and functions included; other domains than the standard one stand before a
    /// dot.
    pub operators: BTreeMap<String, usize>,
    /// The tensors that come with the graph.
    pub initializers: Initializers,
}

/// An input or output of a graph.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct End {
    /// Its name.
    pub name: String,
    /// Its elements, as in `float32`; `sequence` and the like where it is no tensor.
    pub kind: String,
    /// Its sides; none where the file gives no shape.
    pub shape: Option<Vec<Side>>,
}

/// One side of a shape.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Side {
    /// A number.
    Fixed(i64),
    /// Any number, by a name; none where it has no name.
    Symbolic(Option<String>),
}

/// Totals over the tensors that come with a graph.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Initializers {
    /// How many there are.
    pub tensors: usize,
    /// Numbers in them.
    pub numbers: u64,
    /// Their bytes, as stored.
    pub bytes: u64,
    /// How many are stored in another file.
    pub outside: usize,
}

/// Sums up a file.
pub fn summary(model: &ModelProto) -> Summary {
    let none = GraphProto::default();
    let graph = model.graph.as_ref().unwrap_or(&none);
    let mut operators = BTreeMap::new();
    count_nodes(&graph.node, &mut operators);
    for function in &model.functions {
        count_nodes(&function.node, &mut operators);
    }
    let stored: BTreeSet<&str> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
    let inputs = graph.input.iter().filter(|input| !stored.contains(input.name.as_str()));
    let opsets = model.opset_import.iter().map(|set| (domain(&set.domain).to_owned(), set.version));
    Summary {
        ir_version: model.ir_version,
        opsets: opsets.collect(),
        producer: format!("{} {}", model.producer_name, model.producer_version).trim().to_owned(),
        inputs: inputs.map(end).collect(),
        outputs: graph.output.iter().map(end).collect(),
        operators,
        initializers: total(graph),
    }
}

/// A graph's 32-bit floats, whoever wrote it, in the file's order. The other tensors, and those in another file, are not
/// among them.
pub fn floats(model: &ModelProto) -> Vec<Weight> {
    let initializers = model.graph.iter().flat_map(|graph| &graph.initializer);
    initializers.filter_map(float).collect()
}

fn float(tensor: &TensorProto) -> Option<Weight> {
    let shape: Vec<usize> = tensor.dims.iter().map(|&side| usize::try_from(side).ok()).collect::<Option<_>>()?;
    let length = shape.iter().try_fold(4_usize, |product, &side| product.checked_mul(side))?;
    let is_float = tensor.data_type == i32::from(DataType::Float);
    let bytes = match tensor.raw_data.is_empty() {
        true => tensor.float_data.iter().flat_map(|value| value.to_le_bytes()).collect(),
        false => tensor.raw_data.to_vec(),
    };
    (is_float && bytes.len() == length).then(|| Weight { name: tensor.name.clone(), shape, bytes: bytes.into() })
}

fn total(graph: &GraphProto) -> Initializers {
    let mut total = Initializers::default();
    for tensor in &graph.initializer {
        let numbers = tensor.dims.iter().fold(1_u64, |product, &side| product.saturating_mul(side.max(0) as u64));
        let (_, bits) = element(tensor.data_type);
        total.tensors += 1;
        total.numbers = total.numbers.saturating_add(numbers);
        total.bytes = total.bytes.saturating_add(numbers.saturating_mul(bits).div_ceil(8));
        total.outside += usize::from(tensor.data_location == OUTSIDE);
    }
    total
}

/// `TensorProto.DataLocation.EXTERNAL`.
const OUTSIDE: i32 = 1;

/// Depth is bounded by that of the file's messages, which the reader bounds.
fn count_nodes(nodes: &[NodeProto], operators: &mut BTreeMap<String, usize>) {
    for node in nodes {
        let name = match domain(&node.domain) {
            STANDARD => node.op_type.clone(),
            other => format!("{other}.{}", node.op_type),
        };
        *operators.entry(name).or_default() += 1;
        for attribute in &node.attribute {
            let inner = attribute.g.iter().map(AsRef::as_ref).chain(&attribute.graphs);
            inner.for_each(|graph| count_nodes(&graph.node, operators));
        }
    }
}

/// The other name of the standard operators' domain, which is written as none.
const STANDARD: &str = "ai.onnx";

fn domain(domain: &str) -> &str {
    if domain.is_empty() { STANDARD } else { domain }
}

fn end(info: &ValueInfoProto) -> End {
    let (kind, shape) = info.r#type.as_ref().map_or(("unknown".into(), None), kind);
    End { name: info.name.clone(), kind, shape }
}

fn kind(r#type: &TypeProto) -> (String, Option<Vec<Side>>) {
    match &r#type.value {
        Some(TypeValue::Tensor(tensor)) => {
            let sides = tensor.shape.as_ref().map(|shape| {
                let sides = shape.dim.iter().map(|dimension| match &dimension.value {
                    Some(DimensionValue::Value(side)) => Side::Fixed(*side),
                    Some(DimensionValue::Param(name)) if !name.is_empty() => Side::Symbolic(Some(name.clone())),
                    Some(DimensionValue::Param(_)) | None => Side::Symbolic(None),
                });
                sides.collect()
            });
            (element(tensor.elem_type).0.into(), sides)
        }
        Some(TypeValue::SparseTensor(_)) => ("sparse tensor".into(), None),
        Some(TypeValue::Sequence(_)) => ("sequence".into(), None),
        Some(TypeValue::Map(_)) => ("map".into(), None),
        Some(TypeValue::Optional(_)) => ("optional".into(), None),
        None => ("unknown".into(), None),
    }
}

/// Name and bits of `TensorProto.DataType`s, up to those of IR version 13. Strings have no fixed size.
pub(crate) fn element(data_type: i32) -> (&'static str, u64) {
    match data_type {
        1 => ("float32", 32),
        2 => ("uint8", 8),
        3 => ("int8", 8),
        4 => ("uint16", 16),
        5 => ("int16", 16),
        6 => ("int32", 32),
        7 => ("int64", 64),
        8 => ("string", 0),
        9 => ("bool", 8),
        10 => ("float16", 16),
        11 => ("float64", 64),
        12 => ("uint32", 32),
        13 => ("uint64", 64),
        14 => ("complex64", 64),
        15 => ("complex128", 128),
        16 => ("bfloat16", 16),
        17 => ("float8e4m3fn", 8),
        18 => ("float8e4m3fnuz", 8),
        19 => ("float8e5m2", 8),
        20 => ("float8e5m2fnuz", 8),
        21 => ("uint4", 4),
        22 => ("int4", 4),
        23 => ("float4e2m1", 4),
        24 => ("float8e8m0", 8),
        25 => ("uint2", 2),
        26 => ("int2", 2),
        _ => ("unknown", 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{AttributeProto, Dimension, OperatorSetIdProto, TensorShapeProto, TensorType};

    fn node(operator: &str, domain: &str, inner: Option<GraphProto>) -> NodeProto {
        let attribute = AttributeProto { g: inner.map(Box::new), ..Default::default() };
        NodeProto { op_type: operator.into(), domain: domain.into(), attribute: vec![attribute], ..Default::default() }
    }

    fn tensor(name: &str, dims: &[i64], data_type: i32) -> TensorProto {
        TensorProto { name: name.into(), dims: dims.into(), data_type, ..Default::default() }
    }

    fn input(name: &str, value: Option<TypeValue>) -> ValueInfoProto {
        let r#type = Some(TypeProto { value, ..Default::default() });
        ValueInfoProto { name: name.into(), r#type, ..Default::default() }
    }

    #[test]
    fn a_foreign_file_is_summed_up() {
        let sides = [Some(DimensionValue::Param("n".into())), Some(DimensionValue::Value(3)), None];
        let dim = sides.map(|value| Dimension { value, ..Default::default() }).into();
        let pictures = TensorType { elem_type: 10, shape: Some(TensorShapeProto { dim }) };
        let inner = GraphProto { node: vec![node("Relu", "", None)], ..Default::default() };
        let outside = TensorProto { data_location: OUTSIDE, ..tensor("far", &[1 << 40], 1) };
        let graph = GraphProto {
            node: vec![node("If", "", Some(inner)), node("Relu", "ai.onnx", None), node("Gelu", "com.microsoft", None)],
            input: vec![input("x", Some(TypeValue::Tensor(pictures))), input("w", None)],
            output: vec![input("y", Some(TypeValue::Tensor(TensorType { elem_type: 99, shape: None })))],
            initializer: vec![tensor("w", &[2, 3], 7), tensor("packed", &[3], 22), outside],
            ..Default::default()
        };
        let opset_import = vec![OperatorSetIdProto { domain: String::new(), version: 18 }];
        let model = ModelProto { graph: Some(graph), opset_import, ..Default::default() };

        let found = summary(&model);
        let operators: Vec<_> = found.operators.iter().map(|(name, count)| (name.as_str(), *count)).collect();
        assert_eq!(operators, [("If", 1), ("Relu", 2), ("com.microsoft.Gelu", 1)]);
        assert_eq!(found.opsets, BTreeMap::from([("ai.onnx".into(), 18)]));
        let shape = Some(vec![Side::Symbolic(Some("n".into())), Side::Fixed(3), Side::Symbolic(None)]);
        assert_eq!(found.inputs, [End { name: "x".into(), kind: "float16".into(), shape }], "w is an initializer");
        assert_eq!(found.outputs, [End { name: "y".into(), kind: "unknown".into(), shape: None }]);
        let numbers = 6 + 3 + (1 << 40);
        let bytes = 6 * 8 + 2 + (4 << 40);
        assert_eq!(found.initializers, Initializers { tensors: 3, numbers, bytes, outside: 1 });
    }

    #[test]
    fn floats_are_found_in_both_of_their_places_and_nothing_else_is_taken_for_them() {
        let model_of = |tensor: TensorProto| {
            let graph = GraphProto { initializer: vec![tensor], ..Default::default() };
            ModelProto { graph: Some(graph), ..Default::default() }
        };
        let raw = TensorProto { raw_data: vec![0, 0, 128, 63, 0, 0, 0, 64].into(), ..tensor("a", &[2], 1) };
        let listed = TensorProto { float_data: vec![1.0, 2.0], ..tensor("a", &[2], 1) };
        for tensor in [raw.clone(), listed] {
            let found = floats(&model_of(tensor));
            assert_eq!(found.iter().flat_map(Weight::values).collect::<Vec<_>>(), [1.0, 2.0]);
        }
        let others = [
            TensorProto { data_type: 7, ..raw.clone() },
            TensorProto { dims: vec![3], ..raw.clone() },
            TensorProto { dims: vec![-2], ..raw.clone() },
            TensorProto { dims: vec![i64::MAX, i64::MAX], ..raw },
            TensorProto { data_location: OUTSIDE, ..tensor("a", &[2], 1) },
        ];
        for tensor in others {
            assert_eq!(floats(&model_of(tensor)), []);
        }
    }
}
