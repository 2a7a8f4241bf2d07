//! The beginning of a graph, with all that it computes on the way.

use std::collections::HashSet;

use crate::proto::{ModelProto, ValueInfoProto};

/// The model as far as its first `nodes` nodes, with each of their outputs as an output of the graph: what a comparison
/// layer by layer looks at. Outputs are named as the values are; their types are for the runtime to infer. Weights are
/// shared, not copied.
///
/// A node that nothing feeds any more cannot be among them: the specification orders nodes so that each comes after those
/// it reads.
pub fn prefix(model: &ModelProto, nodes: usize) -> ModelProto {
    let mut model = model.clone();
    if let Some(graph) = &mut model.graph {
        graph.node.truncate(nodes);
        let values = graph.node.iter().flat_map(|node| &node.output).filter(|name| !name.is_empty());
        let output = |name: &String| ValueInfoProto { name: name.clone(), ..Default::default() };
        graph.output = values.map(output).collect();
        let read: HashSet<&String> = graph.node.iter().flat_map(|node| &node.input).collect();
        graph.initializer.retain(|initializer| read.contains(&initializer.name));
    }
    model
}
