//! A plan, carried out: the graph with its new nodes, and the operators that these call.

use std::collections::HashSet;
use std::thread;

use models_onnx::proto::{
    AttributeProto, AttributeType, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
};
use ort::operator::OperatorDomain;
use prost::Message;

use super::index::{Index, floats_of};
use super::keep::Kept;
use super::{Kernel, Plan, Replacement, Weights};
use crate::direct::{self, Direct};
use crate::error::KernelError;
use crate::layer::Layer;
use crate::norm::Norm;
use crate::operators::{CONVOLUTION, DOMAIN, LAYER, Layers, NORM, NORM_ADD, POINTS, domain};
use crate::raw::Machine;
use crate::scratch::Scratch;
use crate::transposed;
use crate::winograd::{self, Points, Tiles, Winograd};

/// Why a plan cannot be carried out.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// There is no memory for transformed weights.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// The operators cannot be registered.
    #[error("ONNX Runtime refuses the kernels: {0}")]
    Runtime(#[from] ort::Error),
}

/// A model for ONNX Runtime, with what it calls.
#[derive(Debug)]
pub struct Rewritten {
    /// The graph, in a file's form, without the weights that moved.
    pub model: Vec<u8>,
    layers: Layers,
}

impl Rewritten {
    /// The operators, for ONNX Runtime, which must be loaded.
    ///
    /// # Errors
    /// If it refuses them.
    pub fn operators(self) -> Result<(Vec<u8>, OperatorDomain), ApplyError> {
        Ok((self.model, domain(self.layers)?))
    }
}

impl Plan {
    /// Carries the plan out for the model that it was made of.
    ///
    /// # Errors
    /// If there is no memory.
    ///
    /// # Panics
    /// If it was made of another model.
    pub fn apply(&self, model: &ModelProto, machine: Machine, threads: usize) -> Result<Rewritten, ApplyError> {
        let graph = model.graph.as_ref().expect("the plan is of a graph");
        let index = Index::new(graph);
        let layers = self.layers(&index, machine, threads)?;
        let model = ModelProto {
            graph: Some(self.graph(graph, &index)),
            opset_import: [&model.opset_import[..], &[OperatorSetIdProto { domain: DOMAIN.into(), version: 1 }]]
                .concat(),
            // Everything else; the graph is not copied for it.
            ir_version: model.ir_version,
            producer_name: model.producer_name.clone(),
            producer_version: model.producer_version.clone(),
            domain: model.domain.clone(),
            model_version: model.model_version,
            doc_string: model.doc_string.clone(),
            metadata_props: model.metadata_props.clone(),
            functions: model.functions.clone(),
        };
        let mut bytes = Vec::new();
        let count = model.encoded_len();
        bytes.try_reserve_exact(count).map_err(|_| KernelError::Memory { bytes: count })?;
        model.encode_raw(&mut bytes);
        Ok(Rewritten { model: bytes, layers })
    }

    fn graph(&self, graph: &GraphProto, index: &Index<'_>) -> GraphProto {
        let dropped = self.dropped(graph, index);
        let (mut convolutions, mut norms) = (1.., 1..);
        // Of those at one place, what is kept comes after the node that makes it.
        let mut new: Vec<(Option<usize>, NodeProto)> = self
            .replacements
            .iter()
            .map(|replacement| {
                let numbers =
                    if matches!(replacement.kernel, Kernel::Norm { .. }) { &mut norms } else { &mut convolutions };
                let last = *replacement.nodes.iter().max().expect("it replaces something");
                (Some(last), replacement.node(numbers.next().expect("there are enough numbers"), index))
            })
            .collect();
        let kept = graph.node.iter().enumerate().filter(|(place, _)| !dropped.contains(place));
        new.extend(kept.map(|(place, node)| (Some(place), node.clone())));
        new.extend((1..).zip(&self.kept).map(|(number, kept)| (index.maker(&kept.picture), kept.node(number))));
        new.sort_by_key(|(place, _)| *place);
        let read = self.read();
        let is_kept =
            |tensor: &&TensorProto| read.contains(&tensor.name) || index.is_needed_beside(&tensor.name, &dropped);
        let made: HashSet<&str> = new.iter().flat_map(|(_, node)| &node.output).map(String::as_str).collect();
        let value_info = graph.value_info.iter().filter(|value| made.contains(value.name.as_str())).cloned().collect();
        GraphProto {
            initializer: graph.initializer.iter().filter(is_kept).cloned().collect(),
            value_info,
            node: new.into_iter().map(|(_, node)| node).collect(),
            name: graph.name.clone(),
            doc_string: graph.doc_string.clone(),
            input: graph.input.clone(),
            output: graph.output.clone(),
            quantization_annotation: graph.quantization_annotation.clone(),
            sparse_initializer: graph.sparse_initializer.clone(),
            metadata_props: graph.metadata_props.clone(),
        }
    }

    /// What new nodes read.
    fn read(&self) -> HashSet<&String> {
        let read = self.replacements.iter().flat_map(|replacement| &replacement.inputs);
        read.chain(self.kept.iter().map(|kept| &kept.picture)).collect()
    }

