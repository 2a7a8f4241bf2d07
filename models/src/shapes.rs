//! Shapes, sizes that fit, multiply-adds, and the memory that features take.

mod bounds;
mod walk;

use std::fmt;

use crate::{Layer, Network, fold};
pub use bounds::check_bounds;
use walk::{Features, Walk};

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

impl Shape {
    /// Numbers in it. Any [`Shape`] in a [`Trace`] has few enough to be counted.
    pub fn len(self) -> u64 {
        product([self.channels, self.height, self.width])
    }

    /// Whether it holds no number, which no features do.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
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
    /// A layer that would make more than anybody can compute.
    #[error(
        "layer {layer}: of {found}, it makes more than can be counted; give it smaller pictures, or is the file damaged?"
    )]
    TooLarge {
        /// The layer.
        layer: String,
        /// What arrives.
        found: Shape,
    },
    /// A network for large pictures alone.
    #[error(
        "it takes no picture smaller than {smallest}×{smallest}; a network that is computed here has to take {most}×{most}: \
         is the file damaged?"
    )]
    Smallest {
        /// The smallest side that it takes.
        smallest: usize,
        /// What that may be.
        most: usize,
    },
    /// A network whose features fit into no memory.
    #[error(
        "layer {layer}: of a picture of {side}×{side} it needs {} GB, and no network here more than {}: is the file damaged?",
        bytes / 1_000_000_000,
        most / 1_000_000_000
    )]
    Need {
        /// The layer.
        layer: String,
        /// Rows and columns of the picture.
        side: usize,
        /// What is in memory at once.
        bytes: u64,
        /// What that may be.
        most: u64,
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
    /// Numbers in memory while it is computed, for one picture: its input, its output, and each input that a skip
    /// connection around it carries. A tensor that is two of these counts once; nothing is computed in place.
    pub alive: u64,
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
    pub fn activations(&self) -> u64 {
        self.steps.iter().map(|step| step.output.len()).sum()
    }

    /// The first step, and its place, at which the most numbers are in memory: see [`Step::alive`]. None without layers.
    pub fn peak(&self) -> Option<(usize, &Step)> {
        self.steps.iter().enumerate().rev().max_by_key(|(_, step)| step.alive)
    }
}

/// Walks a network over a picture of `height` × `width`.
///
/// # Errors
/// Where the picture is too small for a layer, or the tree contradicts itself.
pub fn trace(network: &Network, height: usize, width: usize) -> Result<Trace, ShapeError> {
    let input = Shape { channels: network.channels, height, width };
    let mut walk = Walk::default();
    walk.count("input", input, [input.len()])?;
    fold(&network.layers, &mut walk, Features { shape: input, made: 0 })?;
    Ok(Trace { input, steps: walk.steps })
}

/// What the sides of a generator's input must be a multiple of: the product of its strides.
pub fn size_multiple(network: &Network) -> usize {
    let strides = network.layers.iter().map(|layer| if let Layer::Conv { stride, .. } = layer { *stride } else { 1 });
    strides.fold(1, usize::saturating_mul)
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
    let next = |side: usize| {
        let found = Shape { channels: network.channels, height, width };
        let next = side.max(smallest).checked_next_multiple_of(multiple);
        next.ok_or_else(|| ShapeError::TooLarge { layer: "input".into(), found })
    };
    let (next_height, next_width) = (next(height)?, next(width)?);
    if (next_height, next_width) == (height, width) {
        return Ok(());
    }
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
        let side = multiple.saturating_mul(factor);
        match trace(network, side, side) {
            Ok(_) => return Ok(side),
            Err(ShapeError::TooSmall { .. }) if factor < 64 => factor += 1,
            Err(error) => return Err(error),
        }
    }
}

