//! The two ends of a graph: what goes in and what comes out.
//!
//! With [`Io::Uint8`] both are `[n, h, w, 3]` bytes, and the graph holds what [`models::pixels`] computes, operation for
//! operation: `byte / 127.5 - 1` before the network, `(value + 1) · 127.5`, clamped and rounded to the nearest, halves to
//! even, behind it. So the bytes are those that a client gets who uses that module around the model with floats. NaN has
//! no byte: runtimes give 0.

use std::fmt;

use crate::error::ReadError;
use crate::graph::{Graph, INPUT, OUTPUT, Value, ints};
use crate::proto::{
    DataType, Dimension, DimensionValue, ModelProto, TensorShapeProto, TensorType, TypeProto, TypeValue, ValueInfoProto,
};
use crate::target::{Io, Target};

/// What a model takes and gives, as its graph says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Layout and numbers.
    pub io: Io,
    /// The one number of pictures that it takes at once; none: any.
    pub batch: Option<usize>,
    /// The one height and width that it takes; none: any that fits the network.
    pub size: Option<[usize; 2]>,
}

/// What the values of a graph of bytes are called between its input and the first layer: bytes as planes, then floats from 0
/// on, then the network's numbers.
pub const BYTES_IN: [&str; 3] = ["image.planes", "image.scaled", "image.shifted"];

/// And between the last layer and its output: from 0 on, from 0 to 255 for black to white, no less and no more, whole
/// numbers, and bytes as pixels.
pub const BYTES_OUT: [&str; 5] =
    ["translated.shifted", "translated.scaled", "translated.clamped", "translated.rounded", OUTPUT];

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = |fixed: Option<usize>, name: &str| fixed.map_or_else(|| name.to_owned(), |side| side.to_string());
        let batch = side(self.batch, "batch");
        let height = side(self.size.map(|[height, _]| height), "height");
        let width = side(self.size.map(|[_, width]| width), "width");
        match self.io {
            Io::Float => write!(f, "[{batch}, 3, {height}, {width}] 32-bit floats"),
            Io::F16 => write!(f, "[{batch}, 3, {height}, {width}] 16-bit floats"),
            Io::Uint8 => write!(f, "[{batch}, {height}, {width}, 3] bytes"),
        }
    }
}

