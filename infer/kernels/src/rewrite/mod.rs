//! The graph, rewritten at load: nodes that a kernel does better are replaced, all others stay as they are. The file never changes.

mod apply;
mod index;
mod keep;
mod patterns;

use std::fmt;
use std::str::FromStr;

use models_onnx::proto::ModelProto;

use crate::padding::{Fill, Padding};
use crate::winograd::{Part, Tiles};
pub use apply::{ApplyError, Rewritten};
use index::Index;
use keep::{Kept, keep};

/// Which kernels may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CpuKernels {
    /// Those that win on this machine.
    #[default]
    Auto,
    /// ONNX Runtime's only.
    Off,
    /// Convolutions by `F(4×4, 3×3)`.
    Winograd4,
    /// Convolutions by `F(6×6, 3×3)`.
    Winograd6,
}

impl CpuKernels {
    /// All of them, with their names.
    const NAMES: [(&str, Self); 4] =
        [("auto", Self::Auto), ("off", Self::Off), ("winograd4", Self::Winograd4), ("winograd6", Self::Winograd6)];

    /// The tiles of convolutions; none where there are to be no kernels.
    fn tiles(self) -> Option<Tiles> {
        match self {
            Self::Off => None,
            Self::Auto | Self::Winograd4 => Some(Tiles::Four),
            Self::Winograd6 => Some(Tiles::Six),
        }
    }
}

impl fmt::Display for CpuKernels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAMES.iter().find(|(_, kernels)| kernels == self);
        f.pad(name.expect("each has a name").0)
    }
}

impl FromStr for CpuKernels {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::NAMES.iter().find(|(name, _)| *name == text);
        known
            .map(|(_, kernels)| *kernels)
            .ok_or_else(|| format!("`{text}` is none; use auto, off, winograd4 or winograd6"))
    }
}

/// What becomes of the nodes that a kernel might do.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    tiles: Option<Tiles>,
    replacements: Vec<Replacement>,
    kept: Vec<Kept>,
    decisions: Vec<Decision>,
}

/// What becomes of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Its name, or that of its output where it has none.
    pub node: String,
    /// Its operator.
    pub operator: String,
    /// What replaces it, or why nothing does.
    pub replaced: Result<String, String>,
}

/// A node in the place of others.
#[derive(Clone, Debug, PartialEq)]
struct Replacement {
    /// The nodes that it stands for, by their places; it takes that of the last.
    nodes: Vec<usize>,
    /// What it reads.
    inputs: Vec<String>,
    output: String,
    kernel: Kernel,
}

/// A convolution's weights, by the names of constants.
#[derive(Clone, Debug, PartialEq)]
struct Weights {
    weight: String,
    bias: Option<String>,
}

/// What a replacement computes.
#[derive(Clone, Debug, PartialEq)]
enum Kernel {
    Winograd {
        weights: Weights,
        channels: [usize; 2],
        parts: Vec<Part>,
        padding: Padding,
        relu: bool,
    },
    Direct {
        weights: Weights,
        channels: [usize; 2],
        kernel: [usize; 2],
        padding: Padding,
        relu: bool,
    },
    Transposed {
        weights: Weights,
        channels: [usize; 2],
        kernel: usize,
        crop: [usize; 4],
        extra: [usize; 2],
        relu: bool,
    },
    Norm {
        scale: String,
        bias: String,
        epsilon: f32,
        relu: bool,
    },
}

impl Plan {
    /// Looks for what can be replaced.
    pub fn new(model: &ModelProto, kernels: CpuKernels) -> Self {
        let mut plan =
            Self { tiles: kernels.tiles(), replacements: Vec::new(), kept: Vec::new(), decisions: Vec::new() };
        let Some(graph) = model.graph.as_ref().filter(|_| plan.tiles.is_some()) else { return plan };
        let index = Index::new(graph);
        let found = (0..graph.node.len()).filter_map(|place| Some((place, patterns::find(&index, place)?)));
        let mut found: Vec<_> = found.collect();
        plan.kept = keep(&index, found.iter_mut().filter_map(|(_, found)| found.as_mut().ok()));
        for (place, found) in found {
            let node = index.node(place);
            let name = if node.name.is_empty() { node.output.first() } else { Some(&node.name) };
            let decision = |replaced| Decision {
                node: name.cloned().unwrap_or_default(),
                operator: node.op_type.clone(),
                replaced,
            };
            let decision = match found {
                Ok(replacement) => {
                    let decision = decision(Ok(replacement.describe(plan.tiles)));
                    plan.replacements.push(replacement);
                    decision
                }
                Err(reason) => decision(Err(reason)),
            };
            plan.decisions.push(decision);
        }
        plan
    }

    /// What becomes of each node that a kernel might do, in the graph's order.
    pub fn decisions(&self) -> &[Decision] {
        &self.decisions
    }

    /// Bytes that are kept for each pixel of the graph's input beside what ONNX Runtime itself would hold, as far as is known.
    pub fn kept_bytes_per_pixel(&self) -> u64 {
        let Some(tiles) = self.tiles else { return 0 };
        let points = tiles.points() as f64 / tiles.side().pow(2) as f64;
        let numbers = self.kept.iter().map(|kept| kept.channels as f64 * points * kept.scale.unwrap_or(0.0));
        (numbers.sum::<f64>() * size_of::<f32>() as f64) as u64
    }

    /// Whether anything is replaced.
    pub fn is_empty(&self) -> bool {
        self.replacements.is_empty()
    }
}

impl Replacement {
    fn describe(&self, tiles: Option<Tiles>) -> String {
        match &self.kernel {
            Kernel::Winograd { parts, padding, relu, .. } => {
                let tile = if tiles == Some(Tiles::Six) { "F(6×6, 3×3)" } else { "F(4×4, 3×3)" };
                let kept = match parts.iter().filter(|part| **part != Part::Picture).count() {
                    0 => String::new(),
                    kept => format!(", from points that are kept of {kept} of {} inputs", parts.len()),
                };
                format!("Winograd {tile}{}{kept}", self.folded(*padding, *relu))
            }
            Kernel::Direct { padding, relu, .. } => format!("few outputs, directly{}", self.folded(*padding, *relu)),
            Kernel::Transposed { relu, .. } => {
                format!("Winograd, its four parities at once{}", if *relu { ", with rectifier" } else { "" })
            }
            Kernel::Norm { relu, .. } => match (relu, self.inputs.len()) {
                (_, 2) => "norm with the sum after it".into(),
                (true, _) => "norm with the rectifier after it".into(),
                (false, _) => "norm".into(),
            },
        }
    }

    /// What a convolution has taken in.
    fn folded(&self, padding: Padding, relu: bool) -> String {
        let folded = if self.nodes.len() > usize::from(relu) + 1 { " with its padding" } else { "" };
        let fill = match padding.fill {
            Fill::Reflect => ", reflected",
            Fill::Zero => "",
        };
        format!("{folded}{fill}{}", if relu { " and rectifier" } else { "" })
    }
}
