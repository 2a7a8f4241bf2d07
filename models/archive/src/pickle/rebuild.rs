//! The few globals that are known: what they would have made is put together here. All others are kept by name.

use super::machine::{LONGEST_NAME, Machine, Made};
use super::{Items, Node, Storage, Tensor, Value};
use crate::ArchiveError;
use crate::tensor::MOST_DIMENSIONS;

impl Machine<'_> {
    /// What `callee(*arguments)` gives. An unknown callee is not called: its result is an object that remembers it.
    pub(super) fn call(&mut self, callee: Value, arguments: Value) -> Result<Made, ArchiveError> {
        let Some(arguments) = self.tuple(arguments) else {
            return Err(self.fault("calls something with what is no tuple"));
        };
        let maker = self.global(callee);
        let unknown = Made::New(Node::Object { maker, attributes: None });
        let Some(global) = maker else { return Ok(unknown) };
        let first = self.items[arguments.range()].first().copied();
        Ok(match (self.text(global.module), self.text(global.name)) {
            ("collections", "OrderedDict") if first.is_none() => Made::New(Node::Dict(Vec::new())),
            ("torch._utils", "_rebuild_tensor_v2" | "_rebuild_tensor") => {
                Made::New(Node::Tensor(self.rebuild_tensor(arguments)?))
            }
            // A parameter is its tensor with a gradient, which files do not hold.
            ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => match first {
                Some(data) if self.is_tensor(data) => Made::Old(data),
                _ => unknown,
            },
            // A tensor with attributes of its own: how to make it, its class, what to make it from, the attributes.
            ("torch._tensor", "_rebuild_from_type_v2") => match self.items[arguments.range()] {
                [how, _, from, ..] if self.is_rebuild_tensor(how) => match self.tuple(from) {
                    Some(from) => Made::New(Node::Tensor(self.rebuild_tensor(from)?)),
                    None => unknown,
                },
                _ => unknown,
            },
            ("torch", "Size") => match first {
                Some(size) if self.tuple(size).is_some() => Made::Old(size),
                _ => unknown,
            },
            // Values that no tensor is made of: a device, bytes (protocol 2 has no other way to write them), a set.
            ("torch", "device")
            | ("_codecs", "encode")
            | ("__builtin__" | "builtins", "set" | "frozenset" | "bytearray" | "complex") => Made::Old(Value::Plain),
            _ => unknown,
        })
    }

    /// The storage that `('storage', class, key, location, count)` means.
    pub(super) fn storage(&self, id: Value) -> Result<Storage, ArchiveError> {
        let items = self.tuple(id).map(|items| &self.items[items.range()]);
        match items {
            Some(&[Value::Text(kind), Value::Node(class), Value::Text(key), _, Value::Int(count), ..])
                if kind.length <= LONGEST_NAME && key.length <= LONGEST_NAME && self.text(kind) == "storage" =>
            {
                match (&self.nodes[class as usize], u64::try_from(count)) {
                    (Node::Global(class), Ok(count)) => Ok(Storage { class: *class, key, count }),
                    _ => Err(self.fault("has a storage without a class or a count")),
                }
            }
            _ => Err(self.fault("refers to what is no storage")),
        }
    }

    /// A tensor from `(storage, offset, shape, strides, …)`.
    fn rebuild_tensor(&self, arguments: Items) -> Result<Tensor, ArchiveError> {
        let [Value::Node(storage), Value::Int(offset), shape, strides, ..] = self.items[arguments.range()] else {
            return Err(self.fault("makes a tensor of something else than storage, offset, shape and strides"));
        };
        let storage = Some(storage).filter(|&place| matches!(self.nodes[place as usize], Node::Storage(_)));
        let storage = storage.ok_or_else(|| self.fault("makes a tensor without a storage"))?;
        let offset = u64::try_from(offset).map_err(|_| self.fault("makes a tensor with a negative offset"))?;
        let sides = |value| {
            let is_natural = |item: &Value| matches!(item, Value::Int(side) if *side >= 0);
            let few = self.tuple(value).filter(|items| items.length as usize <= MOST_DIMENSIONS);
            few.filter(|items| self.items[items.range()].iter().all(is_natural))
        };
        match (sides(shape), sides(strides)) {
            (Some(shape), Some(strides)) if shape.length == strides.length => {
                Ok(Tensor { storage, offset, shape, strides })
            }
            _ => Err(self.fault("makes a tensor whose shape and strides do not fit")),
        }
    }

    fn tuple(&self, value: Value) -> Option<Items> {
        match value {
            Value::Node(place) => match self.nodes[place as usize] {
                Node::Tuple(items) => Some(items),
                _ => None,
            },
            _ => None,
        }
    }

    fn is_tensor(&self, value: Value) -> bool {
        matches!(value, Value::Node(place) if matches!(self.nodes[place as usize], Node::Tensor(_)))
    }

    fn is_rebuild_tensor(&self, value: Value) -> bool {
        let Some(global) = self.global(value) else { return false };
        self.text(global.module) == "torch._utils" && self.text(global.name) == "_rebuild_tensor_v2"
    }
}
