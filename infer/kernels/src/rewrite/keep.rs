//! Pictures that several convolutions read: their points are made once, and kept.

use std::collections::{HashMap, HashSet};

use super::index::Index;
use super::{Kernel, Replacement};
use crate::operators::DOMAIN;
use crate::padding::Padding;
use crate::winograd::Part;

/// Nodes that are asked how many channels a picture has, at most.
const MOST_STEPS: usize = 64;

/// A picture of which the points are kept.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Kept {
    pub(super) picture: String,
    pub(super) channels: usize,
    /// Its pixels for each of the graph's input, where that is known.
    pub(super) scale: Option<f64>,
    /// That of the convolutions.
    pub(super) padding: Padding,
    /// The points, in the graph.
    pub(super) name: String,
}

/// Lets convolutions read the points of a picture, where two or more of them would make the same; gives what is to be kept.
pub(super) fn keep<'a>(index: &Index<'_>, replacements: impl Iterator<Item = &'a mut Replacement>) -> Vec<Kept> {
    let replacements: Vec<_> = replacements.collect();
    let mut readers: HashMap<(String, Padding), usize> = HashMap::new();
    for replacement in &replacements {
        if let Kernel::Winograd { padding, .. } = replacement.kernel {
            for input in &replacement.inputs {
                *readers.entry((input.clone(), padding)).or_default() += 1;
            }
        }
    }
    let mut kept: HashMap<(String, Padding), Kept> = HashMap::new();
    let mut order = Vec::new();
    let names = (1..).map(|number: u64| format!("{DOMAIN}.points.{number}"));
    let mut names = names.filter(|name| index.is_free(name));
    for replacement in replacements {
        let Replacement { inputs, kernel: Kernel::Winograd { parts, padding, .. }, .. } = replacement else { continue };
        for (input, part) in inputs.iter_mut().zip(parts) {
            let key = (input.clone(), *padding);
            if readers[&key] < 2 {
                continue;
            }
            let Some(channels) = channels(index, input) else { continue };
            let kept = kept.entry(key.clone()).or_insert_with(|| {
                order.push(key);
                let name = names.next().expect("names without end");
                Kept { picture: input.clone(), channels, scale: scale(index, input), padding: *padding, name }
            });
            *part = Part::Points(channels);
            input.clone_from(&kept.name);
        }
    }
    order.iter().filter_map(|key| kept.remove(key)).collect()
}

/// Channels of a picture, where what makes it says so.
fn channels(index: &Index<'_>, picture: &str) -> Option<usize> {
    let (mut values, mut seen) = (vec![picture], HashSet::new());
    while let Some(value) = values.pop().filter(|_| seen.len() < MOST_STEPS) {
        let Some(maker) = index.maker(value).filter(|maker| seen.insert(*maker)) else { continue };
        let node = index.node(maker);
        let shape = || Some(index.floats(node.input.get(1)?).ok()?.1);
        match (node.op_type.as_str(), node.domain.as_str()) {
            ("Conv", "") => {
                if let Some(&[channels, _, _, _]) = shape().as_deref()
                    && channels > 1
                {
                    return Some(channels);
                }
            }
            ("InstanceNormalization" | "Relu" | "LeakyRelu" | "PRelu" | "Tanh" | "Sigmoid", "") => {
                values.extend(node.input.first().map(String::as_str));
            }
            // One of the two may be repeated for all channels, so that it says nothing.
            ("Add" | "Sub" | "Mul", "") => values.extend(node.input.iter().map(String::as_str)),
            _ => {}
        }
    }
    None
}

/// How many pixels a picture has for each that comes in; none where something on the way changes that in another way than
/// convolutions do.
fn scale<'a>(index: &Index<'a>, mut picture: &'a str) -> Option<f64> {
    let mut scale = 1.0;
    for _ in 0..MOST_STEPS {
        let Some(maker) = index.maker(picture) else { return index.is_input(picture).then_some(scale) };
        let node = index.node(maker);
        let strides = node.attribute.iter().find(|attribute| attribute.name == "strides");
        let area = strides.map_or(1.0, |strides| strides.ints.iter().map(|&stride| stride.max(1) as f64).product());
        match (node.op_type.as_str(), node.domain.as_str()) {
            ("Conv", "") => scale /= area,
            ("ConvTranspose", "") => scale *= area,
            ("Pad" | "Concat" | "InstanceNormalization" | "Relu" | "LeakyRelu" | "PRelu" | "Tanh" | "Sigmoid", "")
            | ("Add" | "Sub" | "Mul" | "Div" | "Cast" | "Transpose", "") => {}
            _ => return None,
        }
        picture = node.input.first()?;
    }
    None
}
