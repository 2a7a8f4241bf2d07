//! Parts of a graph, with all that they compute on the way: what a comparison layer by layer looks at.
//!
//! Each output of the nodes is an output of the graph, named as the value is; their types are for the runtime to infer.
//! Weights are shared, not copied. The specification orders nodes so that each comes after those that it reads.

use std::collections::HashSet;

use crate::proto::{
    DataType, Dimension, DimensionValue, GraphProto, ModelProto, TensorShapeProto, TensorType, TypeProto, TypeValue,
    ValueInfoProto,
};
use crate::target::Io;

/// The model as far as its first `nodes` nodes. A node that nothing feeds any more cannot be among them.
pub fn prefix(model: &ModelProto, nodes: usize) -> ModelProto {
    let mut model = model.clone();
    if let Some(graph) = &mut model.graph {
        graph.node.truncate(nodes);
        all_outputs(graph);
    }
    model
}

/// What a model computes from a value on: the nodes that depend on it, and it as the input, of four dimensions.
pub fn suffix(model: &ModelProto, value: &str, is_f16: bool) -> ModelProto {
    let mut model = model.clone();
    if let Some(graph) = &mut model.graph {
        let mut known = HashSet::from([value.to_owned()]);
        graph.node.retain(|node| {
            let depends = node.input.iter().any(|input| known.contains(input));
            if depends {
                known.extend(node.output.iter().cloned());
            }
            depends
        });
        let side = |name: &str| Dimension { value: Some(DimensionValue::Param(name.into())), ..Default::default() };
        let shape = Some(TensorShapeProto { dim: ["batch", "channels", "height", "width"].map(side).into() });
        let kind = if is_f16 { DataType::Float16 } else { DataType::Float };
        let tensor = TypeValue::Tensor(TensorType { elem_type: kind.into(), shape });
        let r#type = Some(TypeProto { value: Some(tensor), ..Default::default() });
        graph.input = vec![ValueInfoProto { name: value.into(), r#type, ..Default::default() }];
        graph.value_info.clear();
        all_outputs(graph);
    }
    model
}

/// The model for any number and size of pictures, whatever its graph says of them. One that needs them does not run.
pub fn of_any_size(model: &ModelProto, io: Io) -> ModelProto {
    let sides = match io {
        Io::Float | Io::F16 => [0, 2, 3],
        Io::Uint8 => [0, 1, 2],
    };
    let mut model = model.clone();
    if let Some(graph) = &mut model.graph {
        graph.value_info.clear();
        for end in graph.input.iter_mut().chain(&mut graph.output) {
            let kind = end.r#type.as_mut().and_then(|kind| kind.value.as_mut());
            let Some(TypeValue::Tensor(TensorType { shape: Some(shape), .. })) = kind else { continue };
            for (side, name) in sides.into_iter().zip(["batch", "height", "width"]) {
                if let Some(dimension) = shape.dim.get_mut(side) {
                    dimension.value = Some(DimensionValue::Param(name.into()));
                }
            }
        }
    }
    model
}

fn all_outputs(graph: &mut GraphProto) {
    let values = graph.node.iter().flat_map(|node| &node.output).filter(|name| !name.is_empty());
    graph.output = values.map(|name| ValueInfoProto { name: name.clone(), ..Default::default() }).collect();
    let read: HashSet<&String> = graph.node.iter().flat_map(|node| &node.input).collect();
    graph.initializer.retain(|initializer| read.contains(&initializer.name));
}
