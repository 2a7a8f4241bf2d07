//! Python's pickle format, as far as values of tensors need it.
//!
//! A pickle is a program for a stack machine (Python's `Lib/pickletools.py` describes every operation). [`machine`] runs
//! it on values that are no Python objects: lists, sets, floats and bytes are only counted, and what a pickle would call
//! is kept by its name. Values lie in one list and refer to each other by number, so that cycles and any depth are
//! harmless, and nothing recurses.

mod input;
mod machine;
mod opcodes;
mod rebuild;
mod stack;

use std::ops::Range;

use bytes::Bytes;

pub(crate) use machine::read;

/// A text in the pickle, checked to be UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Text {
    start: u32,
    length: u32,
}

/// Something that a module of Python has: a class or a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Global {
    module: Text,
    name: Text,
}

/// A value on the stack or in another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// Nothing that a tensor needs: none, a truth value, a float, bytes, a list, a set.
    Plain,
    /// An integer; larger ones are plain.
    Int(i64),
    /// A text.
    Text(Text),
    /// What is at this place of [`Pickle::nodes`].
    Node(u32),
}

/// A value with parts.
#[derive(Debug)]
pub(crate) enum Node {
    /// Named, not looked up.
    Global(Global),
    /// Parts in [`Pickle::items`].
    Tuple(Items),
    /// A dictionary, ordered or not, in the order of writing.
    Dict(Vec<(Value, Value)>),
    /// What a global would have made, and the dictionary that would have become its attributes.
    Object { maker: Option<Global>, attributes: Option<u32> },
    /// Numbers in a file of their own.
    Storage(Storage),
    /// A view of a storage.
    Tensor(Tensor),
}

/// Values that follow each other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Items {
    start: u32,
    length: u32,
}

/// Numbers in an entry of the archive.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Storage {
    /// The class that says what kind of numbers they are.
    pub(crate) class: Global,
    /// The entry's name.
    pub(crate) key: Text,
    /// How many numbers.
    pub(crate) count: u64,
}

/// A view of a storage: number `i, j, …` is at `offset + i · strides[0] + j · strides[1] + …`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tensor {
    /// Which node the storage is.
    storage: u32,
    /// The first number's place.
    pub(crate) offset: u64,
    shape: Items,
    strides: Items,
}

/// A pickle that was read to its end.
#[derive(Debug)]
pub(crate) struct Pickle {
    bytes: Bytes,
    nodes: Vec<Node>,
    items: Vec<Value>,
    /// What it is the pickle of.
    pub(crate) top: Value,
}

impl Pickle {
    /// How many nodes there are.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// What a value is, if it has parts.
    pub(crate) fn node(&self, value: Value) -> Option<&Node> {
        match value {
            Value::Node(place) => Some(&self.nodes[place as usize]),
            _ => None,
        }
    }

    /// The tensor that a value is.
    pub(crate) fn tensor(&self, value: Value) -> Option<Tensor> {
        match self.node(value) {
            Some(Node::Tensor(tensor)) => Some(*tensor),
            _ => None,
        }
    }

    /// The pairs of a dictionary.
    pub(crate) fn dict(&self, value: Value) -> Option<&[(Value, Value)]> {
        match self.node(value) {
            Some(Node::Dict(pairs)) => Some(pairs),
            _ => None,
        }
    }

    /// The storage of a tensor.
    pub(crate) fn storage(&self, tensor: Tensor) -> Storage {
        match &self.nodes[tensor.storage as usize] {
            Node::Storage(storage) => *storage,
            _ => unreachable!("a tensor is made over a storage alone"),
        }
    }

    /// A tensor's shape and strides, of the same length.
    pub(crate) fn layout(&self, tensor: Tensor) -> (Vec<usize>, Vec<usize>) {
        let side = |value: &Value| match value {
            Value::Int(side) => *side as usize,
            _ => unreachable!("a tensor is made with natural numbers alone"),
        };
        let sides = |items: Items| self.items[items.range()].iter().map(side).collect();
        (sides(tensor.shape), sides(tensor.strides))
    }

    /// A text.
    pub(crate) fn text(&self, text: Text) -> &str {
        text_in(&self.bytes, text)
    }

    /// `module.name`.
    pub(crate) fn global(&self, global: Global) -> String {
        format!("{}.{}", self.text(global.module), self.text(global.name))
    }

    /// Whether a global is in a module, or in one below it.
    pub(crate) fn is_below(&self, global: Global, module: &str) -> bool {
        self.text(global.module).strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }

    /// The name of a global without its module.
    pub(crate) fn name(&self, global: Global) -> &str {
        self.text(global.name)
    }
}

impl Text {
    /// Its bytes.
    pub(crate) fn len(self) -> usize {
        self.length as usize
    }
}

fn text_in(bytes: &[u8], Text { start, length }: Text) -> &str {
    let range = start as usize..start as usize + length as usize;
    std::str::from_utf8(&bytes[range]).expect("checked where the text was read")
}

impl Items {
    fn range(self) -> Range<usize> {
        self.start as usize..self.start as usize + self.length as usize
    }
}
