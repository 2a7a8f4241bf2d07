//! One value of a graph after the other beside what it must be.

use std::collections::HashSet;

use half::f16;
use models_onnx::proto::ModelProto;
use models_runtime::Value;

use super::TIMES_OWN_ROUNDING;
use super::difference::distance;
use super::divergence::{Divergence, Found};

/// Of a value's largest number: what two sums of the same few thousand products in another order, or two approximations of
/// the same function, may be apart where libtorch's happens to be exact. 16 units in the last place.
const SUMMED_OTHERWISE: f32 = 1.0 / (1 << 20) as f32;
/// What is less than this is nothing: no norm divides by less than the root of its epsilon, which no network has below 1e-9.
const NOTHING: f32 = 1e-12;
/// Of a 16-bit number: it is rounded to 11 bits, and so was what it was made of.
const ROUNDED_TO_16_BITS: f32 = 1.0 / (1 << 10) as f32;
/// The least 16-bit number.
const LEAST_OF_16_BITS: f32 = 1.0 / (1 << 24) as f32;

/// What a value must be.
pub(super) struct Expected {
    /// What an export calls it.
    pub(super) name: String,
    /// What makes it, for a person.
    pub(super) kind: String,
    pub(super) shape: [usize; 4],
    /// Whether an export has 16-bit floats there.
    pub(super) in_16_bits: bool,
    /// What 64-bit floats make of the graph's own numbers before it.
    pub(super) exact: Vec<f32>,
    /// What 32-bit ones make of them in libtorch.
    pub(super) float: Vec<f32>,
    /// What 64-bit ones make of them where each is off by what 32 bits round.
    pub(super) shaken: Vec<f32>,
    /// What 64-bit ones make of the graph's numbers before those were rounded to 16 bits: ONNX Runtime leaves out a rounding
    /// between two nodes that it computes in 32 bits.
    pub(super) unrounded: Vec<f32>,
    /// Whether the number that a channel has everywhere does not count, since the norm behind takes it away: a convolution's
    /// bias that an export leaves out.
    pub(super) is_centred: bool,
}

/// A value that is what it must be.
pub(super) struct Same<'a> {
    pub(super) value: &'a Value,
    /// Its numbers before they were rounded, where it has 16-bit ones.
    pub(super) unrounded: Vec<f32>,
}

/// What was found so far.
pub(super) struct Search<'a> {
    values: &'a [Value],
    /// All values that the graph should have.
    named: HashSet<&'a str>,
    /// Why there are not all of them.
    refused: Option<&'a str>,
    /// A layer's value never stands before that of an earlier one.
    from: usize,
    /// The first that was not found. It may only be written otherwise: two layers as one node.
    pub(super) first: Option<Divergence>,
    /// Whether nothing that follows can change that.
    pub(super) is_settled: bool,
    /// Whether it is settled, and all before it were found: it computes something else.
    pub(super) is_certain: bool,
    /// How many were the same.
    pub(super) same: usize,
}

impl<'a> Search<'a> {
    pub(super) fn new(model: &'a ModelProto, values: &'a [Value], refused: Option<&'a str>) -> Self {
        let nodes = model.graph.iter().flat_map(|graph| &graph.node);
        let named = nodes.flat_map(|node| &node.output).map(String::as_str).collect();
        Self { values, named, refused, from: 0, first: None, is_settled: false, is_certain: false, same: 0 }
    }

    /// Looks for a value; where it is found to be the same, gives it.
    pub(super) fn next(&mut self, expected: &Expected) -> Option<Same<'a>> {
        let found = match self.closest(expected) {
            Ok((place, unrounded)) => {
                (self.from, self.first) = (place, None);
                self.same += 1;
                return Some(Same { value: &self.values[place], unrounded });
            }
            Err(found) => found,
        };
        // A value of the layer's name is the layer.
        self.is_settled = self.named.contains(expected.name.as_str())
            || found.value() == Some(&expected.name)
            || matches!(found, Found::Nothing { .. }) && self.refused.is_some();
        self.is_certain = self.is_settled && self.first.is_none();
        let found = match (found, self.refused) {
            (Found::Nothing { .. }, Some(reason)) => Found::Refused { reason: reason.into() },
            (found, _) => found,
        };
        let divergence = || Divergence { layer: expected.name.clone(), kind: expected.kind.clone(), found };
        self.first = self.first.take().or_else(|| Some(divergence()));
        None
    }

    /// The place of the value, and its numbers before they were rounded; else how the likeliest differs. Where the file has one
    /// of the name, no other can be it.
    fn closest(&self, expected: &Expected) -> Result<(usize, Vec<f32>), Found> {
        let Self { values, .. } = self;
        let candidates: Vec<usize> = match values.iter().position(|value| value.name == expected.name) {
            Some(place) if values[place].shape != expected.shape => {
                let Value { name, shape, .. } = &values[place];
                return Err(Found::Shape { value: name.clone(), expected: expected.shape, found: shape.clone() });
            }
            Some(place) if values[place].in_16_bits != expected.in_16_bits => {
                let Value { name, in_16_bits, .. } = &values[place];
                return Err(Found::Precision { value: name.clone(), in_16_bits: *in_16_bits });
            }
            Some(place) => vec![place],
            None if self.named.contains(expected.name.as_str()) => Vec::new(),
            None => (self.from..values.len()).filter(|&place| values[place].shape == expected.shape).collect(),
        };
        let limit = expected.limit();
        let mut likeliest: Option<(f32, Found)> = None;
        for place in candidates {
            match expected.compare(&values[place], limit) {
                Ok(unrounded) => return Ok((place, unrounded)),
                Err((apart, found)) if likeliest.as_ref().is_none_or(|(least, _)| apart < *least) => {
                    likeliest = Some((apart, found));
                }
                Err(_) => {}
            }
        }
        Err(likeliest.map_or(Found::Nothing { shape: expected.shape }, |(_, found)| found))
    }
}