/// The graph's input, or its output.
pub(crate) fn end(name: &str, channels: usize, target: &Target) -> ValueInfoProto {
    let side = |fixed: Option<usize>, name: &str| {
        fixed.map_or_else(|| DimensionValue::Param(name.into()), |side| DimensionValue::Value(side as i64))
    };
    let batch = side(target.batch, "batch");
    let height = side(target.size.map(|[height, _]| height), "height");
    let width = side(target.size.map(|[_, width]| width), "width");
    let channels = DimensionValue::Value(channels as i64);
    let sides = match target.io {
        Io::Uint8 => [batch, height, width, channels],
        Io::Float | Io::F16 => [batch, channels, height, width],
    };
    let dim = sides.map(|value| Dimension { value: Some(value), ..Default::default() }).into();
    let tensor = TensorType { elem_type: kind(target.io).into(), shape: Some(TensorShapeProto { dim }) };
    let r#type = TypeProto { value: Some(TypeValue::Tensor(tensor)), ..Default::default() };
    ValueInfoProto { name: name.into(), r#type: Some(r#type), ..Default::default() }
}

fn kind(io: Io) -> DataType {
    match io {
        Io::Float => DataType::Float,
        Io::F16 => DataType::Float16,
        Io::Uint8 => DataType::Uint8,
    }
}

/// From the graph's input to what the first layer takes.
pub(crate) fn begin(graph: &mut Graph, io: Io, range: [f32; 2]) -> Value {
    let input = Value { name: INPUT.into(), kind: kind(io) };
    if io != Io::Uint8 {
        return input;
    }
    // Bytes are moved while they are bytes.
    let [planes, scaled, shifted] = BYTES_IN;
    let planes = graph.node(planes, "Transpose", vec![input.name], vec![ints("perm", [0, 3, 1, 2])]);
    let floats = graph.cast(Value { name: planes, kind: DataType::Uint8 }, DataType::Float);
    let [step, black] = pixels(graph, range);
    let scaled = graph.node(scaled, "Div", vec![floats.name, step], Vec::new());
    let name = graph.node(shifted, "Add", vec![scaled, black], Vec::new());
    Value { name, kind: DataType::Float }
}

/// From what the last layer gives to the graph's output.
pub(crate) fn finish(graph: &mut Graph, io: Io, range: [f32; 2], value: Value) {
    if io != Io::Uint8 {
        let value = graph.cast(value, kind(io));
        return graph.rename(&value, OUTPUT);
    }
    let value = graph.cast(value, DataType::Float);
    let [step, black] = pixels(graph, range);
    let [least, most] = [("byte.least", 0.0), ("byte.most", 255.0)].map(|(name, value)| graph.number(name, value));
    let [shifted, scaled, clamped, rounded, _] = BYTES_OUT;
    let shifted = graph.node(shifted, "Sub", vec![value.name, black], Vec::new());
    let scaled = graph.node(scaled, "Mul", vec![shifted, step], Vec::new());
    let clamped = graph.node(clamped, "Clip", vec![scaled, least, most], Vec::new());
    let rounded = graph.node(rounded, "Round", vec![clamped], Vec::new());
    let bytes = graph.cast(Value { name: rounded, kind: DataType::Float }, DataType::Uint8);
    let name = graph.node("translated.pixels", "Transpose", vec![bytes.name], vec![ints("perm", [0, 2, 3, 1])]);
    graph.rename(&Value { name, kind: DataType::Uint8 }, OUTPUT);
}

/// Bytes to 1 of the network's numbers, and the network's black.
fn pixels(graph: &mut Graph, [black, white]: [f32; 2]) -> [String; 2] {
    [("pixel.step", 255.0 / (white - black)), ("pixel.black", black)].map(|(name, value)| graph.number(name, value))
}

/// What a model takes and gives, by its graph.
///
/// # Errors
/// If it is not one picture in, and one alike out, in one of the forms of [`Io`].
pub fn interface(model: &ModelProto) -> Result<Interface, ReadError> {
    let [input, output] = ends(model)?;
    match (of(input, 3), of(output, 3)) {
        (Some(input), Some(output)) if input == output => Ok(input),
        _ => Err(ReadError::Interface),
    }
}

/// The same for a network that takes and gives so many channels, which need not be colours.
///
/// # Errors
/// If it is not one batch of such pictures in, and one out, in one of the forms of [`Io`].
pub fn interface_with(model: &ModelProto, [takes, gives]: [usize; 2]) -> Result<Interface, ReadError> {
    let [input, output] = ends(model)?;
    match (of(input, takes), of(output, gives)) {
        (Some(input), Some(output)) if input == output => Ok(input),
        _ => Err(ReadError::Channels { takes, gives }),
    }
}

/// The one input and the one output.
fn ends(model: &ModelProto) -> Result<[&ValueInfoProto; 2], ReadError> {
    let graph = model.graph.as_ref().ok_or(ReadError::NoGraph)?;
    match (graph.input.as_slice(), graph.output.as_slice()) {
        ([input], [output]) => Ok([input, output]),
        _ => Err(ReadError::Interface),
    }
}

fn of(end: &ValueInfoProto, expected: usize) -> Option<Interface> {
    let Some(TypeValue::Tensor(tensor)) = &end.r#type.as_ref()?.value else { return None };
    let sides: Vec<Option<usize>> =
        tensor.shape.as_ref()?.dim.iter().map(|dimension| fixed(dimension).ok()).collect::<Option<_>>()?;
    let io = [Io::Float, Io::F16, Io::Uint8].into_iter().find(|&io| i32::from(kind(io)) == tensor.elem_type)?;
    let (batch, channels, height, width) = match (io, sides.as_slice()) {
        (Io::Uint8, &[batch, height, width, channels]) => (batch, channels, height, width),
        (Io::Float | Io::F16, &[batch, channels, height, width]) => (batch, channels, height, width),
        _ => return None,
    };
    let size = match (height, width) {
        (Some(height), Some(width)) => Some([height, width]),
        (None, None) => None,
        _ => return None,
    };
    (channels == Some(expected)).then_some(Interface { io, batch, size })
}

/// A side's number; none where it is symbolic.
///
/// # Errors
/// A number that no side has.
fn fixed(dimension: &Dimension) -> Result<Option<usize>, ()> {
    match dimension.value {
        Some(DimensionValue::Value(side)) => usize::try_from(side).ok().filter(|&side| side > 0).map(Some).ok_or(()),
        Some(DimensionValue::Param(_)) | None => Ok(None),
    }
}
