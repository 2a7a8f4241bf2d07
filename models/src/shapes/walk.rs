//! The walk that counts.

use super::{Shape, ShapeError, Step, label, product};
use crate::{Backend, Join, Layer, parameters};

/// The most that is counted of anything: below it, readers of JSON that have only 64-bit floats are exact too. A network
/// of this project is smaller by a factor of a thousand; one that claims more is damaged, or made to do harm.
const LARGEST: u64 = 1 << 53;

/// One tensor: two are the same where the same step made them.
#[derive(Clone, Copy)]
pub(super) struct Features {
    pub(super) shape: Shape,
    pub(super) made: usize,
}

#[derive(Default)]
pub(super) struct Walk {
    pub(super) steps: Vec<Step>,
    /// What the skip connections around the present layer carry, outermost first.
    carried: Vec<Features>,
    /// Everything that was counted so far, of all kinds together.
    counted: u64,
}

impl Walk {
    /// Adds to what was counted, so that no sum of a trace's numbers can be past [`LARGEST`].
    pub(super) fn count<const N: usize>(
        &mut self,
        layer: &str,
        found: Shape,
        numbers: [u64; N],
    ) -> Result<(), ShapeError> {
        self.counted = numbers.into_iter().fold(self.counted, u64::saturating_add);
        if self.counted > LARGEST { Err(ShapeError::TooLarge { layer: layer.into(), found }) } else { Ok(()) }
    }

    fn push(&mut self, input: Features, step: Step) -> Result<Features, ShapeError> {
        let shape = step.output;
        let output = Features { shape, made: self.steps.len() + 1 };
        let mut alive: Vec<_> = self.carried.iter().copied().chain([input, output]).collect();
        alive.dedup_by_key(|features| features.made); // nothing carried is younger than what it is carried around
        let alive = alive.into_iter().map(|features| features.shape.len()).fold(0, u64::saturating_add);
        let parameters = step.parameters as u64;
        self.count(&step.label, input.shape, [shape.len(), parameters, step.multiply_adds])?;
        self.steps.push(Step { alive, ..step });
        Ok(output)
    }
}

impl Backend for Walk {
    type Value = Features;
    type Error = ShapeError;

    fn share(&mut self, features: &Features) -> Features {
        self.carried.push(*features);
        *features
    }

    fn leaf(&mut self, layer: &Layer, features: Features) -> Result<Features, ShapeError> {
        let label = label(layer);
        let input = features.shape;
        let channels = |expected: usize| match input.channels == expected {
            true => Ok(()),
            false => Err(ShapeError::Channels { layer: label.into(), expected, found: input }),
        };
        let too_small = || ShapeError::TooSmall { layer: label.into(), found: input };
        let pixels = |shape: Shape| product([shape.height, shape.width]);
        let weights = |from: usize, to: usize, kernel: usize| product([from, to, kernel, kernel]);
        let (kind, output, multiply_adds) = match layer {
            Layer::Conv { from, to, kernel, stride, pad, .. } => {
                channels(*from)?;
                let side = |size: usize, first: usize, last: usize| {
                    let padded = size.saturating_add(first).saturating_add(last);
                    let room = padded.checked_sub(*kernel).ok_or_else(too_small)?;
                    room.checked_div(*stride)
                        .map(|steps| steps.saturating_add(1))
                        .ok_or_else(|| ShapeError::Stride { layer: label.into() })
                };
                let height = side(input.height, pad.top, pad.bottom)?;
                let width = side(input.width, pad.left, pad.right)?;
                let output = Shape { channels: *to, height, width };
                let kind = format!("conv {kernel}×{kernel} s{stride}");
                (kind, output, pixels(output).saturating_mul(weights(*from, *to, *kernel)))
            }
            Layer::ConvTranspose { from, to, kernel, stride, crop, extra, .. } => {
                channels(*from)?;
                let side = |size: usize, first: usize, last: usize| {
                    let gaps = size.checked_sub(1).ok_or_else(too_small)?;
                    let full = gaps.saturating_mul(*stride).saturating_add(*kernel).saturating_add(*extra);
                    let left = full.checked_sub(first.saturating_add(last));
                    left.filter(|&left| left > 0).ok_or_else(too_small)
                };
                let height = side(input.height, crop.top, crop.bottom)?;
                let width = side(input.width, crop.left, crop.right)?;
                let output = Shape { channels: *to, height, width };
                let kind = format!("conv transposed {kernel}×{kernel} s{stride}");
                (kind, output, pixels(input).saturating_mul(weights(*from, *to, *kernel)))
            }
            Layer::InstanceNorm { channels: expected, .. } => {
                channels(*expected)?;
                ("instance norm".into(), input, 0)
            }
            Layer::ReflectPad { by } => {
                if input.height <= *by || input.width <= *by {
                    return Err(too_small());
                }
                let output = Shape { height: input.height + 2 * by, width: input.width + 2 * by, ..input };
                (format!("reflection pad {by}"), output, 0)
            }
            Layer::Upsample { factor } => {
                let [height, width] = [input.height, input.width].map(|side| side.saturating_mul(*factor));
                (format!("upsample ×{factor}"), Shape { height, width, ..input }, 0)
            }
            Layer::Relu => ("relu".into(), input, 0),
            Layer::LeakyRelu { slope } => (format!("leaky relu {slope}"), input, 0),
            Layer::Tanh => ("tanh".into(), input, 0),
            Layer::Skip { .. } => unreachable!("the fold opens skip connections itself"),
        };
        let parameters = parameters::count(&parameters::of_layer(layer));
        self.push(features, Step { label: label.into(), kind, output, parameters, multiply_adds, alive: 0 })
    }

    fn join(&mut self, join: Join, body: Features, carried: Features) -> Result<Features, ShapeError> {
        let (one, other) = (body.shape, carried.shape);
        let same_size = (one.height, one.width) == (other.height, other.width);
        let (kind, output) = match join {
            Join::Add if one == other => ("add", one),
            Join::Concat if same_size => ("concatenate", Shape { channels: one.channels + other.channels, ..one }),
            Join::Add | Join::Concat => return Err(ShapeError::Join { body: one, carried: other }),
        };
        let step = Step { label: "skip".into(), kind: kind.into(), output, parameters: 0, multiply_adds: 0, alive: 0 };
        let output = self.push(body, step);
        self.carried.pop();
        output
    }
}