impl Expected {
    /// How far 32-bit floats may be off here.
    fn limit(&self) -> f32 {
        let finite = |&number: &f32| if number.is_finite() { number.abs() } else { 0.0 };
        let largest = self.exact.iter().map(finite).fold(0.0, f32::max);
        let off = |numbers: &[f32]| {
            let differences = numbers.iter().zip(&self.exact).map(|(number, exact)| number - exact);
            differences.map(|difference| finite(&difference)).fold(0.0, f32::max)
        };
        let own = off(&self.float).max(off(&self.shaken));
        let limit = (TIMES_OWN_ROUNDING * own).max(SUMMED_OTHERWISE * largest) + NOTHING;
        // The means that are taken away are off as well.
        if self.is_centred { 2.0 * limit } else { limit }
    }

    /// The value's numbers before they were rounded, where it is the same; else by how much it is not, at its worst, and how.
    fn compare(&self, value: &Value, limit: f32) -> Result<Vec<f32>, (f32, Found)> {
        let exact = self.compare_with(&self.exact, value, limit);
        if self.unrounded == self.exact {
            return exact; // in 32 bits nothing was left out
        }
        // A layer that only moves numbers is the same either way.
        self.compare_with(&self.unrounded, value, limit).or(exact)
    }

    fn compare_with(&self, expected: &[f32], value: &Value, limit: f32) -> Result<Vec<f32>, (f32, Found)> {
        let offsets = self.offsets(&value.numbers, expected);
        let sides = self.shape;
        let none = Offset { by: 0.0, within: 0.0 };
        let offset = |place: usize| offsets.as_ref().map_or(none, |offsets| offsets[place / (sides[2] * sides[3])]);
        let (mut off, mut worst) = (0_usize, (0.0, 0));
        for (place, ((&found, &exact), &float)) in value.numbers.iter().zip(expected).zip(&self.float).enumerate() {
            let Offset { by, within } = offset(place);
            let mut allowed = limit;
            if value.in_16_bits {
                let size = exact.abs().max(found.abs());
                allowed += ROUNDED_TO_16_BITS * size + within + LEAST_OF_16_BITS;
            }
            let beyond = distance(found - by, exact) - allowed;
            // Where 32-bit floats have no number either, or 16-bit ones none for it, both sides have none.
            let as_rounded = |number: f32| if value.in_16_bits { f16::from_f32(number).to_f32() } else { number };
            let is_same = |number: f32| found == as_rounded(number) || found.is_nan() && number.is_nan();
            if beyond > 0.0 && !is_same(float) && !is_same(exact) || beyond.is_nan() {
                off += 1;
                if beyond >= worst.0 {
                    worst = (beyond, place);
                }
            }
        }
        if off == 0 {
            return Ok(match value.in_16_bits {
                true => expected.iter().enumerate().map(|(place, exact)| exact + offset(place).by).collect(),
                false => value.numbers.clone(),
            });
        }
        let (apart, place) = worst;
        let at = [
            place / (sides[1] * sides[2] * sides[3]),
            place / (sides[2] * sides[3]) % sides[1],
            place / sides[3] % sides[2],
            place % sides[3],
        ];
        let (value, found, off) = (value.name.clone(), value.numbers[place], off as f64 / expected.len() as f64);
        // As the graph would have it, with what does not count.
        Err((apart, Found::Numbers { value, at, expected: expected[place] + offset(place).by, found, off }))
    }

    /// By how much each channel of each picture is off everywhere, where that does not count.
    fn offsets(&self, found: &[f32], expected: &[f32]) -> Option<Vec<Offset>> {
        if !self.is_centred {
            return None;
        }
        let [.., height, width] = self.shape;
        let mean = |channel: &[f32], of: fn(f32) -> f32| {
            (channel.iter().map(|&number| f64::from(of(number))).sum::<f64>() / channel.len() as f64) as f32
        };
        let channels = found.chunks(height * width).zip(expected.chunks(height * width));
        let offset = |(found, expected)| Offset {
            by: mean(found, |number| number) - mean(expected, |number| number),
            within: ROUNDED_TO_16_BITS * mean(found, f32::abs),
        };
        Some(channels.map(offset).collect())
    }
}

/// A number that a channel has everywhere.
#[derive(Clone, Copy)]
struct Offset {
    by: f32,
    /// How well it is known from numbers of 16 bits: their mean is as far off as each of them, at most.
    within: f32,
}