/// A product of sides, each at least 1, so that a side of 0 hides no other that is too large; past all bounds it stays at the
/// largest number.
fn product<const N: usize>(sides: [usize; N]) -> u64 {
    sides.into_iter().fold(1, |product: u64, side| product.saturating_mul(side.max(1) as u64))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Join;
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

    /// By hand, for 16×16 pictures and a width of 4. `paper` holds most where the head's padding makes [4, 22, 22] of
    /// [4, 16, 16]; `concat` where the stem's norm has [4, 16, 16] on both sides.
    #[test]
    fn the_peak_is_the_largest_sum_of_input_output_and_what_is_carried() {
        let peak = |family: Family| {
            let trace = trace(&family.generator(GeneratorOptions::sized(4, 1)), 16, 16).expect("16 fits");
            let (_, step) = trace.peak().expect("has layers");
            (step.label.clone(), step.alive)
        };
        assert_eq!(peak(Family::Paper), ("reflect".into(), 4 * 16 * 16 + 4 * 22 * 22));
        assert_eq!(peak(Family::Concat), ("stem.norm".into(), 2 * 4 * 16 * 16));
    }

    #[test]
    fn a_carried_input_is_in_memory_until_the_join_and_counts_once() {
        let conv = |name: &str, from: usize, to: usize| Layer::Conv {
            name: name.into(),
            from,
            to,
            kernel: 1,
            stride: 1,
            pad: crate::Pads::NONE,
        };
        let alive = |join: Join, last: usize| {
            let inner = Layer::Skip { body: vec![conv("inner", 2, 2)], join: Join::Add };
            let body = vec![conv("first", 2, 5), conv("second", 5, 2), inner, conv("last", 2, last)];
            let network = Network { channels: 2, layers: vec![Layer::Skip { body, join }, Layer::Tanh] };
            let trace = trace(&network, 10, 10).expect("1×1 kernels fit");
            trace.steps.iter().map(|step| step.alive / 100).collect::<Vec<_>>()
        };
        // In turn: 2 carried (the input itself) + 5; 2 + 5 + 2; 2 + 2 carried further in + 2; 2 + 2 + 2 + 2 at the inner
        // join; 2 + 2 + last; the join: 2 + last + output; tanh on both sides.
        assert_eq!(alive(Join::Add, 2), [7, 9, 6, 8, 6, 6, 4]);
        assert_eq!(alive(Join::Concat, 4), [7, 9, 6, 8, 8, 12, 12]);
    }

    #[test]
    fn what_nobody_can_count_is_refused_with_the_layer() {
        let huge = usize::MAX / 2;
        let named = |to: usize, kernel: usize, stride: usize| Layer::ConvTranspose {
            name: "up".into(),
            from: 3,
            to,
            kernel,
            stride,
            crop: crate::Pads::all(0),
            extra: huge,
        };
        let padded = crate::Pads::all(usize::MAX);
        let cases = [
            vec![Layer::Upsample { factor: huge }],
            vec![Layer::Upsample { factor: 1 << 20 }, Layer::Upsample { factor: 1 << 20 }],
            vec![named(3, huge, huge)],
            vec![named(huge, 1, 1)],
            vec![Layer::Conv { name: "c".into(), from: 3, to: huge, kernel: 1, stride: 1, pad: crate::Pads::NONE }],
            vec![Layer::Conv { name: "c".into(), from: 3, to: 3, kernel: 0, stride: 1, pad: padded }],
        ];
        for layers in cases {
            let network = Network { channels: 3, layers };
            let error = trace(&network, 8, 8).expect_err("too large").to_string();
            assert!(error.contains("more than can be counted"), "{error}");
            assert!(smallest_size(&network).is_err());
        }
        let network = Network { channels: 3, layers: vec![Layer::Relu] };
        let error = trace(&network, usize::MAX, usize::MAX).expect_err("too large").to_string();
        assert!(error.starts_with("layer input: of [3, "), "{error}");
        let stride = Layer::Conv { name: "c".into(), from: 3, to: 3, kernel: 1, stride: huge, pad: crate::Pads::NONE };
        let network = Network { channels: 3, layers: vec![stride.clone(), stride] };
        assert!(check_size(&network, 8, 8).is_err());
    }
}
