//! Shapes, sizes that fit, and multiply-adds.

use std::fmt;

use crate::{Backend, Join, Layer, Network, fold, parameters};

/// Channels, rows and columns of one picture's features.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Channels.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}, {}, {}]", self.channels, self.height, self.width)
    }
}

/// Why a network cannot take an input.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// A generator's input that its strides do not divide, or that is too small.
    #[error(
        "{width}×{height} does not fit the network: both sides must be multiples of {multiple}, {smallest} or more; \
         {next_width}×{next_height} would fit"
    )]
    Size {
        /// Columns asked for.
        width: usize,
        /// Rows asked for.
        height: usize,
        /// What both sides must be a multiple of.
        multiple: usize,
        /// The smallest side that fits.
        smallest: usize,
        /// The next width that fits.
        next_width: usize,
        /// The next height that fits.
        next_height: usize,
    },
    /// A layer whose input has other channels than it expects: the tree contradicts itself.
    #[error("layer {layer}: expects {expected} channels, its input is {found}; the network contradicts itself")]
    Channels {
        /// The layer.
        layer: String,
        /// Channels it was built for.
        expected: usize,
        /// What arrives.
        found: Shape,
    },
    /// A layer that leaves no pixel of its input.
    #[error("layer {layer}: its input {found} is too small")]
    TooSmall {
        /// The layer.
        layer: String,
        /// What arrives.
        found: Shape,
    },
    /// A convolution that never moves on.
    #[error("layer {layer}: a stride of 0; the network contradicts itself")]
    Stride {
        /// The layer.
        layer: String,
    },
    /// A body whose output cannot be joined with its input.
    #[error("a skip connection joins {body} with {carried}; the network contradicts itself")]
    Join {
        /// Output of the body.
        body: Shape,
        /// The body's input.
        carried: Shape,
    },
}

/// One layer with what it makes of a given input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What a person calls the layer: its name, else its kind.
    pub label: String,
    /// Its kind and settings, as in `conv 3×3 s2`.
    pub kind: String,
    /// Its output.
    pub output: Shape,
    /// Numbers that it learns.
    pub parameters: usize,
    /// Multiplications with weights for one picture; a transposed convolution is counted at its input's resolution.
    pub multiply_adds: u64,
}

/// A network's layers over one picture of a given size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    input: Shape,
    /// The layers in order, those of skip connections among them.
    pub steps: Vec<Step>,
}

impl Trace {
    /// Shape of the network's output.
    pub fn output(&self) -> Shape {
        self.steps.last().map_or(self.input, |step| step.output)
    }

    /// Multiply-adds for one picture.
    pub fn multiply_adds(&self) -> u64 {
        self.steps.iter().map(|step| step.multiply_adds).sum()
    }

    /// Numbers in all layers' outputs together: what training keeps for one picture.
    pub fn activations(&self) -> usize {
        self.steps.iter().map(|step| step.output.channels * step.output.height * step.output.width).sum()
    }
}

/// Walks a network over a picture of `height` × `width`.
///
/// # Errors
/// Where the picture is too small for a layer, or the tree contradicts itself.
pub fn trace(network: &Network, height: usize, width: usize) -> Result<Trace, ShapeError> {
    let input = Shape { channels: network.channels, height, width };
    let mut walk = Walk(Vec::new());
    fold(&network.layers, &mut walk, input)?;
    Ok(Trace { input, steps: walk.0 })
}

/// What the sides of a generator's input must be a multiple of: the product of its strides.
pub fn size_multiple(network: &Network) -> usize {
    network.layers.iter().map(|layer| if let Layer::Conv { stride, .. } = layer { *stride } else { 1 }).product()
}

/// Channels of a network's output; those of its input where nothing fits it.
pub fn output_channels(network: &Network) -> usize {
    let side = smallest_size(network);
    let trace = side.and_then(|side| trace(network, side, side));
    trace.map_or(network.channels, |trace| trace.output().channels)
}

