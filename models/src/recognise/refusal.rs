//! Files that hold no generator that is known, and what they hold instead.

use crate::Weight;
use crate::shapes::ShapeError;

/// Why no generator was recognised. The messages go behind the path, which the caller knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecogniseError {
    /// Tensors of another network.
    #[error("{nearest}{}; its {count} tensors are\n{listing}", departure.as_ref().map_or(String::new(), |at| format!("; {at}")))]
    Unknown {
        /// The nearest family, and what to do.
        nearest: String,
        /// Where the file departs from ResNet generators, unless the family says it.
        departure: Option<String>,
        /// Number of its tensors.
        count: usize,
        /// Names and shapes, shortened where there are many.
        listing: String,
    },
    /// More than one network, or one and other things.
    #[error(
        "holds a ResNet generator under {}, and more{}; if it is a network of its own, choose it with --key {}",
        keys.join(" and under "),
        if others.is_empty() { String::new() } else { format!(" under {}", others.join(", ")) },
        keys[0]
    )]
    Several {
        /// The prefixes of its generators, at least one.
        keys: Vec<String>,
        /// Those of what is none.
        others: Vec<String>,
    },
    /// A key under which nothing is.
    #[error("has no tensor under `{key}`; there is {}", found.join(", "))]
    Key {
        /// The key.
        key: String,
        /// What tensors' names begin with.
        found: Vec<String>,
    },
    /// Names that leave open which of two layers comes first.
    #[error(
        "the names do not say whether `{one}` or `{other}` comes first, and both would fit; the order in a .pth would tell"
    )]
    Order {
        /// A layer.
        one: String,
        /// Another.
        other: String,
    },
    /// A choice that the file's tensors rule out.
    #[error("--{flag} {value}: {why}")]
    Choice {
        /// The flag.
        flag: &'static str,
        /// Its value.
        value: String,
        /// Why it does not fit, and what would.
        why: String,
    },
    /// Numbers that cannot be those of a network.
    #[error("tensor `{name}` {what}; is the file damaged?")]
    Numbers {
        /// The tensor.
        name: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A generator that nobody can compute.
    #[error("looks like a generator that cannot be computed: {0}")]
    Bounds(ShapeError),
}

/// A kind of network that is not supported, told by its tensors.
struct Family {
    name: &'static str,
    is: fn(&[&Weight]) -> bool,
    remedy: &'static str,
}

/// Told apart in this order; the surest signs first.
const FAMILIES: [Family; 8] = [
    Family {
        name: "a network with spectral or weight norm",
        is: |weights| has(weights, &["weight_orig", "weight_u", "weight_g", "weight_v", "original0", "original1"]),
        remedy: "remove the norm in PyTorch (torch.nn.utils.remove_spectral_norm, remove_weight_norm, or \
                 parametrize.remove_parametrizations) and save it again",
    },
    Family {
        name: "an anti-aliased generator (CUT's, with blur filters `filt`)",
        is: |weights| has(weights, &["filt"]),
        remedy: "it is not supported; without anti-aliasing (--no_antialias --no_antialias_up) its ResNet is",
    },
    Family {
        name: "a network with attention",
        is: |weights| {
            weights.iter().any(|weight| {
                let name = weight.name.to_lowercase();
                ["attn", "attention", "query", "gap_fc"].iter().any(|word| name.contains(word))
            })
        },
        remedy: "only ResNet generators are supported",
    },
    Family {
        name: "a U-Net",
        is: |weights| kernels(weights).count() > 4 && of_fours(weights) && !judges(weights),
        remedy: "only ResNet generators are supported",
    },
    Family {
        name: "a PatchGAN discriminator",
        is: judges,
        remedy: "it judges pictures; export a generator (its file has a G in its name)",
    },
    Family {
        name: "a Transformer or other network without convolutions",
        is: |weights| kernels(weights).next().is_none(),
        remedy: "only ResNet generators are supported",
    },
    Family {
        name: "a classifier",
        is: |weights| weights.iter().any(|weight| weight.shape.len() == 2 && weight.name.ends_with("weight")),
        remedy: "only ResNet generators are supported",
    },
    Family { name: "a ResNet generator", is: |_| true, remedy: "" },
];

fn kernels<'a>(weights: &'a [&Weight]) -> impl Iterator<Item = &'a [usize]> {
    weights.iter().map(|weight| weight.shape.as_slice()).filter(|shape| shape.len() == 4)
}

fn of_fours(weights: &[&Weight]) -> bool {
    kernels(weights).all(|shape| shape[2] == 4)
}

/// Kernels of four, one of them to a single verdict.
fn judges(weights: &[&Weight]) -> bool {
    of_fours(weights) && kernels(weights).any(|shape| shape[0] == 1)
}

fn has(weights: &[&Weight], endings: &[&str]) -> bool {
    weights.iter().any(|weight| weight.name.rsplit('.').next().is_some_and(|last| endings.contains(&last)))
}

impl RecogniseError {
    /// A file that departs at a tensor or layer from what would have fitted there.
    pub(super) fn departs(weights: &[&Weight], at: &str, expected: &str) -> Self {
        let family = FAMILIES.iter().find(|family| (family.is)(weights)).expect("the last takes all");
        let shape = weights.iter().find(|weight| weight.name == at || weight.name == format!("{at}.weight"));
        let shape = shape.map_or(String::new(), |weight| format!(" {}", axes(&weight.shape)));
        let nearest = match family.remedy {
            "" => format!("is no generator that is known here; nearest is {}", family.name),
            remedy => format!("is {}: {remedy}", family.name),
        };
        let at = short(at);
        let departure = format!("it departs from a ResNet generator at `{at}`{shape}, where was expected: {expected}");
        Self::Unknown { nearest, departure: Some(departure), count: weights.len(), listing: listing(weights) }
    }
}

/// More tensors than this are shortened in the middle.
const LISTED: usize = 16;
/// Longer names are cut.
const NAME: usize = 80;
/// More axes are left out.
const AXES: usize = 8;

fn short(name: &str) -> String {
    let mut cut: String = name.chars().take(NAME).collect();
    if cut.len() < name.len() {
        cut.push('…');
    }
    cut
}

fn axes(shape: &[usize]) -> String {
    if shape.len() > AXES { format!("of {} axes", shape.len()) } else { format!("{shape:?}") }
}

fn listing(weights: &[&Weight]) -> String {
    let line = |weight: &&Weight| format!("  {} {}", short(&weight.name), axes(&weight.shape));
    if weights.len() <= LISTED {
        return weights.iter().map(line).collect::<Vec<_>>().join("\n");
    }
    let (head, tail) = (&weights[..LISTED - 4], &weights[weights.len() - 4..]);
    let left_out = format!("  … {} more …", weights.len() - LISTED);
    head.iter().map(line).chain([left_out]).chain(tail.iter().map(line)).collect::<Vec<_>>().join("\n")
}
