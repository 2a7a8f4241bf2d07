//! A graph, by what makes and uses its values.

use std::collections::{HashMap, HashSet};

use models_onnx::proto::{DataType, GraphProto, NodeProto, TensorProto};

use crate::error::KernelError;
use crate::scratch::memory;

/// Who makes and uses what.
pub(super) struct Index<'a> {
    pub(super) graph: &'a GraphProto,
    makers: HashMap<&'a str, usize>,
    users: HashMap<&'a str, Vec<usize>>,
    /// Values that others than nodes read: the graph's outputs, and what graphs inside of nodes may see.
    seen: HashSet<&'a str>,
    constants: HashMap<&'a str, &'a TensorProto>,
}

impl<'a> Index<'a> {
    pub(super) fn new(graph: &'a GraphProto) -> Self {
        let mut makers = HashMap::new();
        let mut users: HashMap<&str, Vec<usize>> = HashMap::new();
        let mut seen: HashSet<&str> = graph.output.iter().map(|output| output.name.as_str()).collect();
        for (place, node) in graph.node.iter().enumerate() {
            makers.extend(node.output.iter().map(|output| (output.as_str(), place)));
            node.input.iter().for_each(|input| users.entry(input).or_default().push(place));
            note_inner(node, &mut seen);
        }
        let inputs: HashSet<&str> = graph.input.iter().map(|input| input.name.as_str()).collect();
        // What is an input, too, may be given another value by whoever runs the model.
        let constants = graph.initializer.iter().map(|tensor| (tensor.name.as_str(), tensor));
        let constants = constants.filter(|(name, _)| !inputs.contains(name)).collect();
        Self { graph, makers, users, seen, constants }
    }

    pub(super) fn node(&self, place: usize) -> &'a NodeProto {
        &self.graph.node[place]
    }

    /// The node that makes a value.
    pub(super) fn maker(&self, value: &str) -> Option<usize> {
        self.makers.get(value).copied()
    }

    /// Whether no value has this name.
    pub(super) fn is_free(&self, name: &str) -> bool {
        let is_known = self.makers.contains_key(name) || self.users.contains_key(name) || self.seen.contains(name);
        !is_known && !self.is_input(name)
    }

    /// Whether it comes from outside.
    pub(super) fn is_input(&self, value: &str) -> bool {
        self.graph.input.iter().any(|input| input.name == value)
    }

    /// The one node that reads a value which nobody else sees.
    pub(super) fn only_user(&self, value: &str) -> Option<usize> {
        match self.users.get(value)?.as_slice() {
            [only] if !self.seen.contains(value) => Some(*only),
            _ => None,
        }
    }

    /// Whether anybody but the nodes at these places reads a value.
    pub(super) fn is_needed_beside(&self, value: &str, replaced: &HashSet<usize>) -> bool {
        let users = self.users.get(value).map(Vec::as_slice).unwrap_or_default();
        self.seen.contains(value) || users.iter().any(|user| !replaced.contains(user))
    }

    /// A constant of 32-bit floats that lies in the file itself, with its shape.
    pub(super) fn floats(&self, value: &str) -> Result<(&'a TensorProto, Vec<usize>), &'static str> {
        let tensor = *self.constants.get(value).ok_or("its weights are no constants")?;
        if tensor.data_type == i32::from(DataType::Float16) {
            return Err("its weights are 16-bit floats");
        }
        if !tensor.external_data.is_empty() || tensor.data_location != 0 {
            return Err("its weights lie beside the model");
        }
        let shape: Option<Vec<usize>> = tensor.dims.iter().map(|&side| usize::try_from(side).ok()).collect();
        let shape = shape.filter(|_| tensor.data_type == i32::from(DataType::Float));
        let shape = shape.ok_or("its weights are no 32-bit floats")?;
        let bytes = shape.iter().try_fold(4_usize, |product, &side| product.checked_mul(side));
        // As they are read below.
        let stored = if tensor.raw_data.is_empty() { 4 * tensor.float_data.len() } else { tensor.raw_data.len() };
        if bytes != Some(stored) {
            return Err("its weights are not as many as their shape says");
        }
        Ok((tensor, shape))
    }

    /// A constant's whole numbers.
    pub(super) fn integers(&self, value: &str) -> Option<Vec<i64>> {
        let tensor = *self.constants.get(value)?;
        if tensor.data_type != i32::from(DataType::Int64) || tensor.data_location != 0 {
            return None;
        }
        if tensor.raw_data.is_empty() {
            return Some(tensor.int64_data.clone());
        }
        let numbers = tensor.raw_data.chunks(8).map(|bytes| bytes.try_into().ok().map(i64::from_le_bytes));
        numbers.collect()
    }

    /// Whether a value is absent, or a constant that is zero.
    pub(super) fn is_zero(&self, value: Option<&String>) -> bool {
        let Some(value) = value.filter(|value| !value.is_empty()) else { return true };
        let numbers = self.floats(value).ok().and_then(|(tensor, _)| floats_of(tensor).ok());
        numbers.is_some_and(|numbers| numbers.iter().all(|number| *number == 0.0))
    }
}

/// The numbers of a tensor that [`Index::floats`] gave.
///
/// # Errors
/// If there is no memory.
pub(super) fn floats_of(tensor: &TensorProto) -> Result<Vec<f32>, KernelError> {
    if tensor.raw_data.is_empty() {
        let mut numbers = memory(tensor.float_data.len())?;
        numbers.copy_from_slice(&tensor.float_data);
        return Ok(numbers);
    }
    let mut numbers = memory(tensor.raw_data.len() / size_of::<f32>())?;
    for (number, bytes) in numbers.iter_mut().zip(tensor.raw_data.chunks_exact(4)) {
        *number = f32::from_le_bytes(bytes.try_into().expect("four"));
    }
    Ok(numbers)
}

/// Values that graphs inside of a node read: any of theirs may be one of this graph's.
fn note_inner<'a>(node: &'a NodeProto, seen: &mut HashSet<&'a str>) {
    let graphs =
        node.attribute.iter().flat_map(|attribute| attribute.g.as_deref().into_iter().chain(&attribute.graphs));
    for graph in graphs {
        seen.extend(graph.output.iter().map(|output| output.name.as_str()));
        for node in &graph.node {
            seen.extend(node.input.iter().map(String::as_str));
            note_inner(node, seen);
        }
    }
}
