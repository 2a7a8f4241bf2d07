//! What is recognised, and what it becomes.
//!
//! | nodes | kernel |
//! | --- | --- |
//! | (`Pad`) `Conv` 3×3 (`Relu`) | convolution by Winograd's filtering |
//! | (`Pad`) `Conv` to few channels (`Relu`) | convolution as it is written |
//! | `ConvTranspose` of stride 2 (`Relu`) | four convolutions by parity, filtered at once |
//! | `InstanceNormalization` (`Relu`) | norm |
//! | `InstanceNormalization` `Add` | norm with the sum |
//!
//! What stands in brackets is folded in where nothing else reads the value between. Where a convolution reads channels that
//! a `Concat` joins, it takes them one by one, and nothing is copied. What several of them read is made points once (see
//! [`super::keep`]).

use models_onnx::proto::{AttributeProto, NodeProto};

use super::index::Index;
use super::{Kernel, Replacement, Weights};
use crate::direct::MOST_OUTPUTS;
use crate::padding::{Fill, Padding};
use crate::transposed::LARGEST_KERNEL;
use crate::winograd::Part;

/// Rows and columns that are padded or cut off, at most: more than any picture has, and no sum of them overflows.
const LARGEST_SIDE: i64 = 1 << 20;

/// Parts that a convolution reads, at most: a graph that makes no sense could join without end.
const MOST_PARTS: usize = 64;

/// Nodes of a residual branch, at most: a graph that makes no sense could go in a circle.
const LONGEST_BRANCH: usize = 64;

/// Rows and columns of a kernel to few channels, at most.
const LARGEST_TO_FEW: usize = 16;

/// Fewer channels than this, and the maps cost more than the products save.
const FEWEST: usize = 16;

/// What a node becomes, or why it stays; none for one that no kernel is for.
pub(super) fn find(index: &Index<'_>, place: usize) -> Option<Result<Replacement, String>> {
    let node = index.node(place);
    if !node.domain.is_empty() && node.domain != "ai.onnx" {
        return None;
    }
    match node.op_type.as_str() {
        "Conv" => Some(convolution(index, place)),
        "ConvTranspose" => Some(transposed(index, place)),
        "InstanceNormalization" => Some(norm(index, place)),
        _ => None,
    }
}

fn convolution(index: &Index<'_>, place: usize) -> Result<Replacement, String> {
    let node = index.node(place);
    let ([input, weight, ..], [output]) = (&node.input[..], &node.output[..]) else { return no("it is incomplete") };
    let (_, shape) = index.floats(weight)?;
    let [outputs, inputs, rows, columns] = shape[..] else { return no("its kernel has not two dimensions") };
    let kernel = [rows, columns];
    if outputs == 0 {
        return no("it has no outputs");
    }
    let is_direct = outputs <= MOST_OUTPUTS;
    if is_direct && !(kernel.iter().all(|side| (1..=LARGEST_TO_FEW).contains(side)) && rows * columns > 1) {
        return Err(format!("its kernel of {rows}×{columns} is none of those tried with few outputs"));
    }
    if !is_direct && kernel != [3, 3] {
        return no("its kernel is not 3×3");
    }
    for (name, one) in [("strides", "stride"), ("dilations", "dilation")] {
        if ints(node, name).is_some_and(|steps| steps.iter().any(|step| *step != 1)) {
            return Err(format!("its {one} is not 1"));
        }
    }
    if attribute(node, "group").is_some_and(|group| group.i != 1) {
        return no("its channels are in groups");
    }
    if attribute(node, "auto_pad").is_some_and(|kind| kind.s != "NOTSET") {
        return no("its padding follows from the picture's size");
    }
    if inputs < FEWEST || !is_direct && outputs < FEWEST {
        return Err(format!("of {inputs} to {outputs} channels, it has too few for it to pay"));
    }
    let weights = Weights { weight: weight.clone(), bias: bias(index, node, outputs)? };
    let [top, left, bottom, right] = sizes(node, "pads").ok_or("its padding is not four sizes")?;
    let mut padding = Padding { top, left, bottom, right, fill: Fill::Zero };
    let mut nodes = vec![place];
    let mut from = input;
    if padding == Padding::all(0, Fill::Zero)
        && index.only_user(input) == Some(place)
        && let Some(before) = index.maker(input)
        && let Some(folded) = pad(index, index.node(before))
    {
        padding = folded;
        nodes.insert(0, before);
        from = &index.node(before).input[0];
    }
    let (output, relu) = rectified(index, output, &mut nodes);
    let channels = [inputs, outputs];
    let inputs = parts(index, from);
    let kernel = if is_direct {
        Kernel::Direct { weights, channels, kernel, padding, relu }
    } else {
        Kernel::Winograd { weights, channels, parts: vec![Part::Picture; inputs.len()], padding, relu }
    };
    Ok(Replacement { nodes, inputs, output, kernel })
}

