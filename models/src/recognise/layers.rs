//! Tensors put together into the layers that hold them.

use std::collections::HashMap;

use super::RecogniseError;
use crate::Weight;

/// A convolution, transposed or not: its place among the others tells.
#[derive(Clone, Debug)]
pub(super) struct Convolution {
    pub(super) name: String,
    /// `[to, from, kernel, kernel]`, transposed `[from, to, kernel, kernel]`.
    pub(super) shape: [usize; 4],
    /// Where its weight lies among the file's tensors.
    pub(super) weight: usize,
    /// Where its bias lies, and the number of its channels.
    pub(super) bias: Option<(usize, usize)>,
}

/// A norm that stores anything.
#[derive(Clone, Debug)]
pub(super) struct Norm {
    pub(super) name: String,
    pub(super) channels: usize,
    /// Where its scale and bias lie.
    pub(super) affine: Option<[usize; 2]>,
    /// Where its running mean and variance lie.
    pub(super) statistics: Option<[usize; 2]>,
}

/// The layers of a file, each kind in the file's order.
#[derive(Clone, Debug, Default)]
pub(super) struct Layers {
    pub(super) convolutions: Vec<Convolution>,
    pub(super) norms: Vec<Norm>,
}

/// What a tensor is for its layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Part {
    Weight,
    Bias,
    Mean,
    Variance,
    /// Says nothing about what is computed.
    Counter,
}

const PARTS: [(&str, Part); 10] = [
    ("weight", Part::Weight),
    ("scale", Part::Weight),
    ("gamma", Part::Weight),
    ("bias", Part::Bias),
    ("shift", Part::Bias),
    ("beta", Part::Bias),
    ("running_mean", Part::Mean),
    ("running_var", Part::Variance),
    ("num_batches_tracked", Part::Counter),
    ("running_variance", Part::Variance),
];

/// Groups tensors by what their names share.
///
/// # Errors
/// The first tensor or layer that is none of a ResNet generator.
pub(super) fn group(weights: &[&Weight]) -> Result<Layers, RecogniseError> {
    let mut order: Vec<&str> = Vec::new();
    let mut parts: HashMap<&str, HashMap<Part, usize>> = HashMap::new();
    let refuse = |at: &str, expected: &str| RecogniseError::departs(weights, at, expected);
    for (index, weight) in weights.iter().enumerate() {
        if weight.name.len() > LONGEST_NAME {
            return Err(refuse(&weight.name, "names of at most 255 bytes"));
        }
        let (layer, last) = weight.name.rsplit_once('.').unwrap_or(("", &weight.name));
        let part = PARTS.iter().find(|(name, _)| *name == last).map(|(_, part)| *part);
        let Some(part) = part else {
            return Err(refuse(&weight.name, "only weights, biases and running statistics"));
        };
        let layer_parts = parts.entry(layer).or_insert_with(|| {
            order.push(layer);
            HashMap::new()
        });
        if layer_parts.insert(part, index).is_some() {
            return Err(refuse(&weight.name, "one weight, bias and pair of running statistics for each layer"));
        }
    }
    let mut layers = Layers::default();
    for name in order {
        let place = |part| parts[name].get(&part).copied();
        let pair = |one, other| place(one).zip(place(other)).map(<[usize; 2]>::from);
        let shape = |index: usize| weights[index].shape.as_slice();
        match place(Part::Weight).map(|index| (index, shape(index))) {
            Some((weight, &[first, second, rows, columns])) => {
                if rows != columns || rows == 0 || first == 0 || second == 0 {
                    return Err(refuse(&weights[weight].name, "a square kernel, [channels, channels, k, k]"));
                }
                let bias = place(Part::Bias).map(|index| (index, shape(index)));
                let bias = match bias {
                    None => None,
                    Some((index, &[channels])) => Some((index, channels)),
                    Some((index, _)) => return Err(refuse(&weights[index].name, "a convolution's bias, [channels]")),
                };
                let shape = [first, second, rows, columns];
                layers.convolutions.push(Convolution { name: name.into(), shape, weight, bias });
            }
            _ => {
                let affine = pair(Part::Weight, Part::Bias);
                let statistics = pair(Part::Mean, Part::Variance);
                let stored = [Part::Weight, Part::Bias, Part::Mean, Part::Variance].into_iter().filter_map(place);
                let paired = affine.iter().chain(&statistics).flatten().count();
                let Some(&first) = affine.iter().chain(&statistics).flatten().next() else {
                    // A counter alone stands where the statistics were left out.
                    match stored.min() {
                        Some(index) => return Err(refuse(&weights[index].name, ALONE)),
                        None => continue,
                    }
                };
                let channels = weights[first].shape.first().copied().unwrap_or(0);
                for index in stored.clone() {
                    if shape(index) != [channels] {
                        return Err(refuse(
                            &weights[index].name,
                            "a norm's numbers, [channels], or a kernel of 4 axes",
                        ));
                    }
                }
                if paired != stored.clone().count() {
                    let index = stored.min().expect("one was found");
                    return Err(refuse(&weights[index].name, ALONE));
                }
                layers.norms.push(Norm { name: name.into(), channels, affine, statistics });
            }
        }
    }
    Ok(layers)
}

/// Bounds the work on a hostile file's names.
const LONGEST_NAME: usize = 255;

const ALONE: &str = "a convolution of 4 axes, or a norm with scale and bias, running mean and variance, or all four";
