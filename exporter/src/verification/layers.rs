//! Where two sides that do not agree part: the first layer whose output is another.
//!
//! ONNX Runtime runs the graph as it is written, with every value as an output; each is held against the outputs of the
//! network's layers. A graph that does not run as a whole is run as far as it does.

use std::collections::HashSet;
use std::fmt;

use models::shapes::{self, Shape, Step};
use models_onnx::Target;
use models_onnx::proto::ModelProto;
use models_runtime::{Options, Session, SessionError, Value};
use models_torch::Module;
use program::Device;
use program::files::folder_of;
use prost::Message;
use serde::Serialize;

use super::cases::Case;
use super::difference::distance;
use super::{Pair, TIMES_OWN_ROUNDING, VerificationError, reference, runtime};

/// The first layer that is not the same on both sides.
#[derive(Clone, Debug, Serialize)]
pub struct Divergence {
    /// Its name, as the graph's values are called after it.
    pub layer: String,
    /// Its kind and settings.
    pub kind: String,
    /// What the graph makes of it.
    pub found: Found,
}

/// What a graph makes of a layer.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// Other numbers.
    Numbers {
        /// The value's name in the graph.
        value: String,
        /// Picture, channel, row and column where they are the furthest apart.
        at: [usize; 4],
        /// What libtorch has there.
        expected: f32,
        /// What ONNX Runtime has there.
        found: f32,
        /// Share of its numbers that are not the same.
        off: f64,
    },
    /// A value of another shape.
    Shape {
        /// The value's name in the graph.
        value: String,
        /// The layer's shape: pictures, channels, rows and columns.
        expected: [usize; 4],
        /// The value's.
        found: Vec<usize>,
    },
    /// No value of its shape.
    Nothing {
        /// Its shape: pictures, channels, rows and columns.
        shape: [usize; 4],
    },
    /// The graph runs no further.
    Refused {
        /// What ONNX Runtime says.
        reason: String,
    },
}

impl Found {
    /// The value in the graph that was compared.
    fn value(&self) -> Option<&String> {
        match self {
            Self::Numbers { value, .. } | Self::Shape { value, .. } => Some(value),
            Self::Nothing { .. } | Self::Refused { .. } => None,
        }
    }
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { layer, kind, found } = self;
        write!(f, "the first layer that differs is {layer} ({kind}): ")?;
        match found {
            Found::Numbers { value, at: [picture, channel, row, column], expected, found, off } => write!(
                f,
                "`{value}` is {found:.6} instead of {expected:.6} at picture {picture}, channel {channel}, row {row}, column \
                 {column}; {:.1} % of its numbers are off",
                off * 100.0
            ),
            Found::Shape { value, expected, found } => write!(f, "`{value}` is {found:?} instead of {expected:?}"),
            Found::Nothing { shape } => write!(f, "no value in the file has its shape {shape:?}"),
            Found::Refused { reason } => write!(f, "there ONNX Runtime stops: {reason}"),
        }
    }
}

/// How far a layer's output may be off.
#[derive(Clone, Copy, Debug)]
struct Allowed {
    /// Of its largest number, or of 1 where that is less.
    tolerance: f32,
    /// Of what 32-bit floats make of it in libtorch, beside 64-bit ones.
    times_own_rounding: f32,
}

/// One layer's output on libtorch's side.
struct Expected {
    step: Step,
    name: String,
    shape: [usize; 4],
    numbers: Vec<f32>,
    /// How far they are from those of 64-bit floats.
    rounding: f32,
    /// Whether a norm follows, which takes away what a channel has everywhere, as a convolution's bias.
    before_norm: bool,
}

/// Finds the first layer that differs by more than is allowed; none where all agree.
pub(super) fn first_difference(pair: &Pair<'_>, case: &Case) -> Result<Option<Divergence>, VerificationError> {
    let module = (pair.module)()?;
    let channels = module.network().channels;
    let expected = expected(module, pair, case)?;
    let model = models_onnx::parse(fs_err::read(pair.file)?)?;
    let (values, refused) = values(&model, pair, case, channels)?;
    // Bytes are rounded behind the last layer only.
    let allowed = Allowed { tolerance: pair.precision.tolerance(), times_own_rounding: TIMES_OWN_ROUNDING };

    let nodes = model.graph.iter().flat_map(|graph| &graph.node);
    let named: HashSet<&str> = nodes.flat_map(|node| &node.output).map(String::as_str).collect();
    let mut first: Option<Divergence> = None;
    let mut from = 0; // a layer's value never stands before that of an earlier one
    for layer in &expected {
        let divergence = |found| Divergence { layer: layer.name.clone(), kind: layer.step.kind.clone(), found };
        match closest(layer, &values[from..], allowed, named.contains(layer.name.as_str())) {
            // What was not found before was only written otherwise: two layers as one node.
            Ok(place) => {
                from += place;
                first = None;
            }
            // A value of the layer's name is the layer.
            Err(found) if found.value() == Some(&layer.name) => return Ok(first.or(Some(divergence(found)))),
            Err(Found::Nothing { .. }) if refused.is_some() => {
                let reason = refused.clone().unwrap_or_default();
                return Ok(first.or(Some(divergence(Found::Refused { reason }))));
            }
            Err(found) => first = first.or_else(|| Some(divergence(found))),
        }
    }
    Ok(first)
}

