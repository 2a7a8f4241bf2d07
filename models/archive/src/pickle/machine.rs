//! The stack machine. Each step reads at least one byte and does work that is linear in what earlier steps pushed, so
//! that the whole is linear in the pickle's size.

use bytes::Bytes;

use super::opcodes as op;
use super::{Global, Node, Pickle, Text, Value};
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
    pub(super) input: &'a [u8],
    /// The next byte.
    pub(super) at: usize,
    /// Where the step began, for errors.
    pub(super) step: usize,
    pub(super) stack: Vec<Value>,
    /// How high the stack was at each mark.
    pub(super) marks: Vec<u32>,
    pub(super) memo: Vec<Option<Value>>,
    pub(super) nodes: Vec<Node>,
    pub(super) items: Vec<Value>,
    pub(super) allowance: &'a mut Allowance,
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
}

/// Of a module, a class, a storage. Names are looked at again and again, and a pickle repeats one in two bytes.
pub(super) const LONGEST_NAME: u32 = 255;

pub(super) const UNDERFLOW: &str = "takes more values than there are";

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