/// Checks that a generator gives back the size that it takes.
///
/// # Errors
/// [`ShapeError::Size`] names the multiple and the next size that fits; the others mean that the tree contradicts itself.
pub fn check_size(network: &Network, height: usize, width: usize) -> Result<(), ShapeError> {
    let multiple = size_multiple(network);
    let smallest = smallest_size(network)?;
    let next = |side: usize| side.max(smallest).next_multiple_of(multiple);
    if next(height) == height && next(width) == width {
        return Ok(());
    }
    let (next_height, next_width) = (next(height), next(width));
    Err(ShapeError::Size { width, height, multiple, smallest, next_width, next_height })
}

/// The smallest side that a generator takes: reflection needs more pixels than it mirrors, also at the lowest resolution.
///
/// # Errors
/// If no side up to 64 multiples fits, or the tree contradicts itself.
pub fn smallest_size(network: &Network) -> Result<usize, ShapeError> {
    let multiple = size_multiple(network).max(1); // a stride of 0 is refused by the trace
    let mut factor = 1;
    loop {
        let side = factor * multiple;
        match trace(network, side, side) {
            Ok(_) => return Ok(side),
            Err(ShapeError::TooSmall { .. }) if factor < 64 => factor += 1,
            Err(error) => return Err(error),
        }
    }
}

struct Walk(Vec<Step>);

impl Walk {
    fn push(&mut self, label: &str, kind: String, output: Shape, parameters: usize, multiply_adds: u64) -> Shape {
        self.0.push(Step { label: label.into(), kind, output, parameters, multiply_adds });
        output
    }
}

/// What a person calls a layer: its name, else its kind.
pub fn label(layer: &Layer) -> &str {
    match layer {
        Layer::Conv { name, .. } | Layer::ConvTranspose { name, .. } | Layer::InstanceNorm { name: Some(name), .. } => {
            name
        }
        Layer::InstanceNorm { name: None, .. } => "norm",
        Layer::ReflectPad { .. } => "reflect",
        Layer::Upsample { .. } => "upsample",
        Layer::Relu => "relu",
        Layer::LeakyRelu { .. } => "leaky_relu",
        Layer::Tanh => "tanh",
        Layer::Skip { .. } => "skip",
    }
}

impl Backend for Walk {
    type Value = Shape;
    type Error = ShapeError;

    fn share(&mut self, shape: &Shape) -> Shape {
        *shape
    }

    fn leaf(&mut self, layer: &Layer, input: Shape) -> Result<Shape, ShapeError> {
        let label = label(layer);
        let parameters = parameters::count(&parameters::of_layer(layer));
        let channels = |expected: usize| match input.channels == expected {
            true => Ok(()),
            false => Err(ShapeError::Channels { layer: label.into(), expected, found: input }),
        };
        let too_small = || ShapeError::TooSmall { layer: label.into(), found: input };
        let pixels = |shape: Shape| (shape.height * shape.width) as u64;
        let (kind, output, multiply_adds) = match layer {
            Layer::Conv { from, to, kernel, stride, pad, .. } => {
                channels(*from)?;
                let side = |size: usize, pads: usize| {
                    let room = (size + pads).checked_sub(*kernel).ok_or_else(too_small)?;
                    room.checked_div(*stride)
                        .map(|steps| steps + 1)
                        .ok_or_else(|| ShapeError::Stride { layer: label.into() })
                };
                let height = side(input.height, pad.top + pad.bottom)?;
                let width = side(input.width, pad.left + pad.right)?;
                let output = Shape { channels: *to, height, width };
                (
                    format!("conv {kernel}×{kernel} s{stride}"),
                    output,
                    pixels(output) * (from * to * kernel * kernel) as u64,
                )
            }
            Layer::ConvTranspose { from, to, kernel, stride, crop, extra, .. } => {
                channels(*from)?;
                let side = |size: usize, cropped: usize| {
                    let full = size.checked_sub(1).map(|gaps| gaps * stride + kernel + extra);
                    full.and_then(|full| full.checked_sub(cropped)).filter(|&left| left > 0).ok_or_else(too_small)
                };
                let height = side(input.height, crop.top + crop.bottom)?;
                let width = side(input.width, crop.left + crop.right)?;
                let output = Shape { channels: *to, height, width };
                let kind = format!("conv transposed {kernel}×{kernel} s{stride}");
                (kind, output, pixels(input) * (from * to * kernel * kernel) as u64)
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
                let output = Shape { height: input.height * factor, width: input.width * factor, ..input };
                (format!("upsample ×{factor}"), output, 0)
            }
            Layer::Relu => ("relu".into(), input, 0),
            Layer::LeakyRelu { slope } => (format!("leaky relu {slope}"), input, 0),
            Layer::Tanh => ("tanh".into(), input, 0),
            Layer::Skip { .. } => unreachable!("the fold opens skip connections itself"),
        };
        Ok(self.push(label, kind, output, parameters, multiply_adds))
    }

