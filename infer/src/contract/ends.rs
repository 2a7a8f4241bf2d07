//! What a graph says of its input and output.

use models_onnx::{End as GraphEnd, Side, Summary};

use super::error::ContractError;
use super::values::{Element, Layout};

/// Channels of a picture.
pub(super) const CHANNELS: u64 = 3;

/// Channels of pictures that this program does not translate, at most.
const OTHER_CHANNELS: u64 = 4;

/// One side of a batch of pictures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    Fixed(u64),
    /// Two sides of one name are alike.
    Named(String),
    Any,
}

impl Extent {
    pub(super) fn fixed(&self) -> Option<u64> {
        match self {
            Self::Fixed(side) => Some(*side),
            Self::Named(_) | Self::Any => None,
        }
    }
}

/// The input, or the output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct End {
    /// For messages: input or output.
    what: &'static str,
    pub(super) element: Element,
    sides: [Extent; 4],
}

/// Input and output of a graph that has one of each, with four sides, of numbers that this program knows.
pub(super) fn ends(summary: &Summary) -> Result<[End; 2], ContractError> {
    match (summary.inputs.as_slice(), summary.outputs.as_slice()) {
        ([input], [output]) => Ok([End::new("input", input)?, End::new("output", output)?]),
        (inputs, outputs) => Err(refused(format!(
            "it has {} and {}, and a translation has one of each",
            counted(inputs, "input"),
            counted(outputs, "output")
        ))),
    }
}

fn counted(ends: &[GraphEnd], what: &str) -> String {
    let names: Vec<&str> = ends.iter().take(8).map(|end| end.name.as_str()).collect();
    let plural = if ends.len() == 1 { "" } else { "s" };
    let more = if ends.len() > names.len() { ", …" } else { "" };
    let names = if names.is_empty() { String::new() } else { format!(" ({}{more})", names.join(", ")) };
    format!("{} {what}{plural}{names}", ends.len())
}

fn refused(reason: String) -> ContractError {
    ContractError::NotImageToImage(reason)
}

impl End {
    fn new(what: &'static str, end: &GraphEnd) -> Result<Self, ContractError> {
        let element = match end.kind.as_str() {
            "float32" => Element::F32,
            "float16" => Element::F16,
            "uint8" => Element::U8,
            other => return Err(refused(format!("its {what} is {other}, neither float32 nor float16 nor uint8"))),
        };
        let sides = match &end.shape {
            None => [Extent::Any, Extent::Any, Extent::Any, Extent::Any],
            Some(sides) => {
                let sides = sides.iter().map(|side| match side {
                    // Some writers have -1 for what they do not know.
                    Side::Fixed(side) => u64::try_from(*side).map_or(Extent::Any, Extent::Fixed),
                    Side::Symbolic(Some(name)) => Extent::Named(name.clone()),
                    Side::Symbolic(None) => Extent::Any,
                });
                <[Extent; 4]>::try_from(sides.collect::<Vec<_>>()).map_err(|sides| {
                    refused(format!("its {what} has {} dimensions, and a batch of pictures has 4", sides.len()))
                })?
            }
        };
        let end = Self { what, element, sides };
        match end.sides.contains(&Extent::Fixed(0)) {
            true => Err(refused(format!("its {what} is {end}"))),
            false => Ok(end),
        }
    }

    /// The order of its numbers as far as the sides tell it.
    ///
    /// # Errors
    /// If the channels are nowhere, or not where they are said to be.
    pub(super) fn layout(&self, said: Option<Layout>) -> Result<Option<Layout>, ContractError> {
        let at = |layout: Layout| match (layout, &self.sides) {
            (Layout::Nchw, [_, channels, _, _]) | (Layout::Nhwc, [_, _, _, channels]) => channels.fixed(),
        };
        let both = [Layout::Nchw, Layout::Nhwc];
        let certain = both.map(|layout| at(layout) == Some(CHANNELS));
        let mut possible = both.map(|layout| at(layout).is_none_or(|channels| channels == CHANNELS));
        // One channel of grey, or four with alpha, is not the height or width of the other layout.
        let is_other = |layout| at(layout).is_some_and(|channels| channels <= OTHER_CHANNELS);
        if certain == [false; 2] && both.into_iter().any(is_other) {
            possible = [false; 2];
        }
        let found = match (certain, possible) {
            ([true, false], _) | ([false, false], [true, false]) => Some(Layout::Nchw),
            ([false, true], _) | ([false, false], [false, true]) => Some(Layout::Nhwc),
            (_, [false, false]) => {
                let reason = "with three channels neither second nor last; this program translates colour to colour";
                return Err(refused(format!("its {} is {self}, {reason}", self.what)));
            }
            _ => None,
        };
        match (found, said) {
            (Some(found), Some(said)) if found != said => Err(ContractError::Contradiction {
                said: format!("layout {said}"),
                graph: format!("whose {} is {self}, {found}", self.what),
            }),
            _ => Ok(found.or(said)),
        }
    }

    pub(super) fn batch(&self) -> Option<u64> {
        self.sides[0].fixed()
    }

    /// Height and width.
    pub(super) fn size(&self, layout: Layout) -> [&Extent; 2] {
        match (layout, &self.sides) {
            (Layout::Nchw, [_, _, height, width]) | (Layout::Nhwc, [_, height, width, _]) => [height, width],
        }
    }
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[")?;
        for (place, side) in self.sides.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            match side {
                Extent::Fixed(side) => write!(f, "{comma}{side}")?,
                Extent::Named(name) => write!(f, "{comma}{}", printable(name))?,
                Extent::Any => write!(f, "{comma}?")?,
            }
        }
        write!(f, "] {}", self.element)
    }
}

/// A name out of a file that anybody may have made: nothing that a terminal would act on, and no longer than a line.
pub(super) fn printable(name: &str) -> String {
    name.chars().take(60).filter(|character| !character.is_control()).collect()
}

/// How many times as large the output is, as far as the sides tell it.
///
/// # Errors
/// If it is no whole number of times as large.
pub(super) fn scale(input: [&Extent; 2], output: [&Extent; 2]) -> Result<Option<u64>, ContractError> {
    let [height, width] = [0, 1].map(|side| factor(input[side], output[side]));
    let (height, width) = (height?, width?);
    match (height, width) {
        (Some(height), Some(width)) if height != width => Err(refused(format!(
            "its output is {height} times as high as its input and {width} times as wide; a translation keeps the shape"
        ))),
        _ => Ok(height.or(width)),
    }
}

fn factor(input: &Extent, output: &Extent) -> Result<Option<u64>, ContractError> {
    match (input, output) {
        (Extent::Fixed(input), Extent::Fixed(output)) => match output.checked_rem(*input) {
            Some(0) => Ok(Some(output / input)),
            _ => Err(refused(format!("a side of {input} becomes one of {output}, which is no whole multiple"))),
        },
        (Extent::Named(input), Extent::Named(output)) if input == output => Ok(Some(1)),
        // As PyTorch writes it.
        (Extent::Named(input), Extent::Named(output)) => Ok(output
            .split_once('*')
            .and_then(|(one, other)| match (one.trim(), other.trim()) {
                (factor, name) | (name, factor) if name == input => factor.parse().ok(),
                _ => None,
            })
            .filter(|factor| *factor > 0)),
        _ => Ok(None),
    }
}
