//! The stack machine. Each step reads at least one byte and does work that is linear in what earlier steps pushed, so
//! that the whole is linear in the pickle's size.

use bytes::Bytes;

use super::opcodes as op;
use super::{Global, Items, Node, Pickle, Text, Value, text_in};
use crate::ArchiveError;
use crate::allowance::Allowance;

/// The newest protocol that Python has.
const NEWEST_PROTOCOL: u8 = 5;

/// Reads a pickle to its end. Nothing in it is called.
///
/// # Errors
/// Where it is damaged, or that it needs more memory than it may.
pub(crate) fn read(bytes: Bytes, allowance: &mut Allowance) -> Result<Pickle, ArchiveError> {
    if u32::try_from(bytes.len()).is_err() {
        return Err(ArchiveError::Pickle { at: 0, why: "is larger than 4 GiB" });
    }
    let mut machine = Machine {
        input: &bytes,
        at: 0,
        step: 0,
        stack: Vec::new(),
        marks: Vec::new(),
        memo: Vec::new(),
        nodes: Vec::new(),
        items: Vec::new(),
        allowance,
    };
    let top = machine.run()?;
    let Machine { nodes, items, .. } = machine;
    Ok(Pickle { bytes, nodes, items, top })
}

pub(super) struct Machine<'a> {
    input: &'a [u8],
    /// The next byte.
    at: usize,
    /// Where the step began, for errors.
    step: usize,
    stack: Vec<Value>,
    /// How high the stack was at each mark.
    marks: Vec<u32>,
    memo: Vec<Option<Value>>,
    pub(super) nodes: Vec<Node>,
    pub(super) items: Vec<Value>,
    allowance: &'a mut Allowance,
}