fn expected(module: Module, pair: &Pair<'_>, case: &Case) -> Result<Vec<Expected>, VerificationError> {
    let [batch, height, width] = case.shape;
    let steps = shapes::trace(module.network(), height, width)?.steps;
    let norms: Vec<bool> = steps.iter().skip(1).map(|step| step.kind == "instance norm").chain([false]).collect();
    let target = Target { io: pair.interface.io, precision: pair.precision, ..Target::default() };
    let names = models_onnx::value_names(module.network(), &target);
    let outputs = reference::outputs(module, case)?;
    let mut layers = Vec::new();
    for (((step, name), (numbers, rounding)), before_norm) in steps.into_iter().zip(names).zip(outputs).zip(norms) {
        let Shape { channels, height, width } = step.output;
        let shape = [batch, channels, height, width];
        layers.push(Expected { shape, step, name, numbers, rounding, before_norm });
    }
    Ok(layers)
}

/// Every value of the graph, in its order; and why there are not all of them.
fn values(
    model: &ModelProto,
    pair: &Pair<'_>,
    case: &Case,
    channels: usize,
) -> Result<(Vec<Value>, Option<String>), VerificationError> {
    let nodes = model.graph.as_ref().map_or(0, |graph| graph.node.len());
    let run = |nodes: usize| -> Result<Vec<Value>, SessionError> {
        let options = Options { device: Device::Cpu, as_written: true, ..Options::default() };
        let model = models_onnx::prefix(model, nodes).encode_to_vec();
        let mut session = Session::open_many(&model, Some(folder_of(pair.file)), options)?;
        runtime::values(&mut session, pair.interface.io, case, channels)
    };
    let refused = match run(nodes) {
        Ok(values) => return Ok((values, None)),
        Err(error @ SessionError::Library(_)) => return Err(error.into()),
        Err(error) => error.to_string(),
    };
    // As far as it runs: a graph that stops at a node stops there whatever follows.
    let (mut runs, mut stops) = (0, nodes);
    while stops - runs > 1 {
        let middle = runs + (stops - runs) / 2;
        match run(middle) {
            Ok(_) => runs = middle,
            Err(_) => stops = middle,
        }
    }
    let values = if runs == 0 { Vec::new() } else { run(runs)? };
    Ok((values, Some(refused)))
}

/// The place of the value that is the layer's output; else how the likeliest differs. Where the file has a value of the
/// layer's name, no other can be it.
fn closest(layer: &Expected, values: &[Value], allowed: Allowed, is_named: bool) -> Result<usize, Found> {
    let candidates: Vec<usize> = match values.iter().position(|value| value.name == layer.name) {
        Some(place) if values[place].shape != layer.shape => {
            let Value { name, shape, .. } = &values[place];
            return Err(Found::Shape { value: name.clone(), expected: layer.shape, found: shape.clone() });
        }
        Some(place) => vec![place],
        None if is_named => Vec::new(),
        None => (0..values.len()).filter(|&place| values[place].shape == layer.shape).collect(),
    };
    let Some(&first) = candidates.first() else { return Err(Found::Nothing { shape: layer.shape }) };
    let expected = layer.comparable(&layer.numbers);
    let scale = expected.iter().map(|number| number.abs()).fold(1.0, f32::max);
    let allowed = (allowed.tolerance * scale).max(allowed.times_own_rounding * layer.rounding);
    let mut likeliest = (f32::INFINITY, first);
    for place in candidates {
        let found = layer.comparable(&values[place].numbers);
        let largest = found.iter().zip(&expected).map(|(&one, &other)| distance(one, other)).fold(0.0, f32::max);
        if largest <= allowed {
            return Ok(place);
        }
        if largest < likeliest.0 {
            likeliest = (largest, place);
        }
    }
    let value = &values[likeliest.1];
    Err(layer.differs(value, &layer.comparable(&value.numbers), &expected, allowed))
}

impl Expected {
    /// The numbers as the next layer sees them.
    fn comparable(&self, numbers: &[f32]) -> Vec<f32> {
        if !self.before_norm {
            return numbers.to_vec();
        }
        let [.., height, width] = self.shape;
        let centred = |channel: &[f32]| {
            let mean = channel.iter().map(|&number| f64::from(number)).sum::<f64>() / channel.len() as f64;
            channel.iter().map(|&number| (f64::from(number) - mean) as f32).collect::<Vec<_>>()
        };
        numbers.chunks(height * width).flat_map(centred).collect()
    }

    fn differs(&self, value: &Value, found: &[f32], expected: &[f32], allowed: f32) -> Found {
        let apart = || found.iter().zip(expected).map(|(&found, &expected)| distance(found, expected));
        let off = apart().filter(|&difference| difference > allowed).count();
        let (place, _) = apart().enumerate().max_by(|(_, one), (_, other)| one.total_cmp(other)).unwrap_or_default();
        let [_, channels, height, width] = self.shape;
        let at = [
            place / (channels * height * width),
            place / (height * width) % channels,
            place / width % height,
            place % width,
        ];
        Found::Numbers {
            value: value.name.clone(),
            at,
            expected: self.numbers[place],
            found: value.numbers[place],
            off: off as f64 / expected.len() as f64,
        }
    }
}
