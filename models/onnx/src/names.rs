//! What a network's layers are called in its graph.

use std::collections::HashMap;
use std::convert::Infallible;

use models::{Backend, Join, Layer, Network, fold, pixels};

use crate::graph::{Graph, Value};
use crate::interface::{begin, finish};
use crate::layers::Layers;
use crate::proto::DataType;
use crate::target::Target;

/// What a layer becomes in a graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerValue {
    /// The value's name.
    pub name: String,
    /// Whether its numbers are 16-bit floats, else 32-bit ones.
    pub in_16_bits: bool,
}

/// The values that a network's layers become in the graph of a target, in the order of [`models::shapes::trace`]'s steps.
pub fn layer_values(network: &Network, target: &Target) -> Vec<LayerValue> {
    let mut graph = Graph::default();
    let input = begin(&mut graph, target.io, pixels::RANGE);
    let mut named = Named { layers: Layers::new(graph, target, Default::default()), nodes: Vec::new() };
    let output = match fold(&network.layers, &mut named, input) {
        Ok(output) => output,
        Err(never) => match never {},
    };
    let mut graph = named.layers.graph;
    finish(&mut graph, target.io, pixels::RANGE, output);
    // The last one may be the graph's output, which has a name of its own.
    let outputs: HashMap<&str, &str> =
        graph.nodes.iter().map(|node| (node.name.as_str(), node.output[0].as_str())).collect();
    let value = |Value { name, kind }: &Value| LayerValue {
        name: outputs[name.as_str()].to_owned(),
        in_16_bits: *kind == DataType::Float16,
    };
    named.nodes.iter().map(value).collect()
}

/// A fold that remembers which node each layer is.
struct Named {
    layers: Layers,
    nodes: Vec<Value>,
}

impl Backend for Named {
    type Value = Value;
    type Error = Infallible;

    fn share(&mut self, value: &Value) -> Value {
        self.layers.share(value)
    }

    fn leaf(&mut self, layer: &Layer, input: Value) -> Result<Value, Infallible> {
        let value = self.layers.leaf(layer, input)?;
        self.nodes.push(value.clone());
        Ok(value)
    }

    fn join(&mut self, join: Join, body: Value, carried: Value) -> Result<Value, Infallible> {
        let value = self.layers.join(join, body, carried)?;
        self.nodes.push(value.clone());
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use models::families::{Family, GeneratorOptions};
    use models::shapes;

    use super::*;
    use crate::{Io, OUTPUT, Precision};

    #[test]
    fn every_layer_has_one_value_whatever_else_the_graph_holds() {
        let network = Family::Paper.generator(GeneratorOptions::sized(2, 1));
        let layers = shapes::trace(&network, 16, 16).expect("it fits").steps.len();
        for precision in [Precision::F32, Precision::F16] {
            for io in [Io::Float, Io::F16, Io::Uint8] {
                let names = layer_values(&network, &Target { precision, io, ..Target::default() });
                assert_eq!((names.len(), names[1].name.as_str()), (layers, "stem.conv"), "{precision} {io}");
                let is_last = io == Io::Float || (precision, io) == (Precision::F16, Io::F16);
                let last = if is_last { OUTPUT } else { "head.conv.tanh" };
                assert_eq!(names[layers - 1].name, last, "{precision} {io}");
            }
        }
    }
}