impl Machine<'_> {
    fn run(&mut self) -> Result<Value, ArchiveError> {
        loop {
            self.step = self.at;
            let [operation] = self.array()?;
            if operation == op::STOP {
                return self.pop();
            }
            self.execute(operation)?;
        }
    }

    fn execute(&mut self, operation: u8) -> Result<(), ArchiveError> {
        match operation {
            op::PROTO => {
                let [version] = self.array()?;
                if version > NEWEST_PROTOCOL {
                    return Err(self.fault("has a protocol that is not known"));
                }
            }
            op::FRAME => drop(self.array::<8>()?),

            op::NONE | op::NEWTRUE | op::NEWFALSE | op::EMPTY_LIST | op::EMPTY_SET => self.push(Value::Plain)?,
            op::BININT => {
                let number = i32::from_le_bytes(self.array()?);
                self.push(Value::Int(number.into()))?;
            }
            op::BININT1 => {
                let [number] = self.array()?;
                self.push(Value::Int(number.into()))?;
            }
            op::BININT2 => {
                let number = u16::from_le_bytes(self.array()?);
                self.push(Value::Int(number.into()))?;
            }
            op::LONG1 | op::LONG4 => {
                let bytes = if operation == op::LONG1 { self.counted::<1>()? } else { self.counted::<4>()? };
                let number = integer(self.bytes_of(bytes));
                self.push(number)?;
            }
            op::BINFLOAT => {
                self.array::<8>()?;
                self.push(Value::Plain)?;
            }

            op::SHORT_BINUNICODE => self.push_text::<1>()?,
            op::BINUNICODE => self.push_text::<4>()?,
            op::BINUNICODE8 => self.push_text::<8>()?,
            op::SHORT_BINSTRING => self.push_bytes::<1>()?,
            op::BINSTRING => self.push_bytes::<4>()?,
            op::SHORT_BINBYTES => self.push_plain::<1>()?,
            op::BINBYTES => self.push_plain::<4>()?,
            op::BINBYTES8 | op::BYTEARRAY8 => self.push_plain::<8>()?,

            op::MARK => self.allowance.push(&mut self.marks, self.stack.len() as u32)?,
            op::POP if self.marks.last().is_some_and(|&mark| mark as usize == self.stack.len()) => {
                self.marks.pop();
            }
            op::POP => drop(self.pop()?),
            op::POP_MARK => self.drop_to_mark()?,
            op::DUP => {
                let top = self.top()?;
                self.push(top)?;
            }

            op::BINPUT => {
                let [place] = self.array()?;
                self.remember(place.into())?;
            }
            op::LONG_BINPUT => {
                let place = u32::from_le_bytes(self.array()?);
                self.remember(place as usize)?;
            }
            op::MEMOIZE => self.remember(self.memo.len())?,
            op::BINGET => {
                let [place] = self.array()?;
                self.recall(place.into())?;
            }
            op::LONG_BINGET => {
                let place = u32::from_le_bytes(self.array()?);
                self.recall(place as usize)?;
            }

            op::EMPTY_TUPLE => self.push_tuple(self.stack.len())?,
            op::TUPLE1 | op::TUPLE2 | op::TUPLE3 => {
                let count = usize::from(operation - op::TUPLE1) + 1;
                let start = self.stack.len().checked_sub(count).filter(|&start| start >= self.floor());
                self.push_tuple(start.ok_or_else(|| self.fault(UNDERFLOW))?)?;
            }
            op::TUPLE => {
                let start = self.mark()?;
                self.push_tuple(start)?;
            }
            op::LIST | op::FROZENSET => {
                self.drop_to_mark()?;
                self.push(Value::Plain)?;
            }
            // What is in lists and sets is no part of a state_dict.
            op::APPEND => drop(self.pop()?),
            op::APPENDS | op::ADDITEMS => self.drop_to_mark()?,
            op::EMPTY_DICT => self.push_node(Node::Dict(Vec::new()))?,
            op::DICT => {
                let start = self.mark()?;
                let pairs = self.pairs(start)?;
                self.push_node(Node::Dict(pairs))?;
            }
            op::SETITEM => {
                let start = self.stack.len().checked_sub(2).filter(|&start| start >= self.floor());
                self.set_items(start.ok_or_else(|| self.fault(UNDERFLOW))?)?;
            }
            op::SETITEMS => {
                let start = self.mark()?;
                self.set_items(start)?;
            }

            op::GLOBAL => {
                let (module, name) = (self.line()?, self.line()?);
                self.push_global(module, name)?;
            }
            op::STACK_GLOBAL => match (self.pop()?, self.pop()?) {
                (Value::Text(name), Value::Text(module)) => self.push_global(module, name)?,
                _ => return Err(self.fault("names a global by what is no text")),
            },
            op::BINPERSID => {
                let id = self.pop()?;
                let storage = self.storage(id)?;
                self.push_node(Node::Storage(storage))?;
            }
            op::REDUCE => {
                let (arguments, callee) = (self.pop()?, self.pop()?);
                let value = self.call(callee, arguments)?;
                self.push_made(value)?;
            }
            op::NEWOBJ => {
                let (_, class) = (self.pop()?, self.pop()?);
                self.push_node(self.object(class))?;
            }
            op::NEWOBJ_EX => {
                let (_, _, class) = (self.pop()?, self.pop()?, self.pop()?);
                self.push_node(self.object(class))?;
            }
            op::OBJ => {
                let start = self.mark()?;
                let class = *self.stack.get(start).ok_or_else(|| self.fault(UNDERFLOW))?;
                self.stack.truncate(start);
                self.push_node(self.object(class))?;
            }
            op::BUILD => {
                let (state, built) = (self.pop()?, self.top()?);
                self.build(built, state);
            }
            _ => return Err(self.fault("has an operation that is not known")),
        }
        Ok(())
    }

    /// An error at the step.
    pub(super) fn fault(&self, why: &'static str) -> ArchiveError {
        ArchiveError::Pickle { at: self.step, why }
    }

    fn take(&mut self, count: usize) -> Result<&[u8], ArchiveError> {
        let end = self.at.checked_add(count).filter(|&end| end <= self.input.len());
        let bytes = &self.input[self.at..end.ok_or_else(|| self.fault("ends too early"))?];
        self.at += count;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ArchiveError> {
        Ok(self.take(N)?.try_into().expect("as many bytes as were taken"))
    }

    /// Where bytes are that follow their count, which has `N` bytes.
    fn counted<const N: usize>(&mut self) -> Result<Text, ArchiveError> {
        let mut count = [0; 8];
        count[..N].copy_from_slice(&self.array::<N>()?);
        let count = usize::try_from(u64::from_le_bytes(count)).unwrap_or(usize::MAX);
        let start = self.at;
        self.take(count)?;
        // The whole pickle is smaller than 4 GiB.
        Ok(Text { start: start as u32, length: count as u32 })
    }

    fn bytes_of(&self, Text { start, length }: Text) -> &[u8] {
        &self.input[start as usize..start as usize + length as usize]
    }

    fn push_text<const N: usize>(&mut self) -> Result<(), ArchiveError> {
        let text = self.counted::<N>()?;
        let text = self.checked(text)?;
        self.push(Value::Text(text))
    }

    /// Python 2's strings: names are ASCII in them, and what is not is no name.
    fn push_bytes<const N: usize>(&mut self) -> Result<(), ArchiveError> {
        let text = self.counted::<N>()?;
        self.push(if self.bytes_of(text).is_ascii() { Value::Text(text) } else { Value::Plain })
    }

    fn push_plain<const N: usize>(&mut self) -> Result<(), ArchiveError> {
        self.counted::<N>()?;
        self.push(Value::Plain)
    }

    fn checked(&self, text: Text) -> Result<Text, ArchiveError> {
        match std::str::from_utf8(self.bytes_of(text)) {
            Ok(_) => Ok(text),
            Err(_) => Err(self.fault("has a text that is not UTF-8")),
        }
    }

    fn line(&mut self) -> Result<Text, ArchiveError> {
        let start = self.at;
        let length = self.input[start..].iter().position(|&byte| byte == b'\n');
        let length = length.ok_or_else(|| self.fault("ends too early"))?;
        self.at += length + 1;
        self.checked(Text { start: start as u32, length: length as u32 })
    }

    /// How low the stack may be popped.
    fn floor(&self) -> usize {
        self.marks.last().map_or(0, |&mark| mark as usize)
    }

    fn push(&mut self, value: Value) -> Result<(), ArchiveError> {
        self.allowance.push(&mut self.stack, value)
    }

    fn pop(&mut self) -> Result<Value, ArchiveError> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn top(&self) -> Result<Value, ArchiveError> {
        match self.stack.last() {
            Some(&top) if self.stack.len() > self.floor() => Ok(top),
            _ => Err(self.fault(UNDERFLOW)),
        }
    }

    /// Where the values above the last mark begin. The mark is gone then.
    fn mark(&mut self) -> Result<usize, ArchiveError> {
        match self.marks.pop() {
            Some(mark) => Ok(mark as usize),
            None => Err(self.fault("lacks a mark")),
        }
    }

    fn drop_to_mark(&mut self) -> Result<(), ArchiveError> {
        let start = self.mark()?;
        self.stack.truncate(start);
        Ok(())
    }

    fn remember(&mut self, place: usize) -> Result<(), ArchiveError> {
        let top = self.top()?;
        // Every place that a writer uses, it uses by a step of its own, in order.
        if place >= self.input.len() {
            return Err(self.fault("remembers more values than it has bytes"));
        }
        if place >= self.memo.len() {
            let more = place + 1 - self.memo.len();
            self.allowance.reserve(&mut self.memo, more)?;
            self.memo.resize(place + 1, None);
        }
        self.memo[place] = Some(top);
        Ok(())
    }

    fn recall(&mut self, place: usize) -> Result<(), ArchiveError> {
        let value = self.memo.get(place).copied().flatten();
        self.push(value.ok_or_else(|| self.fault("recalls what it did not remember"))?)
    }

    pub(super) fn push_node(&mut self, node: Node) -> Result<(), ArchiveError> {
        // As many nodes as steps, so that 32 bits suffice.
        let place = self.nodes.len() as u32;
        self.allowance.push(&mut self.nodes, node)?;
        self.push(Value::Node(place))
    }

    fn push_made(&mut self, made: Made) -> Result<(), ArchiveError> {
        match made {
            Made::Old(value) => self.push(value),
            Made::New(node) => self.push_node(node),
        }
    }

    fn push_tuple(&mut self, start: usize) -> Result<(), ArchiveError> {
        let items = Items { start: self.items.len() as u32, length: (self.stack.len() - start) as u32 };
        self.allowance.reserve(&mut self.items, self.stack.len() - start)?;
        self.items.extend_from_slice(&self.stack[start..]);
        self.stack.truncate(start);
        self.push_node(Node::Tuple(items))
    }

    /// Takes keys and values off the stack.
    fn pairs(&mut self, start: usize) -> Result<Vec<(Value, Value)>, ArchiveError> {
        let mut pairs = Vec::new();
        self.add_pairs(start, &mut pairs)?;
        Ok(pairs)
    }

    fn add_pairs(&mut self, start: usize, pairs: &mut Vec<(Value, Value)>) -> Result<(), ArchiveError> {
        let (both, rest) = self.stack[start..].as_chunks::<2>();
        if !rest.is_empty() {
            return Err(self.fault("has a key without a value"));
        }
        self.allowance.reserve(pairs, both.len())?;
        pairs.extend(both.iter().map(|&[key, value]| (key, value)));
        self.stack.truncate(start);
        Ok(())
    }

    fn set_items(&mut self, start: usize) -> Result<(), ArchiveError> {
        let target = start.checked_sub(1).filter(|&target| target >= self.floor());
        let target = self.stack[target.ok_or_else(|| self.fault(UNDERFLOW))?];
        let mut pairs = match self.dict(target) {
            Some(pairs) => std::mem::take(pairs),
            // Of an object that is not known here: it stays unknown.
            None => Vec::new(),
        };
        self.add_pairs(start, &mut pairs)?;
        if let Some(place) = self.dict(target) {
            *place = pairs;
        }
        Ok(())
    }

    fn dict(&mut self, value: Value) -> Option<&mut Vec<(Value, Value)>> {
        match value {
            Value::Node(place) => match &mut self.nodes[place as usize] {
                Node::Dict(pairs) => Some(pairs),
                _ => None,
            },
            _ => None,
        }
    }

    /// Attributes of an object. What a state_dict has beside its entries (`_metadata`) is of no use here.
    fn build(&mut self, built: Value, state: Value) {
        let (Value::Node(built), Value::Node(state)) = (built, state) else { return };
        if !matches!(self.nodes[state as usize], Node::Dict(_)) {
            return;
        }
        if let Node::Object { attributes, .. } = &mut self.nodes[built as usize] {
            *attributes = Some(state);
        }
    }

    /// The object that a class would make.
    fn object(&self, class: Value) -> Node {
        Node::Object { maker: self.global(class), attributes: None }
    }

    /// The global that a value is.
    pub(super) fn global(&self, value: Value) -> Option<Global> {
        match value {
            Value::Node(place) => match self.nodes[place as usize] {
                Node::Global(global) => Some(global),
                _ => None,
            },
            _ => None,
        }
    }

    fn push_global(&mut self, module: Text, name: Text) -> Result<(), ArchiveError> {
        if module.length > LONGEST_NAME || name.length > LONGEST_NAME {
            return Err(self.fault("names a global by what is too long for a name"));
        }
        self.push_node(Node::Global(Global { module, name }))
    }

    pub(super) fn text(&self, text: Text) -> &str {
        text_in(self.input, text)
    }
}

/// Of a module, a class, a storage. Names are looked at again and again, and a pickle repeats one in two bytes.
pub(super) const LONGEST_NAME: u32 = 255;

const UNDERFLOW: &str = "takes more values than there are";

/// What a call gives.
pub(super) enum Made {
    /// A value that is there already.
    Old(Value),
    /// One that has to be added.
    New(Node),
}

/// A little-endian integer of any length; those beyond 64 bits are no count of anything.
fn integer(bytes: &[u8]) -> Value {
    let Some(&last) = bytes.last() else { return Value::Int(0) };
    if bytes.len() > 8 {
        return Value::Plain;
    }
    let mut number = [if last >= 0x80 { 0xff } else { 0 }; 8];
    number[..bytes.len()].copy_from_slice(bytes);
    Value::Int(i64::from_le_bytes(number))
}