fn transposed(index: &Index<'_>, place: usize) -> Result<Replacement, String> {
    let node = index.node(place);
    let ([input, weight, ..], [output]) = (&node.input[..], &node.output[..]) else { return no("it is incomplete") };
    let (_, shape) = index.floats(weight)?;
    let [inputs, outputs, kernel, columns] = shape[..] else { return no("its kernel has not two dimensions") };
    if kernel != columns || !(1..=LARGEST_KERNEL).contains(&kernel) {
        return Err(format!("its kernel of {kernel}×{columns} is not a square up to {LARGEST_KERNEL}"));
    }
    if ints(node, "strides") != Some(&[2, 2]) {
        return no("its stride is not 2");
    }
    if ints(node, "dilations").is_some_and(|steps| steps.iter().any(|step| *step != 1)) {
        return no("its dilation is not 1");
    }
    if attribute(node, "group").is_some_and(|group| group.i != 1) {
        return no("its channels are in groups");
    }
    if attribute(node, "auto_pad").is_some_and(|kind| kind.s != "NOTSET") || attribute(node, "output_shape").is_some() {
        return no("its padding follows from the picture's size");
    }
    if inputs.min(outputs) < FEWEST {
        return Err(format!("of {inputs} to {outputs} channels, it has too few for it to pay"));
    }
    let weights = Weights { weight: weight.clone(), bias: bias(index, node, outputs)? };
    let crop = sizes::<4>(node, "pads").ok_or("its padding is not four sizes")?;
    if crop[0].max(crop[1]) >= kernel {
        return no("its padding is more than its kernel reaches");
    }
    let extra = sizes::<2>(node, "output_padding").ok_or("its output's padding is not two sizes")?;
    let mut nodes = vec![place];
    let (output, relu) = rectified(index, output, &mut nodes);
    let channels = [inputs, outputs];
    let kernel = Kernel::Transposed { weights, channels, kernel, crop, extra, relu };
    Ok(Replacement { nodes, inputs: parts(index, input), output, kernel })
}

/// What a `Concat` of channels joins, and those before it; else the value itself.
fn parts(index: &Index<'_>, value: &str) -> Vec<String> {
    let mut parts = vec![value.to_owned()];
    for _ in 0..MOST_PARTS {
        let joined = parts.iter().enumerate().find_map(|(place, part)| Some((place, joined(index, part)?)));
        let Some((place, joined)) = joined else { return parts };
        parts.splice(place..=place, joined.iter().cloned());
    }
    vec![value.to_owned()]
}

/// What the `Concat` joins that makes a value.
fn joined<'a>(index: &Index<'a>, value: &str) -> Option<&'a [String]> {
    let node = index.node(index.maker(value)?);
    let is_of_channels = attribute(node, "axis").is_some_and(|axis| axis.i == 1 || axis.i == -3);
    let joins = node.op_type == "Concat" && node.domain.is_empty() && is_of_channels;
    let is_whole = !node.input.is_empty() && !node.input.iter().any(String::is_empty);
    (joins && is_whole && node.output.len() == 1).then_some(&node.input)
}

/// The bias of a convolution, where it has one.
fn bias(index: &Index<'_>, node: &NodeProto, outputs: usize) -> Result<Option<String>, String> {
    match node.input.get(2).filter(|bias| !bias.is_empty()) {
        Some(bias) if index.floats(bias)?.1 == [outputs] => Ok(Some(bias.clone())),
        Some(_) => no("its bias is of another shape"),
        None => Ok(None),
    }
}

/// Sizes, zeros where none are given; none where they are others.
fn sizes<const N: usize>(node: &NodeProto, name: &str) -> Option<[usize; N]> {
    let Some(sizes) = ints(node, name) else { return Some([0; N]) };
    whole(sizes)?.try_into().ok()
}

fn whole(sizes: &[i64]) -> Option<Vec<usize>> {
    let size = |&size: &i64| usize::try_from(size).ok().filter(|_| size <= LARGEST_SIDE);
    sizes.iter().map(size).collect()
}

/// What a node pads rows and columns with, where that can be folded in.
fn pad(index: &Index<'_>, node: &NodeProto) -> Option<Padding> {
    let fill = match attribute(node, "mode").map(|mode| &mode.s[..]) {
        Some(b"reflect") => Fill::Reflect,
        None | Some(b"constant") if index.is_zero(node.input.get(2)) => Fill::Zero,
        _ => return None,
    };
    let has_axes = node.input.get(3).is_some_and(|axes| !axes.is_empty());
    if node.op_type != "Pad" || !node.domain.is_empty() || has_axes {
        return None;
    }
    let sizes = whole(&index.integers(node.input.get(1)?)?)?;
    let [0, 0, top, left, 0, 0, bottom, right] = sizes[..] else { return None };
    Some(Padding { top, left, bottom, right, fill })
}

