//! The machine's stack, its marks and its memory.

use super::machine::{Machine, Made, UNDERFLOW};
use super::{Items, Node, Value};
use crate::ArchiveError;

impl Machine<'_> {
    /// How low the stack may be popped.
    pub(super) fn floor(&self) -> usize {
        self.marks.last().map_or(0, |&mark| mark as usize)
    }

    pub(super) fn push(&mut self, value: Value) -> Result<(), ArchiveError> {
        self.allowance.push(&mut self.stack, value)
    }

    pub(super) fn pop(&mut self) -> Result<Value, ArchiveError> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    pub(super) fn top(&self) -> Result<Value, ArchiveError> {
        match self.stack.last() {
            Some(&top) if self.stack.len() > self.floor() => Ok(top),
            _ => Err(self.fault(UNDERFLOW)),
        }
    }

    /// Where the values above the last mark begin. The mark is gone then.
    pub(super) fn mark(&mut self) -> Result<usize, ArchiveError> {
        match self.marks.pop() {
            Some(mark) => Ok(mark as usize),
            None => Err(self.fault("lacks a mark")),
        }
    }

    pub(super) fn drop_to_mark(&mut self) -> Result<(), ArchiveError> {
        let start = self.mark()?;
        self.stack.truncate(start);
        Ok(())
    }

    pub(super) fn remember(&mut self, place: usize) -> Result<(), ArchiveError> {
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

    pub(super) fn recall(&mut self, place: usize) -> Result<(), ArchiveError> {
        let value = self.memo.get(place).copied().flatten();
        self.push(value.ok_or_else(|| self.fault("recalls what it did not remember"))?)
    }

    pub(super) fn push_node(&mut self, node: Node) -> Result<(), ArchiveError> {
        // As many nodes as steps, so that 32 bits suffice.
        let place = self.nodes.len() as u32;
        self.allowance.push(&mut self.nodes, node)?;
        self.push(Value::Node(place))
    }

    pub(super) fn push_made(&mut self, made: Made) -> Result<(), ArchiveError> {
        match made {
            Made::Old(value) => self.push(value),
            Made::New(node) => self.push_node(node),
        }
    }

    pub(super) fn push_tuple(&mut self, start: usize) -> Result<(), ArchiveError> {
        let items = Items { start: self.items.len() as u32, length: (self.stack.len() - start) as u32 };
        self.allowance.reserve(&mut self.items, self.stack.len() - start)?;
        self.items.extend_from_slice(&self.stack[start..]);
        self.stack.truncate(start);
        self.push_node(Node::Tuple(items))
    }

    /// Takes keys and values off the stack.
    pub(super) fn pairs(&mut self, start: usize) -> Result<Vec<(Value, Value)>, ArchiveError> {
        let mut pairs = Vec::new();
        self.add_pairs(start, &mut pairs)?;
        Ok(pairs)
    }

    pub(super) fn add_pairs(&mut self, start: usize, pairs: &mut Vec<(Value, Value)>) -> Result<(), ArchiveError> {
        let (both, rest) = self.stack[start..].as_chunks::<2>();
        if !rest.is_empty() {
            return Err(self.fault("has a key without a value"));
        }
        self.allowance.reserve(pairs, both.len())?;
        pairs.extend(both.iter().map(|&[key, value]| (key, value)));
        self.stack.truncate(start);
        Ok(())
    }

    pub(super) fn set_items(&mut self, start: usize) -> Result<(), ArchiveError> {
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

    pub(super) fn dict(&mut self, value: Value) -> Option<&mut Vec<(Value, Value)>> {
        match value {
            Value::Node(place) => match &mut self.nodes[place as usize] {
                Node::Dict(pairs) => Some(pairs),
                _ => None,
            },
            _ => None,
        }
    }

    /// Attributes of an object. What a state_dict has beside its entries (`_metadata`) is of no use here.
    pub(super) fn build(&mut self, built: Value, state: Value) {
        let (Value::Node(built), Value::Node(state)) = (built, state) else { return };
        if !matches!(self.nodes[state as usize], Node::Dict(_)) {
            return;
        }
        if let Node::Object { attributes, .. } = &mut self.nodes[built as usize] {
            *attributes = Some(state);
        }
    }
}