    fn join(&mut self, join: Join, body: Shape, carried: Shape) -> Result<Shape, ShapeError> {
        let same_size = (body.height, body.width) == (carried.height, carried.width);
        match join {
            Join::Add if body == carried => Ok(self.push("skip", "add".into(), body, 0, 0)),
            Join::Concat if same_size => {
                let output = Shape { channels: body.channels + carried.channels, ..body };
                Ok(self.push("skip", "concatenate".into(), output, 0, 0))
            }
            Join::Add | Join::Concat => Err(ShapeError::Join { body, carried }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::{Family, GeneratorOptions};

    #[test]
    fn a_size_that_does_not_fit_names_the_multiple_and_the_next_that_does() {
        let network = Family::Paper.generator(GeneratorOptions::sized(4, 2));
        let error = check_size(&network, 250, 256).expect_err("250 is no multiple of 4");
        assert_eq!(
            error.to_string(),
            "256×250 does not fit the network: both sides must be multiples of 4, 8 or more; 256×252 would fit"
        );
        assert_eq!(check_size(&network, 252, 8), Ok(()));
    }

    #[test]
    fn reflection_needs_more_pixels_than_it_mirrors() {
        let size = GeneratorOptions::sized(4, 1);
        assert!(
            check_size(&Family::Paper.generator(size), 4, 4).is_err(),
            "the block mirrors the one pixel it has left"
        );
        assert_eq!(check_size(&Family::Concat.generator(size), 4, 4), Ok(()));
    }

    #[test]
    fn a_tree_that_contradicts_itself_is_refused_with_the_layer() {
        let mut network = Family::Concat.generator(GeneratorOptions::sized(4, 1));
        network.layers.remove(3); // down1.conv
        let error = trace(&network, 16, 16).expect_err("down1.norm expects twice the channels");
        assert!(error.to_string().contains("down1.norm: expects 8 channels"), "{error}");
    }

    #[test]
    fn a_stride_of_zero_is_refused() {
        let mut network = Family::Concat.generator(GeneratorOptions::sized(4, 1));
        let Some(Layer::Conv { stride, .. }) = network.layers.first_mut() else { panic!("it begins with one") };
        *stride = 0;
        assert_eq!(smallest_size(&network), Err(ShapeError::Stride { layer: "stem.conv".into() }));
    }

    #[test]
    fn generators_give_back_the_size_they_take() {
        for family in [Family::Paper, Family::Concat] {
            let network = family.generator(GeneratorOptions::sized(4, 2));
            for (height, width) in [(8, 8), (16, 24), (64, 32)] {
                let output = trace(&network, height, width).expect("multiples of 4").output();
                assert_eq!(output, Shape { channels: 3, height, width }, "{family:?}");
            }
        }
    }
}