fn norm(index: &Index<'_>, place: usize) -> Result<Replacement, String> {
    let node = index.node(place);
    let ([input, scale, bias], [output]) = (&node.input[..], &node.output[..]) else { return no("it is incomplete") };
    let (_, shape) = index.floats(scale)?;
    if index.floats(bias)?.1 != shape {
        return no("its scale and bias are of different shapes");
    }
    if !is_picture(index, input) {
        return no("it follows no convolution, so that it may norm something else than pictures");
    }
    let (scale, bias) = (scale.clone(), bias.clone());
    let epsilon = attribute(node, "epsilon").map_or(1e-5, |epsilon| epsilon.f);
    let mut nodes = vec![place];
    let (mut inputs, mut to) = (vec![input.clone()], output.clone());
    let mut relu = false;
    if let Some((sum, carried)) = sum(index, output) {
        nodes.push(sum);
        inputs.push(carried);
        to.clone_from(&index.node(sum).output[0]);
    } else {
        (to, relu) = rectified(index, &to, &mut nodes);
    }
    Ok(Replacement { nodes, inputs, output: to, kernel: Kernel::Norm { scale, bias, epsilon, relu } })
}

/// Whether a value is what a convolution of pictures gives.
fn is_picture(index: &Index<'_>, value: &str) -> bool {
    let maker = index.maker(value).map(|maker| index.node(maker));
    let convolves = |node: &&NodeProto| ["Conv", "ConvTranspose"].contains(&node.op_type.as_str());
    let weight = maker.filter(convolves).and_then(|node| node.input.get(1));
    weight.and_then(|weight| index.floats(weight).ok()).is_some_and(|(_, shape)| shape.len() == 4)
}

/// The sum after a norm, and its other term: where that is what the norm's branch began with, so that both have one shape.
fn sum(index: &Index<'_>, value: &str) -> Option<(usize, String)> {
    let sum = index.only_user(value)?;
    let node = index.node(sum);
    let ([one, other], [_], "Add", "") =
        (&node.input[..], &node.output[..], node.op_type.as_str(), node.domain.as_str())
    else {
        return None;
    };
    let carried = if one == value { other } else { one };
    branch_keeps_shape(index, value, carried).then(|| (sum, carried.clone()))
}

/// Whether `value` is made of `origin` by steps that keep rows and columns, and has as many channels in the end.
fn branch_keeps_shape(index: &Index<'_>, value: &str, origin: &str) -> bool {
    let (mut value, mut channels) = (value, None);
    for _ in 0..LONGEST_BRANCH {
        if value == origin {
            return channels.is_some_and(|(first, last)| first == last);
        }
        let Some(maker) = index.maker(value) else { return false };
        let node = index.node(maker);
        let Some(input) = node.input.first() else { return false };
        value = match (node.op_type.as_str(), node.domain.as_str()) {
            ("InstanceNormalization" | "Relu", "") => input,
            ("Conv", "") => {
                let Ok(Replacement { nodes, kernel: Kernel::Winograd { channels: [from, to], padding, .. }, .. }) =
                    convolution(index, maker)
                else {
                    return false;
                };
                let keeps = [padding.top + padding.bottom, padding.left + padding.right] == [2, 2];
                if !keeps || channels.is_some_and(|(first, _)| first != to) {
                    return false;
                }
                channels = Some((from, channels.map_or(to, |(_, last)| last)));
                // Before its padding, where that is folded in.
                if nodes[0] == maker { input } else { &index.node(nodes[0]).input[0] }
            }
            _ => return false,
        };
    }
    false
}

/// A value's rectified one, where nobody needs it as it is.
fn rectified(index: &Index<'_>, value: &str, nodes: &mut Vec<usize>) -> (String, bool) {
    let user = index.only_user(value).map(|user| (user, index.node(user)));
    match user {
        Some((user, NodeProto { op_type, domain, output, .. }))
            if op_type == "Relu" && domain.is_empty() && output.len() == 1 =>
        {
            nodes.push(user);
            (output[0].clone(), true)
        }
        _ => (value.to_owned(), false),
    }
}

fn no<T>(reason: &str) -> Result<T, String> {
    Err(reason.to_owned())
}

fn attribute<'a>(node: &'a NodeProto, name: &str) -> Option<&'a AttributeProto> {
    node.attribute.iter().find(|attribute| attribute.name == name)
}

fn ints<'a>(node: &'a NodeProto, name: &str) -> Option<&'a [i64]> {
    attribute(node, name).map(|attribute| attribute.ints.as_slice())
}