    /// Nodes that nobody needs any more: those that are replaced, and what only they have read.
    fn dropped(&self, graph: &GraphProto, index: &Index<'_>) -> HashSet<usize> {
        let mut dropped: HashSet<usize> =
            self.replacements.iter().flat_map(|replacement| &replacement.nodes).copied().collect();
        let read = self.read();
        // A node comes after those that it reads.
        for (place, node) in graph.node.iter().enumerate().rev() {
            let was_used = |output: &String| index.is_needed_beside(output, &HashSet::new());
            let is_used = |output: &String| read.contains(output) || index.is_needed_beside(output, &dropped);
            if node.output.iter().any(was_used) && !node.output.iter().any(is_used) {
                dropped.insert(place);
            }
        }
        dropped
    }

    fn layers(&self, index: &Index<'_>, machine: Machine, threads: usize) -> Result<Layers, KernelError> {
        let tensor = |name: &str| index.floats(name).expect("the plan is of this graph").0;
        let tiles = self.tiles.unwrap_or(Tiles::Four);
        let points =
            self.kept.iter().map(|&Kept { channels, padding, .. }| Points { machine, tiles, channels, padding });
        let norms = self.replacements.iter().filter_map(|replacement| match &replacement.kernel {
            &Kernel::Norm { ref scale, ref bias, epsilon, relu } => {
                let numbers = floats_of(tensor(scale)).and_then(|scale| Ok((scale, floats_of(tensor(bias))?)));
                Some(numbers.map(|(scale, bias)| Norm { scale, bias, epsilon, relu }))
            }
            Kernel::Winograd { .. } | Kernel::Direct { .. } | Kernel::Transposed { .. } => None,
        });
        let convolves = |replacement: &&Replacement| !matches!(replacement.kernel, Kernel::Norm { .. });
        let convolutions: Vec<&Replacement> = self.replacements.iter().filter(convolves).collect();
        let floats = |name: &String| floats_of(tensor(name));
        let transform = |replacement: &Replacement| -> Result<Option<Box<dyn Layer>>, KernelError> {
            let layer: Box<dyn Layer> = match &replacement.kernel {
                &Kernel::Winograd { ref weights, channels: [inputs, outputs], ref parts, padding, relu } => {
                    let (weights, bias) = weights.of(floats)?;
                    let (weights, bias) = (&weights[..], bias.as_deref());
                    let problem = winograd::Problem { inputs, parts, outputs, weights, bias, padding, relu };
                    Box::new(Winograd::new(machine, tiles, &problem)?)
                }
                &Kernel::Direct { ref weights, channels: [inputs, outputs], kernel, padding, relu } => {
                    let (weights, bias) = weights.of(floats)?;
                    let (weights, bias) = (&weights[..], bias.as_deref());
                    let problem = direct::Problem { inputs, outputs, kernel, weights, bias, padding, relu };
                    Box::new(Direct::new(machine, &problem)?)
                }
                &Kernel::Transposed { ref weights, channels: [inputs, outputs], kernel, crop, extra, relu } => {
                    let (weights, bias) = weights.of(floats)?;
                    let (weights, bias) = (&weights[..], bias.as_deref());
                    let parts = replacement.inputs.len();
                    let problem =
                        transposed::Problem { inputs, parts, outputs, kernel, weights, bias, crop, extra, relu };
                    Box::new(transposed::new(machine, &problem)?)
                }
                Kernel::Norm { .. } => return Ok(None),
            };
            Ok(Some(layer))
        };
        // A program that loads a model waits for this: with all threads.
        let share = convolutions.len().div_ceil(threads.max(1)).max(1);
        let convolutions = thread::scope(|scope| {
            let parts = convolutions.chunks(share).map(|part| {
                scope.spawn(move || {
                    part.iter().filter_map(|replacement| transform(replacement).transpose()).collect::<Vec<_>>()
                })
            });
            let parts: Vec<_> = parts.collect();
            let done = parts.into_iter().flat_map(|part| part.join().expect("weights are as many as was checked"));
            done.collect::<Result<Vec<_>, _>>()
        })?;
        Ok(Layers {
            machine,
            threads: threads.max(1),
            convolutions,
            norms: norms.collect::<Result<_, _>>()?,
            points: points.collect(),
            scratch: Scratch::default(),
        })
    }
}

impl Weights {
    /// Their numbers.
    fn of(
        &self,
        floats: impl Fn(&String) -> Result<Vec<f32>, KernelError>,
    ) -> Result<(Vec<f32>, Option<Vec<f32>>), KernelError> {
        Ok((floats(&self.weight)?, self.bias.as_ref().map(floats).transpose()?))
    }
}

impl Replacement {
    fn node(&self, layer: i64, index: &Index<'_>) -> NodeProto {
        let op_type = match (&self.kernel, self.inputs.len()) {
            (Kernel::Norm { .. }, 2) => NORM_ADD,
            (Kernel::Norm { .. }, _) => NORM,
            _ => CONVOLUTION,
        };
        let last = *self.nodes.iter().max().expect("it replaces something");
        node(&index.node(last).name, op_type, self.inputs.clone(), &self.output, layer)
    }
}

impl Kept {
    fn node(&self, layer: i64) -> NodeProto {
        node(&self.name, POINTS, vec![self.picture.clone()], &self.name, layer)
    }
}

/// A node that calls a layer.
fn node(name: &str, op_type: &str, input: Vec<String>, output: &str, layer: i64) -> NodeProto {
    let attribute =
        AttributeProto { name: LAYER.into(), r#type: AttributeType::Int.into(), i: layer, ..Default::default() };
    NodeProto {
        name: name.into(),
        op_type: op_type.into(),
        domain: DOMAIN.into(),
        input,
        output: vec![output.into()],
        attribute: vec![attribute],
        ..Default::default()
    }
}
